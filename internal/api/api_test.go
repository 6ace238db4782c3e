package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/application"
	"github.com/weir-id/weir/internal/blueprint"
	"github.com/weir-id/weir/internal/flowhttp"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/resource/resourcetest"
	"github.com/weir-id/weir/internal/session"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
	"github.com/weir-id/weir/policy"
)

// runner answers every step alike and remembers the call.
type runner struct {
	call   flowhttp.Call
	called bool
	result *flow.Result
	err    error
	user   *identity.Person
	refuse error
}

func (r *runner) Step(_ http.ResponseWriter, _ *http.Request, c flowhttp.Call) (*flow.Result, error) {
	r.call, r.called = c, true
	return r.result, r.err
}

func (r *runner) Visit(http.ResponseWriter, *http.Request, uuid.UUID, bool) (*flowhttp.Visit, error) {
	brand := flow.NewBrand()
	brand.Attributes = map[string]any{"settings": map[string]any{"theme": map[string]any{"base": "light", "dense": true}}}
	return &flowhttp.Visit{Current: &session.Current{Session: flow.Session{UserID: r.user.ID}, Row: &session.Row{Created: time.Now()}}, User: r.user, Brand: &brand}, r.refuse
}

func serve(t *testing.T, r *runner, change func(*API)) http.Handler {
	t.Helper()
	if r.user == nil {
		r.user = identity.Anonymous()
	}
	a := newAPI(t, storetest.SQLite(t), r)
	if change != nil {
		change(a)
	}
	mux := http.NewServeMux()
	a.Mount(mux)
	return mux
}

// newAPI returns the API over a database, with all stage and policy types and
// those of the test.
func newAPI(t *testing.T, db store.DB, r Runner, more ...flow.StageType) *API {
	t.Helper()
	in := resourcetest.New(t, db, more...)
	return New(Config{Runner: r, Catalog: in.Catalog, DB: db, Kinds: in.Kinds, Access: in.Access, Stages: in.Stages, Policies: in.Policies,
		Passwords: in.People, Person: in.People.Person, Applications: &application.Access{Catalog: in.Catalog, Engine: &policy.Engine{}, Log: in.Log},
		Tried:      &application.Access{Catalog: in.Catalog, Engine: &policy.Engine{}, Log: in.Log},
		Exporter:   &blueprint.Exporter{Catalog: in.Catalog, Registry: in.Kinds},
		Blueprints: blueprint.New(blueprint.Config{Catalog: in.Catalog, Registry: in.Kinds, Access: in.Access, Grants: resource.Grants{Access: in.Access}}),
		Log:        in.Log, Avatar: func(string) string { return "/avatar/x.svg" },
		Roles: func(context.Context, int64) ([]Role, error) { return nil, nil }, InstallID: "install",
		Mails: noMails{}, Plans: noPlans{}})
}

// noPlans are no plans of sessions.
type noPlans struct{}

func (noPlans) AtStage(context.Context, flow.Session, uuid.UUID) (*flow.Plan, error) { return nil, nil }

// noMails are no templates.
type noMails struct{}

func (noMails) Names() []string { return nil }

func (noMails) Preview(string, string, map[string]any) (subject, text, html string, err error) {
	return "", "", "", nil
}

func dummy() *flow.Result {
	return &flow.Result{Challenge: &flow.Envelope{Component: "ak-stage-access-denied", Body: &flow.AccessDenied{Message: "no"}}}
}

const executor = "/api/v3/flows/executor/login/"

