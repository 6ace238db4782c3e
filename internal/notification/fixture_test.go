package notification

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/jobs"
	"github.com/weir-id/weir/internal/notification/rule"
	"github.com/weir-id/weir/internal/resource/resourcetest"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

var noon = resourcetest.Noon

// config is a configuration of one test.
type config struct {
	rules      []*rule.Rule
	transports map[uuid.UUID]*rule.Transport
	mappings   map[uuid.UUID]*rule.Mapping
	bindings   []*policy.Binding
	policies   map[uuid.UUID]*policy.Object
}

func newConfig() *config {
	return &config{transports: map[uuid.UUID]*rule.Transport{}, mappings: map[uuid.UUID]*rule.Mapping{}, policies: map[uuid.UUID]*policy.Object{}}
}

func (c *config) PolicyBindings(target uuid.UUID) []*policy.Binding {
	return slices.DeleteFunc(slices.Clone(c.bindings), func(b *policy.Binding) bool { return b.Target != target })
}
func (c *config) Policy(id uuid.UUID) (*policy.Object, bool) { p, ok := c.policies[id]; return p, ok }
func (c *config) NotificationRules() []*rule.Rule            { return c.rules }
func (c *config) NotificationRule(id uuid.UUID) (*rule.Rule, bool) {
	i := slices.IndexFunc(c.rules, func(r *rule.Rule) bool { return r.ID == id })
	if i < 0 {
		return nil, false
	}
	return c.rules[i], true
}
func (c *config) NotificationTransport(id uuid.UUID) (*rule.Transport, bool) {
	t, ok := c.transports[id]
	return t, ok
}
func (c *config) WebhookMapping(id uuid.UUID) (*rule.Mapping, bool) {
	m, ok := c.mappings[id]
	return m, ok
}

// rule adds a rule.
func (c *config) rule(change func(*rule.Rule), transports ...*rule.Transport) *rule.Rule {
	r := rule.New()
	r.ID, r.Name = uuid.New(), "a rule"
	for _, t := range transports {
		r.Transports = append(r.Transports, t.ID)
	}
	if change != nil {
		change(&r)
	}
	c.rules = append(c.rules, &r)
	return &r
}

// transport adds a transport.
func (c *config) transport(mode rule.Mode, change func(*rule.Transport)) *rule.Transport {
	t := rule.NewTransport()
	t.ID, t.Name, t.Mode = uuid.New(), "a transport", mode
	if change != nil {
		change(&t)
	}
	c.transports[t.ID] = &t
	return &t
}

// bind binds a policy, or what change says, to a target.
func (c *config) bind(target uuid.UUID, p policy.Policy, change func(*policy.Binding)) *policy.Object {
	b := policy.NewBinding()
	b.ID, b.Target = uuid.New(), target
	var o *policy.Object
	if p != nil {
		o = &policy.Object{Name: "a policy", Policy: p}
		o.ID = uuid.New()
		c.policies[o.ID], b.Policy = o, &o.ID
	}
	if change != nil {
		change(&b)
	}
	c.bindings = append(c.bindings, &b)
	return o
}

// bench is an engine whose jobs are done when the test says so.
type bench struct {
	t      *testing.T
	in     *resourcetest.Installation
	engine *Engine
	events *event.Recorder
	config *config
	done   map[int64]bool
	// asked counts the jobs that asked rules; failures are the errors of jobs.
	asked    int
	failures []error
}

