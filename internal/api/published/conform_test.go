package published

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestAnswersAreAsDescribed calls everything that can be called without naming
// an object, and the first object of each list, and holds the answers against
// their description.
func TestAnswersAreAsDescribed(t *testing.T) {
	site := start(t)
	d := document(t, get(site, "/api/v3/schema/").Body.Bytes())
	call := func(path, described string) (any, object) {
		t.Helper()
		w := get(site, "/api/v3"+path, "Authorization", "Bearer "+token)
		if w.Code != 200 {
			t.Errorf("%s answers %d %s", path, w.Code, w.Body)
			return nil, nil
		}
		var answer any
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		schema := at(d, "paths", described, "get", "responses", "200", "content", "application/json", "schema")
		for _, problem := range conform(d, path, schema, answer) {
			t.Error(problem)
		}
		return answer, schema
	}
	for path := range at(d, "paths") {
		if at(d, "paths", path, "get") == nil || strings.Contains(path, "{") || path == "/schema/" || at(d, "paths", path, "get", "responses", "200") == nil || told[path] != "" {
			continue
		}
		answer, schema := call(path, path)
		if !strings.HasPrefix(refName(schema), "Paginated") {
			continue
		}
		results, _ := answer.(object)["results"].([]any)
		for one := range at(d, "paths") {
			key, ok := strings.CutPrefix(one, path+"{")
			if name, last := strings.CutSuffix(key, "}/"); ok && last && len(results) > 0 && at(d, "paths", one, "get") != nil {
				first := results[0].(object)
				id := first[name]
				if id == nil {
					id = first["pk"]
				}
				if number, ok := id.(float64); ok {
					id = int64(number)
				}
				call(fmt.Sprintf("%s%v/", path, id), one)
			}
		}
	}
	for path, what := range told {
		call(path+what, path)
	}
}

// told are the addresses that have to be told what of.
var told = map[string]string{"/rbac/permissions/assigned_by_roles/": "?model=authentik_flows.flow", "/events/events/stats/": "?count_steps=days=1", "/mail/preview/": "?template=email/invitation.html", "/weir/diff/": "?from=0"}

// conform lists where a value is not as its schema says.
func conform(d object, where string, value, answer any) []string {
	schema := flat(value)
	if name := refName(schema); name != "" {
		nullable := schema["nullable"]
		if schema = at(d, "components", "schemas", name); nullable == true && answer == nil {
			return nil
		}
	}
	if len(schema) == 0 {
		return nil // anything will do
	}
	if answer == nil {
		if schema["nullable"] == true || schema["type"] == nil {
			return nil
		}
		return []string{where + ": null"}
	}
	var out []string
	switch v := answer.(type) {
	case object:
		if schema["type"] != "object" {
			return []string{fmt.Sprintf("%s: an object instead of %v", where, schema["type"])}
		}
		need, _ := schema["required"].([]any)
		for _, name := range need {
			if _, there := v[name.(string)]; !there {
				out = append(out, fmt.Sprintf("%s: no %v", where, name))
			}
		}
		for name, member := range v {
			if known, described := at(schema, "properties")[name]; described {
				out = append(out, conform(d, where+"."+name, known, member)...)
			} else if schema["additionalProperties"] == nil {
				out = append(out, where+": the member "+name+" is not described")
			}
		}
	case []any:
		if schema["type"] != "array" {
			return []string{fmt.Sprintf("%s: a list instead of %v", where, schema["type"])}
		}
		for i, item := range v {
			out = append(out, conform(d, fmt.Sprintf("%s[%d]", where, i), schema["items"], item)...)
		}
	case string:
		choices, limited := schema["enum"].([]any)
		if schema["type"] != "string" || limited && !slices.Contains(choices, any(v)) {
			out = append(out, fmt.Sprintf("%s: %q is no %v %v", where, v, schema["type"], choices))
		}
	case bool:
		if schema["type"] != "boolean" {
			out = append(out, fmt.Sprintf("%s: a flag instead of %v", where, schema["type"]))
		}
	case float64:
		if schema["type"] != "number" && (schema["type"] != "integer" || v != float64(int64(v))) {
			out = append(out, fmt.Sprintf("%s: %v is no %v", where, v, schema["type"]))
		}
	}
	return out
}

func TestAnAnswerOfAnotherShapeIsFound(t *testing.T) {
	d := document(t, []byte(`
components: {schemas: {Shade: {type: string, enum: [light]}, Thing: {type: object, required: [a], properties: {
  a: {type: integer}, b: {$ref: '#/components/schemas/Shade'}, c: {type: array, items: {type: boolean}}, d: {type: string, nullable: true}, e: {type: string},
  f: {allOf: [{$ref: '#/components/schemas/Shade'}], nullable: true}}}}}`))
	thing := object{"$ref": "#/components/schemas/Thing"}
	for text, want := range map[string]string{
		`{"a": 1, "b": "light", "c": [true], "d": null, "f": null}`: "",
		`{"a": 1.5}`:           "x.a: 1.5 is no integer",
		`{"b": "light"}`:       "x: no a",
		`{"a": 1, "b": "red"}`: `x.b: "red" is no string [light]`,
		`{"a": 1, "c": [1]}`:   "x.c[0]: 1 is no boolean",
		`{"a": 1, "c": {}}`:    "x.c: an object instead of array",
		`{"a": 1, "e": null}`:  "x.e: null",
		`{"a": 1, "e": true}`:  "x.e: a flag instead of string",
		`{"a": 1, "z": 1}`:     "x: the member z is not described",
		`[]`:                   "x: a list instead of object",
	} {
		var answer any
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(conform(d, "x", thing, answer), "; "); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