func TestExecutorAnswers(t *testing.T) {
	rows := []struct {
		name, method, target string
		header               map[string]string
		result               *flow.Result
		err                  error
		status               int
		location, body       string
	}{
		{"a challenge", "GET", executor, nil, dummy(), nil, 200, "", `"component":"ak-stage-access-denied"`},
		{"the next stage is a redirect with an empty body", "POST", executor, nil, &flow.Result{Next: true}, nil, 302, executor, ""},
		{"the redirect reuses the raw query", "POST", executor + "?query=a%3D%28b%29%2Bc&x=y%20z", nil, &flow.Result{Next: true}, nil, 302,
			executor + "?query=a%3D%28b%29%2Bc&x=y%20z", ""},
		{"a redirect out of the flow is a challenge", "POST", executor, nil,
			&flow.Result{Challenge: &flow.Envelope{Component: "xak-flow-redirect", Body: &flow.RedirectTo{To: "/x", Final: true}}}, nil,
			200, "", `{"component":"xak-flow-redirect","to":"/x","final_redirect":true}`},
		{"a step that would act on a passive request", "GET", executor, nil, &flow.Result{Confirm: true}, nil, 403, "", `"detail"`},
		{"an unknown flow for a program", "GET", executor, nil, nil, fmt.Errorf("x: %w", flow.ErrNoFlow), 404, "", `"detail"`},
		{"an unknown flow for a person", "GET", executor, map[string]string{"Accept": "text/html,*/*"}, nil, flow.ErrNoFlow, 404, "", "<p>page 404"},
		{"overload asks to try again", "POST", executor, nil, nil, flow.ErrOverloaded, 503, "", `"detail"`},
		{"a refused token", "GET", executor, nil, nil, flowhttp.ErrBearer, 403, "", `"detail"`},
		{"a fault shows nothing of itself", "GET", executor, nil, nil, fmt.Errorf("secret cause"), 500, "", `"detail"`},
		{"another method", "PUT", executor, nil, dummy(), nil, 405, "", `"detail"`},
		{"options", "OPTIONS", executor, nil, dummy(), nil, 200, "", `application/json`},
		{"an unknown address", "GET", "/api/v3/nothing/", nil, nil, nil, 404, "", `"detail"`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := &runner{result: row.result, err: row.err}
			h := serve(t, r, func(a *API) {
				a.Problem = func(w http.ResponseWriter, _ *http.Request, status int) {
					w.WriteHeader(status)
					fmt.Fprintf(w, "<p>page %d", status)
				}
			})
			req := httptest.NewRequest(row.method, row.target, nil)
			for k, v := range row.header {
				req.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, req)
			body := w.Body.String()
			if w.Code != row.status || w.Header().Get("Location") != row.location || !strings.Contains(body, row.body) || row.body == "" && body != "" {
				t.Errorf("got %d %q %s\nwant %d %q %s", w.Code, w.Header().Get("Location"), body, row.status, row.location, row.body)
			}
			if strings.Contains(body, "secret cause") {
				t.Error("the cause is shown")
			}
			if row.status == 503 && w.Header().Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			if strings.HasPrefix(row.target, executor) && (w.Header().Get("X-Frame-Options") != "SAMEORIGIN" || w.Header().Get("Cache-Control") != "no-store") {
				t.Errorf("headers = %v", w.Header())
			}
		})
	}
}

func TestBodies(t *testing.T) {
	const js = "application/json"
	rows := []struct {
		name, contentType, body string
		want                    map[string]any
		problem                 string
		code                    string
	}{
		{"an object", js, `{"a":"b","n":1}`, map[string]any{"a": "b", "n": json.Number("1")}, "", ""},
		{"a charset is allowed", js + "; charset=UTF-8", `{}`, map[string]any{}, "", ""},
		{"an empty body counts as an empty object", "", "", map[string]any{}, "", ""},
		{"an empty body of any type as well", "text/plain", "", map[string]any{}, "", ""},
		{"a form is no JSON", "application/x-www-form-urlencoded", "a=b", nil, "application/json", ""},
		{"no type", "", "{}", nil, "application/json", ""},
		{"another charset", js + "; charset=latin1", "{}", nil, "UTF-8", ""},
		{"broken JSON", js, `{"a":`, nil, "unexpected EOF", ""},
		{"two values", js, `{} {}`, nil, "more than one", ""},
		{"a list is a field error", js, `[1]`, nil, "", field.CodeInvalid},
		{"a text is a field error", js, `"x"`, nil, "", field.CodeInvalid},
		{"null is a field error", js, `null`, nil, "", field.CodeInvalid},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := &runner{result: dummy()}
			req := httptest.NewRequest("POST", executor, strings.NewReader(row.body))
			if row.contentType != "" {
				req.Header.Set("Content-Type", row.contentType)
			}
			serve(t, r, nil).ServeHTTP(httptest.NewRecorder(), req)
			if diff := cmp.Diff(row.want, r.call.Body); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			errs, _ := r.call.BodyErr.(field.Errors)
			switch {
			case row.code != "":
				if len(errs[field.NonField]) != 1 || errs[field.NonField][0].Code != row.code {
					t.Errorf("problem = %v, want a field error with code %s", r.call.BodyErr, row.code)
				}
			case row.problem != "":
				if r.call.BodyErr == nil || errs != nil || !strings.Contains(r.call.BodyErr.Error(), row.problem) {
					t.Errorf("problem = %v, want %q", r.call.BodyErr, row.problem)
				}
			case r.call.BodyErr != nil:
				t.Errorf("problem = %v", r.call.BodyErr)
			}
		})
	}
}

