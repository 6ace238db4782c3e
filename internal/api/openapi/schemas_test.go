package openapi

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"go.yaml.in/yaml/v3"

	"github.com/weir-id/weir/field"
)

// shade and its like are what a document may hold.
type shade string

func (shade) Choices() []string { return []string{"light", "dark"} }

type part struct {
	Name string `json:"name" field:"required"`
}

// TestRulesOfFields holds a row for each rule: what a member looks like in an
// answer and in a request, and in which of the two it must be there.
func TestRulesOfFields(t *testing.T) {
	rows := []struct {
		name                 string
		doc                  any
		inAnswer, inRequest  string
		mustAnswer, mustSend bool
	}{
		{"a text", &struct {
			V string `json:"v"`
		}{}, `{"type":"string"}`, `{"type":"string","minLength":1}`, false, false},
		{"a required text with bounds", &struct {
			V string `json:"v" field:"required,min=2,max=9"`
		}{}, `{"type":"string","minLength":2,"maxLength":9}`, `{"type":"string","minLength":2,"maxLength":9}`, true, true},
		{"a text that may be empty", &struct {
			V string `json:"v" field:"blank,format=email"`
		}{}, `{"type":"string","format":"email"}`, `{"type":"string","format":"email"}`, false, false},
		{"a slug", &struct {
			V string `json:"v" field:"slug"`
		}{}, `{"type":"string","pattern":"^[-a-zA-Z0-9_]+$"}`, `{"type":"string","minLength":1,"pattern":"^[-a-zA-Z0-9_]+$"}`, false, false},
		{"a duration is a text", &struct {
			V field.Duration `json:"v"`
		}{}, `{"type":"string"}`, `{"type":"string","minLength":1}`, false, false},
		{"an id that may be null", &struct {
			V *uuid.UUID `json:"v" field:"null"`
		}{}, `{"type":"string","format":"uuid","nullable":true}`, `{"type":"string","format":"uuid","nullable":true}`, false, false},
		{"a time", &struct {
			V time.Time `json:"v"`
		}{}, `{"type":"string","format":"date-time"}`, `{"type":"string","format":"date-time"}`, false, false},
		{"a read-only member is always in answers and never in requests", &struct {
			V int64 `json:"v" field:"readonly"`
		}{}, `{"type":"integer","readOnly":true}`, ``, true, false},
		{"a secret is the reverse", &struct {
			V string `json:"v" field:"secret,required"`
		}{}, ``, `{"type":"string","writeOnly":true,"minLength":1}`, false, true},
		{"what only files may say is nowhere", &struct {
			V string `json:"v" field:"file"`
		}{}, ``, ``, false, false},
		{"a number of 32 bits has bounds", &struct {
			V int32 `json:"v" field:"min=0"`
		}{}, `{"type":"integer","minimum":0,"maximum":2147483647}`, `{"type":"integer","minimum":0,"maximum":2147483647}`, false, false},
		{"a fraction", &struct {
			V float64 `json:"v"`
		}{}, `{"type":"number","format":"double"}`, `{"type":"number","format":"double"}`, false, false},
		{"a default that is told", &struct {
			V bool `json:"v" field:"default"`
		}{}, `{"type":"boolean","default":false}`, `{"type":"boolean","default":false}`, false, false},
		{"a choice refers to the list", &struct {
			V shade `json:"v"`
		}{}, `{"$ref":"#/components/schemas/ShadeEnum"}`, `{"$ref":"#/components/schemas/ShadeEnum"}`, false, false},
		{"nothing stands beside a reference", &struct {
			V shade `json:"v" field:"readonly,default"`
		}{"dark"}, `{"allOf":[{"$ref":"#/components/schemas/ShadeEnum"}],"readOnly":true,"default":"dark"}`, ``, true, false},
		{"a choice that may be empty", &struct {
			V shade `json:"v" field:"blank"`
		}{}, `{"oneOf":[{"$ref":"#/components/schemas/ShadeEnum"},{"$ref":"#/components/schemas/BlankEnum"}]}`,
			`{"oneOf":[{"$ref":"#/components/schemas/ShadeEnum"},{"$ref":"#/components/schemas/BlankEnum"}]}`, false, false},
		{"a list of choices with bounds", &struct {
			V []shade `json:"v" field:"max=2"`
		}{}, `{"type":"array","items":{"$ref":"#/components/schemas/ShadeEnum"},"maxItems":2}`,
			`{"type":"array","items":{"$ref":"#/components/schemas/ShadeEnum"},"maxItems":2}`, false, false},
		{"a list of objects", &struct {
			V []part `json:"v"`
		}{}, `{"type":"array","items":{"$ref":"#/components/schemas/Part"}}`, `{"type":"array","items":{"$ref":"#/components/schemas/PartRequest"}}`, false, false},
		{"an object without a name stands where it is", &struct {
			V struct {
				A bool `json:"a"`
			} `json:"v"`
		}{}, `{"type":"object","properties":{"a":{"type":"boolean"}}}`, `{"type":"object","properties":{"a":{"type":"boolean"}}}`, false, false},
		{"an object with free members", &struct {
			V map[string]any `json:"v"`
		}{}, `{"type":"object","additionalProperties":{}}`, `{"type":"object","additionalProperties":{}}`, false, false},
		{"an object with texts", &struct {
			V map[string]string `json:"v"`
		}{}, `{"type":"object","additionalProperties":{"type":"string"}}`, `{"type":"object","additionalProperties":{"type":"string"}}`, false, false},
		{"any JSON", &struct {
			V any `json:"v"`
		}{}, `{}`, `{}`, false, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			d := New(Info{}, "/")
			s := d.Collect()
			fields := field.Describe(row.doc)
			for use, want := range map[Use]string{Answer: row.inAnswer, Request: row.inRequest, Patch: row.inRequest} {
				schema := d.Components.Schemas[s.Object("Thing", fields, use).Name()]
				got := ""
				for _, p := range schema.Properties {
					text, err := json.Marshal(p.Schema)
					if err != nil {
						t.Fatal(err)
					}
					got = string(text)
				}
				if got != want {
					t.Errorf("use %d: got %s, want %s", use, got, want)
				}
				must := map[Use]bool{Answer: row.mustAnswer, Request: row.mustSend}[use]
				if schema.IsRequired("v") != must {
					t.Errorf("use %d: required is %t", use, !must)
				}
			}
			if err := s.Err(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNamesOfComponents(t *testing.T) {
	d := New(Info{}, "/")
	s := d.Collect()
	for _, row := range []struct {
		got  *Schema
		want string
	}{
		{s.Value(part{}, "", Answer), "Part"},
		{s.Value(part{}, "", Request), "PartRequest"},
		{s.Value(part{}, "SomethingRequest", Request), "SomethingRequest"},
		{s.Value(part{}, "Something", Patch), "PatchedSomethingRequest"},
		{s.Page("Part", s.Value(part{}, "", Answer)), "PaginatedPartList"},
	} {
		if row.got.Name() != row.want {
			t.Errorf("got %s, want %s", row.got.Name(), row.want)
		}
		if d.Components.Schemas[row.want] == nil {
			t.Errorf("%s is not among the components", row.want)
		}
	}
	if err := s.Err(); err != nil {
		t.Error(err)
	}
}

func TestTwoDifferentObjectsOfOneNameAreAnError(t *testing.T) {
	s := New(Info{}, "/").Collect()
	two := field.Describe(&struct {
		A bool `json:"a"`
		B bool `json:"b"`
	}{})
	s.Object("Same", two, Answer)
	s.Object("Same", []field.Spec{two[1], two[0]}, Answer)
	if err := s.Err(); err != nil {
		t.Errorf("the order of members counts: %v", err)
	}
	s.Object("Same", two[:1], Answer)
	if err := s.Err(); err == nil || !strings.Contains(err.Error(), "Same") {
		t.Errorf("got %v", err)
	}
}

func TestAChoiceOfObjectsNamesThemAll(t *testing.T) {
	d := New(Info{}, "/")
	s := d.Collect()
	s.Choice("Either", "kind", map[string]*Schema{"b": s.Value(part{}, "B", Answer), "a": s.Value(part{}, "A", Answer)})
	text, err := json.Marshal(d.Components.Schemas["Either"])
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"oneOf":[{"$ref":"#/components/schemas/A"},{"$ref":"#/components/schemas/B"}],` +
		`"discriminator":{"propertyName":"kind","mapping":{"a":"#/components/schemas/A","b":"#/components/schemas/B"}}}`
	if string(text) != want {
		t.Errorf("got %s\nwant %s", text, want)
	}
}

func TestYAMLAndJSONSayTheSame(t *testing.T) {
	d := New(Info{Title: "yes", Version: "1.10", Description: "a: b\n# no comment\n- 2026-01-01"}, "/")
	d.Components.Schemas["Odd"] = &Schema{Type: "string", Enum: []string{"", "true", "null", "1", "~", "- x"}, Default: false}
	var fromJSON, fromYAML any
	text, err := d.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &fromJSON); err != nil {
		t.Fatal(err)
	}
	if text, err = d.YAML(); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &fromYAML); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(fromYAML)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(again, &fromYAML); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fromJSON, fromYAML); diff != "" {
		t.Errorf("(-JSON +YAML):\n%s", diff)
	}
	if strings.Contains(string(text), `{"`) {
		t.Errorf("YAML in the style of JSON:\n%s", text)
	}
}
