package field

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

type colour string

func (colour) Choices() []string { return []string{"red", "green"} }

type common struct {
	Identity
	Name string `json:"name" field:"required,unique,max=10"`
}

type nested struct {
	Label string `json:"label" field:"required"`
	Size  int    `json:"size"`
}

type document struct {
	common
	Slug     string         `json:"slug" field:"slug,blank"`
	Raw      string         `json:"raw" field:"notrim,blank"`
	On       bool           `json:"on"`
	Count    int32          `json:"count" field:"min=-5"`
	Small    uint8          `json:"small"`
	Ratio    float64        `json:"ratio" field:"max=1"`
	Colour   colour         `json:"colour"`
	Colours  []colour       `json:"colours" field:"max=2"`
	Owner    *int64         `json:"owner" field:"null,ref=user"`
	Flow     *uuid.UUID     `json:"flow" field:"null,ref=flow"`
	Parent   uuid.UUID      `json:"parent" field:"ref=stage:password"`
	Stages   []uuid.UUID    `json:"stages" field:"ref=stage"`
	Life     Duration       `json:"life"`
	When     *time.Time     `json:"when" field:"readonly,null"`
	Attrs    map[string]any `json:"attrs"`
	Anything any            `json:"anything" field:"null"`
	Parts    []nested       `json:"parts"`
	Secret   string         `json:"secret" field:"secret,blank"`
	//lint:ignore U1000 an unexported field of a struct is no field of the document
	hidden int
}

func (d *document) Validate() Errors {
	if d.Name == "forbidden" {
		return Errorf(NonField, CodeInvalid, "Choose another name.")
	}
	return nil
}

const (
	id1 = "11111111-1111-4111-8111-111111111111"
	id2 = "22222222-2222-4222-8222-222222222222"
)

func TestDecodeCoercesAndRefuses(t *testing.T) {
	for _, row := range []struct {
		name  string
		field string
		in    any
		want  any    // what Get returns afterwards
		code  string // or the error code
	}{
		{"text is trimmed", "name", "  a  ", "a", ""},
		{"text may be told to keep its blanks", "raw", " a ", " a ", ""},
		{"a number is taken as text", "name", json.Number("12"), "12", ""},
		{"a flag is not a text", "name", true, nil, CodeInvalid},
		{"a list is not a text", "name", []any{"a"}, nil, CodeInvalid},
		{"blanks alone are blank", "name", "   ", nil, CodeBlank},
		{"null is refused", "name", nil, nil, CodeNull},
		{"characters are counted, not bytes", "name", "äöüäöüäöüä", "äöüäöüäöüä", ""},
		{"a text that is too long is refused", "name", "12345678901", nil, CodeMaxLength},
		{"a zero byte is refused", "name", "a\x00b", nil, CodeInvalid},
		{"a slug has few characters", "slug", "a b", nil, CodeInvalid},
		{"a slug may be empty where blank is allowed", "slug", "", "", ""},
		{"true is true", "on", true, true, ""},
		{"the text 1 is true", "on", "1", true, ""},
		{"the number 0 is false", "on", float64(0), false, ""},
		{"maybe is not a flag", "on", "maybe", nil, CodeInvalid},
		{"a whole number", "count", json.Number("7"), int64(7), ""},
		{"a whole number as text", "count", "7", int64(7), ""},
		{"a number with only zeros behind the point", "count", "7.00", int64(7), ""},
		{"a fraction is not whole", "count", 7.5, nil, CodeInvalid},
		{"a flag is not a number", "count", true, nil, CodeInvalid},
		{"a number beyond the type", "count", "2147483648", nil, CodeMaxValue},
		{"a number beyond 64 bits", "count", "99999999999999999999", nil, CodeMaxValue},
		{"a number below the tag", "count", int(-6), nil, CodeMinValue},
		{"a number far below", "count", "-99999999999999999999", nil, CodeMinValue},
		{"an unsigned number is not negative", "small", -1, nil, CodeMinValue},
		{"an unsigned number beyond its type", "small", 256, nil, CodeMaxValue},
		{"a fraction", "ratio", "0.5", 0.5, ""},
		{"not a number is no number", "ratio", "NaN", nil, CodeInvalid},
		{"a fraction beyond the tag", "ratio", 1.5, nil, CodeMaxValue},
		{"a choice", "colour", "red", "red", ""},
		{"an unknown choice", "colour", "blue", nil, CodeInvalidChoice},
		{"the empty choice", "colour", "", nil, CodeInvalidChoice},
		{"a list of choices", "colours", []any{"red", "green"}, []any{"red", "green"}, ""},
		{"a list with an unknown choice", "colours", []any{"red", "blue"}, nil, CodeInvalidChoice},
		{"a list that is too long", "colours", []any{"red", "red", "red"}, nil, CodeMaxLength},
		{"a text instead of a list", "colours", "red", nil, CodeNotAList},
		{"a user id", "owner", float64(3), int64(3), ""},
		{"null where it is allowed", "owner", nil, nil, ""},
		{"an id", "flow", id1, id1, ""},
		{"an id that is none", "flow", "x", nil, CodeInvalid},
		{"an id in braces", "flow", "{" + id1 + "}", nil, CodeInvalid},
		{"an object where an id belongs", "flow", map[string]any{}, nil, CodeIncorrectType},
		{"ids of a list are kept once", "stages", []any{id1, id2, id1}, []any{id1, id2}, ""},
		{"null in a list", "stages", []any{nil}, nil, CodeNull},
		{"a duration", "life", "hours=1;minutes=30", "hours=1;minutes=30", ""},
		{"a duration in words", "life", "soon", nil, CodeInvalid},
		{"an object", "attrs", map[string]any{"a": []any{json.Number("1"), nil}}, map[string]any{"a": []any{int64(1), nil}}, ""},
		{"a list where an object belongs", "attrs", []any{}, nil, CodeInvalid},
		{"any value", "anything", []any{"a", 1.5}, []any{"a", 1.5}, ""},
		{"objects in a list", "parts", []any{map[string]any{"label": "a", "size": "3"}}, []any{map[string]any{"label": "a", "size": int64(3)}}, ""},
		{"objects in a list lacking a field", "parts", []any{map[string]any{}}, nil, CodeInvalid},
	} {
		t.Run(row.name, func(t *testing.T) {
			doc := &document{}
			before, _ := Get(doc, row.field)
			_, errs := Decode(doc, map[string]any{row.field: row.in}, Update)
			got, _ := Get(doc, row.field)
			if row.code == "" {
				if errs != nil || !cmp.Equal(got, row.want) {
					t.Fatalf("got %#v, errors %v", got, errs)
				}
				return
			}
			if len(errs[row.field]) == 0 || errs[row.field][0].Code != row.code || errs[row.field][0].String == "" {
				t.Fatalf("got errors %+v, want code %s", errs, row.code)
			}
			if !cmp.Equal(got, before) {
				t.Fatalf("the field was changed to %#v in spite of the error", got)
			}
		})
	}
}

