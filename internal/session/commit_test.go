package session_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

func TestCommitKeepsTheExecution(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db, nil)
		of := newFlow()
		c := f.current("", of)
		done := f.commit(&flow.Commit{Session: c.Session, Flow: of, After: f.plan(of, "one"), User: c.Person, HTTP: from("192.0.2.1")})
		if done.Session != nil || done.Execution.Version != 1 {
			t.Errorf("first step: %+v", done)
		}
		c = f.current(c.Token, of)
		if !c.Session.Stored || c.Fresh || mark(c.Execution) != "one" || c.Execution.ID != done.Execution.ID {
			t.Fatalf("after the first step: %+v", c)
		}
		if got := f.current(c.Token, newFlow()); got.Execution != nil {
			t.Error("another flow finds the execution")
		}
		second := &flow.Commit{Session: c.Session, Flow: of, Before: c.Execution, After: f.plan(of, "two"), User: c.Person,
			Trace: flow.Trace{Stage: "s", Message: "m\x00", Policies: []flow.PolicyTrace{{Target: "t", Messages: []string{"\x00\xff"}}}}}
		if done := f.commit(second); done.Execution.Version != 2 || done.Execution.ID != c.Execution.ID {
			t.Errorf("second step: %+v", done.Execution)
		}
		if _, err := f.Commit(t.Context(), second); !errors.Is(err, flow.ErrStale) {
			t.Errorf("the same version again: got %v", err)
		}
		c = f.current(c.Token, of)
		f.commit(&flow.Commit{Session: c.Session, Flow: of, Before: c.Execution, User: c.Person})
		if c := f.current(c.Token, of); c.Execution != nil || !c.Session.Stored {
			t.Error("the execution outlives its last step")
		}
		if n := f.count("select count(*) from execution_steps where execution_id = $1", done.Execution.ID); n != 3 {
			t.Errorf("trace: got %d steps, want 3", n)
		}
	})
}

func TestCommitIsStale(t *testing.T) {
	tests := []struct {
		name   string
		change func(f *fixture, c *flow.Commit)
	}{
		{"when the version has moved", func(f *fixture, c *flow.Commit) { c.Before.Version++ }},
		{"when the version has moved before the last step", func(f *fixture, c *flow.Commit) { c.Before.Version, c.After = c.Before.Version+1, nil }},
		{"when the session is somebody else's", func(f *fixture, c *flow.Commit) {
			u := f.user(func(u *identity.User) { u.Username = uuid.NewString() })
			c.Session, c.Before, c.After = f.current(f.login(u), nil).Session, nil, nil
			c.Session.UserID++
		}},
		{"when somebody else began the flow", func(f *fixture, c *flow.Commit) { c.Before = nil }},
		{"when the execution is another session's", func(f *fixture, c *flow.Commit) {
			other := f.current("", nil)
			f.commit(&flow.Commit{Session: other.Session, Flow: newFlow(), After: c.After, User: other.Person})
			c.Session = flow.Session{Key: other.Session.Key, Stored: true}
		}},
		{"when the session is gone", func(f *fixture, c *flow.Commit) {
			f.write(func(ctx context.Context, tx store.Tx) error {
				_, err := tx.Exec(ctx, "delete from sessions where key = $1", c.Session.Key)
				return err
			})
		}},
		{"when the session is gone and no execution is touched", func(f *fixture, c *flow.Commit) {
			c.Session.Key, c.Before, c.After = "gone", nil, nil
		}},
		{"when the session is signed in meanwhile", func(f *fixture, c *flow.Commit) { c.Session.UserID = 99 }},
		{"when the execution was idle for an hour", func(f *fixture, c *flow.Commit) { f.clock.pass(time.Hour) }},
	}
	storetest.Each(t, func(t *testing.T, db store.DB) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				f := newFixture(t, db, nil)
				of := newFlow()
				c := f.current("", of)
				f.commit(&flow.Commit{Session: c.Session, Flow: of, After: f.plan(of, "one"), User: c.Person})
				c = f.current(c.Token, of)
				applied := false
				commit := &flow.Commit{Session: c.Session, Flow: of, Before: c.Execution, After: f.plan(of, "two"), User: c.Person,
					Events: []flow.Event{{Action: "custom_" + t.Name()}},
					Apply:  []func(context.Context, flow.Tx) error{func(context.Context, flow.Tx) error { applied = true; return nil }}}
				tt.change(f, commit)
				_, err := f.Commit(t.Context(), commit)
				if !errors.Is(err, flow.ErrStale) || applied {
					t.Errorf("got %v, applied %v", err, applied)
				}
				if n := f.count("select count(*) from events where action = $1", "custom_"+t.Name()); n != 0 {
					t.Error("an event was recorded")
				}
			})
		}
	})
}

