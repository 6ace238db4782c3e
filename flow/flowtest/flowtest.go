// Package flowtest walks a flow in a test or a simulation: real planner, real
// executor, real stages and policies, but no server and no database. A World
// holds configuration and people in memory; a Browser walks.
package flowtest

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// World is everything that flows run in. Configure it before walking.
type World struct {
	*Catalog
	People   People
	Store    *Store
	Executor *flow.Executor
	// Time is what the executor takes for now.
	Time time.Time
}

// New returns an empty world whose log goes to the test.
func New(t testing.TB, types ...flow.StageType) *World {
	w := &World{Catalog: NewCatalog(types...), People: People{}, Time: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	w.Store = NewStore()
	w.Rebuild(t, w.People)
	return w
}

// Rebuild makes the executor anew over other people.
func (w *World) Rebuild(t testing.TB, people People) {
	w.People = people
	w.Executor = flow.NewExecutor(flow.Config{
		Catalog: func() flow.Catalog { return w.Catalog },
		People:  people, Store: w.Store, Counter: w.Store,
		Engine: &policy.Engine{Now: func() time.Time { return w.Time }},
		Now:    func() time.Time { return w.Time },
		Log:    slog.New(slog.NewTextHandler(t.Output(), nil)),
		Avatar: func(name string) string { return "/avatar/" + url.PathEscape(name) + ".svg" },
	})
}

// People are users by id.
type People map[int64]*identity.Person

// Add stores a user; an ID is chosen when it has none.
func (p People) Add(u identity.User, groups ...identity.Group) *identity.Person {
	if u.ID == 0 {
		u.ID = int64(len(p) + 1)
	}
	person := identity.NewPerson(u, func(context.Context) ([]identity.Group, error) { return groups, nil })
	p[u.ID] = person
	return person
}

// Person implements flow.People.
func (p People) Person(_ context.Context, id int64) (*identity.Person, error) {
	if person, ok := p[id]; ok {
		return person, nil
	}
	return nil, fmt.Errorf("user %d: %w", id, flow.ErrNoPerson)
}

// PersonByUUID implements flow.People.
func (p People) PersonByUUID(_ context.Context, id uuid.UUID) (*identity.Person, error) {
	for _, person := range p {
		if person.UUID == id {
			return person, nil
		}
	}
	return nil, fmt.Errorf("user %s: %w", id, flow.ErrNoPerson)
}

// Catalog is a configuration in memory.
type Catalog struct {
	types    map[string]*flow.StageType
	flows    []*flow.Flow
	stages   map[uuid.UUID][]*flow.StageObject
	bindings []*flow.Binding
	policies map[uuid.UUID]*policy.Object
	bound    map[uuid.UUID][]*policy.Binding
	deleted  map[uuid.UUID]bool
	// Documents are the objects that only some stage type knows.
	Documents map[uuid.UUID]any
	Brand     *flow.Brand
	version   int64
}

// NewCatalog returns an empty configuration with the stage types.
func NewCatalog(types ...flow.StageType) *Catalog {
	brand := flow.NewBrand()
	brand.Domain = "fallback"
	c := &Catalog{types: map[string]*flow.StageType{}, stages: map[uuid.UUID][]*flow.StageObject{},
		policies: map[uuid.UUID]*policy.Object{}, bound: map[uuid.UUID][]*policy.Binding{}, deleted: map[uuid.UUID]bool{}, Documents: map[uuid.UUID]any{}, Brand: &brand}
	for _, t := range types {
		c.types[t.Name] = &t
	}
	return c
}

func (c *Catalog) next() int64 { c.version++; return c.version }

// AddFlow adds a flow; change adjusts it and may be nil.
func (c *Catalog) AddFlow(slug string, change func(*flow.Flow)) *flow.Flow {
	f := flow.NewFlow()
	f.SetIdentity(uuid.New(), c.next())
	f.Name, f.Slug, f.Title, f.Designation = slug, slug, "Title of "+slug, flow.Authentication
	if change != nil {
		change(&f)
	}
	c.flows = append(c.flows, &f)
	slices.SortFunc(c.flows, func(a, b *flow.Flow) int { return cmp.Compare(a.Slug, b.Slug) })
	return &f
}

// AddStage adds a stage of a type; config must be what the type's Defaults
// returns, filled in, or nil for the defaults.
func (c *Catalog) AddStage(typeName, name string, config any) *flow.StageObject {
	return c.PutStage(uuid.New(), typeName, name, config)
}

// PutStage adds another version of a stage.
func (c *Catalog) PutStage(id uuid.UUID, typeName, name string, config any) *flow.StageObject {
	typ, ok := c.types[typeName]
	if !ok {
		panic("flowtest: no stage type " + typeName)
	}
	if config == nil {
		config = typ.Defaults()
	}
	s := &flow.StageObject{Name: name, Type: typ, Config: config}
	s.SetIdentity(id, c.next())
	s.Stage, s.Err = typ.Build(name, config)
	c.stages[id] = append(c.stages[id], s)
	return s
}

// Bind puts a stage into a flow after those already there.
func (c *Catalog) Bind(f *flow.Flow, s *flow.StageObject, change func(*flow.Binding)) *flow.Binding {
	b := flow.NewBinding()
	b.SetIdentity(uuid.New(), c.next())
	b.Target, b.Stage, b.Order = f.ID, s.ID, int32(len(c.bindings)*10)
	if change != nil {
		change(&b)
	}
	c.bindings = append(c.bindings, &b)
	return &b
}

// BindPolicy binds a policy to a flow or a stage binding.
func (c *Catalog) BindPolicy(target uuid.UUID, p policy.Policy, change func(*policy.Binding)) *policy.Binding {
	o := &policy.Object{Name: fmt.Sprintf("policy-%d", len(c.policies)+1), Policy: p}
	o.SetIdentity(uuid.New(), c.next())
	c.policies[o.ID] = o
	return c.BindSubject(target, func(b *policy.Binding) {
		b.Policy = &o.ID
		if change != nil {
			change(b)
		}
	})
}

// BindSubject binds what change puts in.
func (c *Catalog) BindSubject(target uuid.UUID, change func(*policy.Binding)) *policy.Binding {
	b := policy.NewBinding()
	b.SetIdentity(uuid.New(), c.next())
	b.Target, b.Order = target, int32(len(c.bound[target]))
	change(&b)
	c.bound[target] = append(c.bound[target], &b)
	slices.SortStableFunc(c.bound[target], func(x, y *policy.Binding) int { return cmp.Compare(x.Order, y.Order) })
	return &b
}

// Document implements flow.Catalog.
func (c *Catalog) Document(id uuid.UUID) (any, bool) { d, ok := c.Documents[id]; return d, ok }

// Delete removes a stage or a binding.
func (c *Catalog) Delete(id uuid.UUID) { c.deleted[id] = true }

// Flow implements flow.Catalog, as do the methods below.
func (c *Catalog) Flow(id uuid.UUID) (*flow.Flow, bool) {
	i := slices.IndexFunc(c.flows, func(f *flow.Flow) bool { return f.ID == id })
	if i < 0 {
		return nil, false
	}
	return c.flows[i], true
}

func (c *Catalog) FlowBySlug(slug string) (*flow.Flow, bool) {
	i := slices.IndexFunc(c.flows, func(f *flow.Flow) bool { return f.Slug == slug })
	if i < 0 {
		return nil, false
	}
	return c.flows[i], true
}

func (c *Catalog) FlowsFor(d flow.Designation) []*flow.Flow {
	var out []*flow.Flow
	for _, f := range c.flows {
		if f.Designation == d {
			out = append(out, f)
		}
	}
	return out
}

func (c *Catalog) Bindings(id uuid.UUID) []*flow.Binding {
	var out []*flow.Binding
	for _, b := range c.bindings {
		if b.Target == id && !c.deleted[b.ID] {
			out = append(out, b)
		}
	}
	slices.SortStableFunc(out, func(a, b *flow.Binding) int { return cmp.Compare(a.Order, b.Order) })
	return out
}

func (c *Catalog) Binding(id uuid.UUID) (*flow.Binding, bool) {
	i := slices.IndexFunc(c.bindings, func(b *flow.Binding) bool { return b.ID == id })
	if i < 0 || c.deleted[id] {
		return nil, false
	}
	return c.bindings[i], true
}

func (c *Catalog) Stage(id uuid.UUID) (*flow.StageObject, bool) {
	versions := c.stages[id]
	if len(versions) == 0 || c.deleted[id] {
		return nil, false
	}
	return versions[len(versions)-1], true
}

func (c *Catalog) StageType(name string) (*flow.StageType, bool) {
	t, ok := c.types[name]
	return t, ok
}

func (c *Catalog) PinnedBinding(_ context.Context, id uuid.UUID, _ int64) (*flow.Binding, error) {
	if b, ok := c.Binding(id); ok {
		return b, nil
	}
	return nil, fmt.Errorf("binding %s is deleted", id)
}

func (c *Catalog) PinnedStage(_ context.Context, id uuid.UUID, version int64) (*flow.StageObject, error) {
	if !c.deleted[id] {
		for _, s := range c.stages[id] {
			if s.Version == version {
				return s, nil
			}
		}
	}
	return nil, fmt.Errorf("stage %s is deleted", id)
}

func (c *Catalog) BrandFor(string) *flow.Brand { return c.Brand }

func (c *Catalog) PolicyBindings(target uuid.UUID) []*policy.Binding { return c.bound[target] }

func (c *Catalog) Policy(id uuid.UUID) (*policy.Object, bool) { p, ok := c.policies[id]; return p, ok }

var _ flow.Catalog = (*Catalog)(nil)

// Browser walks flows: it keeps the session like a cookie jar.
type Browser struct {
	World *World
	Token string
	// IP is where the browser is; 192.0.2.1 from NewBrowser.
	IP netip.Addr
	// Certificates are what the browser shows, Outpost the account of the outpost
	// that it is; nil for none.
	Certificates []*x509.Certificate
	Outpost      *identity.Person
	mu           sync.Mutex
}

// NewBrowser returns a browser without a session.
func (w *World) NewBrowser() *Browser {
	return &Browser{World: w, Token: "session-" + uuid.NewString(), IP: netip.MustParseAddr("192.0.2.1")}
}

// Request makes a request of this browser; query is that of the page.
func (b *Browser) Request(slug, query string) *flow.Request {
	f, ok := b.World.FlowBySlug(slug)
	if !ok {
		panic("flowtest: no flow " + slug)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		panic("flowtest: query " + query)
	}
	b.mu.Lock()
	session := flow.Session{Key: SessionKey(b.Token)}
	b.mu.Unlock()
	user := identity.Anonymous()
	if id, ok := b.World.Store.UserOf(session.Key); ok {
		session.Stored, session.UserID = true, id
		if p, ok := b.World.People[id]; ok {
			user = p
		}
	}
	execution, err := b.World.Store.Load(context.Background(), session, f.ID)
	if err != nil {
		panic(err)
	}
	return &flow.Request{Flow: f, Query: values, RawQuery: query, Session: session, Execution: execution, User: user, Brand: b.World.Catalog.Brand,
		HTTP: &policy.HTTPRequest{ID: "request", Method: "GET", Path: "/if/flow/" + slug + "/", Host: "weir.test", Query: values,
			Header: map[string][]string{"User-Agent": {"flowtest"}}, Cookies: map[string]string{}, ClientIP: b.IP,
			Certificates: func() []*x509.Certificate { return b.Certificates }, Outpost: b.Outpost}}
}

// Do takes one step and keeps the session that comes back.
func (b *Browser) Do(ctx context.Context, req *flow.Request) (*flow.Result, error) {
	result, err := b.World.Executor.Step(ctx, req)
	if err == nil && result.Session != nil {
		b.mu.Lock()
		b.Token = result.Session.Token
		b.mu.Unlock()
	}
	return result, err
}

// Get asks for the current challenge and follows Next, as clients do.
func (b *Browser) Get(t testing.TB, slug, query string) *flow.Result {
	t.Helper()
	for range 16 {
		result, err := b.Do(t.Context(), b.Request(slug, query))
		if err != nil {
			t.Fatalf("GET %s: %v", slug, err)
		}
		if !result.Next {
			return result
		}
	}
	t.Fatalf("GET %s: does not come to rest", slug)
	return nil
}

// Post answers the current challenge, without following.
func (b *Browser) Post(t testing.TB, slug, query string, body map[string]any) *flow.Result {
	t.Helper()
	req := b.Request(slug, query)
	req.Answer, req.Body = true, body
	result, err := b.Do(t.Context(), req)
	if err != nil {
		t.Fatalf("POST %s: %v", slug, err)
	}
	return result
}

// Answer posts and follows Next.
func (b *Browser) Answer(t testing.TB, slug, query string, body map[string]any) *flow.Result {
	t.Helper()
	if result := b.Post(t, slug, query, body); !result.Next {
		return result
	}
	return b.Get(t, slug, query)
}

// Describe is a short text of a result for comparisons in tests: "next",
// "confirm", "redirect /x", "denied: text", or the component.
func Describe(r *flow.Result) string {
	switch {
	case r.Next:
		return "next"
	case r.Confirm:
		return "confirm"
	}
	switch c := r.Challenge.Body.(type) {
	case *flow.RedirectTo:
		if c.Final {
			return "redirect " + c.To + " final"
		}
		return "redirect " + c.To
	case *flow.AccessDenied:
		return "denied: " + strings.ReplaceAll(c.Message, "\n", "|")
	}
	return r.Challenge.Component
}
