package e2e

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// errNull is what a generated client says of an alternative that it does not
// know.
var errNull = errors.New("instance was null")

// strict tells why a client that was generated from the schema refuses a value:
// a required member is missing, something has another type, or a choice is not
// one of the list. What the schema does not name is fine.
func (p *published) strict(where string, s schema, v any) error {
	if s.Discriminator.Property != "" {
		return p.alternative(where, s, v)
	}
	s = p.resolve(s)
	if v == nil {
		if s.Nullable || s.Type == "" && s.Enum == nil {
			return nil
		}
		return fmt.Errorf("%s: null", where)
	}
	if s.Enum != nil && !slices.Contains(s.Enum, v) {
		return fmt.Errorf("%s: %v is not one of %v", where, v, s.Enum)
	}
	ok := true
	switch s.Type {
	case "object":
		o, object := v.(map[string]any)
		if object {
			return p.strictObject(where, s, o)
		}
		ok = false
	case "array":
		list, array := v.([]any)
		for i, item := range list {
			if err := p.strict(fmt.Sprintf("%s[%d]", where, i), *s.Items, item); err != nil {
				return err
			}
		}
		ok = array
	case "string":
		var text string
		if text, ok = v.(string); ok && s.Format == "date-time" {
			_, err := time.Parse(time.RFC3339, text)
			ok = err == nil
		}
	case "boolean":
		_, ok = v.(bool)
	case "integer":
		n, number := v.(float64)
		ok = number && n == math.Trunc(n) && (s.Format == "int64" || math.Abs(n) <= math.MaxInt32)
	case "number":
		_, ok = v.(float64)
	}
	if !ok {
		return fmt.Errorf("%s: %v is no %s %s", where, v, s.Format, s.Type)
	}
	return nil
}

func (p *published) strictObject(where string, s schema, o map[string]any) error {
	for _, name := range s.Required {
		if _, there := o[name]; !there {
			return fmt.Errorf("%s: no %s", where, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		member, known := s.Properties[name]
		if !known && s.Additional != nil {
			member, known = *s.Additional, true
		}
		if !known {
			continue
		}
		if err := p.strict(where+"."+name, member, o[name]); err != nil {
			return err
		}
	}
	return nil
}

// alternative checks a value against the one schema that its discriminator
// picks.
func (p *published) alternative(where string, s schema, v any) error {
	o, _ := v.(map[string]any)
	name, _ := o[s.Discriminator.Property].(string)
	ref, known := s.Discriminator.Mapping[name]
	if !known {
		return fmt.Errorf("%s: %q: %w", where, name, errNull)
	}
	return p.strict(where, p.component(ref), o)
}

// challenge checks an answer of the executor. Sources with challenges that the
// client does not know are fine: it signs nobody in through them.
func (p *published) challenge(o map[string]any) error {
	if sources, ok := o["sources"].([]any); ok {
		known := p.Components.Schemas["LoginChallengeTypes"]
		o = maps.Clone(o)
		o["sources"] = slices.DeleteFunc(slices.Clone(sources), func(v any) bool {
			source, _ := v.(map[string]any)
			return source["name"] != nil && errors.Is(p.alternative("", known, source["challenge"]), errNull) && source["challenge"] != nil
		})
	}
	return p.alternative("challenge", p.Components.Schemas["ChallengeTypes"], o)
}