func newBench(t *testing.T, db store.DB, adjust func(*Config)) *bench {
	t.Helper()
	b := &bench{t: t, in: resourcetest.New(t, db), config: newConfig(), done: map[int64]bool{}}
	queue, err := jobs.Open(t.Context(), db, b.in.Log)
	if err != nil {
		t.Fatal(err)
	}
	b.events = &event.Recorder{Now: b.in.Now}
	c := Config{DB: db, Queue: queue, Events: b.events, Current: func() Source { return b.config }, Person: b.in.People.Person, Now: b.in.Now, Version: "test",
		Compile: expression.NewCompiler(expression.Env{}).Compile,
		Newest:  func(context.Context) (Source, error) { return b.config, nil }, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if adjust != nil {
		adjust(&c)
	}
	b.engine = New(c)
	b.events.Observers = []event.Observer{b.engine.Observe}
	return b
}

// record stores an event and returns its key.
func (b *bench) record(e event.Event) uuid.UUID {
	b.t.Helper()
	var id uuid.UUID
	b.events.Observers = append(b.events.Observers, func(_ context.Context, _ store.Tx, e *event.Recorded) error {
		id = e.ID
		return nil
	})
	b.write(func(ctx context.Context, tx store.Tx) error { return b.events.Record(ctx, tx, e) })
	b.events.Observers = b.events.Observers[:1]
	return id
}

func (b *bench) write(fn func(ctx context.Context, tx store.Tx) error) {
	b.t.Helper()
	if err := b.in.DB.Write(b.t.Context(), fn); err != nil {
		b.t.Fatal(err)
	}
}

// maxJobs is more than any test needs.
const maxJobs = 2000

type queued struct {
	id   int64
	kind string
	args json.RawMessage
}

// work does the jobs that are there, and those that they make, once each.
func (b *bench) work() {
	b.t.Helper()
	args := "args"
	if b.in.DB.Dialect() == store.SQLite {
		args = "json(args)" // River keeps it in SQLite's own form
	}
	for {
		all, err := store.Select(b.t.Context(), b.in.DB, func(row store.Row) (q queued, err error) {
			return q, row.Scan(&q.id, &q.kind, store.JSON(&q.args))
		}, "select id, kind, "+args+" from river_job order by id")
		if err != nil {
			b.t.Fatal(err)
		}
		worked := false
		for _, q := range all {
			if !b.done[q.id] {
				b.done[q.id], worked = true, true
				if len(b.done) > maxJobs {
					b.t.Fatalf("more than %d jobs: they make each other", maxJobs)
				}
				b.do(q)
			}
		}
		if !worked {
			return
		}
	}
}

func (b *bench) do(q queued) {
	b.t.Helper()
	var err error
	switch q.kind {
	case askArgs{}.Kind():
		b.asked++
		err = work(b.t, &asker{e: b.engine}, q.args)
	case spreadArgs{}.Kind():
		err = work(b.t, &spreader{e: b.engine}, q.args)
	case sendArgs{}.Kind():
		err = work(b.t, &sender{e: b.engine}, q.args)
	default:
		b.t.Fatalf("a job of the kind %s", q.kind)
	}
	if err != nil {
		b.failures = append(b.failures, err)
	}
}

func work[A river.JobArgs](t *testing.T, w river.Worker[A], data json.RawMessage) error {
	t.Helper()
	j := &river.Job[A]{JobRow: &rivertype.JobRow{Attempt: 1, MaxAttempts: sendAttempts, CreatedAt: time.Now()}}
	if err := json.Unmarshal(data, &j.Args); err != nil {
		t.Fatal(err)
	}
	return w.Work(t.Context(), j)
}

// user makes a user, in the groups.
func (b *bench) user(name string, active bool, groups ...uuid.UUID) *identity.Person {
	b.t.Helper()
	u := identity.User{Username: name, Name: name, Email: name + "@example.org", Active: active}
	b.write(func(ctx context.Context, tx store.Tx) error {
		u.ID = 0
		if err := b.in.People.CreateUser(ctx, tx, &u); err != nil {
			return err
		}
		return b.in.People.SetGroups(ctx, tx, u.ID, groups)
	})
	return b.in.People.NewPerson(u)
}

// group makes a group below its parents.
func (b *bench) group(name string, parents ...uuid.UUID) uuid.UUID {
	b.t.Helper()
	g := identity.Group{Name: name, Parents: parents}
	b.write(func(ctx context.Context, tx store.Tx) error {
		g.ID = uuid.Nil
		return b.in.People.CreateGroup(ctx, tx, &g)
	})
	return g.ID
}

// told are the names of those who were told of an event, once for each time.
func (b *bench) told(id uuid.UUID) []string {
	b.t.Helper()
	names, err := store.Select(b.t.Context(), b.in.DB, store.Column[string],
		"select u.username from notifications n join users u on u.id = n.user_id where n.event_id = $1 order by u.username", id)
	if err != nil {
		b.t.Fatal(err)
	}
	return names
}

// actions are those of all events, in their order.
func (b *bench) actions() []string {
	b.t.Helper()
	names, err := store.Select(b.t.Context(), b.in.DB, store.Column[string], "select action from events order by created, action")
	if err != nil {
		b.t.Fatal(err)
	}
	return names
}
