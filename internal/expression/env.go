package expression

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// Env is what the expressions of an installation can reach. Everything is
// optional: a body that uses what is missing gets an exception that says so.
type Env struct {
	Users    Users
	Policies Policies
	Settings Settings
	Objects  Objects
	Limits   Limits
	// Avatar is the address of the picture of a user name.
	Avatar func(username string) string
	// Brand reads a field of the brand of a host by its name on the wire.
	Brand func(host, field string) (any, bool)
	// Entitlements returns what a person has in an application, by the names of
	// the fields on the wire, pk included.
	Entitlements func(ctx context.Context, p *identity.Person, app uuid.UUID) ([]map[string]any, error)
	// HTTP makes the calls of requests; nil when no host may be called. It
	// refuses by itself what is not allowed, each hop of a redirect included:
	// see outbound.Hosts.
	HTTP *http.Client
	// DNS answers resolve_dns and reverse_dns; nil when no name server may be
	// asked.
	DNS Resolver
	// InstallID goes into the opaque ids of users (user.uid).
	InstallID string
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Logger receives what bodies log; nil drops it.
	Logger *slog.Logger
	// CacheSize is how many compiled bodies are kept. Default 1024.
	CacheSize int
}

// Users finds people and groups for expressions.
type Users interface {
	// FindUsers returns the users that match, at most q.Limit when that is not 0.
	FindUsers(ctx context.Context, q Query) ([]*identity.Person, error)
	// FindGroups likewise returns groups, without those they inherit from.
	FindGroups(ctx context.Context, q Query) ([]identity.Group, error)
	// Authenticators returns the confirmed authenticators of a user.
	Authenticators(ctx context.Context, userID int64) ([]identity.Authenticator, error)
}

// Query selects objects by lookups that must all hold.
type Query struct {
	Where []Lookup
	// Limit is the greatest number of results wanted; 0 means all.
	Limit int
}

// Lookup compares one field: username__iexact="x" is field "username",
// operation "iexact". Fields and operations are checked before.
type Lookup struct {
	// Field is a field name on the wire; "pk" and "id" both arrive as "pk".
	Field string
	// Path leads into an attributes document; empty for other fields.
	Path []string
	// Op is exact, iexact, contains, icontains, startswith, istartswith,
	// endswith, iendswith, in, isnull, gt, gte, lt or lte.
	Op string
	// Value is a string, bool, int64, float64, time.Time, nil or, for "in", a
	// []any of those.
	Value any
	// Not turns the lookup round (exclude).
	Not bool
}

// ErrUnknownPolicy is returned by Policies for a name that does not exist.
var ErrUnknownPolicy = errors.New("no such policy")

// Policies evaluates policies by name for ak_call_policy.
type Policies interface {
	// CallPolicy judges r, whose Depth it must pass on. An unknown name is
	// ErrUnknownPolicy; everything else that goes wrong is an Error verdict.
	CallPolicy(ctx context.Context, name string, r *policy.Request) (policy.Result, error)
}

// Settings are the system settings that expressions read, such as
// "default_user_change_email".
type Settings interface {
	// Setting returns a setting by its name on the wire.
	Setting(name string) (any, bool)
}

// maxPolicyDepth bounds policies that call policies.
const maxPolicyDepth = 5

// maxPolicyCalls bounds how many policies one evaluation calls, those called
// by called policies included; depth alone would allow calls without number.
const maxPolicyCalls = 100

// The other limits of an evaluation together with the policies that it calls:
// HTTP requests, questions to name servers, mails.
const (
	maxRequests = 10
	maxNames    = 20
	maxMails    = 10
)

// counts is what one evaluation and the policies that it calls use together.
type counts struct{ policies, requests, names, mails atomic.Int64 }

// countsKey is where the context of a called policy carries its caller's counts.
type countsKey struct{}

// counted returns the counts of this evaluation.
func (e *evaluation) counted() *counts {
	if e.counts == nil {
		var ok bool
		if e.counts, ok = e.ctx.Value(countsKey{}).(*counts); !ok {
			e.counts = new(counts)
		}
	}
	return e.counts
}
