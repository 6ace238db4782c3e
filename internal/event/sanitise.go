package event

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// Model is a stored object in an event: which one, not what is in it.
type Model struct {
	App   string `json:"app"`
	Model string `json:"model_name"`
	PK    string `json:"pk"`
	Name  string `json:"name"`
}

// target is what policies are bound to, as an object.
func target(t *policy.Target) any {
	if t == nil {
		return nil
	}
	m := Model{Model: t.Kind, PK: hexID(t.ID), Name: t.Name}
	switch t.Kind {
	case "flow", "stage":
		m.App = "authentik_flows"
	case "binding":
		m.App, m.Model = "authentik_flows", "flowstagebinding"
	case "application":
		m.App = "authentik_core"
	}
	return model(m)
}

// model is the object as it is stored.
func model(m Model) map[string]any {
	return map[string]any{"app": clean(m.App), "model_name": clean(m.Model), "pk": clean(PlainKey(m.PK)), "name": clean(m.Name)}
}

const mask = "********************"

const secretNames = `api|auth|token|key|secret|pass|signature|cookie`

// The names whose values are masked, and those that only look like them.
var (
	secretName   = regexp.MustCompile(`(?i)` + secretNames)
	harmlessName = regexp.MustCompile(`(?i)passing|^auth_method(_args)?$|^password_change_date$|^authorized_application$|^authenticated_as$`)
)

const (
	maxTextBytes = 4096
	maxDepth     = 12
)

// Sanitise returns a copy that JSON and both databases can store: objects
// become descriptions, identifiers hex, times ISO 8601, secrets asterisks.
// Empty list members and HTTP requests are left out. A text that stands
// under a telltale name is masked wherever else it occurs: the message of an
// exception may quote it.
func Sanitise(values map[string]any) map[string]any {
	var s sanitiser
	out, _ := s.value(values, maxDepth).(map[string]any)
	if out == nil {
		out = map[string]any{}
	}
	if len(s.secrets) > 0 {
		slices.SortFunc(s.secrets, func(a, b string) int { return len(b) - len(a) })
		var pairs []string
		for _, secret := range s.secrets {
			pairs = append(pairs, secret, mask)
		}
		out = scrub(out, strings.NewReplacer(pairs...)).(map[string]any)
	}
	return out
}

// scrub replaces in all texts of a sanitised value.
func scrub(v any, replace *strings.Replacer) any {
	switch v := v.(type) {
	case string:
		return replace.Replace(v)
	case []any:
		for i, item := range v {
			v[i] = scrub(item, replace)
		}
	case map[string]any:
		for name, member := range v {
			v[name] = scrub(member, replace)
		}
	}
	return v
}

// Secret is a value of a context that is masked, whatever its name.
type Secret struct{ Value any }

// sanitiser keeps the texts that it has masked.
type sanitiser struct{ secrets []string }

// minSecretBytes is the length from which on a masked text is looked for
// elsewhere; shorter ones would be found by chance. maxSecrets bounds how many
// are.
const (
	minSecretBytes = 5
	maxSecrets     = 64
)

// hide masks a value and remembers its texts.
func (s *sanitiser) hide(v any) string {
	switch v := v.(type) {
	case string:
		if len(v) >= minSecretBytes && v != mask && len(s.secrets) < maxSecrets {
			s.secrets = append(s.secrets, v)
			// As Python and JSON quote it.
			if quoted := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(v); quoted != v {
				s.secrets = append(s.secrets, quoted)
			}
			if quoted := strconv.Quote(v); quoted[1:len(quoted)-1] != v {
				s.secrets = append(s.secrets, quoted[1:len(quoted)-1])
			}
		}
	case []any:
		for _, item := range v {
			s.hide(item)
		}
	case map[string]any:
		for _, member := range v {
			s.hide(member)
		}
	}
	return mask
}

// What people have typed into prompts is shown under these names only: the name
// of a field says nothing about what it asks for.
const promptData = "prompt_data"

var promptShown = map[string]bool{"username": true, "name": true, "email": true}

// dropped stands for a value that does not belong into an event at all.
type dropped struct{}

