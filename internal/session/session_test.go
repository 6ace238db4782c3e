package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/session"
	"github.com/weir-id/weir/internal/session/token"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

func TestRule14ExpiryIsCheckedAtUse(t *testing.T) {
	tests := []struct {
		name  string
		login func(*flow.Login, time.Time)
		pass  time.Duration
		alive bool
	}{
		{"a browser-length session lives for a day of silence", func(*flow.Login, time.Time) {}, 24*time.Hour - time.Second, true},
		{"a browser-length session is over after that", func(*flow.Login, time.Time) {}, 24 * time.Hour, false},
		{"a session with an end lives until then", func(l *flow.Login, now time.Time) { l.Expires = now.Add(2 * time.Second) }, time.Second, true},
		{"a session with an end is over then", func(l *flow.Login, now time.Time) { l.Expires = now.Add(2 * time.Second) }, 2 * time.Second, false},
		{"a long session lives through days of silence", func(l *flow.Login, now time.Time) { l.Expires = now.Add(72 * time.Hour) }, 71 * time.Hour, true},
	}
	storetest.Each(t, func(t *testing.T, db store.DB) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				f := newFixture(t, db, nil)
				p := f.user(func(u *identity.User) { u.Username = uuid.NewString() })
				token := f.login(p, func(l *flow.Login) { tt.login(l, f.clock.now()) })
				f.clock.pass(tt.pass)
				c := f.current(token, nil)
				if got := c.Person.ID == p.ID && c.Session.UserID == p.ID && !c.Fresh; got != tt.alive {
					t.Errorf("alive: got %v, want %v", got, tt.alive)
				}
				if list, err := f.Devices(t.Context(), p.ID, ""); err != nil || (len(list) == 1) != tt.alive {
					t.Errorf("devices: got %d, %v", len(list), err)
				}
			})
		}
	})
}

func TestLoadLeavesOut(t *testing.T) {
	tests := []struct {
		name   string
		change func(ctx context.Context, f *fixture, tx store.Tx, p *identity.Person) error
	}{
		{"the session of an inactive user", func(ctx context.Context, f *fixture, tx store.Tx, p *identity.Person) error {
			u := p.User
			u.Active = false
			return f.people.UpdateUser(ctx, tx, &u)
		}},
		{"the session of a deleted user", func(ctx context.Context, f *fixture, tx store.Tx, p *identity.Person) error {
			return f.people.DeleteUser(ctx, tx, p.ID)
		}},
	}
	storetest.Each(t, func(t *testing.T, db store.DB) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				f := newFixture(t, db, nil)
				p := f.user(func(u *identity.User) { u.Username = uuid.NewString() })
				token := f.login(p)
				f.write(func(ctx context.Context, tx store.Tx) error { return tt.change(ctx, f, tx, p) })
				if c := f.current(token, nil); !c.Fresh || c.Person.Saved() || c.Session.Stored {
					t.Errorf("got %+v", c.Session)
				}
			})
		}
	})
}

func TestRule33RevokedSessionIsRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f, other := newFixture(t, db, nil), newFixture(t, db, nil) // two nodes
		p, stranger := f.user(), f.user()
		mine, phone := f.login(p), f.login(p)
		list, err := f.Devices(t.Context(), p.ID, f.current(mine, nil).Session.Key)
		if err != nil || len(list) != 2 {
			t.Fatalf("devices: got %d, %v", len(list), err)
		}
		for _, d := range list {
			if d.Current {
				continue
			}
			if err := f.Revoke(t.Context(), stranger.ID, d.UUID); !errors.Is(err, session.ErrNoSession) {
				t.Errorf("a stranger ends the session: %v", err)
			}
			if err := f.Revoke(t.Context(), p.ID, d.UUID); err != nil {
				t.Error(err)
			}
		}
		for _, node := range []*fixture{f, other} {
			if node.current(phone, nil).Person.Saved() {
				t.Error("the ended session still works")
			}
			if !node.current(mine, nil).Person.Saved() {
				t.Error("the other session ended as well")
			}
		}
		third := f.login(p)
		if n, err := f.RevokeOthers(t.Context(), p.ID, f.current(mine, nil).Session.Key); err != nil || n != 1 {
			t.Errorf("end the others: got %d, %v", n, err)
		}
		if f.current(third, nil).Person.Saved() || !f.current(mine, nil).Person.Saved() {
			t.Error("the wrong sessions ended")
		}
	})
}

