package session_test

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/directory/password"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/seal"
	"github.com/weir-id/weir/internal/session"
	"github.com/weir-id/weir/internal/session/token"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// clock is a clock that stands still until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// fixture is a database with a manager.
type fixture struct {
	testing.TB
	*session.Manager
	db     store.DB
	people *directory.Directory
	tokens *token.Tokens
	events *event.Recorder
	clock  *clock
	users  int
}

func newFixture(t testing.TB, db store.DB, locator session.Locator) *fixture {
	t.Helper()
	keys, err := seal.NewKeys(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{TB: t, db: db, clock: &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}}
	hasher, err := password.NewHasher(password.Params{MemoryKiB: 7 * 1024, Passes: 1, Lanes: 1}, password.NewQueue(password.QueueConfig{}))
	if err != nil {
		t.Fatal(err)
	}
	f.tokens = token.New(db, keys.Box("token"), f.clock.now)
	f.people = directory.New(directory.Config{DB: db, Hasher: hasher, AppPasswords: f.tokens, Now: f.clock.now})
	f.events = &event.Recorder{Now: f.clock.now}
	f.Manager = session.New(session.Config{DB: db, People: f.people, Tokens: f.tokens, Events: f.events,
		Plans: keys.Box("plan"), CookieKey: keys.MAC("session"), Locator: locator, Now: f.clock.now})
	t.Cleanup(f.Close)
	return f
}

func (f *fixture) write(fn func(ctx context.Context, tx store.Tx) error) {
	f.Helper()
	if err := f.db.Write(f.Context(), fn); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) user(change ...func(*identity.User)) *identity.Person {
	f.Helper()
	f.users++
	u := identity.User{Username: fmt.Sprintf("user-%d", f.users), Active: true}
	for _, c := range change {
		c(&u)
	}
	f.write(func(ctx context.Context, tx store.Tx) error { return f.people.CreateUser(ctx, tx, &u) })
	return f.people.NewPerson(u)
}

func (f *fixture) count(sql string, args ...any) int {
	f.Helper()
	var n int
	if err := f.db.QueryRow(f.Context(), sql, args...).Scan(&n); err != nil {
		f.Fatal(err)
	}
	return n
}

func (f *fixture) current(token string, of *flow.Flow) *session.Current {
	f.Helper()
	id := uuid.Nil
	if of != nil {
		id = of.ID
	}
	c, err := f.Load(f.Context(), token, id)
	if err != nil {
		f.Fatal(err)
	}
	return c
}

func (f *fixture) commit(c *flow.Commit) *flow.Committed {
	f.Helper()
	done, err := f.Commit(f.Context(), c)
	if err != nil {
		f.Fatal(err)
	}
	return done
}

// login signs somebody in from a fresh browser and returns the token.
func (f *fixture) login(p *identity.Person, change ...func(*flow.Login)) string {
	f.Helper()
	l := &flow.Login{User: p, Backend: "b", Method: "password"}
	for _, c := range change {
		c(l)
	}
	c := f.current("", nil)
	return f.commit(&flow.Commit{Session: c.Session, Flow: newFlow(), Login: l, User: c.Person, HTTP: from("192.0.2.1")}).Session.Token
}

func newFlow() *flow.Flow {
	f := flow.NewFlow()
	f.ID, f.Slug = uuid.New(), "f"
	return &f
}

func (f *fixture) plan(of *flow.Flow, mark string) *flow.Plan {
	return &flow.Plan{Format: flow.PlanFormat, FlowID: of.ID, Started: f.clock.now(), Context: flow.NewContext(map[string]any{"mark": mark}),
		Entries: []flow.Entry{{Binding: uuid.New(), Stage: uuid.New()}}}
}

func mark(e *flow.Execution) string {
	if e == nil {
		return ""
	}
	v, _ := e.Plan.Context.Value("mark")
	s, _ := v.(string)
	return s
}

func from(ip string) *policy.HTTPRequest {
	return &policy.HTTPRequest{ID: "r", Method: "POST", Path: "/", ClientIP: netip.MustParseAddr(ip),
		Header: map[string][]string{"User-Agent": {"agent\x00\xff"}}}
}
