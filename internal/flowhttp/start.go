package flowhttp

import (
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

// Start plans a flow for the person of a request, as whom it is about, and
// keeps the plan in their session: the page of the flow goes on from there. Of
// the call only Slug, RawQuery and Bearer count. A person who is known by an
// API token gets a session that nobody is signed in to, with its cookie. The
// error wraps flow.ErrNoFlow for an unknown slug and ErrBearer for a token that
// is refused, and is a *flow.RefusedError when the flow cannot be started.
func (r *Runner) Start(w http.ResponseWriter, req *http.Request, c Call) error {
	f, ok := r.Executor.Catalog().FlowBySlug(c.Slug)
	if !ok {
		return fmt.Errorf("flow %q: %w", c.Slug, flow.ErrNoFlow)
	}
	v, err := r.Visit(w, req, uuid.Nil, c.Bearer)
	if err != nil {
		return err
	}
	if v.Token && v.Session.UserID != 0 && v.Session.UserID != v.User.ID {
		return &flow.RefusedError{Messages: []string{msgTwoPeople}}
	}
	info := request.From(req.Context())
	// What cannot be parsed of a query is left out; the rest counts.
	query, _ := url.ParseQuery(c.RawQuery)
	step := &flow.Request{Flow: f, Query: query, RawQuery: c.RawQuery, Session: v.Session,
		User: v.User, Brand: v.Brand, HTTP: request.Policy(req, query), Outpost: info.Outpost}
	if err := r.Executor.Start(req.Context(), step, map[string]any{string(flow.KeyPendingUser): flow.RefTo(v.User)}); err != nil {
		return err
	}
	if v.Fresh {
		putCookie(w, session.Cookie(v.Current.Token, time.Time{}, info.Secure, info.Outpost))
	}
	return nil
}
