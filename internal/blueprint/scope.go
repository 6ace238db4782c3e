package blueprint

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/weir-id/weir/internal/resource"
)

// What resolving may cost in one call of Apply. Enumerations multiply and
// context values can speak of each other, so the size of a document alone
// bounds nothing.
const (
	// maxSpent counts resolved values, and text in pieces of spendBytes.
	maxSpent   = 2_000_000
	spendBytes = 64
	// maxResolveDepth ends context values that speak of themselves.
	maxResolveDepth = 4 * maxDepth
)

// errFollows says that a value cannot be told because an entry before this one
// has failed. It is not reported: the failure it follows from already is.
var errFollows = errors.New("an earlier entry has failed")

// scope is what tags are resolved against: one document being applied.
type scope struct {
	*run
	ctx      context.Context
	w        *resource.Write
	document *Document
	// overrides is the context of the call, which wins over the document's.
	overrides map[string]any
	// entry is the one being applied.
	entry *entry
	// ids are the objects of the entries applied so far; skipped and failed are
	// the ids of entries that have none.
	ids             map[string]*resource.Ref
	skipped, failed map[string]bool
	anyFailed       bool
	// keys maps the "pk" texts of the file to the keys of the stored objects;
	// lost are those of entries that have failed.
	keys map[string]any
	lost map[string]bool

	rounds []*round
	depth  int
}

// resolve resolves v one level deeper.
func (s *scope) resolve(v value) (any, error) {
	if s.depth++; s.depth > maxResolveDepth {
		return nil, s.fail(v.at(), "values speak of each other more than %d levels deep", maxResolveDepth)
	}
	defer func() { s.depth-- }()
	return v.resolve(s)
}

// spend accounts for one resolved value and bytes of text.
func (s *scope) spend(v value, bytes int) error { return s.charge(v, 1+bytes/spendBytes) }

func (s *scope) charge(v value, n int) error {
	if s.spent += n; s.spent > maxSpent {
		return s.fail(v.at(), "the blueprint makes more than %d values", maxSpent)
	}
	if s.spent&0xff == 0 {
		return s.ctx.Err()
	}
	return nil
}

// spendAll accounts for a value that is used once more.
func (s *scope) spendAll(v value, used any) error { return s.charge(v, size(used)) }

func size(v any) int {
	n := 1
	switch v := v.(type) {
	case string:
		n += len(v) / spendBytes
	case []any:
		for _, item := range v {
			n += size(item)
		}
	case map[string]any:
		for _, item := range v {
			n += size(item)
		}
	}
	return n
}

// lose notes that an entry has failed, so that what follows from it is not
// reported as well.
func (s *scope) lose(e *entry) {
	s.anyFailed = true
	if e.id != "" && s.ids[e.id] == nil {
		s.failed[e.id] = true
	}
	if pk, ok := text(e.identifiers.get("pk")); ok && s.keys[pk] == nil {
		s.lost[pk] = true
	}
}

// place is a place in the entry at hand.
func (s *scope) place(p position) Place {
	var place Place
	if s.entry != nil {
		place = s.entry.place()
	}
	place.File, place.Line, place.Column = s.document.File, p.line, p.column
	return place
}

// fail returns a problem at p.
func (s *scope) fail(p position, format string, args ...any) *Error {
	return &Error{Place: s.place(p), Message: fmt.Sprintf(format, args...)}
}

func (s *scope) warn(p position, format string, args ...any) {
	if len(s.report.Warnings) >= maxWarnings {
		return
	}
	w := Warning{Place: s.place(p), Message: fmt.Sprintf(format, args...)}
	for _, told := range s.report.Warnings {
		if told == w {
			return
		}
	}
	s.report.Warnings = append(s.report.Warnings, w)
}

// whyMissing explains why no object goes by that id.
func (s *scope) whyMissing(id string) string {
	if s.skipped[id] {
		return "that entry was skipped or its object is absent"
	}
	for _, e := range s.document.entries {
		if e.id == id {
			return "that entry comes later, move it up"
		}
	}
	return "no entry of this file has it"
}

// contextValue looks up a key as a whole, and then, if it has dots, step by
// step.
func (s *scope) contextValue(p position, key string) (any, bool, error) {
	v, ok, err := s.contextMember(key)
	if ok || err != nil {
		return v, ok, err
	}
	head, tail, dotted := strings.Cut(key, ".")
	if !dotted {
		return nil, false, nil
	}
	if v, ok, err = s.contextMember(head); !ok || err != nil {
		return nil, false, err
	}
	for step := range strings.SplitSeq(tail, ".") {
		switch inner := v.(type) {
		case map[string]any:
			if v, ok = inner[step]; !ok {
				return nil, false, nil
			}
		case []any:
			n, err := strconv.Atoi(step)
			if err != nil || n < 0 || n >= len(inner) {
				return nil, false, nil
			}
			v = inner[n]
		default:
			return nil, false, nil
		}
	}
	return v, true, nil
}

// contextMember merges what the program, the document and the call say of one
// key. A tag is replaced, not merged, by what comes later.
func (s *scope) contextMember(key string) (any, bool, error) {
	over, overridden := s.overrides[key]
	written := s.document.context.get(key)
	builtIn, known := s.builtIn(key)
	if written == nil {
		if !overridden {
			return builtIn, known, nil
		}
		return mergeValue(builtIn, over), true, nil
	}
	if overridden && !merges(written, over) {
		return over, true, nil
	}
	v, err := s.resolve(written)
	if err != nil {
		return nil, false, err
	}
	v = mergeValue(builtIn, v)
	if overridden {
		v = mergeValue(v, over)
	}
	return v, true, nil
}

func merges(written value, over any) bool {
	switch written.(type) {
	case *list:
		_, ok := over.([]any)
		return ok
	case *mapping:
		_, ok := over.(map[string]any)
		return ok
	}
	return false
}

// builtIn returns the context that every blueprint has: nothing here needs a
// licence, and the app label of each model that entries may name.
func (s *scope) builtIn(key string) (any, bool) {
	switch key {
	case "goauthentik.io/enterprise/licensed":
		return false, true
	case "goauthentik.io/rbac/models":
		models := map[string]any{}
		for _, model := range s.registry.Models() {
			app, name, _ := strings.Cut(model, ".")
			models[name] = app
		}
		return models, true
	}
	return nil, false
}

// lookupError turns what a kind's Find or Read returned into an error of the
// entry when the blueprint is at fault.
func (s *scope) lookupError(p position, what string, err error) error {
	if message, ok := resource.Fault(err); ok {
		return s.fail(p, "%s: %s", what, message)
	}
	return fmt.Errorf("%s: %w", what, err)
}
