package flow

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// People reads users fresh.
type People interface {
	// Person returns the stored user; an error that wraps ErrNoPerson when
	// there is none.
	Person(ctx context.Context, id int64) (*identity.Person, error)
	// PersonByUUID does the same for a user whose id is not known yet.
	PersonByUUID(ctx context.Context, id uuid.UUID) (*identity.Person, error)
}

// readOnce reads each person once, so that policies and stage of one step see
// the same one. It belongs to one goroutine.
type readOnce struct {
	People
	read map[int64]*identity.Person
}

func (r readOnce) Person(ctx context.Context, id int64) (*identity.Person, error) {
	if p, ok := r.read[id]; ok {
		return p, nil
	}
	p, err := r.People.Person(ctx, id)
	if err == nil {
		r.read[id] = p
	}
	return p, err
}

// Exec is what a stage sees of the execution while it runs. It is used by one
// goroutine.
type Exec struct {
	// Flow is the flow being run.
	Flow *Flow
	// StageID and StageName are the current stage's; StageID is zero for an
	// inline stage.
	StageID   uuid.UUID
	StageName string
	// Binding is the pinned binding; nil for an inline stage.
	Binding *Binding
	// BindingPolicies tells whether policies are bound to the binding.
	BindingPolicies bool
	// Context is the plan's context; changes are kept with the step.
	Context *Context
	// RequestUser is the person of the session; anonymous when nobody is
	// signed in.
	RequestUser *identity.Person
	// Brand is the brand of the host.
	Brand *Brand
	// Catalog is the configuration as it is now.
	Catalog Catalog
	// Now is the time of the request, UTC.
	Now time.Time

	model   string
	req     *Request
	plan    *Plan
	planner *planner
	// undecided writes a reason to the log and returns the words for the person.
	undecided func(ctx context.Context, err error) string
	people    People
	counter   Counter
	pending   *identity.Person
}

// Stage describes the current stage as events name objects.
func (x *Exec) Stage() map[string]any {
	app, model, _ := strings.Cut(x.model, ".")
	pk := ""
	if x.StageID != uuid.Nil {
		pk = hex.EncodeToString(x.StageID[:])
	}
	return map[string]any{"app": app, "model_name": model, "pk": pk, "name": x.StageName}
}

// LoginFailed is the event of a wrong answer about a person, who may not exist.
// more are further keys of its context.
func (x *Exec) LoginFailed(p *identity.Person, more map[string]any) Event {
	details := map[string]any{"username": p.Username, "stage": x.Stage()}
	maps.Copy(details, more)
	return Event{Action: "login_failed", User: p, Context: details}
}

// Place names where the person stands: the browser session, the flow and the
// binding (the stage, where it has none). Values that are good once are made for
// it, since of a first visit nothing is stored.
func (x *Exec) Place() string {
	at := x.StageID
	if x.Binding != nil {
		at = x.Binding.ID
	}
	return x.req.Session.Key + " " + x.Flow.ID.String() + " " + at.String()
}

// Passive tells that the request may change nothing but the plan. An outcome with
// Apply asks the person first then; what cannot wait for the transaction, such as a
// call of another server, is left out.
func (x *Exec) Passive() bool { return x.req.Passive }

// Query returns the query parameters of the page, those of the latest request.
func (x *Exec) Query() url.Values { return x.req.Query }

// ClientIP is the address of the person's machine; invalid when unknown.
func (x *Exec) ClientIP() netip.Addr {
	if x.req.HTTP == nil {
		return netip.Addr{}
	}
	return x.req.HTTP.ClientIP
}

// HTTP is the request that brought the step; nil where none did.
func (x *Exec) HTTP() *policy.HTTPRequest { return x.req.HTTP }

// Origin is the site as the browser knows it, such as "https://id.example:8443";
// empty outside of requests.
func (x *Exec) Origin() string {
	if x.req.HTTP == nil || x.req.HTTP.Host == "" {
		return ""
	}
	scheme, usual := "http", ":80"
	if x.req.HTTP.Secure {
		scheme, usual = "https", ":443"
	}
	return scheme + "://" + strings.TrimSuffix(strings.ToLower(x.req.HTTP.Host), usual)
}

// Cookie returns a cookie of the browser by name.
func (x *Exec) Cookie(name string) string {
	if x.req.HTTP == nil {
		return ""
	}
	return x.req.HTTP.Cookies[name]
}

// PendingUser is whom the flow is about: the context's pending user, read
// fresh, else the person of the session. A pending user that was only typed
// comes back unsaved. An error that wraps ErrNoPerson means that the user has
// been deleted meanwhile.
func (x *Exec) PendingUser(ctx context.Context) (*identity.Person, error) {
	if _, ok := KeyPendingUser.Get(x.Context); !ok {
		return x.RequestUser, nil
	}
	return x.ContextUser(ctx)
}

// Person reads whom a reference of the plan names. The error wraps ErrNoPerson
// when the user has been deleted meanwhile.
func (x *Exec) Person(ctx context.Context, ref *PersonRef) (*identity.Person, error) {
	return resolve(ctx, x.people, ref)
}