func TestAQueryReachesTheFlowAsItCame(t *testing.T) {
	r := &runner{result: dummy()}
	req := httptest.NewRequest("GET", executor+"?query=next%3D%252Fx%26a%3D1&next=%2Fdenied", nil)
	serve(t, r, nil).ServeHTTP(httptest.NewRecorder(), req)
	if r.call.RawQuery != "next=%2Fx&a=1" || r.call.DeniedNext != "/denied" || r.call.Slug != "login" || !r.call.Bearer || r.call.Answer {
		t.Errorf("call = %+v", r.call)
	}
}

func TestRule05ARequestOfAnotherSiteIsPassive(t *testing.T) {
	rows := []struct {
		name, method string
		header       map[string]string
		passive      bool
	}{
		{"a program", "GET", nil, false},
		{"a script of our own page", "GET", map[string]string{"Sec-Fetch-Site": "same-origin"}, false},
		{"a picture on another site", "GET", map[string]string{"Sec-Fetch-Site": "cross-site"}, true},
		{"another host of the same domain", "GET", map[string]string{"Sec-Fetch-Site": "same-site"}, true},
		{"a typed address", "GET", map[string]string{"Sec-Fetch-Site": "none"}, true},
		{"plain http, another site", "GET", map[string]string{"Referer": "http://evil.example/"}, true},
		{"plain http, our own page", "GET", map[string]string{"Referer": "http://example.com/if/flow/x/"}, false},
		{"plain http, an origin that cannot be read", "GET", map[string]string{"Origin": "null"}, true},
		{"HEAD never acts", "HEAD", nil, true},
		{"an answer is no passive request", "POST", nil, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := &runner{result: dummy()}
			req := httptest.NewRequest(row.method, executor, nil)
			for k, v := range row.header {
				req.Header.Set(k, v)
			}
			serve(t, r, nil).ServeHTTP(httptest.NewRecorder(), req)
			if r.call.Passive != row.passive {
				t.Errorf("passive = %v, want %v", r.call.Passive, row.passive)
			}
		})
	}
}

func TestMe(t *testing.T) {
	group := identity.Group{ID: uuid.MustParse("22222222-2222-4222-8222-222222222222"), Name: "staff", Superuser: true,
		Attributes: map[string]any{"settings": map[string]any{"theme": map[string]any{"base": "dark"}, "a": 1}}}
	u := identity.User{ID: 7, Username: "ada", Name: "Ada", Email: "ada@example.org", Active: true, Type: identity.Internal,
		Attributes: map[string]any{"settings": map[string]any{"a": 2}, "secret": "not shown"}}
	r := &runner{user: identity.NewPerson(u, func(context.Context) ([]identity.Group, error) { return []identity.Group{group}, nil })}
	h := serve(t, r, func(a *API) {
		a.Roles = func(context.Context, int64) ([]Role, error) { return []Role{{group.ID, "reader"}}, nil }
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/api/v3/core/users/me/", nil))
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	one := map[string]any{
		"pk": 7.0, "username": "ada", "name": "Ada", "email": "ada@example.org", "avatar": "/avatar/x.svg", "uid": u.UID("install"),
		"type": "internal", "is_active": true, "is_superuser": true, "is_current": true,
		"groups":             []any{map[string]any{"name": "staff", "pk": group.ID.String()}},
		"roles":              []any{map[string]any{"name": "reader", "pk": group.ID.String()}},
		"settings":           map[string]any{"a": 2.0, "theme": map[string]any{"base": "dark", "dense": true}},
		"system_permissions": []any{"access_admin_interface", "view_system_info", "view_system_settings", "edit_system_settings", "view_media_files", "manage_media_files"},
	}
	if diff := cmp.Diff(map[string]any{"user": one, "users": []any{one}}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestATooLargeBodyIsRefused(t *testing.T) {
	r := &runner{result: dummy()}
	req := httptest.NewRequest("POST", executor, nil)
	w := httptest.NewRecorder()
	req.Body = http.MaxBytesReader(w, io.NopCloser(strings.NewReader(strings.Repeat(" ", 100))), 10)
	serve(t, r, nil).ServeHTTP(w, req)
	if w.Code != http.StatusRequestEntityTooLarge || r.called {
		t.Errorf("status %d, called %v", w.Code, r.called)
	}
}
