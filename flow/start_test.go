package flow_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// begin starts a flow in a browser for somebody.
func begin(t *testing.T, b *flowtest.Browser, slug string, p *identity.Person) error {
	t.Helper()
	req := b.Request(slug, "")
	req.User = p
	return b.World.Executor.Start(t.Context(), req, map[string]any{string(flow.KeyPendingUser): flow.RefTo(p)})
}

func TestAStartedFlowGoesOnForThePersonWhoStartedIt(t *testing.T) {
	w := newWorld(t)
	max := member(w.People, "max")
	f, _ := stages(w, "f", "ask", "login")
	f.Authentication = flow.RequireAuthenticated
	b := w.NewBrowser()
	if err := begin(t, b, "f", max); err != nil {
		t.Fatal(err)
	}
	if id, stored := w.Store.UserOf(flowtest.SessionKey(b.Token)); !stored || id != 0 {
		t.Fatalf("the session is stored: %v, of user %d; want one of nobody", stored, id)
	}
	if got := flowtest.Describe(b.Get(t, "f", "")); got != "ak-stage-dummy" {
		t.Fatalf("the page shows %s", got)
	}
	if got := flowtest.Describe(b.Answer(t, "f", "", map[string]any{})); got != "redirect / final" {
		t.Fatalf("the answer leads to %s", got)
	}
	if id, _ := w.Store.UserOf(flowtest.SessionKey(b.Token)); id != max.ID {
		t.Errorf("user %d is signed in, want %d", id, max.ID)
	}
}

func TestStartingAgainBeginsAnew(t *testing.T) {
	w := newWorld(t)
	max := member(w.People, "max")
	stages(w, "f", "ask", "gate")
	b := w.NewBrowser()
	if err := begin(t, b, "f", max); err != nil {
		t.Fatal(err)
	}
	b.Answer(t, "f", "", map[string]any{})
	before := b.Request("f", "").Execution
	// A step that is taken meanwhile must not make the start fail.
	w.Store.BeforeCommit = func() { w.Store.Touch(flowtest.SessionKey(b.Token), before.Plan.FlowID) }
	if err := begin(t, b, "f", max); err != nil {
		t.Fatal(err)
	}
	if got := b.Request("f", "").Execution; len(got.Plan.Entries) != 2 || got.Plan.Answered != 0 {
		t.Errorf("%d stages are left and %d answered, want 2 and 0", len(got.Plan.Entries), got.Plan.Answered)
	}
}

func TestStartIsRefused(t *testing.T) {
	rows := []struct {
		name    string
		prepare func(w *flowtest.World, f *flow.Flow)
		want    []string
		events  []string
	}{
		{"by a policy, in its words", func(w *flowtest.World, f *flow.Flow) { w.BindPolicy(f.ID, fail("not you", "not now"), nil) }, []string{"not you", "not now"}, nil},
		{"by the requirement", func(_ *flowtest.World, f *flow.Flow) { f.Authentication = flow.RequireUnauthenticated },
			[]string{"This flow does not apply to you."}, nil},
		{"by a policy that errs, with an id", func(w *flowtest.World, f *flow.Flow) { w.BindPolicy(f.ID, &verdict{v: policy.Error}, nil) },
			[]string{"This could not be decided. Tell your administrator this id: "}, []string{"policy_exception"}},
		{"without a stage", func(w *flowtest.World, f *flow.Flow) { w.Delete(w.Bindings(f.ID)[0].ID) },
			[]string{"This flow has no stage for you, so there is nothing to start. Bind a stage to it first."}, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			max := member(w.People, "max")
			f, _ := stages(w, "f", "ask")
			b := w.NewBrowser()
			if err := begin(t, b, "f", max); err != nil {
				t.Fatal(err)
			}
			running := b.Request("f", "").Execution.ID
			row.prepare(w, f)

			err := begin(t, b, "f", max)
			var refused *flow.RefusedError
			if !errors.As(err, &refused) || len(refused.Messages) != len(row.want) {
				t.Fatalf("got %v, want the messages %q", err, row.want)
			}
			for i, want := range row.want {
				if !strings.HasPrefix(refused.Messages[i], want) {
					t.Errorf("message %q, want %q", refused.Messages[i], want)
				}
			}
			if diff := cmp.Diff(row.events, w.Store.Events()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if left := b.Request("f", "").Execution; left == nil || left.ID != running {
				t.Error("a refused start took the run that was there")
			}
		})
	}
}