// ContextUser is the context's pending user, nil when there is none.
func (x *Exec) ContextUser(ctx context.Context) (*identity.Person, error) {
	ref, ok := KeyPendingUser.Get(x.Context)
	if !ok || ref == nil {
		return nil, nil
	}
	if x.pending != nil && x.pending.ID == ref.ID && x.pending.Username != "" &&
		(ref.ID != 0 || x.pending.Username == ref.Username) {
		if x.pending.Backend != ref.Backend {
			x.pending = x.pending.WithBackend(ref.Backend)
		}
		return x.pending, nil
	}
	p, err := resolve(ctx, x.people, ref)
	if err != nil {
		return nil, err
	}
	x.pending = p
	return p, nil
}

// SetPendingUser makes p the pending user; p may be unsaved.
func (x *Exec) SetPendingUser(p *identity.Person) {
	KeyPendingUser.Set(x.Context, RefTo(p))
	keyTyped.Delete(x.Context)
	x.pending = p
}

// HidePendingUser has pages show what was typed until a stage names the pending
// user anew: a page that shows the account before anything was checked tells who
// has one, and under which name.
func (x *Exec) HidePendingUser(typed string) { keyTyped.Set(x.Context, typed) }

// Typed is what was typed for the pending user, where pages show it in place of the
// account.
func (x *Exec) Typed() string {
	if typed, _ := KeyPendingUserIdentifier.Get(x.Context); typed != "" {
		return typed
	}
	typed, _ := keyTyped.Get(x.Context)
	return typed
}

// Made tells that the transaction of the step has made or changed the pending
// user, so that its events are about the stored one.
func (x *Exec) Made(u identity.User) {
	if x.pending != nil {
		x.pending.User = u
	}
}

// DisplayUser is the person as challenges show them: what was typed when the
// flow hides whether the account exists, else the pending user.
func (x *Exec) DisplayUser(ctx context.Context) (*identity.Person, error) {
	if typed := x.Typed(); typed != "" {
		return identity.NewPerson(identity.User{Username: typed}, nil), nil
	}
	return x.PendingUser(ctx)
}

// Consume notes that the plan uses something up, of a kind that the executor's
// configuration knows: with the first step from now on that acts (makes an
// account, signs somebody in), or when the flow ends well. What somebody else
// has used by then denies that step.
func (x *Exec) Consume(kind string, id uuid.UUID) {
	if c := (Consumable{kind, id}); !slices.Contains(x.plan.Consume, c) {
		x.plan.Consume = append(x.plan.Consume, c)
		x.Context.changed = true
	}
}

// Through tells whether something has been proved about the user through the
// channel in this execution.
func (x *Exec) Through(channel string, user int64) bool {
	return slices.ContainsFunc(x.plan.Proofs, func(p Proof) bool { return p.Channel == channel && p.User == user })
}

// SessionKey is what the session is stored under.
func (x *Exec) SessionKey() string { return x.req.Session.Key }

// CountFailure counts one failure under a name, for this browser session and
// before anything else is written, so that neither a crash nor a parallel
// guess loses it. It returns the new count.
func (x *Exec) CountFailure(ctx context.Context, name string) (int, error) {
	return x.counter.Count(ctx, x.req.Session.Key, name)
}

// ResetFailures forgets the count.
func (x *Exec) ResetFailures(ctx context.Context, name string) error {
	return x.counter.Reset(ctx, x.req.Session.Key, name)
}

// InsertStage puts a stored stage directly after the current one.
func (x *Exec) InsertStage(s *StageObject) {
	x.plan.insert(Entry{Stage: s.ID, StageVersion: s.Version})
	x.Context.changed = true
}

// InsertInline puts a stage without a stored object directly after the
// current one; config is a configuration of the stage type.
func (x *Exec) InsertInline(typeName, name string, config any) error {
	data, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("encode inline stage %s: %w", typeName, err)
	}
	x.plan.insert(Entry{Inline: &Inline{Type: typeName, Name: name, Config: data}})
	x.Context.changed = true
	return nil
}

// FlowPath is the page of a flow with the query of this run.
func (x *Exec) FlowPath(f *Flow) string { return flowPath(f.Slug, x.req.RawQuery) }

func flowPath(slug, rawQuery string) string {
	path := "/if/flow/" + slug + "/"
	if rawQuery != "" {
		path += "?" + rawQuery
	}
	return path
}

func resolve(ctx context.Context, people People, ref *PersonRef) (*identity.Person, error) {
	if ref.ID == 0 && ref.UUID != uuid.Nil {
		p, err := people.PersonByUUID(ctx, ref.UUID)
		if err != nil {
			return nil, fmt.Errorf("read pending user: %w", err)
		}
		return p, nil
	}
	if ref.ID == 0 {
		p := identity.NewPerson(identity.User{Username: ref.Username, Email: ref.Email}, nil)
		p.Backend = ref.Backend
		return p, nil
	}
	p, err := people.Person(ctx, ref.ID)
	if err != nil {
		return nil, fmt.Errorf("read pending user: %w", err)
	}
	if ref.Backend != "" {
		p = p.WithBackend(ref.Backend)
	}
	return p, nil
}
