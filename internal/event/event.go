// Package event is the audit trail: what happened, to whom, by whose request.
// An event is recorded in the transaction of what it tells of, so that neither
// exists without the other, and it never holds a secret: values under
// telltale names are masked before they are stored.
package event

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// DefaultRetention is how long events are kept.
const DefaultRetention = 365 * 24 * time.Hour

// Forget deletes what a person caused, with the transaction that deletes the
// person.
func (r *Recorder) Forget(ctx context.Context, tx store.Tx, user int64) error {
	if _, err := tx.Exec(ctx, "delete from events where user_id = $1", user); err != nil {
		return fmt.Errorf("delete events of user %d: %w", user, err)
	}
	return nil
}

// unknownIP stands for the client where there is no request, as clients of the
// API expect it.
const unknownIP = "255.255.255.255"

// maxContextBytes bounds one event's context as JSON, without its punctuation.
const maxContextBytes = 64 << 10

// Event is something that happened.
type Event struct {
	Action Action
	// App names the origin: the name of an expression, for the events that it
	// asks for, or a part of the program as the wire calls it; empty for the one
	// that the action belongs to.
	App string
	// Context may hold anything: values without a JSON form are described
	// (see sanitise), secrets masked.
	Context map[string]any

	// User is whom the event is about; nil for nobody in particular, which is
	// stored as an empty object. Where somebody impersonates them, the event is
	// the impersonator's, on behalf of this person.
	User *identity.Person
	// OnBehalfOf is the impersonated person.
	OnBehalfOf *identity.Person
	// AuthenticatedAs is the person of the session where that is another one
	// than User: somebody else is signing in or being changed.
	AuthenticatedAs *identity.Person

	// HTTP is the request that led here; nil outside one.
	HTTP *policy.HTTPRequest
	// Brand may be nil.
	Brand *flow.Brand
	// Lives is how long the event is kept; 0 for as long as the settings say.
	Lives time.Duration
}

// Observer acts on an event with the transaction that stores it.
type Observer func(ctx context.Context, tx store.Tx, e *Recorded) error

// Recorder stores events. The zero value works.
type Recorder struct {
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Observers are told of each event that is stored, in order, inside its
	// transaction; an error ends that.
	Observers []Observer
	// Retention tells how long new events are kept; DefaultRetention when nil
	// or 0.
	Retention func() time.Duration
}

// Record stores an event with the transaction.
func (r *Recorder) Record(ctx context.Context, tx store.Tx, e Event) error {
	at := r.now()
	if e.App == "" {
		e.App = e.Action.app()
	}
	details := Sanitise(e.Context)
	if e.HTTP != nil {
		details["http_request"] = httpRequest(e.HTTP)
		place(details, e.HTTP)
	}
	if err := bound(details); err != nil {
		return fmt.Errorf("record event %s: %w", e.Action, err)
	}
	return r.store(ctx, tx, &Recorded{ID: uuid.New(), User: user(e), Action: Action(clean(string(e.Action))), App: clean(e.App), Context: details, ClientIP: address(e.HTTP),
		Created: at, Expires: at.Add(cmp.Or(e.Lives, r.retention())), Brand: brand(e.Brand)})
}

// bound leaves members out of a document that is too large, the largest ones
// first.
func bound(details map[string]any) error {
	sizes, total := map[string]int{}, 0
	for name, member := range details {
		data, err := json.Marshal(member)
		if err != nil {
			return err
		}
		sizes[name] = len(name) + len(data)
		total += sizes[name]
	}
	if total <= maxContextBytes {
		return nil
	}
	bySize := slices.SortedFunc(maps.Keys(sizes), func(a, b string) int { return cmp.Or(sizes[b]-sizes[a], strings.Compare(a, b)) })
	for _, name := range bySize {
		if total <= maxContextBytes {
			break
		}
		total -= sizes[name]
		delete(details, name)
		if sizes[name] > len(name)+1000 {
			details[name] = fmt.Sprintf("Left out: it has %d bytes.", sizes[name])
		}
	}
	return nil
}

func (r *Recorder) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

func (r *Recorder) retention() time.Duration {
	if r.Retention != nil {
		if d := r.Retention(); d > 0 {
			return d
		}
	}
	return DefaultRetention
}

// store inserts an event and tells the observers.
func (r *Recorder) store(ctx context.Context, tx store.Tx, e *Recorded) error {
	if err := e.insert(ctx, tx); err != nil {
		return fmt.Errorf("record event %s: %w", e.Action, err)
	}
	for _, observe := range r.Observers {
		if err := observe(ctx, tx, e); err != nil {
			return fmt.Errorf("record event %s: %w", e.Action, err)
		}
	}
	return nil
}

// address is where a request came from.
func address(h *policy.HTTPRequest) string {
	if h == nil || !h.ClientIP.IsValid() {
		return unknownIP
	}
	return h.ClientIP.String()
}

// user is the stored user object with the second person nested in it.
func user(e Event) map[string]any {
	if e.User == nil {
		return map[string]any{}
	}
	if by := e.User.Impersonator; by != nil && e.OnBehalfOf == nil {
		e.User, e.OnBehalfOf = by, e.User
	}
	u := person(&e.User.User)
	if e.OnBehalfOf != nil {
		u["on_behalf_of"] = person(&e.OnBehalfOf.User)
	}
	if e.AuthenticatedAs != nil {
		u["authenticated_as"] = person(&e.AuthenticatedAs.User)
	}
	return u
}

func person(u *identity.User) map[string]any {
	out := map[string]any{"pk": u.ID, "username": clean(u.Username), "email": clean(u.Email)}
	if !u.Saved() {
		out["pk"] = nil
		if u.Username == "" {
			out["username"], out["is_anonymous"] = identity.AnonymousName, true
		}
	}
	return out
}

// secretParameter finds parameters with telltale names in an address that is
// itself the value of a parameter, such as next.
var secretParameter = regexp.MustCompile(`(?i)([?&][^=&#]*(?:` + secretNames + `)[^=&#]*=)[^&#]*`)

func httpRequest(h *policy.HTTPRequest) map[string]any {
	args := map[string]any{}
	for name, values := range h.Query {
		if len(values) > 0 {
			args[name] = secretParameter.ReplaceAllString(values[len(values)-1], "${1}"+mask)
		}
	}
	agent := ""
	if v := h.Header["User-Agent"]; len(v) > 0 {
		agent = v[0]
	}
	return map[string]any{"path": clean(h.Path), "method": clean(h.Method), "args": Sanitise(args),
		"user_agent": clean(agent), "request_id": clean(h.ID)}
}

// The keys for where a request came from.
const (
	geoKey = "geo"
	asnKey = "asn"
)

// place adds where a request came from, as far as it is known. What others
// wrote there does not count where there is a database.
func place(details map[string]any, h *policy.HTTPRequest) {
	known := h.Locate()
	for key, from := range map[string]string{geoKey: policy.KeyGeoIP, asnKey: policy.KeyASN} {
		v, configured := known[from]
		if configured {
			delete(details, key)
		}
		if v, ok := v.(map[string]any); ok {
			details[key] = Sanitise(v)
		}
	}
}

func brand(b *flow.Brand) map[string]any {
	if b == nil {
		return map[string]any{}
	}
	return map[string]any{"pk": hexID(b.ID), "app": "authentik_brands", "name": "Brand " + b.Domain, "model_name": "brand"}
}