func (s *sanitiser) value(v any, depth int) any {
	if depth == 0 {
		return "..."
	}
	switch v := v.(type) {
	case nil, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return v
	case float32:
		return s.value(float64(v), depth)
	case float64:
		if _, err := json.Marshal(v); err != nil {
			return fmt.Sprint(v) // not a number, infinite
		}
		return v
	case string:
		return clean(v)
	case uuid.UUID:
		return hexID(v)
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.999999Z07:00")
	case time.Duration:
		return strconv.FormatFloat(v.Seconds(), 'f', -1, 64)
	case error:
		return clean(v.Error())
	case *http.Request, *policy.HTTPRequest, policy.HTTPRequest:
		return dropped{}
	case *policy.Request:
		context := maps.Clone(v.Context)
		delete(context, policy.KeyAssurance) // the session has it
		return s.value(map[string]any{"user": v.User, "obj": v.Target, "context": context, "debug": v.Debug}, depth)
	case *policy.Target:
		return target(v)
	case policy.Plan:
		return map[string]any{"flow_pk": hexID(v.FlowID())}
	case *identity.Person:
		if v == nil {
			return nil
		}
		return person(&v.User)
	case *identity.User:
		return person(v)
	case identity.User:
		return person(&v)
	case identity.Group:
		return model(Model{App: "authentik_core", Model: "group", PK: hexID(v.ID), Name: v.Name})
	case *flow.PersonRef:
		return map[string]any{"pk": v.ID, "username": clean(v.Username), "email": clean(v.Email)}
	case *flow.Ref:
		return model(Model{Model: v.Kind, PK: hexID(v.ID), Name: v.Name})
	case Model:
		return model(v)
	case netip.Addr:
		return v.String()
	case *url.URL:
		return clean(v.Redacted())
	case *Recorded:
		return model(Model{App: "authentik_events", Model: "event", PK: hexID(v.ID), Name: v.String()})
	case Secret:
		return s.hide(s.value(v.Value, depth-1))
	case []byte:
		return mask // bytes are keys and codes more often than text
	}
	return s.reflected(reflect.ValueOf(v), depth)
}

func (s *sanitiser) reflected(v reflect.Value, depth int) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return s.value(v.Elem().Interface(), depth-1)
	case reflect.Map:
		out := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			name := clean(fmt.Sprint(it.Key().Interface()))
			inner := s.value(it.Value().Interface(), depth-1)
			if _, drop := inner.(dropped); drop {
				continue
			}
			_, described := it.Value().Interface().(Model) // says which secret, not what it is
			switch {
			case described:
			case secretName.MatchString(name) && !harmlessName.MatchString(name):
				inner = s.hide(inner)
			case name == promptData:
				inner = s.typed(inner)
			}
			out[name] = inner
		}
		return out
	case reflect.Slice, reflect.Array:
		out := []any{}
		for i := range v.Len() {
			inner := s.value(v.Index(i).Interface(), depth-1)
			if _, drop := inner.(dropped); !drop && !empty(inner) {
				out = append(out, inner)
			}
		}
		return out
	case reflect.Struct:
		return s.structure(v, depth)
	case reflect.String:
		return clean(v.String())
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return v.Uint()
	case reflect.Float32, reflect.Float64:
		return s.value(v.Float(), depth-1)
	}
	return clean(fmt.Sprintf("<%s>", v.Type())) // functions, channels
}

// typed masks what was typed into prompts.
func (s *sanitiser) typed(v any) any {
	fields, ok := v.(map[string]any)
	if !ok {
		return s.hide(v)
	}
	for name, value := range fields {
		if !promptShown[name] {
			fields[name] = s.hide(value)
		}
	}
	return fields
}

// structure goes by the JSON form, whose names are then masked like any other.
func (s *sanitiser) structure(v reflect.Value, depth int) any {
	data, err := json.Marshal(v.Interface())
	var plain any
	if err == nil {
		err = json.Unmarshal(data, &plain)
	}
	if err != nil {
		return clean(fmt.Sprintf("<%s>", v.Type()))
	}
	return s.value(plain, depth-1)
}

// empty tells what lists leave out: null, false, zero, "" and empty lists and
// objects.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return reflect.ValueOf(v).IsZero()
}

// clean bounds a text and takes out what PostgreSQL cannot store.
func clean(s string) string {
	if len(s) > maxTextBytes {
		s = s[:maxTextBytes] + "..."
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	if strings.ContainsRune(s, 0) {
		s = string(slices.DeleteFunc([]rune(s), func(r rune) bool { return r == 0 }))
	}
	return s
}

// hexID is how events write identifiers: 32 hex digits without dashes.
func hexID(id uuid.UUID) string { return fmt.Sprintf("%x", id[:]) }
