package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/flowhttp"
	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/store"
)

// call is one request that was let in.
type call struct {
	api *API
	w   http.ResponseWriter
	r   *http.Request
	ctx context.Context
	// visit is who calls; nil on public routes.
	visit *flowhttp.Visit
	// kind, ref and scope are what the guard has decided about.
	kind  *resource.Kind
	ref   *resource.Ref
	scope access.Scope
}

// view is what reading sees: at least what has been written anywhere before
// this request came.
func (c *call) view() (resource.View, error) {
	if err := c.api.Catalog.Refresh(c.ctx); err != nil {
		return resource.View{}, err
	}
	v := resource.View{Config: c.api.Catalog.Snapshot(), DB: c.api.DB, Dialect: c.api.DB.Dialect()}
	if c.visit != nil {
		v.Reader = c.visit.User
		if !c.visit.Token {
			v.Session = c.visit.Session.Key
		}
	}
	return v, nil
}

// write runs fn in one transaction, for the person who calls. fn may run more
// than once.
func (c *call) write(fn func(ctx context.Context, w *resource.Write) error) error {
	by, err := c.author()
	if err != nil {
		return err
	}
	_, err = c.api.Catalog.Update(c.ctx, by, func(ctx context.Context, tx *catalog.Tx) error {
		return fn(ctx, &resource.Write{Tx: tx, By: by, Access: c.api.Access})
	})
	return err
}

// forceHeader with the value forceLockout has a change stored that would lock
// everybody out; of superusers only.
const (
	forceHeader  = "Weir-Force"
	forceLockout = "lockout"
)

// author is by for a write: the groups of the person are read before the
// transaction, in which nothing else is.
func (c *call) author() (catalog.Meta, error) {
	super, err := access.Superuser(c.ctx, c.visit.User)
	by := c.by()
	by.Force = super && c.r.Header.Get(forceHeader) == forceLockout
	return by, err
}

// by is the person who calls, for the history and the audit trail.
func (c *call) by() catalog.Meta { return Author(c.r, c.visit, "api", c.api.Now()) }

// Author is who writes in a visit, for the history and the audit trail: whoever
// acts as somebody else in their own name.
func Author(r *http.Request, v *flowhttp.Visit, source string, now time.Time) catalog.Meta {
	actor := v.User
	if v.User.Impersonator != nil {
		actor = v.User.Impersonator
	}
	return catalog.Meta{ActorID: &actor.ID, Actor: actor.Username, Person: v.User, HTTP: request.Policy(r, r.URL.Query()), Brand: v.Brand,
		Stale: !v.Token && !v.Recent(now), Source: source}
}

// answer writes v as JSON.
func (c *call) answer(status int, v any) error {
	write(c.w, status, v)
	return nil
}

