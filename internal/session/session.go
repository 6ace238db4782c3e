// Package session keeps browser sessions and the executions in them.
//
// A session's secret is the value of a cookie; the database knows only its
// hash. A visitor gets a cookie with the first answer but no row until there is
// something to keep. Signing in and out make a new session, and a token that was
// signed in ends with its row, so a session never changes its subject and is
// never used twice (rules 5, 6, 7 of the security rules). Every request reads
// its session from the database; a deleted row is refused on the next one, on
// every node (rule 33).
//
// API tokens are package token; this one finds whose they are.
package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/seal"
	"github.com/weir-id/weir/internal/session/token"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

const (
	// idleLimit ends sessions that are not to outlive the browser.
	idleLimit = 24 * time.Hour
	// executionIdle and executionLimit end executions.
	executionIdle  = time.Hour
	executionLimit = 24 * time.Hour
	// maxExecutions is how many flows a browser may have open at once.
	maxExecutions = 8
	// touchEvery is how often last_used is written at most.
	touchEvery = time.Minute
	// recently is how long after signing in people may get a further way in to
	// their account.
	recently = 15 * time.Minute
	// traceRetention keeps the trace of an execution for the inspector.
	traceRetention = 7 * 24 * time.Hour
	// backgroundLimit bounds a write that nobody waits for.
	backgroundLimit = 10 * time.Second
)

// Config is what a Manager needs. All but Mail, MayImpersonate, Now, Logger and
// Locator are required.
type Config struct {
	DB     store.DB
	People *directory.Directory
	Tokens *token.Tokens
	Events *event.Recorder
	// Mail queues a mail that a policy asks for, about a person, in the
	// transaction of a step. Its error ends the step. Nil drops such mails.
	Mail func(ctx context.Context, tx store.Tx, p *identity.Person, h *policy.HTTPRequest, m policy.Mail) error
	// Plans seals stored plans.
	Plans *seal.Box
	// CookieKey is the key of the MAC in session cookies.
	CookieKey []byte
	// Locator looks addresses up for sessions that are bound to a network or a
	// place; nil when there are no databases, which ends such a session as
	// soon as its address changes.
	Locator Locator
	// MayImpersonate tells whether one person may act as another; asked when they
	// begin, and again for every request that they make so. Nil allows nobody.
	MayImpersonate func(ctx context.Context, by, as *identity.Person) (bool, error)
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Logger is told about background writes that did not work. Nil discards.
	Logger *slog.Logger
}

// Manager reads and writes sessions. It is safe for concurrent use.
type Manager struct {
	db      store.DB
	people  *directory.Directory
	tokens  *token.Tokens
	events  *event.Recorder
	mail    func(context.Context, store.Tx, *identity.Person, *policy.HTTPRequest, policy.Mail) error
	plans   *seal.Box
	key     []byte
	locator Locator
	may     func(ctx context.Context, by, as *identity.Person) (bool, error)
	clock   func() time.Time
	log     *slog.Logger

	touching chan struct{}
	writes   sync.WaitGroup
}

var _ flow.Counter = (*Manager)(nil)

