package flow

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

var (
	// ErrNoPerson means that a user does not exist (any more).
	ErrNoPerson = errors.New("no such user")
	// ErrNoFlow means that no flow has the slug.
	ErrNoFlow = errors.New("no such flow")
	// ErrStale means that another request took the step first.
	ErrStale = errors.New("the execution has moved on")
	// ErrOverloaded means that the step cannot be taken just now, because the
	// machine is too busy, such as hashing passwords, or because the database
	// is out of reach; the person may try again.
	ErrOverloaded = errors.New("overloaded")
)

// Session is the browser session or API client that a request belongs to.
type Session struct {
	// Key is the SHA-256 hex of the session's secret.
	Key string
	// Stored tells whether the session has a row.
	Stored bool
	// UserID is the signed-in user, 0 for nobody.
	UserID int64
	// ActsAs is the user whom that one impersonates, 0 for nobody.
	ActsAs int64
	// Proofs are what the user has proved in this session.
	Proofs []Proof
}

// Execution is one person's run of one flow, as it is stored.
type Execution struct {
	ID uuid.UUID
	// Version counts the writes; a write succeeds only on the version it read.
	Version int
	Plan    *Plan
}

// Request is one call of the executor.
type Request struct {
	Flow *Flow
	// Answer tells whether the person sent a response (POST), else the
	// current challenge is asked for (GET).
	Answer bool
	// Body is the response. BodyErr says why it could not be read.
	Body    map[string]any
	BodyErr error
	// Query is the query of the page; RawQuery its undecoded form. For the
	// API it is the inner query of the `query` parameter.
	Query    url.Values
	RawQuery string
	// DeniedNext is the `next` parameter of the executor call itself, which
	// only counts when the flow does not apply.
	DeniedNext string
	Session    Session
	// Execution is the stored execution of (session, flow), nil for none.
	Execution *Execution
	// Handle and Step are what a page carried: the execution and version it
	// was made from, the zero UUID for a page of which nothing was stored. A
	// stale pair changes nothing. A nil Handle is not checked (API).
	Handle *uuid.UUID
	Step   int
	// User is the person of the session (or of the API token).
	User  *identity.Person
	Brand *Brand
	HTTP  *policy.HTTPRequest
	// Outpost is set when the request came from an outpost.
	Outpost bool
	// Passive forbids effects beyond the plan: a step that would log in or
	// out answers with Confirm instead. For HEAD, and for page loads that did
	// not come from our own pages (rule 5).
	Passive bool
	// Patience gives the request so much more time; nil for nothing. See
	// Exec.Patience.
	Patience func(d time.Duration)

	// once are the values of Exec.Once.
	once map[string]any
}

// Result is the answer to a Request. Exactly one of Challenge, Next and
// Confirm is set.
type Result struct {
	// Challenge is what to show, also for redirects and denials.
	Challenge *Envelope
	// Next asks the client to come back with a GET: a stage is done and
	// another waits, or the flow restarted.
	Next bool
	// Confirm means that the step would act but the request is passive.
	Confirm bool
	// Stale tells a page that its form was out of date; the challenge is the
	// current one.
	Stale bool
	// Lapsed tells a page that the flow token of its link holds no more, so that the
	// flow begins anew.
	Lapsed bool
	// Rejected tells that Challenge carries errors of a refused response.
	Rejected bool
	// Execution is the state after the step; nil when nothing is stored.
	Execution *Execution
	// Session is set when the browser gets another session.
	Session *SessionChange
	Cookies []Cookie
	// Impersonated is the person as whom somebody else takes the step; nil
	// where people act for themselves.
	Impersonated *identity.Person
}

// SessionChange is what happens to the browser's session.
type SessionChange struct {
	// Token is the new secret; the old session is gone.
	Token string
	// Expires is when the cookie ends; zero for a browser-length cookie.
	Expires time.Time
	// Login tells whether somebody is signed in now.
	Login bool
}

// Store keeps executions and carries out steps.
type Store interface {
	// Commit writes one step in one transaction: swap the execution on its
	// version (or create it, with the session where that has no row yet),
	// then effects, login or logout, events and trace: effects come first, so
	// that a user whom they create can be logged in. When the version has
	// moved nothing happens and the error wraps ErrStale.
	Commit(ctx context.Context, c *Commit) (*Committed, error)
	// Load reads the session's execution of a flow; nil when there is none.
	Load(ctx context.Context, session Session, flow uuid.UUID) (*Execution, error)
}

// Commit is one step to write.
type Commit struct {
	Session Session
	HTTP    *policy.HTTPRequest
	// User is the person of the request, for events.
	User *identity.Person
	// Pending is the person whom the flow is about, for events.
	Pending *identity.Person
	Brand   *Brand
	Flow    *Flow
	// Before is the execution as it was read, nil when nothing is stored.
	Before *Execution
	// After is the plan to store; nil removes the execution. With neither
	// Before nor After no execution is touched and no session row is made;
	// login, logout, events and effects are carried out all the same.
	After *Plan
	// Login and Logout move to a new session; the execution goes along, all
	// others of the session are dropped.
	Login  *Login
	Logout bool
	// Proofs are what the session that the step ends in knows from now on about its
	// user; nil changes nothing.
	Proofs []Proof
	Events []Event
	Apply  []func(ctx context.Context, tx Tx) error
	// Effects are what policies asked for, carried out after Apply, which is
	// what the stage did; each that changes something records its event.
	Effects []policy.Effect
	// Mails are those that policies asked for. They are queued with the step; what
	// keeps one from it does not keep the step from being taken.
	Mails []policy.Mail
	Trace Trace
}

// Committed is the state after a Commit.
type Committed struct {
	Execution *Execution
	Session   *SessionChange
}

// Counter counts failures of a session, each in a transaction of its own.
type Counter interface {
	Count(ctx context.Context, sessionKey, name string) (int, error)
	Reset(ctx context.Context, sessionKey, name string) error
}
