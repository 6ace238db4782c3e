package published

import (
	"maps"
	"slices"
)

// plain are the rules of a schema that are compared as they stand.
var plain = []string{"type", "format", "nullable", "readOnly", "writeOnly", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems",
	"maxItems", "default"}

// schema compares two schemas. References are followed, each component once.
func (c *comparison) schema(where string, ours, theirs any) {
	a, b := flat(ours), flat(theirs)
	nameA, nameB := refName(a), refName(b)
	switch {
	case nameA != nameB && nameA != "" && nameB != "":
		c.add("%s: %s instead of %s", where, nameA, nameB)
	case nameA != nameB:
		c.add("%s: component %s instead of %s", where, word(orNil(nameA)), word(orNil(nameB)))
	case nameA != "" && !c.seen[nameA]:
		c.seen[nameA] = true
		c.schema(nameA, at(c.ours, "components", "schemas", nameA), at(c.theirs, "components", "schemas", nameB))
	}
	for _, key := range plain {
		c.same(where, key, a[key], b[key])
	}
	c.choices(where, a, b)
	if a["items"] != nil || b["items"] != nil {
		c.schema(where+"[]", a["items"], b["items"])
	}
	if more, published := a["additionalProperties"], b["additionalProperties"]; (more == nil) != (published == nil) {
		c.same(where, "additionalProperties", more != nil, published != nil)
	} else if more != nil {
		c.schema(where+".*", more, published)
	}
	c.members(where, a, b)
	c.alternatives(where, a, b)
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// flat takes a reference out of an allOf that is there to put rules beside it.
func flat(v any) object {
	s, _ := v.(object)
	all, _ := s["allOf"].([]any)
	if len(all) != 1 {
		return s
	}
	out := maps.Clone(s)
	delete(out, "allOf")
	maps.Copy(out, all[0].(object))
	return out
}

func (c *comparison) choices(where string, ours, theirs object) {
	a, _ := ours["enum"].([]any)
	b, _ := theirs["enum"].([]any)
	for _, v := range b {
		if !slices.Contains(a, v) {
			c.add("%s: no %s", where, word(v))
		}
	}
	for _, v := range a {
		if !slices.Contains(b, v) {
			c.add("%s: %s not published", where, word(v))
		}
	}
}

func (c *comparison) members(where string, ours, theirs object) {
	a, b := at(ours, "properties"), at(theirs, "properties")
	needA, _ := ours["required"].([]any)
	needB, _ := theirs["required"].([]any)
	for _, name := range both(a, b) {
		member := where + "." + name
		switch _, here := a[name]; {
		case !here:
			c.add("%s: missing", member)
			continue
		case b[name] == nil:
			c.add("%s: not published", member)
			continue
		}
		c.same(member, "required", slices.Contains(needA, any(name)), slices.Contains(needB, any(name)))
		c.schema(member, a[name], b[name])
	}
}

// alternatives compares the schemas of a oneOf, which are references.
func (c *comparison) alternatives(where string, ours, theirs object) {
	a, b := alternativesOf(ours), alternativesOf(theirs)
	for _, name := range both(a, b) {
		switch {
		case a[name] == nil:
			c.add("%s: no %s", where, name)
		case b[name] == nil:
			c.add("%s: %s not published", where, name)
		default:
			c.schema(where+" "+name, a[name], b[name])
		}
	}
	for _, value := range both(at(ours, "discriminator", "mapping"), at(theirs, "discriminator", "mapping")) {
		if here := at(ours, "discriminator", "mapping")[value]; here != nil {
			c.same(where+" "+value, "schema", here, at(theirs, "discriminator", "mapping")[value])
		}
	}
}

func alternativesOf(schema object) map[string]object {
	out := map[string]object{}
	list, _ := schema["oneOf"].([]any)
	for _, v := range list {
		out[refName(v)] = v.(object)
	}
	return out
}
