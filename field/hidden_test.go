package field_test

import (
	"testing"

	"github.com/weir-id/weir/field"
)

type kept struct {
	Name    string  `json:"name" field:"required"`
	Authors []int64 `json:"authors" field:"hidden"`
}

func TestHiddenFieldsAreTheProgramsOwn(t *testing.T) {
	d := kept{Authors: []int64{7}}
	body := map[string]any{"name": "a", "authors": []any{1}}
	for _, mode := range []field.Mode{field.Create, field.Update, field.Replace} {
		if unknown, errs := field.Decode(&d, body, mode); errs != nil || len(unknown) > 0 || d.Authors[0] != 7 {
			t.Errorf("mode %d: %v, unknown %v, authors %v", mode, errs, unknown, d.Authors)
		}
	}
	if _, shown := field.Encode(&d, field.Public)["authors"]; shown {
		t.Error("an answer shows it")
	}
	if specs := field.Describe(&d); len(specs) != 1 || specs[0].Name != "name" {
		t.Errorf("described as %v", specs)
	}
	stored := field.Encode(&d, field.WithSecrets)
	for _, mode := range []field.Mode{field.Stored, field.Internal} {
		var back kept
		if _, errs := field.Decode(&back, stored, mode); errs != nil || len(back.Authors) != 1 || back.Authors[0] != 7 {
			t.Errorf("mode %d: read back as %v, %v", mode, back.Authors, errs)
		}
	}
}
