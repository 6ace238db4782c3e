package openapi

import (
	"maps"
	"slices"
	"strings"
)

// Group is the calls of one tag, for people to read.
type Group struct {
	Tag   string
	Calls []Call
}

// Call is an operation with its address.
type Call struct {
	Method, Path string
	*Operation
	document *Document
}

// Address is where the paths begin.
func (d *Document) Address() string { return d.Servers[0].URL }

// Groups lists all calls by tag, address and method.
func (d *Document) Groups() []Group {
	var out []Group
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range []string{"get", "post", "put", "patch", "delete"} {
			op, ok := d.Paths[path][method]
			if !ok {
				continue
			}
			i := slices.IndexFunc(out, func(g Group) bool { return g.Tag == op.Tags[0] })
			if i < 0 {
				i = len(out)
				out = append(out, Group{Tag: op.Tags[0]})
			}
			out[i].Calls = append(out[i].Calls, Call{strings.ToUpper(method), path, op, d})
		}
	}
	slices.SortStableFunc(out, func(a, b Group) int { return strings.Compare(a.Tag, b.Tag) })
	return out
}

// Inputs are the parameters, the shared ones included.
func (c Call) Inputs() []*Parameter {
	out := make([]*Parameter, len(c.Parameters))
	for i, p := range c.Parameters {
		if out[i] = p; p.Ref != "" {
			out[i] = c.document.Components.Parameters[strings.TrimPrefix(p.Ref, parameterRef)]
		}
	}
	return out
}

// Takes is the body, nil for none; Gives the answer.
func (c Call) Takes() *Value {
	if c.Body == nil {
		return nil
	}
	for _, media := range c.Body.Content {
		return media.Schema.Value()
	}
	return nil
}

// Gives is the answer, nil for none.
func (c Call) Gives() *Value {
	if media, ok := c.Responses[c.Status()].Content["application/json"]; ok {
		return media.Schema.Value()
	}
	return nil
}

// Status is that of success.
func (c Call) Status() string {
	for status := range c.Responses {
		if strings.HasPrefix(status, "2") {
			return status
		}
	}
	return ""
}

// Value says in short what a schema describes.
type Value struct {
	// Type is the JSON type where there is no Object.
	Type, Format string
	// Object is a component to read about.
	Object string
	// Many is a list of it, Page one page of a list, Part some of its members.
	Many, Page, Part bool
	// Choices are the accepted texts of a list that has no component.
	Choices []string
}

// Value says what the schema describes.
func (s *Schema) Value() *Value {
	v := &Value{Type: s.Type, Format: s.Format, Object: s.Name(), Choices: s.Enum}
	if s.Type == "array" {
		*v = *s.Items.Value()
		v.Many = true
	}
	if len(s.OneOf) > 0 && s.Discriminator == nil {
		v.Object = s.OneOf[0].Name()
	}
	if name, ok := pagedObject(v.Object); ok {
		v.Object, v.Page = name, true
	}
	if name, ok := strings.CutPrefix(v.Object, "Patched"); ok {
		v.Object, v.Part = name, true
	}
	return v
}

// pagedObject is what a page of a list consists of.
func pagedObject(name string) (string, bool) {
	name, paginated := strings.CutPrefix(name, "Paginated")
	name, list := strings.CutSuffix(name, "List")
	return name, paginated && list
}

// Object is a component that people read about.
type Object struct {
	Name string
	*Schema
}

// Objects lists the components by name. Pages of lists and the bodies of PATCH
// are left out: they follow from others.
func (d *Document) Objects() []Object {
	var out []Object
	for _, name := range slices.Sorted(maps.Keys(d.Components.Schemas)) {
		if _, page := pagedObject(name); !page && !strings.HasPrefix(name, "Patched") {
			out = append(out, Object{name, d.Components.Schemas[name]})
		}
	}
	return out
}
