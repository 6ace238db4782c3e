package flow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
)

// envelope wraps a stage's challenge for the wire.
func (r *run) envelope(ctx context.Context, c Challenge, errs field.Errors) (*Envelope, error) {
	display, err := r.displayUser(ctx)
	if err != nil {
		return nil, fmt.Errorf("read display user: %w", err)
	}
	setUserInfo(c, UserInfo{PendingUser: display.Username, PendingUserAvatar: r.e.Avatar(display.Username)})
	if outer, ok := c.(Outer); ok {
		setUserInfo(outer.Inner(), UserInfo{PendingUserAvatar: r.e.Avatar("")}) // nobody is pending yet
	}
	return &Envelope{Component: c.Component(), Info: r.info(display), Errors: errs, Body: c}, nil
}

func setUserInfo(c Challenge, info UserInfo) {
	if u, ok := c.(interface{ setUserInfo(UserInfo) }); ok {
		u.setUserInfo(info)
	}
}

func (r *run) displayUser(ctx context.Context) (*identity.Person, error) {
	if r.exec == nil {
		return r.req.User, nil
	}
	p, err := r.exec.DisplayUser(ctx)
	if errors.Is(err, ErrNoPerson) {
		return identity.Anonymous(), nil
	}
	return p, err
}

// info is the part of a challenge that speaks of the flow.
func (r *run) info(display *identity.Person) *Info {
	f := r.req.Flow
	cancel := "/flows/-/cancel/"
	if next := r.req.Query.Get("next"); next != "" {
		cancel += "?next=" + url.QueryEscape(next)
	}
	app := ""
	if r.plan != nil {
		if ref, ok := KeyApplication.Get(r.plan.Context); ok && ref != nil {
			app = ref.Name
		}
	}
	background, themed := BackgroundURL(f.Background)
	return &Info{Title: formatTitle(f.Title, app, display.DisplayName()), Background: background, Themed: themed,
		CancelURL: cancel, Layout: f.Layout}
}

// BackgroundURL is the address of a flow's background, and its variants when
// the name has a place for the theme.
func BackgroundURL(name string) (string, *ThemedURLs) {
	const theme = "%(theme)s"
	address := func(name string) string {
		switch {
		case name == "":
			return DefaultBackground
		case strings.HasPrefix(name, "http:"), strings.HasPrefix(name, "https://"),
			strings.HasPrefix(name, "fa://"), strings.HasPrefix(name, "/static"):
			return name
		}
		return "/media/" + name
	}
	if !strings.Contains(name, theme) {
		return address(name), nil
	}
	return address(name), &ThemedURLs{Light: address(strings.ReplaceAll(name, theme, "light")), Dark: address(strings.ReplaceAll(name, theme, "dark"))}
}

// Heading is the title of a flow as a person reads it before it has begun.
func (f *Flow) Heading(p *identity.Person) string { return formatTitle(f.Title, "", p.DisplayName()) }

// formatTitle fills the percent placeholders of a title; a title with any
// other one is shown as it is.
func formatTitle(title, app, user string) string {
	if !strings.Contains(title, "%") {
		return title
	}
	var b strings.Builder
	for rest := title; rest != ""; {
		before, after, found := strings.Cut(rest, "%")
		b.WriteString(before)
		if !found {
			break
		}
		switch {
		case strings.HasPrefix(after, "%"):
			b.WriteByte('%')
			rest = after[1:]
		case strings.HasPrefix(after, "(app)s"):
			b.WriteString(app)
			rest = after[len("(app)s"):]
		case strings.HasPrefix(after, "(user)s"):
			b.WriteString(user)
			rest = after[len("(user)s"):]
		default:
			return title
		}
	}
	return b.String()
}

// stageError sorts out what a stage's code returned.
func (r *run) stageError(ctx context.Context, err error) (*Result, error) {
	switch {
	case errors.Is(err, ErrStale), errors.Is(err, ErrOverloaded), errors.Is(err, ErrMissing), ctx.Err() != nil:
		return nil, err
	case errors.Is(err, ErrNoPerson):
		return r.unexpected(ctx, err)
	}
	return r.flowError(ctx, err)
}

// unexpected denies because something that decides could not be read or
// decided: a policy error, a deleted binding, a deleted user. The person gets
// an id; the log has the reason.
func (r *run) unexpected(ctx context.Context, err error) (*Result, error) {
	if errors.Is(err, ErrStale) || errors.Is(err, ErrOverloaded) || ctx.Err() != nil {
		return nil, err
	}
	message, id := r.undecided(ctx, err)
	return r.deny(ctx, &AccessDenied{Message: message, ID: id}, Outcome{})
}

// undecided writes the reason to the log and returns what the person is told.
func (r *run) undecided(ctx context.Context, err error) (message, id string) {
	id = newID()
	r.e.Log.ErrorContext(ctx, "flow denied", slog.String("id", id), slog.String("flow", r.req.Flow.Slug),
		slog.String("stage", r.trace.Stage), slog.String("error", r.reason(err)))
	return "This could not be decided. Tell your administrator this id: " + id, id
}

// flowError reports a fault inside a stage. The plan stays, so that the person
// can try again; the details are for administrators only.
func (r *run) flowError(ctx context.Context, err error) (*Result, error) {
	return r.fault(ctx, slog.LevelError, err)
}

// fault is flowError with a level for the log: what a client sends wrong is no
// error of ours.
func (r *run) fault(ctx context.Context, level slog.Level, err error) (*Result, error) {
	if errors.Is(err, ErrStale) || errors.Is(err, ErrOverloaded) || ctx.Err() != nil {
		return nil, err
	}
	id := newID()
	if r.req.HTTP != nil && r.req.HTTP.ID != "" {
		id = r.req.HTTP.ID
	}
	r.e.Log.Log(ctx, level, "flow error", slog.String("id", id), slog.String("flow", r.req.Flow.Slug),
		slog.String("stage", r.trace.Stage), slog.String("error", r.reason(err)))
	if level >= slog.LevelError {
		r.e.Failed(ctx, r.req.HTTP, fmt.Sprintf("A stage of the flow %s failed. The log has the reason under the id %s.", r.req.Flow.Slug, id))
	}
	challenge := &FlowError{RequestID: id}
	if r.mayDebug(ctx) {
		challenge.Error = err.Error()
		challenge.Traceback = err.Error()
		var p *panicError
		if errors.As(err, &p) {
			challenge.Traceback = string(p.stack)
		}
	}
	return r.result(&Result{Challenge: &Envelope{Component: challenge.Component(), Body: challenge}}), nil
}

// debugAttribute lets the members of a group see the details of errors.
const debugAttribute = "goauthentik.io/user/debug"

func (r *run) mayDebug(ctx context.Context) bool {
	if super, err := r.req.User.Superuser(ctx); err == nil && super {
		return true
	}
	groups, err := r.req.User.Groups(ctx)
	if err != nil || !r.req.User.Active {
		return false
	}
	for _, g := range groups {
		if on, ok := g.Attributes[debugAttribute].(bool); ok && on {
			return true
		}
	}
	return false
}