func TestExecutionsEnd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db, nil)
		of := newFlow()
		c := f.current("", of)
		plan := f.plan(of, "a")
		f.commit(&flow.Commit{Session: c.Session, Flow: of, After: plan, User: c.Person})
		for range 24 * 2 {
			c = f.current(c.Token, of)
			if c.Execution == nil {
				break
			}
			f.commit(&flow.Commit{Session: c.Session, Flow: of, Before: c.Execution, After: plan, User: c.Person})
			f.clock.pass(59 * time.Minute)
		}
		if age := f.clock.now().Sub(plan.Started); age < 24*time.Hour || age > 25*time.Hour {
			t.Errorf("a busy execution ended after %v, want a day", age)
		}
		f.commit(&flow.Commit{Session: c.Session, Flow: of, After: f.plan(of, "b"), User: c.Person})
		if got := mark(f.current(c.Token, of).Execution); got != "b" {
			t.Errorf("the flow does not start again in place of the one that ended: %q", got)
		}
		f.clock.pass(time.Hour)
		if f.current(c.Token, of).Execution != nil {
			t.Error("an idle execution is found after an hour")
		}
	})
}

func TestUnknownPlanFormatStartsAgain(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db, nil)
		of := newFlow()
		c := f.current("", of)
		old := f.plan(of, "old")
		old.Format = flow.PlanFormat + 1
		f.commit(&flow.Commit{Session: c.Session, Flow: of, After: old, User: c.Person})
		c = f.current(c.Token, of)
		if c.Execution != nil {
			t.Fatal("a plan of another format is read")
		}
		f.commit(&flow.Commit{Session: c.Session, Flow: of, After: f.plan(of, "new"), User: c.Person})
		if got := mark(f.current(c.Token, of).Execution); got != "new" {
			t.Errorf("got %q", got)
		}
	})
}

func TestASessionKeepsEightExecutions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db, nil)
		c := f.current("", nil)
		var flows []*flow.Flow
		for range 10 {
			of := newFlow()
			flows = append(flows, of)
			f.commit(&flow.Commit{Session: f.current(c.Token, of).Session, Flow: of, After: f.plan(of, "a"), User: c.Person})
			f.clock.pass(time.Second)
		}
		for i, of := range flows {
			if got := f.current(c.Token, of).Execution != nil; got != (i >= 2) {
				t.Errorf("execution %d is kept: %v", i, got)
			}
		}
		f.Forget(t.Context(), f.current(c.Token, nil).Session, uuid.Nil)
		if f.current(c.Token, flows[9]).Execution != nil {
			t.Error("a forgotten execution is found")
		}
	})
}

// TestRule05LoginMakesANewSession also covers rule 6: the subject of a session
// never changes, whoever signs in again.
func TestRule05LoginMakesANewSession(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db, nil)
		first, second := f.user(), f.user()
		token := f.current("", nil).Token
		for _, p := range []*identity.Person{first, first, second} {
			of, other := newFlow(), newFlow()
			for _, each := range []*flow.Flow{of, other} {
				c := f.current(token, each)
				f.commit(&flow.Commit{Session: c.Session, Flow: each, After: f.plan(each, "before"), User: c.Person})
			}
			c := f.current(token, of)
			done := f.commit(&flow.Commit{Session: c.Session, Flow: of, Before: c.Execution, After: f.plan(of, "after"),
				Login: &flow.Login{User: p, Backend: "b", Method: "password", MethodArgs: map[string]any{"known_device": true}},
				User:  c.Person, Pending: p, Events: []flow.Event{{Action: "login"}}})
			if done.Session == nil || !done.Session.Login || done.Session.Token == token {
				t.Fatalf("session after login: %+v", done.Session)
			}
			if old := f.current(token, of); old.Session.Stored || old.Person.Saved() || old.Execution != nil {
				t.Error("the old session is still there")
			}
			token = done.Session.Token
			now := f.current(token, of)
			if now.Person.ID != p.ID || now.Session.UserID != p.ID || mark(now.Execution) != "after" || now.Execution.ID != c.Execution.ID {
				t.Errorf("the new session: %+v", now)
			}
			if diff := cmp.Diff(map[string]any{"known_device": true}, now.Row.AuthMethodArgs); diff != "" || now.Row.AuthBackend != "b" {
				t.Error(diff, now.Row.AuthBackend)
			}
			if f.current(token, other).Execution != nil {
				t.Error("another execution came along")
			}
			if now.Person.LastLogin == nil || !now.Person.LastLogin.Equal(f.clock.now()) {
				t.Errorf("last login: %v", now.Person.LastLogin)
			}
		}
		if n := f.count("select count(*) from sessions"); n != 1 {
			t.Errorf("sessions: got %d, want 1", n)
		}
		list, err := f.events.List(t.Context(), db, event.Filter{Actions: []event.Action{event.Login}})
		if err != nil || len(list) != 3 {
			t.Fatalf("events: got %d, %v", len(list), err)
		}
		for _, e := range list {
			if e.User["authenticated_as"] != nil || e.App != "authentik.events" {
				t.Errorf("login event: %v", e)
			}
		}
	})
}

