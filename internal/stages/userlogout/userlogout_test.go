package userlogout_test

import (
	"slices"
	"testing"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/stages/dummy"
	"github.com/weir-id/weir/internal/stages/userlogout"
)

func TestUserLogout(t *testing.T) {
	for _, row := range []struct {
		name   string
		signed bool
		post   bool
		events []string
	}{
		{"a GET logs a signed-in person out", true, false, []string{"logout"}},
		{"a POST logs a signed-in person out", true, true, []string{"logout"}},
		{"it works for an anonymous visitor, about whom there is nothing to record", false, false, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := flowtest.New(t, userlogout.Type(), dummy.Type())
			f := w.AddFlow("out", func(f *flow.Flow) { f.Designation = flow.Invalidation })
			w.Bind(f, w.AddStage("user_logout", "out", nil), nil)
			w.Bind(f, w.AddStage("dummy", "bye", nil), nil)
			person := w.People.Add(identity.User{Username: "ann", Active: true})
			b := w.NewBrowser()
			before := b.Token
			if row.signed {
				w.Store.SignIn(flowtest.SessionKey(before), person.ID)
			}
			var got *flow.Result
			if row.post {
				got = b.Answer(t, "out", "", map[string]any{})
			} else {
				got = b.Get(t, "out", "")
			}
			if d := flowtest.Describe(got); d != "ak-stage-dummy" {
				t.Errorf("the flow goes on with %s", d)
			}
			if b.Token == before {
				t.Error("the session was kept (rule 7)")
			}
			if _, ok := w.Store.UserOf(flowtest.SessionKey(before)); ok {
				t.Error("the old session is still there")
			}
			if user, _ := w.Store.UserOf(flowtest.SessionKey(b.Token)); user != 0 {
				t.Errorf("user %d is still signed in", user)
			}
			if got := w.Store.Events(); !slices.Equal(got, row.events) {
				t.Errorf("events %v, want %v", got, row.events)
			}
		})
	}
}

func TestRule05PassiveRequestDoesNotLogOut(t *testing.T) {
	w := flowtest.New(t, userlogout.Type())
	f := w.AddFlow("out", func(f *flow.Flow) { f.Designation = flow.Invalidation })
	w.Bind(f, w.AddStage("user_logout", "out", nil), nil)
	person := w.People.Add(identity.User{Username: "ann", Active: true})
	b := w.NewBrowser()
	w.Store.SignIn(flowtest.SessionKey(b.Token), person.ID)
	req := b.Request("out", "")
	req.Passive = true
	r, err := b.Do(t.Context(), req)
	if err != nil || !r.Confirm {
		t.Fatalf("result %+v, %v; want a question", r, err)
	}
	if user, _ := w.Store.UserOf(flowtest.SessionKey(b.Token)); user != person.ID {
		t.Error("logged out without a question")
	}
}
