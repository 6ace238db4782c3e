package event

import (
	"encoding/json"
	"fmt"
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

// model is the object as it is stored.
func model(m Model) map[string]any {
	return map[string]any{"app": clean(m.App), "model_name": clean(m.Model), "pk": clean(PlainKey(m.PK)), "name": clean(m.Name)}
}

const mask = "********************"

// The names whose values are masked, and those that only look like them.
var (
	secretName   = regexp.MustCompile(`(?i)api|auth|token|key|secret|pass|signature|cookie`)
	harmlessName = regexp.MustCompile(`(?i)passing|^auth_method(_args)?$|^password_change_date$|^authorized_application$|^authenticated_as$`)
)

const (
	maxTextBytes = 4096
	maxDepth     = 12
)

// sanitise returns a copy that JSON and both databases can store: objects
// become descriptions, identifiers hex, times ISO 8601, secrets asterisks.
// Empty list members and HTTP requests are left out.
func sanitise(values map[string]any) map[string]any {
	out, _ := value(values, maxDepth).(map[string]any)
	if out == nil {
		out = map[string]any{}
	}
	return out
}

// dropped stands for a value that does not belong into an event at all.
type dropped struct{}

func value(v any, depth int) any {
	if depth == 0 {
		return "..."
	}
	switch v := v.(type) {
	case nil, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return v
	case float32:
		return value(float64(v), depth)
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
		return value(map[string]any{"user": v.User, "context": v.Context, "debug": v.Debug}, depth)
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
	case []byte:
		return mask // bytes are keys and codes more often than text
	}
	return reflected(reflect.ValueOf(v), depth)
}

func reflected(v reflect.Value, depth int) any {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return value(v.Elem().Interface(), depth-1)
	case reflect.Map:
		out := make(map[string]any, v.Len())
		for it := v.MapRange(); it.Next(); {
			name := clean(fmt.Sprint(it.Key().Interface()))
			inner := value(it.Value().Interface(), depth-1)
			if _, drop := inner.(dropped); drop {
				continue
			}
			if secretName.MatchString(name) && !harmlessName.MatchString(name) {
				inner = mask
			}
			out[name] = inner
		}
		return out
	case reflect.Slice, reflect.Array:
		out := []any{}
		for i := range v.Len() {
			inner := value(v.Index(i).Interface(), depth-1)
			if _, drop := inner.(dropped); !drop && !empty(inner) {
				out = append(out, inner)
			}
		}
		return out
	case reflect.Struct:
		return structure(v, depth)
	case reflect.String:
		return clean(v.String())
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return v.Uint()
	case reflect.Float32, reflect.Float64:
		return value(v.Float(), depth-1)
	}
	return clean(fmt.Sprintf("<%s>", v.Type())) // functions, channels
}

// structure goes by the JSON form, whose names are then masked like any other.
func structure(v reflect.Value, depth int) any {
	data, err := json.Marshal(v.Interface())
	var plain any
	if err == nil {
		err = json.Unmarshal(data, &plain)
	}
	if err != nil {
		return clean(fmt.Sprintf("<%s>", v.Type()))
	}
	return value(plain, depth-1)
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
