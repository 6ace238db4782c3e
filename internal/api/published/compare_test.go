package published

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// object is a JSON object.
type object = map[string]any

// comparison collects the differences between two descriptions, each once, a
// line for each.
type comparison struct {
	ours, theirs object
	lines        []string
	// seen are the components that have been compared.
	seen map[string]bool
}

// compare lists the differences in the operations that ours has, and what theirs
// has besides below the addresses of the objects that ours lists.
func compare(ours, theirs object) []string {
	c := &comparison{ours: ours, theirs: theirs, seen: map[string]bool{}}
	here, there := at(ours, "paths"), at(theirs, "paths")
	for _, path := range slices.Sorted(maps.Keys(here)) {
		for _, method := range slices.Sorted(maps.Keys(at(here, path))) {
			where := strings.TrimPrefix(path, "/") + " " + strings.ToUpper(method)
			published, ok := at(there, path)[method].(object)
			if !ok {
				c.add("%s: not published", where)
				continue
			}
			c.operation(where, at(here, path, method), published)
		}
	}
	kinds := prefixes(here)
	for _, path := range slices.Sorted(maps.Keys(there)) {
		if !slices.ContainsFunc(kinds, func(prefix string) bool { return strings.HasPrefix(path, prefix) }) {
			continue
		}
		for _, method := range slices.Sorted(maps.Keys(at(there, path))) {
			if _, served := at(here, path)[method]; !served {
				c.add("%s %s: missing", strings.TrimPrefix(path, "/"), strings.ToUpper(method))
			}
		}
	}
	return c.lines
}

// prefixes are the addresses of the kinds: those that answer with pages of
// objects.
func prefixes(paths object) []string {
	var out []string
	for path := range paths {
		if strings.HasPrefix(refName(at(paths, path, "get", "responses", "200", "content", "application/json", "schema")), "Paginated") {
			out = append(out, path)
		}
	}
	return out
}

// add notes a difference. What holds for an object holds for the requests that
// write it, too: one line says so.
func (c *comparison) add(format string, args ...any) {
	if name, ok := args[0].(string); ok && !strings.Contains(name, " ") {
		args[0] = request.ReplaceAllString(name, "$1$2")
	}
	if line := fmt.Sprintf(format, args...); !slices.Contains(c.lines, line) {
		c.lines = append(c.lines, line)
	}
}

// request matches members of request components.
var request = regexp.MustCompile(`^(?:Patched)?(\w+)Request(\b.*)$`)

// same compares two plain values.
func (c *comparison) same(where, what string, ours, theirs any) {
	if a, b := fmt.Sprint(ours), fmt.Sprint(theirs); a != b {
		c.add("%s: %s %s instead of %s", where, what, word(ours), word(theirs))
	}
}

// word is a value in a line; nil means that there is none.
func word(v any) string {
	if v == nil {
		return "none"
	}
	if v == "" {
		return `""`
	}
	return strings.ReplaceAll(fmt.Sprint(v), "|", "/")
}

func (c *comparison) operation(where string, ours, theirs object) {
	c.same(where, "operationId", ours["operationId"], theirs["operationId"])
	c.same(where, "tags", ours["tags"], theirs["tags"])
	c.same(where, "without a login", open(ours), open(theirs))
	c.parameters(where, ours, theirs)
	c.same(where+" body", "required", at(ours, "requestBody")["required"], at(theirs, "requestBody")["required"])
	c.content(where+" body", at(ours, "requestBody", "content"), at(theirs, "requestBody", "content"))
	a, answer := success(ours)
	b, published := success(theirs)
	c.same(where, "status", a, b)
	c.content(where+" answer", at(answer, "content"), at(published, "content"))
}

// open tells whether an operation may be called by anybody.
func open(operation object) bool {
	list, _ := operation["security"].([]any)
	return slices.ContainsFunc(list, func(v any) bool { one, _ := v.(object); return len(one) == 0 })
}

// success is the answer with a status of 2xx.
func success(operation object) (string, object) {
	for status, answer := range at(operation, "responses") {
		if strings.HasPrefix(status, "2") {
			return status, answer.(object)
		}
	}
	return "none", nil
}

func (c *comparison) parameters(where string, ours, theirs object) {
	here, there := parametersOf(c.ours, ours), parametersOf(c.theirs, theirs)
	for _, name := range both(here, there) {
		at := where + " parameter " + name
		a, b := here[name], there[name]
		switch {
		case a == nil:
			c.add("%s: missing", at)
			continue
		case b == nil:
			c.add("%s: not published", at)
			continue
		}
		for _, key := range []string{"in", "required", "explode"} {
			c.same(at, key, a[key], b[key])
		}
		c.schema(at, a["schema"], b["schema"])
	}
}