func TestTouchIsWrittenAtMostOnceAMinute(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db, nil)
		p := f.user()
		token := f.login(p)
		touch := func(ip string) session.Row {
			if _, err := f.Check(t.Context(), f.current(token, nil), from(ip)); err != nil {
				t.Fatal(err)
			}
			f.Close()
			return *f.current(token, nil).Row
		}
		before := f.current(token, nil).Row
		if before.LastIP != "192.0.2.1" || before.LastUserAgent != "agent\ufffd" {
			t.Errorf("row: %+v", before)
		}
		f.clock.pass(59 * time.Second)
		if got := touch("192.0.2.2"); !got.LastUsed.Equal(before.LastUsed) {
			t.Error("written within the minute")
		}
		f.clock.pass(time.Second)
		got := touch("192.0.2.2")
		if !got.LastUsed.Equal(f.clock.now()) || got.LastIP != "192.0.2.2" || !got.Expires.Equal(f.clock.now().Add(24*time.Hour)) {
			t.Errorf("after a minute: %+v", got)
		}
		if seen, err := f.SeenFrom(t.Context(), p.ID, from("192.0.2.2").ClientIP); err != nil || !seen {
			t.Errorf("seen from the new address: %v, %v", seen, err)
		}
		if seen, err := f.SeenFrom(t.Context(), p.ID, from("192.0.2.1").ClientIP); err != nil || seen {
			t.Errorf("seen from the old address: %v, %v", seen, err)
		}
	})
}

func TestBearer(t *testing.T) {
	tests := []struct {
		name    string
		token   token.Token
		user    func(*identity.User)
		pass    time.Duration
		bearer  bool
		outpost bool
	}{
		{"an API token names its user", token.Token{Intent: token.API}, nil, 0, true, false},
		{"an internal service account is an outpost", token.Token{Intent: token.API}, func(u *identity.User) { u.Type = identity.InternalServiceAccount }, 0, true, true},
		{"a service account is none", token.Token{Intent: token.API}, func(u *identity.User) { u.Type = identity.ServiceAccount }, 0, true, false},
		{"an app password is no API token", token.Token{Intent: token.AppPassword}, nil, 0, false, false},
		{"an inactive user has no API access", token.Token{Intent: token.API}, func(u *identity.User) { u.Active = false }, 0, false, false},
		{"a token lives until its end", token.Token{Intent: token.API, Expiring: true}, nil, time.Hour - 1, true, false},
		{"a token is refused from its end on", token.Token{Intent: token.API, Expiring: true}, nil, time.Hour, false, false},
		{"an end that does not count is ignored", token.Token{Intent: token.API}, nil, time.Hour, true, false},
	}
	storetest.Each(t, func(t *testing.T, db store.DB) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				f := newFixture(t, db, nil)
				p := f.user(func(u *identity.User) {
					u.Username = uuid.NewString()
					if tt.user != nil {
						tt.user(u)
					}
				})
				tok := tt.token
				end := f.clock.now().Add(time.Hour)
				tok.UserID, tok.Identifier, tok.Expires = p.ID, uuid.NewString(), &end
				var key string
				f.write(func(ctx context.Context, tx store.Tx) (err error) {
					key, err = f.tokens.Create(ctx, tx, &tok, "")
					return err
				})
				f.clock.pass(tt.pass)
				got, ok, err := f.Bearer(t.Context(), key)
				if err != nil || ok != tt.bearer || ok && got.ID != p.ID {
					t.Errorf("bearer: got %v, want %v (%v)", ok, tt.bearer, err)
				}
				if _, ok := f.Outpost(t.Context(), key); ok != tt.outpost {
					t.Errorf("outpost: got %v, want %v", ok, tt.outpost)
				}
				f.Close()
				used := f.count("select count(*) from tokens where id = $1 and last_used is not null", tok.ID) == 1
				if used != tt.bearer {
					t.Errorf("use noted: got %v, want %v", used, tt.bearer)
				}
				if _, ok, err := f.Bearer(t.Context(), key+"x"); ok || err != nil {
					t.Errorf("another key: got %v, %v", ok, err)
				}
			})
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	f := newFixture(b, storetest.SQLite(b), nil)
	of := newFlow()
	tok := f.login(f.user())
	c := f.current(tok, of)
	f.commit(&flow.Commit{Session: c.Session, Flow: of, After: f.plan(of, "a"), User: c.Person})
	b.ReportAllocs()
	for b.Loop() {
		c, err := f.Load(b.Context(), tok, of.ID)
		if err != nil || c.Execution == nil {
			b.Fatal(err)
		}
	}
}
