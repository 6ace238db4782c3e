package flow

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func TestContextSurvivesStorage(t *testing.T) {
	values := map[string]any{
		"text": "x", "number": int64(7), "float": 1.5, "yes": true, "nothing": nil,
		"list":         []any{"a", int64(1), map[string]any{"k": "v"}},
		"pending_user": &PersonRef{ID: 4, Backend: "local"},
		"typed":        &PersonRef{Username: "nobody", Email: "nobody"},
		"flow":         &Ref{Kind: "flow", ID: uuid.MustParse("5d2c5c4a-6a35-4a3e-9d0c-6d0c5d2c5c4a"), Name: "f"},
		"nested":       map[string]any{"user": &PersonRef{ID: 9}},
	}
	data, err := json.Marshal(NewContext(values))
	if err != nil {
		t.Fatal(err)
	}
	var back Context
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(values, back.Values()); diff != "" {
		t.Errorf("context (-want +got):\n%s", diff)
	}
}

// What people type can look like a reference, and must not become one.
func TestTypedDataNeverBecomesAPerson(t *testing.T) {
	typed := map[string]any{typeKey: "person", "id": int64(1), "backend": "x"}
	data, err := json.Marshal(NewContext(map[string]any{"prompt_data": map[string]any{"x": typed}}))
	if err != nil {
		t.Fatal(err)
	}
	var back Context
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	got, _ := KeyPromptData.Get(&back)
	if diff := cmp.Diff(map[string]any{"x": typed}, got); diff != "" {
		t.Errorf("prompt data (-want +got):\n%s", diff)
	}
}

func TestContextRefusesWhatCannotBeKept(t *testing.T) {
	if _, err := json.Marshal(NewContext(map[string]any{"f": func() {}})); err == nil {
		t.Error("a function was stored")
	}
}

// A plan of the format that is in the field today must stay readable.
func TestOldPlansLoad(t *testing.T) {
	const old = `{"format":1,"flow":"5d2c5c4a-6a35-4a3e-9d0c-6d0c5d2c5c4a","entries":[{"binding":"5d2c5c4a-6a35-4a3e-9d0c-6d0c5d2c5c4b",
		"binding_version":3,"stage":"5d2c5c4a-6a35-4a3e-9d0c-6d0c5d2c5c4c","stage_version":4,"reevaluate":true},
		{"inline":{"type":"redirect","name":"r","config":{"mode":"static"}}}],
		"context":{"pending_user":{"$weir":"person","id":4,"backend":"b","username":"","email":""}},
		"proofs":[{"fact":"password","user":4,"channel":"b","at":"2026-11-23T12:00:00Z"}],"tokens":{"itoken":"ab"},"started":"2026-11-23T11:00:00Z","finished":2,"answered":1}`
	var p Plan
	if err := json.Unmarshal([]byte(old), &p); err != nil {
		t.Fatal(err)
	}
	ref, _ := KeyPendingUser.Get(p.Context)
	if len(p.Entries) != 2 || p.Entries[0].StageVersion != 4 || p.Entries[1].Inline.Type != "redirect" || ref == nil || ref.ID != 4 ||
		!p.Has(FactPassword, 4) || p.Tokens["itoken"] != "ab" || p.Answered != 1 {
		t.Errorf("read %+v", p)
	}
}
