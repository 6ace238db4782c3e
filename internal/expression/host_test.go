package expression_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/policy"
)

var (
	staffID = uuid.MustParse("11111111-1111-4111-8111-111111111111")
	adminID = uuid.MustParse("22222222-2222-4222-8222-222222222222")
	flowID  = uuid.MustParse("33333333-3333-4333-8333-333333333333")
	when    = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
)

var groups = []identity.Group{
	{ID: staffID, Name: "staff", Attributes: map[string]any{"color": "red", "goauthentik.io/user/can-change-email": true}},
	{ID: adminID, Name: "admins", Superuser: true, Attributes: map[string]any{"color": "blue"}},
}

// joe is in both groups; ann is in none.
func joe() *identity.Person {
	return identity.NewPerson(identity.User{
		ID: 7, Username: "joe", Name: "Joe Doe", Email: "joe@example.com", Active: true, Type: identity.Internal, Path: "users",
		PasswordHash: "$argon2id$x", Attributes: map[string]any{"settings": map[string]any{"locale": "de"}, "level": int64(3)}, JoinedAt: when,
	}, func(context.Context) ([]identity.Group, error) { return groups, nil })
}

func ann() *identity.Person {
	return identity.NewPerson(identity.User{ID: 8, Username: "ann", Active: true, PasswordHash: "!"}, nil)
}

// people is a directory of joe and ann.
type people struct{}

func (people) FindUsers(_ context.Context, q expression.Query) ([]*identity.Person, error) {
	var out []*identity.Person
	for _, p := range []*identity.Person{joe(), ann()} {
		ok := true
		for _, l := range q.Where {
			have := map[string]any{"username": p.Username, "pk": p.ID, "email": p.Email}[l.Field]
			ok = ok && l.Match(have) != l.Not
		}
		if ok {
			out = append(out, p)
		}
	}
	return out, nil
}

func (people) FindGroups(_ context.Context, q expression.Query) ([]identity.Group, error) {
	var out []identity.Group
	for _, g := range groups {
		if expression.MatchGroup(g, q.Where) {
			out = append(out, g)
		}
	}
	return out, nil
}

func (people) Authenticators(_ context.Context, id int64) ([]identity.Authenticator, error) {
	if id != 7 {
		return nil, nil
	}
	return []identity.Authenticator{{ID: 1, Class: "totp", Name: "phone"}}, nil
}

type plan map[string]any

func (plan) FlowID() uuid.UUID             { return flowID }
func (p plan) PlanContext() map[string]any { return p }
func (plan) StageNames() []string          { return []string{"password", "mfa"} }

// called is the policy that ak_call_policy reaches under the name "other".
type called struct{}

func (called) CallPolicy(_ context.Context, name string, _ *policy.Request) (policy.Result, error) {
	if name != "other" {
		return policy.Result{}, expression.ErrUnknownPolicy
	}
	return policy.Result{Verdict: policy.Pass, Messages: []string{"from other"}, Raw: int64(5),
		Writes: policy.Writes{Set: map[string]any{"by_other": true}}, Events: []policy.Event{{Action: "custom_other"}}}, nil
}

type settings map[string]any

func (s settings) Setting(name string) (any, bool) { v, ok := s[name]; return v, ok }

