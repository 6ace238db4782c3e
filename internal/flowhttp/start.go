package flowhttp

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/session"
)

// msgTwoPeople refuses to guess whom a request means.
const msgTwoPeople = "The session cookie is another person's than the API token. Send only one of them."

// Start plans a flow for the person of a request and keeps the plan in their
// session: the page of the flow goes on from there. Of the call only Slug,
// RawQuery, About and Bearer count. A person who is known by an API token gets a
// session that nobody is signed in to, with its cookie. The error wraps flow.ErrNoFlow for an unknown slug and ErrBearer for a token that
// is refused, and is a *flow.RefusedError when the flow cannot be started.
func (r *Runner) Start(w http.ResponseWriter, req *http.Request, c Call) error {
	v, step, with, err := r.starting(w, req, c)
	if err != nil {
		return err
	}
	if err := r.Executor.Start(req.Context(), step, with); err != nil {
		return err
	}
	if info := request.From(req.Context()); v.Fresh {
		putCookie(w, session.Cookie(v.Current.Token, time.Time{}, info.Secure, info.Outpost))
	}
	return nil
}

// Startable tells whether Start would begin the flow of a call. It starts
// nothing.
func (r *Runner) Startable(w http.ResponseWriter, req *http.Request, c Call) (bool, error) {
	_, step, with, err := r.starting(w, req, c)
	if errors.As(err, new(*flow.RefusedError)) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return r.Executor.Startable(req.Context(), step, with)
}

// starting is what the executor needs to start the flow of a call.
func (r *Runner) starting(w http.ResponseWriter, req *http.Request, c Call) (*Visit, *flow.Request, map[string]any, error) {
	f, ok := r.Executor.Catalog().FlowBySlug(c.Slug)
	if !ok {
		return nil, nil, nil, fmt.Errorf("flow %q: %w", c.Slug, flow.ErrNoFlow)
	}
	v, err := r.Visit(w, req, uuid.Nil, c.Bearer)
	if err != nil {
		return nil, nil, nil, err
	}
	if v.Token && v.Session.UserID != 0 && v.Session.UserID != v.User.ID {
		return nil, nil, nil, &flow.RefusedError{Messages: []string{msgTwoPeople}}
	}
	// What cannot be parsed of a query is left out; the rest counts.
	query, _ := url.ParseQuery(c.RawQuery)
	step := &flow.Request{Flow: f, Query: query, RawQuery: c.RawQuery, Session: v.Session,
		User: v.User, Brand: v.Brand, HTTP: request.Policy(req, query), Outpost: request.From(req.Context()).Outpost}
	return v, step, map[string]any{string(flow.KeyPendingUser): flow.RefTo(cmp.Or(c.About, v.User))}, nil
}
