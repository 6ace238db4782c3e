package flowhttp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/session"
	"github.com/weir-id/weir/policy"
)

// Sessions finds out whom a request belongs to; *session.Manager does.
type Sessions interface {
	// Forged tells that a cookie's value looks like one and is not genuine.
	Forged(cookie string) bool
	Load(ctx context.Context, cookie string, flowID uuid.UUID) (*session.Current, error)
	Check(ctx context.Context, c *session.Current, h *policy.HTTPRequest) (*session.Current, error)
	Bearer(ctx context.Context, key string) (owner *identity.Person, ok bool, err error)
}

// Config is what a Runner needs. Sessions and Executor are required.
type Config struct {
	Sessions Sessions
	Executor *flow.Executor
	// Repeated is called for each submit that got the answer of an equal one;
	// nil for nothing.
	Repeated func()
	// Raise is called for requests that should not happen. Nil for nothing.
	Raise func(req *http.Request, action event.Action, message string)
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Runner takes steps of flows for HTTP requests. It is safe for concurrent use.
type Runner struct {
	Config
	repeats *repeats
}

// New returns a runner.
func New(c Config) *Runner {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Raise == nil {
		c.Raise = func(*http.Request, event.Action, string) {}
	}
	if c.Repeated == nil {
		c.Repeated = func() {}
	}
	return &Runner{Config: c, repeats: newRepeats(c.Now)}
}

// Step takes one step and sets its cookies on w. The error wraps flow.ErrNoFlow
// for an unknown slug, flow.ErrOverloaded when the person is to try again, and
// ErrBearer for a token that is refused.
func (r *Runner) Step(w http.ResponseWriter, req *http.Request, c Call) (*flow.Result, error) {
	f, ok := r.Executor.Catalog().FlowBySlug(c.Slug)
	if !ok {
		return nil, fmt.Errorf("flow %q: %w", c.Slug, flow.ErrNoFlow)
	}
	info := request.From(req.Context())
	offerCSRF(w, req, info)
	cookie := session.ReadCookie(req, info.Secure, info.Outpost)
	if cookie == "" || req.Header.Get("Authorization") != "" {
		return r.take(w, req, f, c)
	}
	if !c.Answer {
		r.repeats.forget(cookie, c.Slug)
		return r.take(w, req, f, c)
	}
	attempt, first := r.repeats.begin(cookie, c)
	if !first {
		if result, values, ok := attempt.wait(req.Context()); ok {
			r.Repeated()
			for _, v := range values {
				if again, err := http.ParseSetCookie(v); err == nil {
					putCookie(w, again)
				}
			}
			return result, nil
		}
		attempt = nil
	}
	var result *flow.Result
	var values []string
	// Also when the step panics: somebody may be waiting.
	defer func() { r.repeats.finish(attempt, result, values) }()
	result, err := r.take(w, req, f, c)
	if err != nil {
		return nil, err
	}
	for _, c := range cookies(result, info) {
		values = append(values, c.String())
	}
	return result, nil
}

// take runs the executor.
func (r *Runner) take(w http.ResponseWriter, req *http.Request, f *flow.Flow, c Call) (*flow.Result, error) {
	ctx, info := req.Context(), request.From(req.Context())
	v, err := r.Visit(w, req, f.ID, c.Bearer)
	if err != nil {
		return nil, err
	}
	// What cannot be parsed of a query is left out; the rest counts.
	query, _ := url.ParseQuery(c.RawQuery)
	step := &flow.Request{
		Flow: f, Answer: c.Answer, Body: c.Body, BodyErr: c.BodyErr,
		Query: query, RawQuery: c.RawQuery, DeniedNext: c.DeniedNext,
		Session: v.Session, Execution: v.Execution, Handle: c.Handle, Step: c.Step,
		User: v.User, Brand: v.Brand, HTTP: request.Policy(req, query), Outpost: info.Outpost, Passive: c.Passive, Patience: patience(w),
	}
	// A response of the wrong shape is refused before any stage sees it: the
	// step becomes a mere look at the challenge, which is shown with the errors.
	var refused field.Errors
	if errors.As(c.BodyErr, &refused) {
		step.Answer, step.Body, step.BodyErr, step.Passive = false, nil, nil, true
	}
	result, err := r.Executor.Step(ctx, step)
	if err != nil {
		return nil, err
	}
	if v.User.Impersonator != nil && result.Session == nil {
		result.Impersonated = v.User
	}
	if refused != nil && result.Challenge != nil && result.Challenge.Info != nil {
		envelope := *result.Challenge
		envelope.Errors = refused
		result.Challenge, result.Rejected = &envelope, true
	}
	if v.Token && v.Fresh && result.Execution != nil && result.Session == nil {
		// A program that identifies itself by a token keeps a cookie only where
		// it has to come back to something.
		putCookie(w, session.Cookie(v.Current.Token, time.Time{}, info.Secure, info.Outpost))
	}
	for _, c := range cookies(result, info) {
		putCookie(w, c)
	}
	return result, nil
}

// patience moves the deadlines of a request, of which everything has been read. Where
// a connection has none, nothing is to be moved.
func patience(w http.ResponseWriter) func(time.Duration) {
	return func(d time.Duration) {
		c, at := http.NewResponseController(w), time.Now().Add(d+writing)
		_ = c.SetReadDeadline(at)
		_ = c.SetWriteDeadline(at)
	}
}

// writing is the time for the answer once a person has made up their mind.
const writing = 15 * time.Second

// Choose returns the flow of a designation for the person of a request, nil
// when there is none.
func (r *Runner) Choose(w http.ResponseWriter, req *http.Request, d flow.Designation) (*flow.Flow, error) {
	v, err := r.Visit(w, req, uuid.Nil, false)
	if err != nil {
		return nil, err
	}
	query := req.URL.Query()
	return r.Executor.Choose(req.Context(), d, &flow.Request{
		Query: query, RawQuery: req.URL.RawQuery, Session: v.Session, User: v.User, Brand: v.Brand,
		HTTP: request.Policy(req, query), Outpost: request.From(req.Context()).Outpost,
	})
}