func TestDecodeModes(t *testing.T) {
	when := "2030-01-02T03:04:05Z"
	for _, row := range []struct {
		name    string
		mode    Mode
		data    map[string]any
		want    Errors
		unknown []string
		when    any
	}{
		{name: "creation demands the required field", mode: Create, data: map[string]any{},
			want: Errors{"name": {{Code: CodeRequired, Message: "field.required", String: "Fill in this field."}}}},
		{name: "an update does not", mode: Update, data: map[string]any{}},
		{name: "unknown keys are told in order, read-only ones ignored", mode: Update,
			data: map[string]any{"z": 1, "b": 2, "when": when, "on": true, "hidden": 1}, unknown: []string{"b", "hidden", "z"}},
		{name: "stored documents bring their read-only fields", mode: Stored, data: map[string]any{"name": "a", "when": when}, when: when},
		{name: "the rule of the document is asked", mode: Create, data: map[string]any{"name": "forbidden"},
			want: Errorf(NonField, CodeInvalid, "Choose another name.")},
	} {
		t.Run(row.name, func(t *testing.T) {
			doc := &document{}
			unknown, errs := Decode(doc, row.data, row.mode)
			if diff := cmp.Diff(row.want, errs); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(row.unknown, unknown); diff != "" {
				t.Error(diff)
			}
			if got, _ := Get(doc, "when"); got != row.when {
				t.Errorf("when is %v", got)
			}
		})
	}
}

func TestDecodeSharesNothingWithItsInput(t *testing.T) {
	attrs := map[string]any{"a": map[string]any{"b": int64(1)}}
	doc := &document{}
	if _, errs := Decode(doc, map[string]any{"attrs": attrs}, Update); errs != nil {
		t.Fatal(errs)
	}
	attrs["a"].(map[string]any)["b"] = int64(2)
	if doc.Attrs["a"].(map[string]any)["b"] != int64(1) {
		t.Fatal("the document changed with the caller's map")
	}
}