func env(t *testing.T) expression.Env {
	return expression.Env{
		Users: people{}, Policies: called{}, InstallID: "install", Now: func() time.Time { return when },
		Settings: settings{"default_user_change_email": false, "default_user_change_name": true},
		Logger:   slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

// request is a policy request in the middle of a login of joe.
func request() *policy.Request {
	context := plan{
		"pending_user": joe().WithBackend("internal"), "auth_method": "password", "is_sso": false,
		"prompt_data": map[string]any{"email": "new@example.com", "attributes": map[string]any{"a": int64(1)}},
		"tags":        []any{"x"}, "application": &flow.Ref{Kind: "application", ID: flowID, Name: "app"},
	}
	r := &policy.Request{
		User: identity.Anonymous(), Plan: context, Context: map[string]any{},
		Target: &policy.Target{Kind: "binding", ID: flowID, Name: "password"},
		HTTP: &policy.HTTPRequest{ID: "id", Method: "GET", Path: "/if/flow/x/", Host: "id.example.com", Secure: true,
			Query: url.Values{"next": {"/a", "/b"}}, Header: map[string][]string{"User-Agent": {"curl"}},
			Cookies: map[string]string{"lang": "de"}, ClientIP: netip.MustParseAddr("10.1.2.3")},
	}
	for k, v := range context {
		r.Context[k] = v
	}
	r.Context["flow_plan"] = context
	return r
}

func run(t *testing.T, body string, scope expression.Scope) (expression.Value, error) {
	t.Helper()
	p, err := expression.Compile("body", body, env(t))
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	return p.Run(t.Context(), scope)
}

func TestHostObjects(t *testing.T) {
	rows := []struct{ name, body, want string }{
		{"the pending user after a password check has a backend", `return hasattr(context["flow_plan"].context.get("pending_user"), "backend")`, "True"},
		{"another user has none", `return hasattr(request.user, "backend")`, "False"},
		{"a missing pending user has none", `return hasattr(None, "backend")`, "False"},
		{"fields of a user", `u = context["pending_user"]; return (u.pk, u.username, u.email, u.name, u.is_active, u.path, u.type, u.is_superuser, str(u))`, "(7, 'joe', 'joe@example.com', 'Joe Doe', True, 'users', 'internal', True, 'joe')"},
		{"the visitor", `u = request.user; return (u.pk, u.username, u.is_authenticated, u.is_superuser, u.all_groups().count())`, "(None, '', False, False, 0)"},
		{"attributes of a user", `return context["pending_user"].attributes.get("settings", {}).get("locale", "")`, "de"},
		{"attributes with those of groups", `return request.context["pending_user"].group_attributes(request.http_request).get("color")`, "red"},
		{"the opaque id has 64 digits", `return len(context["pending_user"].uid)`, "64"},
		{"usable passwords", `return (context["pending_user"].has_usable_password(), ak_user_by(username="ann").has_usable_password())`, "(True, False)"},
		{"dates of a user", `return context["pending_user"].date_joined.strftime("%Y-%m-%d")`, "2026-03-04"},
		{"groups are walked in order of their names", `return [g.name for g in context["pending_user"].groups.all()]`, "['admins', 'staff']"},
		{"groups are filtered", `u = context["pending_user"]; return (u.ak_groups.filter(name="staff").exists(), u.all_groups().filter(name="none").first(), u.groups.exclude(name="staff").count())`, "(True, None, 1)"},
		{"ak_is_group_member", `u = context["pending_user"]; return (ak_is_group_member(u, name="staff"), ak_is_group_member(u, name__iexact="STAFF"), ak_is_group_member(u, attributes__color="blue"), ak_is_group_member(request.user, name="staff"))`, "(True, True, True, False)"},
		{"ak_user_by", `return (ak_user_by(username="joe").pk, ak_user_by(username="no"), ak_user_by(nonsense=1), ak_user_by(username__in=["ann"]).pk)`, "(7, None, None, 8)"},
		{"ak_user_has_authenticator", `u = context["pending_user"]; return (ak_user_has_authenticator(u), ak_user_has_authenticator(u, "totp"), ak_user_has_authenticator(u, "webauthn"), ak_user_has_authenticator(ak_user_by(pk=8)))`, "(True, True, False, False)"},
		{"models", "from authentik.core.models import User, Group\nreturn (User.objects.filter(email__icontains=\"EXAMPLE\").first().username, Group.objects.get(name=\"staff\").name, Group.objects.filter(name__in=[\"staff\", \"x\"]).count(), [g.name for g in Group.objects.all().order_by(\"name\")], isinstance(request.user, User))", "('joe', 'staff', 1, ['admins', 'staff'], True)"},
		{"a missing object", "from authentik.core.models import Group\ntry:\n    Group.objects.get(name=\"none\")\nexcept Group.DoesNotExist:\n    return \"missing\"", "missing"},
		{"get_or_create of what exists", "from authentik.core.models import Group\ng, created = Group.objects.get_or_create(name=\"staff\")\nreturn (g.name, created)", "('staff', False)"},
		{"the request", `h = request.http_request; return (h.method, h.path, h.get_host(), h.is_secure(), h.GET.get("next"), h.GET.getlist("next"), h.headers["user-agent"], h.META["HTTP_USER_AGENT"], h.META["REMOTE_ADDR"], h.COOKIES["lang"], h.GET.get("x", "d"), "next" in h.GET)`, "('GET', '/if/flow/x/', 'id.example.com', True, '/b', ['/a', '/b'], 'curl', 'curl', '10.1.2.3', 'de', 'd', True)"},
		{"absolute addresses", `return http_request.build_absolute_uri("/")`, "https://id.example.com/"},
		{"settings through the tenant", `return (request.http_request.tenant.default_user_change_email, request.http_request.tenant.default_user_change_name)`, "(False, True)"},
		{"settings through the configuration", "from authentik.lib.config import CONFIG\nreturn (CONFIG.y_bool(\"default_user_change_name\"), CONFIG.get(\"nothing\", 5))", "(True, 5)"},
		{"the client's address", `return (ak_client_ip in ip_network("10.0.0.0/8"), str(ak_client_ip), ak_client_ip.version)`, "(True, '10.1.2.3', 4)"},
		{"single sign-on", `return ak_is_sso_flow`, "False"},
		{"the plan", `p = request.context["flow_plan"]; return (p.flow_pk, [b.stage.name for b in p.bindings], p.context["auth_method"])`, "('33333333-3333-4333-8333-333333333333', ['password', 'mfa'], 'password')"},
		{"the target and the application", `return (request.obj.name, context["application"].name, request.debug)`, "('password', 'app', False)"},
		{"regex helpers", `return (regex_match("a@example.com", "example"), regex_match("x", "^y"), regex_replace("+49 170", "[^0-9]", ""), regex_replace("ab", r"(a)(b)", r"\2\g<1>"))`, "(True, False, '49170', 'ba')"},
		{"list_flatten", `return (list_flatten(["a", "b"]), list_flatten([]), list_flatten("x"), list_flatten((1, 2)))`, "('a', None, 'x', (1, 2))"},
		{"slugify", `return (slugify("Héllo,  Wörld!"), slugify("a_b - c"))`, "('hello-world', 'a_b-c')"},
		{"now is the installation's clock", "from django.utils.timezone import now\nfrom datetime import datetime\nreturn (now().isoformat(), datetime.now().hour)", "('2026-03-04T05:06:07+00:00', 5)"},
		{"validators", "from django.core.validators import URLValidator\nfrom django.core.exceptions import ValidationError\ndef ok(u):\n    try:\n        URLValidator()(u)\n    except ValidationError:\n        return False\n    return True\nreturn [ok(u) for u in (\"https://a.example.com/x\", \"nonsense\", \"javascript://a.b\", \"http://localhost:9000\", \"https://-a.b\")]", "[True, False, False, True, False]"},
		{"a policy result", `r = ak_call_policy("other", extra=1); return (r.passing, r.messages, r.raw_result)`, "(True, ('from other',), 5)"},
		{"an assigned variable starts with the given value", `request = request or None; context = dict(context); return (request.debug, len(context) > 3)`, "(False, True)"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			v, err := run(t, row.body, expression.Scope{Request: request(), Policy: true})
			if err != nil || v.Text != row.want {
				t.Errorf("got %s (%v)\nwant %s", v.Text, err, row.want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	rows := []struct{ name, body, class, say string }{
		{"no calls to the outside", `return requests.get("https://example.com")`, "PermissionError", "setting expression_hosts"},
		{"not by import either", "import requests\nreturn requests.Session().get(\"https://example.com\")", "PermissionError", "setting expression_hosts"},
		{"no name resolution", `return resolve_dns("example.com")`, "PermissionError", "expression_dns"},
		{"no names of addresses", `return reverse_dns("192.0.2.1")`, "PermissionError", "expression_dns"},
		{"no tokens", `return ak_create_jwt(request.user, "p", ["a"])`, "NotImplementedError", "providers"},
		{"no raw tokens", `return ak_create_jwt_raw("p", sub="x")`, "NotImplementedError", "providers"},
		{"users are not changed", `request.user.save()`, "PermissionError", "cannot change users"},
		{"passwords are not set", `request.user.set_password("x")`, "PermissionError", "cannot change users"},
		{"fields of users are not set", `request.user.email = "x"`, "AttributeError", "does not let attribute"},
		{"attributes of users are not changed", `context["pending_user"].attributes["x"] = 1`, "TypeError", "cannot be changed"},
		{"groups are not made", "from authentik.core.models import Group\nGroup.objects.get_or_create(name=\"new\")", "PermissionError", "cannot create"},
		{"nothing is deleted", "from authentik.core.models import User\nUser.objects.all().delete()", "PermissionError", "cannot change"},
		{"an unknown lookup of a group raises", `return ak_is_group_member(request.user, nonsense=1)`, "FieldError", "nonsense"},
		{"an unknown policy raises", `return ak_call_policy("none")`, "ValueError", "none"},
		{"an unknown module is named", `import subprocess`, "ModuleNotFoundError", "subprocess"},
		{"an unknown member is named", `from re import nothing`, "ImportError", "nothing"},
		{"a validator never hides an unknown user field", "from authentik.core.models import User\nreturn User.objects.filter(password=1).exists()", "FieldError", "password"},
		{"bad addresses", `return ip_address("x")`, "ValueError", "'x' does not appear"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			v, err := run(t, row.body, expression.Scope{Request: request(), Policy: true})
			var x *expression.Error
			if !errors.As(err, &x) || x.Class != row.class || !strings.Contains(x.Message, row.say) {
				t.Errorf("got %q, %v", v.Text, err)
			}
		})
	}
}

func TestNamesWithoutRequest(t *testing.T) {
	bare := &policy.Request{User: identity.Anonymous()}
	rows := []struct {
		name, body, want string
		scope            expression.Scope
	}{
		{"no HTTP request, no address", "try:\n    return ak_client_ip\nexcept NameError:\n    return \"none\"", "none", expression.Scope{Request: bare, Policy: true}},
		{"no HTTP request is None on the request", `return request.http_request`, "None", expression.Scope{Request: bare, Policy: true}},
		{"no address known", `return str(ak_client_ip)`, "255.255.255.255", expression.Scope{Request: &policy.Request{User: identity.Anonymous(), HTTP: &policy.HTTPRequest{}}, Policy: true}},
		{"prompts have no context", "try:\n    return context\nexcept NameError as e:\n    return str(e)", "name 'context' is not defined", expression.Scope{Request: bare}},
		{"prompts without a user", "try:\n    return user.username\nexcept:\n    return ''", "", expression.Scope{Request: bare}},
		{"prompts with a user", "try:\n    return user.username\nexcept:\n    return ''", "joe", expression.Scope{Request: bare, Variables: map[string]any{"user": joe()}}},
		{"prompts have their data", `return prompt_context.get("email", "none")`, "e", expression.Scope{Request: bare, Variables: map[string]any{"prompt_context": map[string]any{"email": "e"}}}},
		{"prompts have SkipObject", "try:\n    raise SkipObject\nexcept SkipObject:\n    return \"skip\"", "skip", expression.Scope{Request: bare}},
		{"no scope at all", `return request.user.is_authenticated`, "False", expression.Scope{}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			v, err := run(t, row.body, row.scope)
			if err != nil || v.Text != row.want {
				t.Errorf("got %q (%v), want %q", v.Text, err, row.want)
			}
		})
	}
}

func TestMessagesEventsAndLogs(t *testing.T) {
	v, err := run(t, "ak_message(\"one\")\nak_message(2)\nak_create_event(\"thing\", user=\"x\", n=[1])\nak_logger.warning(\"look %s\", \"here\", key=5)\nak_call_policy(\"other\")\nreturn True",
		expression.Scope{Request: request(), Policy: true})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(v.Messages, []string{"one", "2"}) {
		t.Errorf("messages %q", v.Messages)
	}
	if len(v.Events) != 2 || v.Events[0].Action != "custom_thing" || v.Events[0].Context["user"] != "x" || v.Events[1].Action != "custom_other" {
		t.Errorf("events %v", v.Events)
	}
	if diff := cmp.Diff([]expression.LogLine{{Level: "warning", Text: "look here", Attrs: map[string]string{"key": "5"}}}, v.Logs); diff != "" {
		t.Errorf("logs (-want +got):\n%s", diff)
	}
}