func TestLoginEndsOtherSessions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db, nil)
		p, other := f.user(), f.user()
		phone, strangers := f.login(p), f.login(other)
		laptop := f.login(p, func(l *flow.Login) { l.TerminateOthers = true })
		if f.current(phone, nil).Person.Saved() || !f.current(laptop, nil).Person.Saved() || !f.current(strangers, nil).Person.Saved() {
			t.Error("the wrong sessions ended")
		}
	})
}

func TestRule24InactiveUserIsNotLoggedIn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db, nil)
		p := f.user() // active when it was read
		f.write(func(ctx context.Context, tx store.Tx) error {
			u := p.User
			u.Active = false
			return f.people.UpdateUser(ctx, tx, &u)
		})
		c := f.current("", nil)
		done, err := f.Commit(t.Context(), &flow.Commit{Session: c.Session, Flow: newFlow(), Login: &flow.Login{User: p}, User: c.Person})
		if err == nil || done != nil || f.count("select count(*) from sessions") != 0 {
			t.Errorf("got %v, %v", done, err)
		}
	})
}

func TestLogout(t *testing.T) {
	tests := []struct {
		name  string
		after bool
	}{{"in the last step", false}, {"with stages to come", true}}
	storetest.Each(t, func(t *testing.T, db store.DB) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				f := newFixture(t, db, nil)
				p := f.user(func(u *identity.User) { u.Username = uuid.NewString() })
				token, of := f.login(p), newFlow()
				c := f.current(token, of)
				f.commit(&flow.Commit{Session: c.Session, Flow: of, After: f.plan(of, "before"), User: c.Person})
				c = f.current(token, of)
				commit := &flow.Commit{Session: c.Session, Flow: of, Before: c.Execution, Logout: true, User: c.Person}
				if tt.after {
					commit.After = f.plan(of, "after")
				}
				done := f.commit(commit)
				if done.Session == nil || done.Session.Login || done.Session.Token == token {
					t.Fatalf("session after logout: %+v", done.Session)
				}
				if f.current(token, of).Person.Saved() {
					t.Error("the old session still works")
				}
				now := f.current(done.Session.Token, of)
				if now.Person.Saved() || now.Session.Stored != tt.after || now.Fresh {
					t.Errorf("the new session: %+v", now.Session)
				}
				if got := mark(now.Execution); (got == "after") != tt.after {
					t.Errorf("execution: %q", got)
				}
			})
		}
	})
}

func TestFailedEffectChangesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db, nil)
		p, of := f.user(), newFlow()
		c := f.current("", of)
		f.commit(&flow.Commit{Session: c.Session, Flow: of, After: f.plan(of, "before"), User: c.Person})
		c = f.current(c.Token, of)
		boom := errors.New("boom")
		_, err := f.Commit(t.Context(), &flow.Commit{Session: c.Session, Flow: of, Before: c.Execution, After: f.plan(of, "after"),
			Login: &flow.Login{User: p}, User: c.Person, Events: []flow.Event{{Action: "login"}},
			Apply: []func(context.Context, flow.Tx) error{
				func(ctx context.Context, tx flow.Tx) error {
					return f.people.SetPasswordHash(ctx, tx.(store.Tx), p.ID, "!x")
				},
				func(context.Context, flow.Tx) error { return boom },
			}})
		if !errors.Is(err, boom) {
			t.Fatalf("got %v", err)
		}
		if c := f.current(c.Token, of); mark(c.Execution) != "before" || c.Execution.Version != 1 || c.Person.Saved() {
			t.Errorf("after the failure: %+v", c)
		}
		if u, err := f.people.User(t.Context(), db, p.ID); err != nil || u.PasswordHash != "!" || u.LastLogin != nil {
			t.Errorf("user: %+v, %v", u, err)
		}
		if n := f.count("select count(*) from events"); n != 0 {
			t.Errorf("events: %d", n)
		}
	})
}