// done answers that there is nothing to say.
func (c *call) done() error {
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// object answers with one object and its tag.
func (c *call) object(status int, object map[string]any) error {
	body, err := json.Marshal(object)
	if err != nil {
		return err
	}
	tag := etag(body)
	c.w.Header().Set("ETag", tag)
	if status == http.StatusOK && c.r.Method != http.MethodPut && c.r.Method != http.MethodPatch && matchesTag(c.r.Header["If-None-Match"], tag) {
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	writeBody(c.w, status, body)
	return nil
}

// etag is the tag of a representation (RFC 9110 section 8.8.3).
func etag(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + hex.EncodeToString(sum[:16]) + `"`
}

// matchesTag tells whether a list of tags, or *, holds the tag.
func matchesTag(headers []string, tag string) bool {
	for _, h := range headers {
		for one := range strings.SplitSeq(h, ",") {
			if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == tag {
				return true
			}
		}
	}
	return false
}

// errPrecondition means that If-Match named another version of the object.
var errPrecondition = errors.New("the object has changed")

// unchanged checks If-Match (RFC 9110 section 13.1.1) against the object as the
// write sees it. Without the header every version will do.
func (c *call) unchanged(ctx context.Context, w *resource.Write) error {
	wanted, asked := c.r.Header["If-Match"]
	if !asked {
		return nil
	}
	now, err := c.kind.Read(ctx, w.View(), c.ref)
	if err != nil {
		return err
	}
	body, err := json.Marshal(now[0])
	if err != nil {
		return err
	}
	if !matchesTag(wanted, etag(body)) {
		return errPrecondition
	}
	return nil
}

// The problems of a body that are no problems of a field.
var (
	errMediaType = errors.New("send the body as application/json in UTF-8")
	errForm      = errors.New("send the body as multipart/form-data")
	errTrailing  = errors.New("the body holds more than one JSON value")
)

// syntaxError is a body that is no JSON.
type syntaxError struct{ err error }

func (e *syntaxError) Error() string { return "the body is not JSON: " + e.err.Error() }

// unreadError is a body that did not arrive whole: it was too large or too slow,
// or the client left.
type unreadError struct{ err error }

func (e *unreadError) Error() string { return "read the body: " + e.err.Error() }
func (e *unreadError) Unwrap() error { return e.err }

// readBody reads a JSON object. An empty body of whatever type is an empty
// object; one that is JSON but no object is a field error.
func readBody(r *http.Request) (map[string]any, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, &unreadError{err}
	}
	if len(raw) == 0 {
		return map[string]any{}, nil
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || kind != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, errMediaType
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, &syntaxError{err}
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, &syntaxError{errTrailing}
	}
	body, ok := value.(map[string]any)
	if !ok {
		return nil, field.Errorf(field.NonField, field.CodeInvalid, "Send an object with the fields as its members.")
	}
	return body, nil
}

// decode reads the body into a struct with field tags.
func (c *call) decode(into any) error {
	body, err := readBody(c.r)
	if err != nil {
		return err
	}
	if _, errs := field.Decode(into, body, field.Create); errs != nil {
		return errs
	}
	return nil
}

// fail turns an error into an answer: the one table of codes and statuses.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	var tooLarge *http.MaxBytesError
	var problems field.Errors
	var unread *unreadError
	var syntax *syntaxError
	var forbidden *resource.ForbiddenError
	var match *resource.MatchError
	switch {
	case err == nil:
	case errors.As(err, &tooLarge):
		refuse(w, http.StatusRequestEntityTooLarge, "The request body is too large.")
	case errors.As(err, &unread):
		refuse(w, http.StatusRequestTimeout, "The request body did not arrive in time.")
	case errors.As(err, &problems):
		invalid(w, problems)
	case errors.As(err, &syntax):
		refuse(w, http.StatusBadRequest, upper(syntax.Error())+".")
	case errors.Is(err, errMediaType), errors.Is(err, errForm):
		refuse(w, http.StatusUnsupportedMediaType, upper(err.Error())+".")
	case errors.Is(err, errPrecondition):
		refuse(w, http.StatusPreconditionFailed, "The object has changed since you read it. Read it again and repeat your change.")
	case errors.As(err, &forbidden):
		refuse(w, http.StatusForbidden, forbidden.Message)
	case errors.Is(err, flowhttp.ErrBearer):
		refuse(w, http.StatusForbidden, "The API token is not valid or no longer valid.")
	case errors.Is(err, resource.ErrGone), errors.Is(err, flow.ErrMissing):
		refuse(w, http.StatusNotFound, textMissing)
	case errors.As(err, &match):
		refuse(w, http.StatusBadRequest, upper(match.Message)+".")
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrReferenced), errors.Is(err, flow.ErrStale):
		// Somebody else was faster than the check that has words for it.
		refuse(w, http.StatusConflict, "Somebody else has changed this at the same time. Try again.")
	case errors.Is(err, flow.ErrNoFlow):
		if a.Problem != nil && strings.Contains(r.Header.Get("Accept"), "text/html") {
			a.Problem(w, r, http.StatusNotFound)
			return
		}
		refuse(w, http.StatusNotFound, "There is no such flow.")
	case errors.Is(err, flow.ErrOverloaded), errors.Is(err, context.DeadlineExceeded):
		if errors.Is(err, store.ErrUnavailable) {
			a.Log.WarnContext(r.Context(), "api call not possible", slog.String("path", r.URL.Path), slog.Any("error", err))
		}
		request.AskLater(w.Header())
		refuse(w, http.StatusServiceUnavailable, "The server cannot do this just now. Try again in a few seconds.")
	case r.Context().Err() != nil:
		// Nobody is waiting for an answer.
	default:
		a.Log.ErrorContext(r.Context(), "api call failed", slog.String("path", r.URL.Path), slog.Any("error", err))
		refuse(w, http.StatusInternalServerError, "Something went wrong on our side. The X-authentik-id header of this answer finds it in the log.")
	}
}

// upper begins a sentence.
func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// invalid writes what is wrong with the fields: a list of texts for each. The
// member code is that of the first problem; codes has those of all of them.
func invalid(w http.ResponseWriter, problems field.Errors) {
	body := map[string]any{}
	codes := map[string][]string{}
	names := make([]string, 0, len(problems))
	for name, list := range problems {
		names = append(names, name)
		texts := make([]string, len(list))
		for i, p := range list {
			texts[i] = p.String
			codes[name] = append(codes[name], p.Code)
		}
		body[name] = texts
	}
	slices.Sort(names)
	for name, v := range map[string]any{"code": codes[names[0]][0], "codes": codes} {
		if _, isField := body[name]; !isField {
			body[name] = v
		}
	}
	write(w, http.StatusBadRequest, body)
}

// refuse writes a problem.
func refuse(w http.ResponseWriter, status int, detail string) {
	write(w, status, map[string]string{"detail": detail})
}

// write sends v as JSON. HTML in texts stays as it is: the content type and
// nosniff keep browsers from reading it as a page.
func write(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"detail":"The answer could not be written."}`)
	}
	writeBody(w, status, body)
}

func writeBody(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone if this fails
}
