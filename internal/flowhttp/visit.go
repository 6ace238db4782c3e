package flowhttp

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/session"
	"github.com/weir-id/weir/policy"
)

// ErrBearer means that a request carried an API token that does not exist, has
// expired or belongs to an inactive user.
var ErrBearer = errors.New("api token not accepted")

// csrfCookie is what browser clients of the API read and send back as the
// header X-authentik-CSRF. Nothing depends on it: http.CrossOriginProtection
// keeps other sites out.
const csrfCookie = "authentik_csrf"

// Visit is who and what one request belongs to.
type Visit struct {
	*session.Current
	// User is the person of the API token where one was accepted, else of the
	// session.
	User *identity.Person
	// Token tells that User came from an API token.
	Token bool
	// Brand is the brand of the host.
	Brand *flow.Brand
}

// Current returns the session of a request, a fresh one with its cookie where
// the browser has none. API tokens do not count.
func (r *Runner) Current(w http.ResponseWriter, req *http.Request) (*session.Current, error) {
	v, err := r.Visit(w, req, uuid.Nil, false)
	if err != nil {
		return nil, err
	}
	return v.Current, nil
}

// Visit reads session and brand of a request, and the API token if bearer is
// true. A session that the browser does not have yet gets its cookie, so that
// the first answer always carries one. The error wraps ErrBearer for a token
// that is refused.
func (r *Runner) Visit(w http.ResponseWriter, req *http.Request, flowID uuid.UUID, bearer bool) (*Visit, error) {
	ctx, info := req.Context(), request.From(req.Context())
	cookie := session.ReadCookie(req, info.Secure, info.Outpost)
	if r.Sessions.Forged(cookie) {
		r.Raise(req, event.SuspiciousRequest, "A session cookie was not issued by this installation.")
	}
	current, err := r.session(ctx, cookie, flowID, request.Policy(req, nil))
	if err != nil {
		return nil, err
	}
	v := &Visit{Current: current, User: current.Person, Brand: r.Brand(req)}
	if bearer {
		if v.User, v.Token, err = r.bearer(ctx, req, v.User); err != nil {
			return nil, err
		}
	}
	// A program that identifies itself by a token keeps no cookies.
	if current.Fresh && !v.Token {
		putCookie(w, session.Cookie(current.Token, time.Time{}, info.Secure, info.Outpost))
	}
	return v, nil
}

// Brand returns the brand of a request's host.
func (r *Runner) Brand(req *http.Request) *flow.Brand {
	return r.Executor.Catalog().BrandFor(hostname(request.From(req.Context()).Host))
}

// session reads the session of a cookie's value. One that is bound to a network
// or a place and was used from another ends here; the request goes on without.
func (r *Runner) session(ctx context.Context, value string, flowID uuid.UUID, h *policy.HTTPRequest) (*session.Current, error) {
	current, err := r.Sessions.Load(ctx, value, flowID)
	if err != nil {
		return nil, err
	}
	return r.Sessions.Check(ctx, current, h)
}

// bearer returns the person of the API token, or else the one given.
func (r *Runner) bearer(ctx context.Context, req *http.Request, person *identity.Person) (*identity.Person, bool, error) {
	scheme, key, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return person, false, nil
	}
	owner, ok, err := r.Sessions.Bearer(ctx, strings.TrimSpace(key))
	switch {
	case err != nil:
		return nil, false, err
	case !ok:
		r.Raise(req, event.SuspiciousRequest, "An API token was refused: it is unknown, expired, of another intent, or its user is inactive.")
		return nil, false, ErrBearer
	}
	return owner, true, nil
}

// hostname is a host without its port.
func hostname(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return strings.Trim(host, "[]")
}

// putCookie sets a cookie, replacing one of the same name that was set before:
// a page may take several steps, of which only the last session counts.
func putCookie(w http.ResponseWriter, c *http.Cookie) {
	value := c.String()
	if value == "" {
		return
	}
	h := w.Header()
	kept := h["Set-Cookie"][:0]
	for _, old := range h["Set-Cookie"] {
		if !strings.HasPrefix(old, c.Name+"=") {
			kept = append(kept, old)
		}
	}
	h["Set-Cookie"] = append(kept, value)
}

// PutSession gives the browser the session that a login outside of flows made.
func (r *Runner) PutSession(w http.ResponseWriter, req *http.Request, s *flow.SessionChange) {
	info := request.From(req.Context())
	putCookie(w, session.Cookie(s.Token, s.Expires, info.Secure, info.Outpost))
}

// cookies returns the Set-Cookie values that a result asks for.
func cookies(result *flow.Result, info *request.Info) []*http.Cookie {
	var out []*http.Cookie
	if s := result.Session; s != nil {
		out = append(out, session.Cookie(s.Token, s.Expires, info.Secure, info.Outpost))
	}
	for _, c := range result.Cookies {
		cookie := &http.Cookie{Name: c.Name, Value: c.Value, Path: "/", HttpOnly: true, Secure: info.Secure, SameSite: http.SameSiteLaxMode}
		switch {
		case c.MaxAge > 0:
			cookie.MaxAge = max(1, int(c.MaxAge/time.Second))
		case c.MaxAge < 0:
			cookie.MaxAge = -1
		}
		out = append(out, cookie)
	}
	return out
}

// offerCSRF gives browsers the value that they expect to find.
func offerCSRF(w http.ResponseWriter, req *http.Request, info *request.Info) {
	if _, err := req.Cookie(csrfCookie); err == nil || info.Outpost {
		return
	}
	putCookie(w, &http.Cookie{Name: csrfCookie, Value: rand.Text(), Path: "/", Secure: info.Secure, SameSite: http.SameSiteLaxMode})
}
