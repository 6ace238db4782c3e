package flowhttp

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
)

var (
	page   = uuid.MustParse("11111111-1111-4111-8111-111111111111")
	login  = &flow.Result{Session: &flow.SessionChange{Token: "very-secret-token", Login: true}, Challenge: redirectTo("/")}
	onward = &flow.Result{Next: true}
)

func redirectTo(to string) *flow.Envelope {
	return &flow.Envelope{Component: "xak-flow-redirect", Body: &flow.RedirectTo{To: to, Final: true}}
}

func ask(rejected bool) *flow.Result {
	return &flow.Result{Rejected: rejected, Challenge: &flow.Envelope{Component: "ak-stage-access-denied", Body: &flow.AccessDenied{}}}
}

func submit(change func(*Call)) Call {
	c := Call{Slug: "login", RawQuery: "next=%2F", Answer: true, Body: map[string]any{"password": "hunter2-and-more"}, Handle: &page, Step: 3}
	if change != nil {
		change(&c)
	}
	return c
}

func TestWhatCountsAsTheSameSubmit(t *testing.T) {
	api := func(c *Call) { c.Handle = nil }
	rows := []struct {
		name   string
		first  Call
		result *flow.Result
		token  string
		second Call
		after  time.Duration
		same   bool
	}{
		{"an equal submit of a page", submit(nil), onward, "a", submit(nil), 0, true},
		{"an equal submit 4 s later", submit(nil), onward, "a", submit(nil), 4 * time.Second, true},
		{"an equal submit 5 s later", submit(nil), onward, "a", submit(nil), 5 * time.Second, false},
		{"after a login, with the old cookie", submit(nil), login, "a", submit(nil), time.Second, true},
		{"after a login through the API", submit(api), login, "a", submit(api), time.Second, true},
		{"two stages in a row that take equal answers, through the API", submit(api), onward, "a", submit(api), 0, false},
		{"another browser", submit(nil), onward, "b", submit(nil), 0, false},
		{"another answer", submit(nil), onward, "a", submit(func(c *Call) { c.Body = map[string]any{"password": "px"} }), 0, false},
		{"another step", submit(nil), onward, "a", submit(func(c *Call) { c.Step = 4 }), 0, false},
		{"another query", submit(nil), onward, "a", submit(func(c *Call) { c.RawQuery = "" }), 0, false},
		{"another flow", submit(nil), onward, "a", submit(func(c *Call) { c.Slug = "other" }), 0, false},
		{"a refused answer counts each time", submit(nil), ask(true), "a", submit(nil), 0, false},
		{"a stale answer is taken again", submit(nil), &flow.Result{Next: true, Stale: true}, "a", submit(nil), 0, false},
		{"a step that failed is taken again", submit(nil), nil, "a", submit(nil), 0, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			now := time.Unix(0, 0)
			r := newRepeats(func() time.Time { return now })
			a, first := r.begin("a", row.first)
			if !first {
				t.Fatal("the first submit is not first")
			}
			r.finish(a, row.result, []string{"authentik_session=new; Path=/"})
			now = now.Add(row.after)
			again, first := r.begin(row.token, row.second)
			if first == row.same {
				t.Fatalf("first = %v, want %v", first, !row.same)
			}
			if !row.same {
				return
			}
			result, cookies, ok := again.wait(t.Context())
			if !ok || len(cookies) != 1 || cookies[0] != "authentik_session=new; Path=/" || result.Next != row.result.Next {
				t.Errorf("wait = %+v %v %v", result, cookies, ok)
			}
		})
	}
}

func TestASubmitUnderWayIsWaitedFor(t *testing.T) {
	for _, row := range []struct {
		name   string
		result *flow.Result
		shared bool
	}{
		{"its answer is shared when it moved the flow on", onward, true},
		{"the second one tries itself when the first was refused", ask(true), false},
		{"the second one tries itself when the first failed", nil, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRepeats(time.Now)
				a, _ := r.begin("a", submit(nil))
				answered := make(chan bool)
				go func() {
					b, first := r.begin("a", submit(nil))
					if first {
						t.Error("the second submit counts as first")
					}
					_, _, ok := b.wait(t.Context())
					answered <- ok
				}()
				synctest.Wait()
				select {
				case <-answered:
					t.Fatal("answered before the first one was")
				default:
				}
				r.finish(a, row.result, nil)
				if ok := <-answered; ok != row.shared {
					t.Errorf("shared = %v, want %v", ok, row.shared)
				}
			})
		})
	}
}

func TestWhoeverWaitsMayLeave(t *testing.T) {
	r := newRepeats(time.Now)
	_, _ = r.begin("a", submit(nil))
	b, _ := r.begin("a", submit(nil))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, ok := b.wait(ctx); ok {
		t.Error("got an answer that does not exist")
	}
}

func TestLookingAtThePageForgetsTheSubmit(t *testing.T) {
	r := newRepeats(time.Now)
	a, _ := r.begin("a", submit(nil))
	r.finish(a, onward, nil)
	r.forget("a", "login")
	if _, first := r.begin("a", submit(nil)); !first {
		t.Error("an answer from before is given")
	}
}

func TestNothingSecretIsKeptInClear(t *testing.T) {
	r := newRepeats(time.Now)
	a, _ := r.begin("cookie-secret", submit(nil))
	r.finish(a, login, []string{"authentik_session=very-secret-token"})
	kept := fmt.Sprintf("%+v %s %+v", a, a.cookies, a.result.Session)
	for _, secret := range []string{"very-secret-token", "cookie-secret", "hunter2-and-more"} {
		if bytes.Contains([]byte(kept), []byte(secret)) {
			t.Errorf("%q is in memory: %s", secret, kept)
		}
	}
	if login.Session.Token != "very-secret-token" {
		t.Error("the first answer lost its token")
	}
}

func TestTheMemoryIsBounded(t *testing.T) {
	r := newRepeats(func() time.Time { return time.Unix(0, 0) })
	for i := range 3 * maxRepeats {
		a, _ := r.begin(fmt.Sprint(i), submit(nil))
		r.finish(a, onward, nil)
	}
	if len(r.latest) > maxRepeats || len(r.arrival) > maxRepeats {
		t.Errorf("%d and %d attempts are kept, want at most %d", len(r.latest), len(r.arrival), maxRepeats)
	}
}