func TestEncodeAndDecodeAreInverse(t *testing.T) {
	owner, when := int64(4), time.Date(2030, 1, 2, 3, 4, 5, 6000, time.UTC)
	doc := &document{Slug: "s", On: true, Count: -3, Small: 9, Ratio: .25, Colour: "red", Colours: []colour{"green"}, Owner: &owner,
		Parent: uuid.MustParse(id1), Stages: []uuid.UUID{uuid.MustParse(id2)}, Life: "days=1", When: &when,
		Attrs: map[string]any{"k": int64(1)}, Parts: []nested{{"l", 2}}, Secret: "s3cret"}
	doc.Name = "n"
	b, err := json.Marshal(Encode(doc, WithSecrets))
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.UseNumber()
	var data map[string]any
	if err := dec.Decode(&data); err != nil {
		t.Fatal(err)
	}
	again := &document{}
	if unknown, errs := Decode(again, data, Stored); errs != nil || unknown != nil {
		t.Fatal(unknown, errs)
	}
	if !reflect.DeepEqual(doc, again) {
		t.Fatalf("got %+v\nwant %+v", again, doc)
	}
}

func TestRule34SecretsAreLeftOut(t *testing.T) {
	doc := &document{Secret: "s3cret"}
	if v, ok := Encode(doc, Public)["secret"]; ok {
		t.Errorf("the public form holds the secret %v", v)
	}
	for _, s := range Describe(doc) {
		if s.Name == "secret" && (s.Default != nil || !s.Secret) {
			t.Errorf("the description tells the secret: %+v", s)
		}
	}
}

func TestReferences(t *testing.T) {
	owner := int64(4)
	doc := &document{Owner: &owner, Parent: uuid.MustParse(id1), Stages: []uuid.UUID{uuid.MustParse(id1), uuid.MustParse(id2)}}
	want := []Reference{
		{"owner", "user", "", "4", Null}, {"parent", "stage", "password", id1, Cascade},
		{"stages", "stage", "", id1, Null}, {"stages", "stage", "", id2, Null},
	}
	if diff := cmp.Diff(want, References(doc)); diff != "" {
		t.Error(diff)
	}
	c := Copy(doc).(*document)
	Unlink(c, "stages", id1)
	Unlink(c, "owner", "4")
	if len(c.Stages) != 1 || c.Owner != nil {
		t.Errorf("still linked: %v %v", c.Stages, c.Owner)
	}
	if len(doc.Stages) != 2 || doc.Owner == nil {
		t.Error("unlinking a copy changed the original")
	}
}

func TestDescribe(t *testing.T) {
	specs := map[string]Spec{}
	for _, s := range Describe(&document{Colour: "green"}) {
		specs[s.Name] = s
	}
	if s := specs["colour"]; s.Type != "string" || s.Default != "green" || len(s.Enum) != 2 {
		t.Errorf("colour: %+v", s)
	}
	if s := specs["name"]; !s.Required || !s.Unique || s.Max == nil || *s.Max != 10 {
		t.Errorf("name: %+v", s)
	}
	if s := specs["flow"]; s.Format != "uuid" || !s.Nullable || s.Ref != "flow" {
		t.Errorf("flow: %+v", s)
	}
	if s := specs["parts"]; s.Type != "array" || s.Items == nil || len(s.Items.Fields) != 2 {
		t.Errorf("parts: %+v", s)
	}
	if s := specs["small"]; *s.Min != 0 || *s.Max != 255 {
		t.Errorf("small: %+v", s)
	}
}

func TestDuration(t *testing.T) {
	for _, row := range []struct {
		name, in string
		want     time.Duration
		bad      bool
	}{
		{"one pair", "seconds=5", 5 * time.Second, false},
		{"pairs add up", "hours=1;minutes=30", 90 * time.Minute, false},
		{"weeks and days", "weeks=1;days=1", 8 * 24 * time.Hour, false},
		{"fractions", "hours=1.5", 90 * time.Minute, false},
		{"an unknown unit beside a known one is ignored", "moons=1;microseconds=3", 3 * time.Microsecond, false},
		{"a trailing semicolon", "milliseconds=2;", 2 * time.Millisecond, false},
		{"unknown units alone", "moons=1", 0, true},
		{"a pair without number", "hours", 0, true},
		{"commas", "hours=1,minutes=2", 0, true},
		{"nothing", "", 0, true},
		{"too long is cut", "weeks=99999999999", 1<<63 - 1, false},
		{"endless and back", "weeks=1e308;weeks=-1e308", 0, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			var d Duration
			if p := d.DecodeField(row.in); (p != nil) != row.bad {
				t.Fatalf("problem %v", p)
			}
			if got := Duration(row.in).Duration(); got != row.want {
				t.Fatalf("got %v", got)
			}
		})
	}
	if Duration("").String() != "seconds=0" {
		t.Error("the empty duration is not seconds=0")
	}
}

func BenchmarkDecode(b *testing.B) {
	data := map[string]any{"name": "n", "colour": "red", "count": json.Number("3"), "unknown": 1}
	for b.Loop() {
		Decode(&document{}, data, Create)
	}
}
