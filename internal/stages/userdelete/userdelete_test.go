package userdelete

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

type house struct{ removed []int64 }

func (h *house) RemoveUser(_ context.Context, _ flow.Tx, p *identity.Person, _ Cause) error {
	h.removed = append(h.removed, p.ID)
	return nil
}

func TestSituations(t *testing.T) {
	for _, row := range []struct {
		name    string
		pending bool
		signed  bool
		post    bool
		want    string
		removed []int64
	}{
		{"nobody", false, false, false, "denied: " + msgNobody, nil},
		{"nobody, answered", false, false, true, "denied: " + msgNobody, nil},
		{"a pending user", true, false, false, "redirect / final", []int64{7}},
		{"a pending user, answered", true, false, true, "redirect / final", []int64{7}},
		{"the user of the session", false, true, false, "redirect / final", []int64{8}},
		{"the pending user rather than the one of the session", true, true, false, "redirect / final", []int64{7}},
	} {
		t.Run(row.name, func(t *testing.T) {
			h := &house{}
			w := flowtest.New(t, Type(h))
			ann := w.People.Add(identity.User{ID: 7, Username: "ann", Active: true})
			w.People.Add(identity.User{ID: 8, Username: "bob", Active: true})
			f := w.AddFlow("f", nil)
			if row.pending {
				w.BindPolicy(f.ID, policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
					return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: map[string]any{"pending_user": ann}}}, nil
				}), nil)
			}
			w.Bind(f, w.AddStage("user_delete", "delete", nil), nil)
			b := w.NewBrowser()
			if row.signed {
				w.Store.SignIn(flowtest.SessionKey(b.Token), 8)
			}
			before := b.Token
			r := b.Get(t, "f", "")
			if row.post {
				h.removed = nil
				b = w.NewBrowser()
				before = b.Token
				r = b.Post(t, "f", "", map[string]any{})
			}
			if got := flowtest.Describe(r); got != row.want {
				t.Errorf("%s, want %s", got, row.want)
			}
			if diff := cmp.Diff(row.removed, h.removed); diff != "" {
				t.Error(diff)
			}
			if user, _ := w.Store.UserOf(flowtest.SessionKey(b.Token)); user != 0 || (row.removed != nil && b.Token == before) {
				t.Errorf("the session goes on, for user %d", user)
			}
		})
	}
}

// A page that somebody else's site opens must not delete anything (rule 5).
func TestRule05APassiveRequestDeletesNobody(t *testing.T) {
	h := &house{}
	w := flowtest.New(t, Type(h))
	w.People.Add(identity.User{ID: 8, Username: "bob", Active: true})
	f := w.AddFlow("f", nil)
	w.Bind(f, w.AddStage("user_delete", "delete", nil), nil)
	b := w.NewBrowser()
	w.Store.SignIn(flowtest.SessionKey(b.Token), 8)
	req := b.Request("f", "")
	req.Passive = true
	r, err := b.Do(t.Context(), req)
	if err != nil || flowtest.Describe(r) != "confirm" || h.removed != nil {
		t.Errorf("%v, %v, removed %v", r, err, h.removed)
	}
}
