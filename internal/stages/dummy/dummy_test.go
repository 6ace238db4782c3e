package dummy_test

import (
	"testing"

	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/internal/stages/dummy"
)

func TestDummy(t *testing.T) {
	for _, row := range []struct {
		name      string
		config    *dummy.Config
		get, post string
	}{
		{"it shows its name and any answer goes on", &dummy.Config{}, "ak-stage-dummy", "redirect / final"},
		{"with throw_error it fails and never goes on", &dummy.Config{ThrowError: true}, "ak-stage-flow-error", "ak-stage-flow-error"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := flowtest.New(t, dummy.Type())
			w.Bind(w.AddFlow("f", nil), w.AddStage("dummy", "Try <me>", row.config), nil)
			b := w.NewBrowser()
			r := b.Get(t, "f", "")
			if got := flowtest.Describe(r); got != row.get {
				t.Fatalf("GET: %s, want %s", got, row.get)
			}
			if c, ok := r.Challenge.Body.(*dummy.Challenge); ok && c.Name != "Try <me>" {
				t.Errorf("name is %q", c.Name)
			}
			if got := flowtest.Describe(b.Answer(t, "f", "", nil)); got != row.post {
				t.Errorf("POST: %s, want %s", got, row.post)
			}
		})
	}
}