// parametersOf are the parameters of an operation by name. Lists in the query
// are exploded unless they say otherwise (OpenAPI 3.0.3, Parameter Object).
func parametersOf(document, operation object) map[string]object {
	out := map[string]object{}
	list, _ := operation["parameters"].([]any)
	for _, v := range list {
		p := v.(object)
		if name := refName(p); name != "" {
			p = at(document, "components", "parameters", name)
		}
		p = maps.Clone(p)
		if _, said := p["explode"]; !said && at(p, "schema")["type"] == "array" {
			p["explode"] = true
		}
		out[p["name"].(string)] = p
	}
	return out
}

func (c *comparison) content(where string, ours, theirs object) {
	for _, typ := range both(ours, theirs) {
		a, b := ours[typ], theirs[typ]
		switch {
		case a == nil:
			c.add("%s: no %s", where, typ)
		case b == nil:
			c.add("%s: %s not published", where, typ)
		default:
			c.schema(where, a.(object)["schema"], b.(object)["schema"])
		}
	}
}

// both are the keys of two maps, sorted.
func both[V any](a, b map[string]V) []string {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	return slices.Compact(keys)
}

// at walks into an object; what is missing is an empty one.
func at(v object, path ...string) object {
	for _, key := range path {
		v, _ = v[key].(object)
	}
	return v
}

// refName is the last part of a reference; empty for none.
func refName(v any) string {
	o, _ := v.(object)
	ref, _ := o["$ref"].(string)
	return ref[strings.LastIndexByte(ref, '/')+1:]
}

// The comparison has to see each kind of difference, or a passing test means
// nothing.
func TestEveryDifferenceIsALine(t *testing.T) {
	ours := document(t, []byte(`
paths:
  /things/:
    get: {operationId: things_list, tags: [a], security: [{}], parameters: [{in: query, name: x, schema: {type: array, items: {type: string}}}, {in: query, name: own, schema: {}}],
      responses: {'200': {content: {application/json: {schema: {$ref: '#/components/schemas/PaginatedThingList'}}}}}}
    put: {operationId: put, tags: [a], responses: {'204': {}}}
components:
  schemas:
    PaginatedThingList: {type: object, properties: {results: {type: array, items: {$ref: '#/components/schemas/Thing'}}}}
    ColorEnum: {type: string, enum: [red]}
    Thing: {type: object, required: [a], properties: {a: {type: string, maxLength: 3}, b: {$ref: '#/components/schemas/ColorEnum'}, mine: {}, n: {allOf: [{$ref: '#/components/schemas/ColorEnum'}], nullable: true}}}
`))
	theirs := document(t, []byte(`
paths:
  /things/:
    get: {operationId: things_all, tags: [b], security: [{authentik: []}], parameters: [{in: query, name: x, schema: {type: array, items: {type: integer}}, explode: false}, {in: query, name: theirs, schema: {}}],
      requestBody: {content: {application/json: {schema: {}}}},
      responses: {'200': {content: {application/json: {schema: {$ref: '#/components/schemas/PaginatedThingList'}}}}}}
  /things/{id}/: {post: {operationId: post}}
  /other/: {get: {operationId: other}}
components:
  schemas:
    PaginatedThingList: {type: object, properties: {results: {type: array, items: {$ref: '#/components/schemas/Thing'}}}}
    ColourEnum: {type: string, enum: [red]}
    ColorEnum: {type: string, enum: [red, blue]}
    Thing: {type: object, required: [b], properties: {a: {type: string, readOnly: true}, b: {$ref: '#/components/schemas/ColourEnum'}, c: {}, n: {$ref: '#/components/schemas/ColorEnum'}}}
`))
	want := []string{
		"things/ GET: operationId things_list instead of things_all",
		"things/ GET: tags [a] instead of [b]",
		"things/ GET: without a login true instead of false",
		"things/ GET parameter own: not published",
		"things/ GET parameter theirs: missing",
		"things/ GET parameter x: explode true instead of false",
		"things/ GET parameter x[]: type string instead of integer",
		"things/ GET body: no application/json",
		"Thing.a: readOnly none instead of true",
		"Thing.a: maxLength 3 instead of none",
		"Thing.a: required true instead of false",
		"Thing.b: ColorEnum instead of ColourEnum",
		"Thing.b: required false instead of true",
		"Thing.c: missing",
		"Thing.mine: not published",
		"Thing.n: nullable true instead of none",
		"ColorEnum: no blue",
		"things/ PUT: not published",
		"things/{id}/ POST: missing",
	}
	got := compare(ours, theirs)
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("not found: %s", line)
		}
	}
	if len(got) != len(want) {
		t.Errorf("found %d differences, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
}