// New returns a manager. Close waits for its background writes.
func New(c Config) *Manager {
	m := &Manager{db: c.DB, people: c.People, tokens: c.Tokens, events: c.Events, mail: c.Mail, plans: c.Plans, key: c.CookieKey,
		locator: c.Locator, may: c.MayImpersonate, clock: c.Now, log: c.Logger, touching: make(chan struct{}, 1)}
	if m.may == nil {
		m.may = func(context.Context, *identity.Person, *identity.Person) (bool, error) { return false, nil }
	}
	if m.clock == nil {
		m.clock = time.Now
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.log = m.log.With(slog.String("component", "session"))
	return m
}

// Close waits for background writes. No request may be under way.
func (m *Manager) Close() { m.writes.Wait() }

func (m *Manager) now() time.Time { return m.clock().UTC().Truncate(time.Microsecond) }

// Row is what is stored of a session besides its user.
type Row struct {
	UUID           uuid.UUID
	Created        time.Time
	Expires        time.Time
	LastUsed       time.Time
	LastIP         string
	LastUserAgent  string
	BrowserLength  bool
	AuthBackend    string
	AuthMethod     string
	AuthMethodArgs map[string]any
	NetworkBinding string
	GeoIPBinding   string
	// Proofs are what the user has proved in this session.
	Proofs []flow.Proof
}

// Current is the session of one request.
type Current struct {
	Session flow.Session
	// Token is the value for the cookie: the one that came, or a fresh one
	// where none came or the one that came is over.
	Token string
	// Fresh tells that the browser does not have Token yet.
	Fresh bool
	// Person is who is signed in, the anonymous person for nobody.
	Person *identity.Person
	// Execution is the stored execution of the flow that was asked for.
	Execution *flow.Execution
	// Row is the stored session; nil when there is none yet.
	Row *Row
	// Broken says why this request's session was ended and replaced by this
	// fresh one; nil for all others.
	Broken *Broken
}

// Recent tells whether whoever this session belongs to has signed in to it so
// lately that they may get a further way in to their account (rule 39). A login
// always makes a session, so its row is as old as the sign-in. An app password
// does not count: one that was found must not make another. Nobody has signed in
// while they act as somebody else.
func (c *Current) Recent(now time.Time) bool {
	return c.Session.UserID != 0 && c.Session.ActsAs == 0 && c.Row != nil && c.Row.AuthMethod != directory.MethodToken && now.Sub(c.Row.Created) < recently
}

// visit is the session of a browser that has none.
func (m *Manager) visit() *Current {
	t := m.mint(visitor)
	return &Current{Token: t, Fresh: true, Person: identity.Anonymous(), Session: flow.Session{Key: keyOf(t)}}
}

const rowColumns = `s.uuid, s.created, s.expires, s.last_used, s.last_ip, s.last_user_agent, s.browser_length,
	s.auth_backend, s.auth_method, s.auth_method_args, s.network_binding, s.geoip_binding, s.proofs`

func (r *Row) dest() []any {
	return []any{&r.UUID, &r.Created, &r.Expires, &r.LastUsed, &r.LastIP, &r.LastUserAgent, &r.BrowserLength,
		&r.AuthBackend, &r.AuthMethod, store.JSON(&r.AuthMethodArgs), &r.NetworkBinding, &r.GeoIPBinding, store.JSON(&r.Proofs)}
}

// Load returns the session that a cookie's value names, its person and, for a
// flow that is not uuid.Nil, its execution. One query; none when the value is
// missing or forged. A session that has expired or belongs to an inactive user
// is over: the result is a fresh one. So is one whose user may no longer
// impersonate the person they act as.
func (m *Manager) Load(ctx context.Context, token string, flowID uuid.UUID) (*Current, error) {
	k, ok := m.open(token)
	if !ok {
		return m.visit(), nil
	}
	now := m.now()
	c := &Current{Token: token, Person: identity.Anonymous(), Session: flow.Session{Key: keyOf(token)}}
	var row Row
	var user *int64
	var x executionRow
	dest := append(row.dest(), &user, &x.id, &x.version, &x.plan)
	sql := `select ` + rowColumns + `, s.user_id, e.id, e.version, e.plan
		from sessions s left join executions e on e.session_key = s.key and e.flow_id = $2 and e.expires > $3
		where s.key = $1 and s.expires > $3`
	var u identity.User
	if k == member {
		sql = `select ` + rowColumns + `, s.user_id, e.id, e.version, e.plan, ` + directory.UserColumns("u") + `
			from sessions s join users u on u.id = coalesce(s.acts_as, s.user_id)
			left join executions e on e.session_key = s.key and e.flow_id = $2 and e.expires > $3
			where s.key = $1 and s.expires > $3 and u.is_active`
		dest = append(dest, directory.UserDest(&u)...)
	}
	err := m.db.QueryRow(ctx, sql, c.Session.Key, flowID, now).Scan(dest...)
	switch {
	case errors.Is(err, store.ErrNotFound) && k == visitor:
		return c, nil // nothing was worth storing so far
	case errors.Is(err, store.ErrNotFound):
		return m.visit(), nil
	case err != nil:
		return nil, fmt.Errorf("read session: %w", err)
	}
	c.Session.Stored, c.Row = true, &row
	if k == member {
		c.Session.UserID, c.Session.Proofs, c.Person = value(user), row.Proofs, m.people.NewPerson(u)
		c.Person.Assurance = flow.Assure(row.Proofs, u.ID)
		if c.Session.UserID != u.ID {
			c.Session.ActsAs = u.ID
			if ok, err := m.impersonated(ctx, c); err != nil || !ok {
				return m.visit(), err
			}
		}
	}
	c.Execution = m.execution(ctx, x)
	return c, nil
}
