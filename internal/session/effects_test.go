package session_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory/password"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
	"github.com/weir-id/weir/policy"
)

// ending is an effect that ends a person's password.
func ending(p *identity.Person) policy.Effect {
	return policy.Effect{Act: policy.EndPassword, Person: p, Event: policy.Event{Action: "password_set", App: "expiry", Context: map[string]any{"usable": false}}}
}

func TestCommitCarriesOutEffects(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db, nil)
		withPassword := func() *identity.Person {
			t.Helper()
			p := f.user()
			f.write(func(ctx context.Context, tx store.Tx) error { return f.people.SetPassword(ctx, tx, p.ID, "old") })
			p, err := f.people.Person(t.Context(), p.ID)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		hash := func(p *identity.Person) string {
			t.Helper()
			now, err := f.people.Person(t.Context(), p.ID)
			if err != nil {
				t.Fatal(err)
			}
			return now.PasswordHash
		}
		events := func(p *identity.Person) int {
			return f.count("select count(*) from events where action = 'password_set' and user_id = $1", p.ID)
		}
		of := newFlow()

		p := withPassword()
		elsewhere := f.login(p)
		c := f.current("", of)
		f.commit(&flow.Commit{Session: c.Session, Flow: of, User: c.Person, Pending: p, HTTP: from("192.0.2.1"), Effects: []policy.Effect{ending(p), ending(p)}})
		if hash(p) != password.Unusable || events(p) != 1 {
			t.Errorf("password %q, %d events", hash(p), events(p))
		}
		if s := f.current(elsewhere, nil); s.Person.ID != p.ID {
			t.Error("the sessions of the person have ended")
		}
		var user, app, about string
		if err := db.QueryRow(t.Context(), "select user_json, app, context from events where action = 'password_set'").Scan(&user, &app, &about); err != nil {
			t.Fatal(err)
		}
		if app != "expiry" || user == "" || about == "" {
			t.Errorf("event of %s about %s: %s", app, user, about)
		}

		p = withPassword()
		f.clock.pass(time.Second)
		f.write(func(ctx context.Context, tx store.Tx) error { return f.people.SetPassword(ctx, tx, p.ID, "new") })
		f.commit(&flow.Commit{Session: c.Session, Flow: of, User: c.Person, Effects: []policy.Effect{ending(p)}})
		if hash(p) == password.Unusable || events(p) != 0 {
			t.Error("a password set since the policy judged was ended")
		}

		// The loser of a race carries nothing out.
		p = withPassword()
		before := f.commit(&flow.Commit{Session: c.Session, Flow: of, User: c.Person, After: f.plan(of, "one")}).Execution
		before.Version++
		_, err := f.Commit(t.Context(), &flow.Commit{Session: c.Session, Flow: of, Before: before, User: c.Person, Effects: []policy.Effect{ending(p)}})
		if !errors.Is(err, flow.ErrStale) || hash(p) == password.Unusable || events(p) != 0 {
			t.Errorf("the loser: %v, password %q", err, hash(p))
		}

		// A step that fails afterwards takes it back.
		_, err = f.Commit(t.Context(), &flow.Commit{Session: c.Session, Flow: of, User: c.Person, Effects: []policy.Effect{ending(p), {Act: "dance", Person: p}}})
		if err == nil || hash(p) == password.Unusable || events(p) != 0 {
			t.Errorf("a step that failed: %v, password %q", err, hash(p))
		}

		// Effects come after what the stage did and before the login.
		order := ""
		note := func(ctx context.Context, tx flow.Tx) error {
			var now string
			err := tx.(store.Tx).QueryRow(ctx, "select password_hash from users where id = $1", p.ID).Scan(&now)
			order += fmt.Sprint(now == password.Unusable)
			return err
		}
		c = f.current("", of)
		done := f.commit(&flow.Commit{Session: c.Session, Flow: of, User: c.Person, Apply: []func(context.Context, flow.Tx) error{note}, Effects: []policy.Effect{ending(p)},
			Login: &flow.Login{User: p, Backend: "b", Method: "password"}, HTTP: from("192.0.2.1")})
		if order != "false" || hash(p) != password.Unusable || done.Session == nil {
			t.Errorf("with a login: %s, %q, %v", order, hash(p), done.Session)
		}
	})
}
