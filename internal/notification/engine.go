package notification

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/jobs"
	"github.com/weir-id/weir/internal/mail"
	"github.com/weir-id/weir/internal/notification/rule"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// Source is the configuration: one immutable view of it.
type Source interface {
	policy.Source
	NotificationRules() []*rule.Rule
	NotificationRule(id uuid.UUID) (*rule.Rule, bool)
	NotificationTransport(id uuid.UUID) (*rule.Transport, bool)
	WebhookMapping(id uuid.UUID) (*rule.Mapping, bool)
}

// Config is what the engine needs. Fields without a stated default are required.
type Config struct {
	DB    store.DB
	Queue *jobs.Queue
	// Events records what policies and mappings do. The engine must be among its
	// observers.
	Events *event.Recorder
	// Current is the configuration as this node has it; Newest has first caught
	// up with what other nodes wrote.
	Current func() Source
	Newest  func(ctx context.Context) (Source, error)
	// Person returns a user. The error wraps flow.ErrNoPerson for an unknown id.
	Person func(ctx context.Context, id int64) (*identity.Person, error)
	// Compile compiles the expressions of mappings, and keeps what it has
	// compiled.
	Compile func(name, body string) (*expression.Program, error)
	// Mail sends what transports of that mode carry, made by Templates. Nil for
	// no mail.
	Mail      Mailer
	Templates Templates
	// PolicyMail queues a mail that a policy of a rule asks for, about the person
	// of the event. Nil drops it.
	PolicyMail func(ctx context.Context, tx store.Tx, p *identity.Person, m policy.Mail) error
	// Client calls other servers; one of package outbound when nil.
	Client *http.Client
	// PerMinute is how often a rule may fire within a minute; DefaultPerMinute
	// when 0.
	PerMinute int
	// Version is that of the program, which tells receivers its name.
	Version string
	// Sent counts deliveries, by mode and whether they succeeded. Nil for nobody.
	Sent func(mode rule.Mode, ok bool)
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	Log *slog.Logger
}

// Limits of how many notifications there can be.
const (
	// DefaultPerMinute is how often a rule fires within a minute.
	DefaultPerMinute = 60
	// MaxRecipients is how many people one event is told to by one rule.
	MaxRecipients = 1000
	// workers is how many jobs of this package a node does at once.
	workers = 8
	// lane is the queue of all jobs of this package, which so never keep others
	// waiting.
	lane = "notifications"
)

// Engine tells people of events.
type Engine struct {
	Config
	policies policy.Engine
	client   *http.Client
}

// New returns an engine and makes it do its jobs; call it before the queue is
// started.
func New(c Config) *Engine {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.PerMinute <= 0 {
		c.PerMinute = DefaultPerMinute
	}
	if c.Sent == nil {
		c.Sent = func(rule.Mode, bool) {}
	}
	e := &Engine{Config: c, policies: policy.Engine{Now: c.Now}, client: noDetours(c.Client)}
	c.Queue.Lane(lane, workers)
	jobs.Handle(c.Queue, &asker{e: e})
	jobs.Handle(c.Queue, &spreader{e: e})
	jobs.Handle(c.Queue, &sender{e: e})
	return e
}

// silent marks the contexts of what the engine itself records.
type silent struct{}

// silence keeps what is recorded with the context from making notifications.
func silence(ctx context.Context) context.Context { return context.WithValue(ctx, silent{}, true) }

// Observe puts in the job that asks the rules about an event, if any of them can
// fire. It is an event.Observer.
func (e *Engine) Observe(ctx context.Context, tx store.Tx, ev *event.Recorded) error {
	if ctx.Value(silent{}) != nil || len(eligible(e.Current(), ev)) == 0 {
		return nil
	}
	return e.Queue.Insert(ctx, tx, askArgs{ev.ID}, options(askAttempts))
}

// Preselector is a policy that can tell from an event alone, and without asking
// anybody, that it will not let it through.
type Preselector interface{ CanMatch(e *event.Recorded) bool }

// eligible are the rules that can fire for an event; their policies have yet to
// be asked.
func eligible(s Source, ev *event.Recorded) []*rule.Rule {
	rules := s.NotificationRules()
	if len(rules) == 0 || fromRule(s, rules, ev) || ownMail(ev) {
		return nil
	}
	var out []*rule.Rule
	for _, r := range rules {
		if len(r.Transports) > 0 && (r.DestinationGroup != nil || r.DestinationEventUser) && canFire(s, r, ev) {
			out = append(out, r)
		}
	}
	return out
}

// fromRule tells whether an event is about a policy of some rule, which would
// make events for ever.
func fromRule(s Source, rules []*rule.Rule, ev *event.Recorded) bool {
	text, _ := ev.Context["policy_uuid"].(string)
	id, err := uuid.Parse(text)
	if err != nil {
		return false
	}
	for _, r := range rules {
		for _, b := range s.PolicyBindings(r.ID) {
			if b.Policy != nil && *b.Policy == id {
				return true
			}
		}
	}
	return false
}

// ownMail tells whether an event says that a mail was sent which may have been
// caused by a rule: a notification, or what a policy asked for.
func ownMail(ev *event.Recorded) bool {
	return ev.Action == event.EmailSent && (ev.Context["purpose"] == string(mail.Notice) || ev.Context["purpose"] == string(mail.Policy))
}

func canFire(s Source, r *rule.Rule, ev *event.Recorded) bool {
	return slices.ContainsFunc(s.PolicyBindings(r.ID), func(b *policy.Binding) bool {
		if !b.Enabled {
			return false
		}
		if b.Policy == nil || b.Negate {
			return true
		}
		o, ok := s.Policy(*b.Policy)
		if !ok || o.ExecutionLogging {
			return true
		}
		p, ok := o.Policy.(Preselector)
		return !ok || p.CanMatch(ev)
	})
}

// subject is the person whom an event is about; the anonymous visitor where
// there is none any more.
func (e *Engine) subject(ctx context.Context, ev *event.Recorded) (*identity.Person, error) {
	if id := userOf(ev); id != 0 {
		p, err := e.Person(ctx, id)
		if err == nil || !unknown(err) {
			return p, err
		}
	}
	return identity.Anonymous(), nil
}

// userOf is the key of the person whom an event is about, 0 for none.
func userOf(ev *event.Recorded) int64 {
	switch n := ev.User["pk"].(type) {
	case int64:
		return n
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return int64(n)
		}
	case json.Number:
		id, _ := n.Int64()
		return id
	}
	return 0
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
