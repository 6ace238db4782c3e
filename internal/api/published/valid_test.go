package published

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheDescriptionIsValid checks what OpenAPI 3.0.3 demands of the parts that
// the generator uses.
func TestTheDescriptionIsValid(t *testing.T) {
	for _, problem := range problems(document(t, describe(t))) {
		t.Error(problem)
	}
}

// validator collects what is wrong with a description.
type validator struct {
	document object
	found    []string
	used     map[string]bool
}

func problems(d object) []string {
	v := &validator{document: d, used: map[string]bool{}}
	if d["openapi"] != "3.0.3" {
		v.add("the version is %v", d["openapi"])
	}
	for _, name := range []string{"title", "version"} {
		if at(d, "info")[name] == nil {
			v.add("info has no %s", name)
		}
	}
	v.references("", d)
	ids := map[string]string{}
	for path := range at(d, "paths") {
		for method := range at(d, "paths", path) {
			where, op := method+" "+path, at(d, "paths", path, method)
			id := fmt.Sprint(op["operationId"])
			if other, twice := ids[id]; twice {
				v.add("%s and %s are both called %s", where, other, id)
			}
			ids[id] = where
			v.operation(where, path, op)
		}
	}
	for name, s := range at(d, "components", "schemas") {
		v.schema(name, s)
		if !v.used["#/components/schemas/"+name] {
			v.add("nothing refers to %s", name)
		}
	}
	slices.Sort(v.found)
	return v.found
}

func (v *validator) add(format string, args ...any) {
	v.found = append(v.found, fmt.Sprintf(format, args...))
}

// references follows every reference of the document.
func (v *validator) references(where string, value any) {
	switch value := value.(type) {
	case object:
		if ref, ok := value["$ref"].(string); ok {
			v.used[ref] = true
			if len(value) > 1 {
				v.add("%s: something stands beside the reference to %s", where, ref)
			}
			path, local := strings.CutPrefix(ref, "#/")
			if !local || at(v.document, strings.Split(path, "/")...) == nil {
				v.add("%s refers to %s, which is not there", where, ref)
			}
		}
		for key, member := range value {
			v.references(where+"/"+key, member)
		}
	case []any:
		for _, item := range value {
			v.references(where, item)
		}
	}
}

var placeholder = regexp.MustCompile(`\{([^}]+)\}`)

func (v *validator) operation(where, path string, op object) {
	inPath := map[string]bool{}
	for _, m := range placeholder.FindAllStringSubmatch(path, -1) {
		inPath[m[1]] = true
	}
	list, _ := op["parameters"].([]any)
	if params := parametersOf(v.document, op); len(params) != len(list) {
		v.add("%s: two parameters have one name", where)
	} else {
		for name, p := range params {
			if (p["in"] == "path") != inPath[name] || inPath[name] && p["required"] != true {
				v.add("%s: the parameter %s does not fit the address", where, name)
			}
			delete(inPath, name)
			v.schema(where+" "+name, p["schema"])
		}
	}
	for name := range inPath {
		v.add("%s: the parameter %s is not described", where, name)
	}
	if at(op, "responses") == nil {
		v.add("%s: no responses", where)
	}
	for status, r := range at(op, "responses") {
		answer := r.(object)
		if refName(answer) == "" && answer["description"] == nil {
			v.add("%s %s: no description", where, status)
		}
		v.content(where+" "+status, at(answer, "content"))
	}
	v.content(where+" body", at(op, "requestBody", "content"))
	if op["requestBody"] != nil && at(op, "requestBody", "content") == nil {
		v.add("%s: a body without content", where)
	}
}

func (v *validator) content(where string, content object) {
	for _, media := range content {
		v.schema(where, media.(object)["schema"])
	}
}

// types are those of OpenAPI 3.0.3; none stands for any.
var types = []any{nil, "string", "number", "integer", "boolean", "array", "object"}

func (v *validator) schema(where string, value any) {
	s, ok := value.(object)
	if !ok {
		v.add("%s: no schema", where)
		return
	}
	if !slices.Contains(types, s["type"]) {
		v.add("%s: no type is called %v", where, s["type"])
	}
	if (s["type"] == "array") != (s["items"] != nil) {
		v.add("%s: lists and only lists have items", where)
	}
	if choices, ok := s["enum"].([]any); ok && len(choices) == 0 {
		v.add("%s: a choice of nothing", where)
	}
	if s["readOnly"] == true && s["writeOnly"] == true {
		v.add("%s: neither read nor written", where)
	}
	need, _ := s["required"].([]any)
	for _, name := range need {
		if at(s, "properties")[fmt.Sprint(name)] == nil {
			v.add("%s: %v is required but not described", where, name)
		}
	}
	for name := range maps.Keys(at(s, "properties")) {
		v.schema(where+"."+name, at(s, "properties")[name])
	}
	if s["items"] != nil {
		v.schema(where+"[]", s["items"])
	}
	if s["additionalProperties"] != nil {
		v.schema(where+".*", s["additionalProperties"])
	}
	for _, key := range []string{"allOf", "oneOf"} {
		list, _ := s[key].([]any)
		for _, one := range list {
			v.schema(where, one)
		}
	}
}

func TestWhatIsWrongWithADescriptionIsFound(t *testing.T) {
	got := problems(document(t, []byte(`
openapi: 3.1.0
info: {title: x}
paths:
  /a/{id}/:
    get: {operationId: same, responses: {'200': {}}, parameters: [{in: query, name: b, schema: {type: text}}]}
    put: {operationId: same, requestBody: {}, parameters: [{in: path, name: id, schema: {type: array}}]}
components:
  schemas:
    A: {$ref: '#/components/schemas/None', type: string}
    B: {type: object, required: [c], properties: {d: {enum: [], readOnly: true, writeOnly: true}}}
`)))
	for _, want := range []string{"the version is 3.1.0", "info has no version", "are both called same", "get /a/{id}/: the parameter id is not described",
		"get /a/{id}/ 200: no description", "get /a/{id}/ b: no type is called text", "put /a/{id}/: the parameter id does not fit the address",
		"put /a/{id}/ id: lists and only lists have items", "put /a/{id}/: no responses", "put /a/{id}/: a body without content",
		"stands beside the reference to #/components/schemas/None", "refers to #/components/schemas/None, which is not there", "nothing refers to A",
		"B: c is required but not described", "B.d: a choice of nothing", "B.d: neither read nor written"} {
		if !slices.ContainsFunc(got, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("not found: %s in\n%s", want, strings.Join(got, "\n"))
		}
	}
}