func TestEventsNameBothPeople(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db, nil)
		p, typed := f.user(), identity.NewPerson(identity.User{Username: "typed"}, nil)
		anonymous := identity.Anonymous()
		tests := []struct {
			name   string
			commit flow.Commit
			user   *identity.Person
			want   []any // username, authenticated_as
		}{
			{"the session's person alone", flow.Commit{User: p}, nil, []any{p.Username, nil}},
			{"the pending user is the session's", flow.Commit{User: p, Pending: p}, nil, []any{p.Username, nil}},
			{"a visitor becomes somebody", flow.Commit{User: anonymous, Pending: p}, nil, []any{p.Username, identity.AnonymousName}},
			{"a visitor was only typed", flow.Commit{User: anonymous, Pending: typed}, nil, []any{"typed", identity.AnonymousName}},
			{"the event names its own", flow.Commit{User: p, Pending: p}, typed, []any{"typed", p.Username}},
		}
		for i, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				action := fmt.Sprintf("custom_%d", i)
				c := tt.commit
				c.Session, c.Flow, c.Events = f.current("", nil).Session, newFlow(), []flow.Event{{Action: action, User: tt.user}}
				f.commit(&c)
				list, err := f.events.List(t.Context(), db, event.Filter{Actions: []event.Action{event.Action(action)}})
				if err != nil || len(list) != 1 {
					t.Fatal(len(list), err)
				}
				as, _ := list[0].User["authenticated_as"].(map[string]any)
				if diff := cmp.Diff(tt.want, []any{list[0].User["username"], as["username"]}); diff != "" {
					t.Error(diff)
				}
			})
		}
	})
}

// TestRule32ParallelSteps: of many requests that take the same step, one does.
func TestRule32ParallelSteps(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db, nil)
		p, of := f.user(), newFlow()
		c := f.current("", of)
		f.commit(&flow.Commit{Session: c.Session, Flow: of, After: f.plan(of, "before"), User: c.Person})
		c = f.current(c.Token, of)
		var won, stale atomic.Int32
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				_, err := f.Commit(t.Context(), &flow.Commit{Session: c.Session, Flow: of, Before: c.Execution, Login: &flow.Login{User: p}, User: c.Person})
				switch {
				case err == nil:
					won.Add(1)
				case errors.Is(err, flow.ErrStale):
					stale.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 || stale.Load() != 49 || f.count("select count(*) from sessions") != 1 {
			t.Errorf("won %d, stale %d", won.Load(), stale.Load())
		}
	})
}

func TestRule32ParallelFirstSteps(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db, nil)
		of := newFlow()
		c := f.current("", of)
		var won atomic.Int32
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, err := f.Commit(t.Context(), &flow.Commit{Session: c.Session, Flow: of, After: f.plan(of, "a"), User: c.Person})
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, flow.ErrStale) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("won: %d", won.Load())
		}
	})
}

func TestRule32CountsAreNotLost(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db, nil)
		key := f.current("", nil).Session.Key // without a row
		var wg sync.WaitGroup
		var sum atomic.Int64
		for range 50 {
			wg.Go(func() {
				n, err := f.Count(t.Context(), key, "wrong")
				if err != nil {
					t.Error(err)
				}
				sum.Add(int64(n))
			})
		}
		wg.Wait()
		if sum.Load() != 50*51/2 {
			t.Errorf("two guesses saw the same count: sum %d", sum.Load())
		}
		f.clock.pass(24 * time.Hour)
		if n, err := f.Count(t.Context(), key, "wrong"); n != 1 || err != nil {
			t.Errorf("after a day: got %d, %v", n, err)
		}
		if err := f.Reset(t.Context(), key, "wrong"); err != nil {
			t.Error(err)
		}
		if n, err := f.Count(t.Context(), key, "wrong"); n != 1 || err != nil {
			t.Errorf("after a reset: got %d, %v", n, err)
		}
		if n, err := f.Count(t.Context(), key, "other"); n != 1 || err != nil {
			t.Errorf("another name: got %d, %v", n, err)
		}
	})
}
