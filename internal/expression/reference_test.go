package expression_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/policy"
)

var appID = uuid.MustParse("44444444-4444-4444-8444-444444444444")

// objects is a configuration of one application and one flow.
type objects struct{}

func (objects) Objects(kind string) []map[string]any {
	return map[string][]map[string]any{
		"application": {
			{"pk": appID.String(), "name": "Wiki", "slug": "wiki", "group": "docs", "meta_launch_url": "https://wiki.example.com/"},
			{"pk": flowID.String(), "name": "Mail", "slug": "mail", "group": ""},
		},
		"flow": {{"pk": flowID.String(), "name": "Login", "slug": "login", "title": "Welcome", "designation": "authentication", "authentication": "none"}},
	}[kind]
}

func (o objects) Object(_ context.Context, kind string, id uuid.UUID) (map[string]any, error) {
	list := o.Objects(kind)
	if kind == "invitation" {
		list = []map[string]any{{"pk": staffID.String(), "invite_uuid": staffID.String(), "name": "welcome", "single_use": true, "fixed_data": map[string]any{"team": "red"}, "created_by": ann()}}
	}
	for _, fields := range list {
		if fields["pk"] == id.String() {
			return fields, nil
		}
	}
	return nil, nil
}

// full is a request with everything that a context can hold.
func full() *policy.Request {
	r := request()
	values := r.Plan.(plan)
	for key, v := range map[string]any{
		"application":                       &flow.Ref{Kind: "application", ID: appID, Name: "Wiki"},
		"groups":                            []any{&flow.Ref{Kind: "group", ID: adminID, Name: "admins"}},
		"geoip":                             map[string]any{"continent": "EU", "country": "DE", "city": "Berlin", "lat": 52.5, "long": 13.4},
		"asn":                               map[string]any{"asn": int64(64500), "as_org": "Example", "network": "192.0.2.0/24"},
		"auth_method":                       "auth_mfa",
		"auth_method_args":                  map[string]any{"mfa_devices": []any{identity.Authenticator{ID: 1, Class: "totp", Name: "phone"}}, "known_device": true},
		"is_sso":                            true,
		"source":                            map[string]any{"slug": "discord", "name": "Discord"},
		"goauthentik.io/sources/connection": map[string]any{"access_token": "t", "identifier": "5"},
		"event":                             map[string]any{"action": "login", "app": "x", "client_ip": "192.0.2.1", "context": map[string]any{"asn": map[string]any{"asn": int64(1)}}, "user": map[string]any{"username": "joe"}, "created": when},
		"invitation":                        &flow.Ref{Kind: "invitation", ID: staffID, Name: "welcome"},
		"is_restored":                       true,
		"invitation_in_effect":              true,
		"oauth_userinfo":                    map[string]any{"email": "joe@example.com"},
		"pending_user_identifier":           "joe",
	} {
		values[key], r.Context[key] = v, v
	}
	r.HTTP.Header["Accept-Language"] = []string{"de"}
	return r
}

// TestReference has a row for each variable, helper form, attribute, import and
// manager call that published bodies use.
func TestReference(t *testing.T) {
	const models = "from authentik.core.models import User, Group, Application, Token\n"
	rows := []struct{ name, body, want string }{
		// Variables of policies.
		{"request", `return (request.user.is_authenticated, request.http_request is http_request, request.obj.name, str(request.obj.pk) == "", request.debug, type(request.context) == dict)`, "(False, True, 'password', False, False, True)"},
		{"request.should_cache", `return request.should_cache`, "False"},
		{"context is request.context", "context['a'] = 1\nreturn (context is request.context, request.context['a'])", "(True, 1)"},
		{"ak_client_ip", `return (str(ak_client_ip), ak_client_ip == ip_address("10.1.2.3"), ak_client_ip.is_private)`, "('10.1.2.3', True, True)"},
		{"ak_is_sso_flow", `return ak_is_sso_flow`, "True"},
		{"ak_message", `return ak_message("x")`, "None"},
		{"ak_is_sso_flow without is_sso", "del context['is_sso']\nreturn 'is_sso' in context", "False"},
		{"no user in policies", "try:\n    return user\nexcept NameError:\n    return 'none'", "none"},
		{"no prompt_context in policies", "try:\n    return prompt_context\nexcept NameError:\n    return 'none'", "none"},
		{"no SkipObject in policies", "try:\n    return SkipObject\nexcept NameError:\n    return 'none'", "none"},
		{"no notification in policies", "try:\n    return notification\nexcept NameError:\n    return 'none'", "none"},
		{"geoip", `return (context["geoip"]["country"], context["geoip"].get("city"), context["geoip"]["lat"])`, "('DE', 'Berlin', 52.5)"},
		{"asn", `return (context["asn"]["asn"], context["asn"]["as_org"])`, "(64500, 'Example')"},
		{"prompt_data", `return request.context["prompt_data"].get("email")`, "new@example.com"},
		{"pending_user_identifier", `return request.context.get("pending_user_identifier")`, "joe"},
		{"is_restored", `return bool(request.context.get("is_restored", False))`, "True"},
		{"auth_method", `return context.get("auth_method") in ["auth_mfa"]`, "True"},
		{"auth_method_args", `d = context["auth_method_args"]["mfa_devices"][0]; return (d.name, d.pk, d.type, str(d), context["auth_method_args"].get("known_device"))`, "('phone', 1, 'totp', 'phone', True)"},
		{"oauth_userinfo", `return context["oauth_userinfo"].get("email")`, "joe@example.com"},
		{"source connection", `c = context["goauthentik.io/sources/connection"]; return c["access_token"]`, "t"},
		{"invitation_in_effect", `return context.get("invitation_in_effect", False)`, "True"},
		{"event", `e = context["event"]; return (e["action"], e["client_ip"], e["context"]["asn"]["asn"], e["created"].year)`, "('login', '192.0.2.1', 1, 2026)"},
		{"groups", `g = context["groups"][0]; return (g.name, g.pk, g.is_superuser, g.attributes["color"])`, "('admins', '22222222-2222-4222-8222-222222222222', True, 'blue')"},
		{"application", `a = context["application"]; return (a.slug, a.name, a.pk, a.group, a.meta_launch_url)`, "('wiki', 'Wiki', '44444444-4444-4444-8444-444444444444', 'docs', 'https://wiki.example.com/')"},
		{"an attribute that applications do not have", `return hasattr(context["application"], "nothing")`, "False"},

		// Helpers.
		{"regex_match searches", `return (regex_match("abc", "b"), regex_match("abc", "^b"), regex_match("aXc", "(?i)x"))`, "(True, False, True)"},
		{"regex_match wants a text", "try:\n    regex_match(5, 'b')\nexcept TypeError:\n    return 'type'", "type"},
		{"regex_replace", `return (regex_replace("aXbX", "X", "-"), regex_replace("ab", "(a)(b)", r"\g<2>\1"))`, "('a-b-', 'ba')"},
		{"list_flatten", `return (list_flatten(["x", "y"]), list_flatten([]), list_flatten("x"), list_flatten(("x", "y")), list_flatten(None))`, "('x', None, 'x', ('x', 'y'), None)"},
		{"slugify", `return (slugify("Hello World"), slugify(" a--b "))`, "('hello-world', 'a-b')"},
		{"ak_is_group_member", `u = ak_user_by(username="joe"); return (ak_is_group_member(u, name="admins"), ak_is_group_member(u, pk="11111111-1111-4111-8111-111111111111"), ak_is_group_member(u, name__startswith="sta"), ak_is_group_member(u, is_superuser=True), ak_is_group_member(u, name="none"), ak_is_group_member(u, name="staff", is_superuser=True))`, "(True, True, True, True, False, False)"},
		{"ak_user_by", `return (ak_user_by(pk=7).username, ak_user_by(email__iexact="JOE@example.com").pk, ak_user_by(username="none"), ak_user_by(no_field="x"))`, "('joe', 7, None, None)"},
		{"ak_user_has_authenticator", `u = ak_user_by(pk=7); return (ak_user_has_authenticator(u), ak_user_has_authenticator(u, device_type="totp"), ak_user_has_authenticator(u, "TOTP"), ak_user_has_authenticator(u, "sms"), ak_user_has_authenticator(request.user))`, "(True, True, True, False, False)"},
		{"ak_call_policy", `r = ak_call_policy("other"); return (r.passing, r.messages, r.raw_result)`, "(True, ('from other',), 5)"},
		{"the rest of a policy result", `r = ak_call_policy("other"); return (r.source_binding, list(r.source_results), list(r.log_messages))`, "(None, [], [])"},
		{"the arguments of ak_call_policy do not stay", "ak_call_policy('other', mark=1)\nreturn 'mark' in request.context", "False"},
		{"ak_create_event", `return ak_create_event("x", a=1)`, "None"},
		{"ak_send_email", `return ak_send_email("a@example.com", "s", body="b")`, "True"},
		{"ip_address", `a = ip_address("2001:db8::1"); return (a.version, a in ip_network("2001:db8::/32"), a > ip_address("2001:db8::"), a.is_private, a.is_loopback, str(a))`, "(6, True, True, True, False, '2001:db8::1')"},
		{"ip_network", `n = ip_network("10.0.0.0/30"); return (n.version, n.num_addresses, str(n.network_address), str(n.broadcast_address), n.prefixlen, n.is_private, n.overlaps(ip_network("10.0.0.0/8")))`, "(4, 4, '10.0.0.0', '10.0.0.3', 30, True, True)"},
		{"ip_network of a host", "try:\n    ip_network('10.0.0.1/30')\nexcept ValueError:\n    return str(ip_network('10.0.0.1/30', strict=False))", "10.0.0.0/30"},
		{"every level of ak_logger", "for f in [ak_logger.debug, ak_logger.info, ak_logger.warning, ak_logger.warn, ak_logger.error, ak_logger.exception, ak_logger.critical]:\n    f('text', key=1)\nreturn hasattr(ak_logger, 'nothing')", "False"},
		{"requests is there", `return (hasattr(requests, "get"), hasattr(requests, "request"))`, "(True, True)"},

		{"helpers by the names of their arguments", `return (regex_match(value="a", regex="a"), regex_replace(value="a", regex="a", repl="b"), list_flatten(value=["x"]), slugify(value="A B"), str(ip_address(address="10.0.0.1")),
	str(ip_network(address="10.0.0.0/8")), ak_message(message="m"), ak_is_group_member(user=ak_user_by(pk=7), name="staff"), ak_user_has_authenticator(user=ak_user_by(pk=7), device_type="totp"),
	ak_call_policy(name="other", extra=1).passing, ak_create_event(action="x", a=1), ak_send_email(address="a@example.com", subject="s", body="b", cc=None))`,
			"(True, 'b', 'x', 'a-b', '10.0.0.1', '10.0.0.0/8', None, True, True, True, None, True)"},

		// Users.
		{"a user's ids", `u = ak_user_by(pk=7); return (u.pk, u.id, len(u.uid), len(u.uuid))`, "(7, 7, 64, 36)"},
		{"a user's names", `u = ak_user_by(pk=7); return (u.username, u.name, u.email, u.path, u.type, f"{u}", u.avatar)`, "('joe', 'Joe Doe', 'joe@example.com', 'users', 'internal', 'joe', '/avatar/joe')"},
		{"a user's state", `u = ak_user_by(pk=7); return (u.is_active, u.is_authenticated, u.is_anonymous, u.is_superuser, u.has_usable_password())`, "(True, True, False, True, True)"},
		{"a user's times", `u = ak_user_by(pk=7); return (u.last_login, u.date_joined.year, u.password_change_date.isoformat()[:4], u.last_updated.year)`, "(None, 2026, '0001', 1)"},
		{"a user's attributes", `return ak_user_by(pk=7).attributes.get("level")`, "3"},
		{"a user's language", `return (ak_user_by(pk=7).locale(), ak_user_by(pk=7).locale(http_request), ak_user_by(pk=8).locale())`, "('de', 'de', '')"},
		{"group_attributes", `u = ak_user_by(pk=7); return (u.group_attributes(http_request).get("color"), u.group_attributes().get("level"))`, "('red', 3)"},
		{"all_groups, groups and ak_groups", `u = ak_user_by(pk=7); return ([g.name for g in u.all_groups()], u.groups.count(), len(u.ak_groups.all()))`, "(['admins', 'staff'], 2, 2)"},
		{"sources", `return (list(request.user.sources.all()), ak_user_by(pk=7).sources.exists())`, "([], False)"},
		{"backend", `return (hasattr(context["pending_user"], "backend"), hasattr(ak_user_by(pk=7), "backend"))`, "(True, False)"},
		{"users are equal by id", `return (ak_user_by(pk=7) == context["pending_user"], ak_user_by(pk=8) != context["pending_user"], ak_user_by(pk=7) in [context["pending_user"]])`, "(True, True, True)"},

		// Groups and managers.
		{"a group", models + `g = Group.objects.get(name="admins"); return (g.name, g.pk, g.is_superuser, g.attributes["color"], str(g))`, "('admins', '22222222-2222-4222-8222-222222222222', True, 'blue', 'admins')"},
		{"objects.all and iteration", models + `return [g.name for g in Group.objects.all()] + [g.name for g in Group.objects.all().order_by("-name")]`, "['staff', 'admins', 'staff', 'admins']"},
		{"objects.filter and count", models + `return (Group.objects.filter(name="staff").count(), Group.objects.count(), len(Group.objects.filter(name="none")))`, "(1, 2, 0)"},
		{"objects.exclude", models + `return [g.name for g in Group.objects.exclude(name="staff")]`, "['admins']"},
		{"objects.get without a match", models + "try:\n    Group.objects.get(name='none')\nexcept Group.DoesNotExist as x:\n    return str(x)", "Group matching query does not exist."},
		{"objects.get of several", models + "try:\n    Group.objects.get(name__contains='a')\nexcept Group.MultipleObjectsReturned:\n    return 'several'", "several"},
		{"objects.get_or_create of what is there", models + `return Group.objects.get_or_create(name="staff", defaults={"is_superuser": False})[1]`, "False"},
		{"objects.first and last", models + `return (Group.objects.first().name, Group.objects.all().last().name, Group.objects.filter(name="none").first())`, "('staff', 'admins', None)"},
		{"objects.exists", models + `return (User.objects.filter(username="joe").exists(), User.objects.filter(username="none").exists())`, "(True, False)"},
		{"values_list", models + `return (list(Group.objects.all().values_list("name", flat=True)), Group.objects.values_list("name", "is_superuser")[1])`, "(['staff', 'admins'], ('admins', True))"},
		{"exact", models + `return Group.objects.filter(name__exact="staff").exists()`, "True"},
		{"iexact", models + `return Group.objects.filter(name__iexact="STAFF").exists()`, "True"},
		{"contains", models + `return (Group.objects.filter(name__contains="taf").exists(), Group.objects.filter(name__contains="TAF").exists())`, "(True, False)"},
		{"icontains", models + `return Group.objects.filter(name__icontains="TAF").exists()`, "True"},
		{"startswith and endswith", models + `return (Group.objects.filter(name__startswith="st").exists(), Group.objects.filter(name__istartswith="ST").exists(), Group.objects.filter(name__endswith="ff").exists())`, "(True, True, True)"},
		{"in", models + `return [g.name for g in Group.objects.filter(name__in=["staff", "other"])]`, "['staff']"},
		{"pk", models + `return Group.objects.get(pk="11111111-1111-4111-8111-111111111111").name`, "staff"},
		{"attributes", models + `return (Group.objects.filter(attributes__color="red").first().name, Group.objects.filter(attributes__color__startswith="bl").first().name)`, "('staff', 'admins')"},
		{"isinstance", models + `return (isinstance(request.user, User), isinstance(Group.objects.first(), Group), isinstance(request.user, Group), isinstance(Application.objects.first(), Application))`, "(True, True, False, True)"},
		{"applications", models + `return (Application.objects.get(slug="wiki").name, Application.objects.filter(group="docs").count(), [a.slug for a in Application.objects.order_by("slug")])`, "('Wiki', 1, ['mail', 'wiki'])"},
		{"an application into the plan", models + "p = context['flow_plan']\np.context['application'] = Application.objects.get(slug='mail')\nreturn p.context['application'].slug", "mail"},
		{"a missing application", models + "try:\n    Application.objects.get(slug='none')\nexcept Application.DoesNotExist:\n    return 'missing'", "missing"},

		// The HTTP request.
		{"META", `m = http_request.META; return (m["REMOTE_ADDR"], m.get("HTTP_USER_AGENT"), m["REQUEST_METHOD"], m.get("HTTP_X_FORWARDED_FOR", "hidden"), m["HTTP_ACCEPT_LANGUAGE"])`, "('10.1.2.3', 'curl', 'GET', 'hidden', 'de')"},
		{"headers", `h = http_request.headers; return (h["User-Agent"], h.get("accept-language"), h.get("None"), "user-agent" in h, len(h))`, "('curl', 'de', None, True, 2)"},
		{"GET", `return (http_request.GET.get("next"), http_request.GET.get("none", "-"), http_request.GET["next"], http_request.GET.getlist("next"), dict(http_request.GET), http_request.GET.urlencode())`, "('/b', '-', '/b', ['/a', '/b'], {'next': '/b'}, 'next=%2Fa&next=%2Fb')"},
		{"POST", `return (http_request.POST.get("x"), bool(http_request.POST), len(http_request.POST))`, "(None, False, 0)"},
		{"COOKIES", `return (http_request.COOKIES.get("lang"), list(http_request.COOKIES))`, "('de', ['lang'])"},
		{"path and method", `return (http_request.path, http_request.method, http_request.get_full_path(), http_request.scheme)`, "('/if/flow/x/', 'GET', '/if/flow/x/?next=%2Fa&next=%2Fb', 'https')"},
		{"get_host and is_secure", `return (http_request.get_host(), http_request.is_secure(), http_request.build_absolute_uri(), http_request.build_absolute_uri("/x"))`, "('id.example.com', True, 'https://id.example.com/if/flow/x/?next=%2Fa&next=%2Fb', 'https://id.example.com/x')"},
		{"session", `return (http_request.session.get("x"), len(http_request.session))`, "(None, 0)"},
		{"http_request.user", `return http_request.user.is_authenticated`, "False"},
		{"tenant", `t = http_request.tenant; return (t.default_user_change_email, t.default_user_change_name, hasattr(t, "nothing"))`, "(False, True, False)"},
		{"brand", `b = http_request.brand; return (b.branding_title, b.default_user_change_name, hasattr(b, "nothing"))`, "('Title of id.example.com', True, False)"},

		// The plan.
		{"flow_plan", `p = context["flow_plan"]; return (p.flow_pk, len(p.bindings), p.bindings[0].stage.name, len(p.markers), type(p.context) == dict)`, "('33333333-3333-4333-8333-333333333333', 2, 'password', 0, True)"},
		{"redirect answers false", `return context["flow_plan"].redirect("https://example.com/")`, "False"},

		// Imports.
		{"attribute names", "from authentik.core.models import USER_ATTRIBUTE_CHANGE_EMAIL, USER_ATTRIBUTE_CHANGE_NAME, USER_ATTRIBUTE_CHANGE_USERNAME\nreturn (USER_ATTRIBUTE_CHANGE_EMAIL, USER_ATTRIBUTE_CHANGE_NAME, USER_ATTRIBUTE_CHANGE_USERNAME)", "('goauthentik.io/user/can-change-email', 'goauthentik.io/user/can-change-name', 'goauthentik.io/user/can-change-username')"},
		{"CONFIG", "from authentik.lib.config import CONFIG\nreturn (CONFIG.get('default_user_change_name'), CONFIG.get_bool('default_user_change_email', True), CONFIG.get_bool('none', True), CONFIG.y('none', 1), CONFIG.y_bool('none'))", "(True, False, True, 1, False)"},
		{"Flow", "from authentik.flows.models import Flow\nf = Flow.objects.filter(slug='login').first()\nreturn (f.slug, f.name, f.title, f.designation, f.pk == context['flow_plan'].flow_pk, f.authentication)", "('login', 'Login', 'Welcome', 'authentication', True, 'none')"},
		{"FlowAuthenticationRequirement", "from authentik.flows.models import FlowAuthenticationRequirement as F\nreturn (F.NONE, F.REQUIRE_AUTHENTICATED, F.REQUIRE_UNAUTHENTICATED, F.REQUIRE_SUPERUSER, F.REQUIRE_REDIRECT, F.REQUIRE_OUTPOST)", "('none', 'require_authenticated', 'require_unauthenticated', 'require_superuser', 'require_redirect', 'require_outpost')"},
		{"Tenant", "from authentik.tenants.models import Tenant\nreturn (Tenant.objects.first().default_user_change_name, Tenant.objects.get().default_user_change_email)", "(True, False)"},
		{"normalize_base_url", "from authentik.tenants.utils import normalize_base_url\nfrom django.core.exceptions import ValidationError\ntry:\n    normalize_base_url('javascript:x')\nexcept ValidationError:\n    return normalize_base_url('https://ID.example.com:8443/')", "https://id.example.com:8443"},
		{"devices_for_user", "from authentik.stages.authenticator import devices_for_user\nreturn ([d.name for d in devices_for_user(ak_user_by(pk=7))], list(devices_for_user(ak_user_by(pk=8), confirmed=True)), devices_for_user(request.user))", "(['phone'], [], [])"},
		{"TOTPDevice", "from authentik.stages.authenticator_totp.models import TOTPDevice\nu = ak_user_by(pk=7)\nreturn (TOTPDevice.objects.filter(user=u, confirmed=True).exists(), TOTPDevice.objects.filter(user__pk=8).exists(), TOTPDevice.objects.filter(user_id=7).first().name)", "(True, False, 'phone')"},
		{"StaticDevice", "from authentik.stages.authenticator_static.models import StaticDevice\nreturn StaticDevice.objects.filter(user=ak_user_by(pk=7)).count()", "0"},
		{"EmailDevice", "from authentik.stages.authenticator_email.models import EmailDevice\nreturn EmailDevice.objects.filter(user=ak_user_by(pk=7)).count()", "0"},
		{"SMSDevice", "from authentik.stages.authenticator_sms.models import SMSDevice\nreturn SMSDevice.objects.filter(user=ak_user_by(pk=7)).count()", "0"},
		{"DuoDevice", "from authentik.stages.authenticator_duo.models import DuoDevice\nreturn DuoDevice.objects.filter(user=ak_user_by(pk=7)).count()", "0"},
		{"WebAuthnDevice", "from authentik.stages.authenticator_webauthn.models import WebAuthnDevice\nreturn WebAuthnDevice.objects.filter(user=ak_user_by(pk=7)).count()", "0"},
		{"the class of a device", "from authentik.stages.authenticator_totp.models import TOTPDevice\nfrom authentik.stages.authenticator_sms.models import SMSDevice\nd = context['auth_method_args']['mfa_devices'][0]\nreturn (isinstance(d, TOTPDevice), isinstance(d, SMSDevice))", "(True, False)"},
		{"classes of devices by name", "from authentik.stages.authenticator import devices_for_user\nreturn {d.__class__.__name__.lower().replace('device', '') for d in devices_for_user(context['pending_user'])}", "{'totp'}"},
		{"UserOAuthSourceConnection", "from authentik.sources.oauth.models import UserOAuthSourceConnection\nreturn UserOAuthSourceConnection.objects.filter(user=request.user, source__slug='github').first()", "None"},
		{"Invitation", "from authentik.stages.invitation.models import Invitation\ni = Invitation.objects.get(pk='11111111-1111-4111-8111-111111111111')\nreturn (i.name, i.fixed_data['team'], i.single_use, i.created_by.username, Invitation.objects.filter(invite_uuid=i.pk, name='other').exists())", "('welcome', 'red', True, 'ann', False)"},
		{"a missing Invitation", "from authentik.stages.invitation.models import Invitation\ntry:\n    Invitation.objects.get(pk='x')\nexcept Invitation.DoesNotExist:\n    return 'missing'", "missing"},
		{"invitation", `i = context["invitation"]; return (i.name, i.pk, i.fixed_data["team"])`, "('welcome', '11111111-1111-4111-8111-111111111111', 'red')"},
		{"CONTEXT_KEY_CITY", "from authentik.events.context_processors.mmdb import CONTEXT_KEY_CITY\nreturn context[CONTEXT_KEY_CITY]['country']", "DE"},
		{"ValidationError", "from django.core.exceptions import ValidationError\ntry:\n    raise ValidationError('bad')\nexcept ValidationError as x:\n    return (x.message, x.messages)", "('bad', ['bad'])"},
		{"timezone.now", "from django.utils.timezone import now\nfrom django.utils import timezone\nreturn now() == timezone.now()", "True"},
		{"ipaddress", "import ipaddress\nreturn (ipaddress.ip_address('10.0.0.1') in ipaddress.ip_network('10.0.0.0/8'), ipaddress.IPv4Network('10.0.0.0/8').prefixlen)", "(True, 8)"},
		{"re", "import re\nm = re.match(r'(?P<n>\\w+)@', 'joe@example.com')\nreturn (m.group('n'), re.sub('o', '0', 'foo'), re.findall('o', 'foo'), bool(re.fullmatch('a', 'ab')))", "('joe', 'f00', ['o', 'o'], False)"},
		{"datetime", "from datetime import datetime, timedelta\nimport datetime as d\nreturn (datetime.now().hour, (datetime(2026, 1, 1) + timedelta(days=1)).day, d.date(2026, 3, 4).weekday())", "(5, 2, 2)"},
		{"json", "import json\nreturn json.loads(json.dumps({'a': [1, None]}))", "{'a': [1, None]}"},
		{"base64", "import base64\nreturn (base64.b64encode(b'ab').decode(), base64.b64decode('YWI='))", "('YWI=', b'ab')"},
		{"hashlib", "import hashlib\nreturn hashlib.sha256(b'x').hexdigest()[:8]", "2d711642"},
		{"requests", "import requests\nfrom requests.exceptions import RequestException, HTTPError, ConnectionError, Timeout\nreturn hasattr(requests.Session(), 'get')", "True"},
		{"urllib.parse", "from urllib.parse import quote, urlparse, urlencode, parse_qs\nimport urllib.parse\nreturn (quote('a b'), urlparse('https://x/y').netloc, urlencode({'a': 1}), parse_qs('a=1'), urllib.parse.unquote('%41'))", "('a%20b', 'x', 'a=1', {'a': ['1']}, 'A')"},
		{"time", "import time\nreturn int(time.time())", "1772600767"},
		{"uuid", "import uuid\nreturn (len(str(uuid.uuid4())), uuid.UUID('33333333333343338333333333333333').hex[:4])", "(36, '3333')"},
		{"random", "import random\nreturn (random.randint(1, 1), random.choice(['x']))", "(1, 'x')"},
		{"secrets", "import secrets\nreturn len(secrets.token_hex(8))", "16"},
		{"string", "import string\nreturn string.ascii_lowercase[:3] + string.digits[:2]", "abc01"},
		{"math", "import math\nreturn (math.floor(1.5), math.ceil(1.5))", "(1, 2)"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			e := env(t)
			e.Objects = objects{}
			e.Avatar = func(name string) string { return "/avatar/" + name }
			e.Brand = func(host, name string) (any, bool) { return "Title of " + host, name == "branding_title" }
			v, err := runIn(t, e, row.body, expression.Scope{Request: full(), Policy: true})
			if err != nil || v.Text != row.want {
				t.Errorf("got %s (%v)\nwant %s", v.Text, err, row.want)
			}
		})
	}
}

// TestReferenceRefusals has a row for each thing that published bodies can do
// elsewhere and that is refused here, always with a text that says why.
func TestReferenceRefusals(t *testing.T) {
	const models = "from authentik.core.models import User, Group, Application, Token\n"
	rows := []struct{ name, body, want string }{
		{"user.save", `context["pending_user"].save()`, "PermissionError: user.save: expressions cannot change users"},
		{"user.set_password", `context["pending_user"].set_password("x")`, "PermissionError: user.set_password: expressions cannot change users"},
		{"user.delete", `context["pending_user"].delete()`, "PermissionError: user.delete"},
		{"user.check_password", `context["pending_user"].check_password("x")`, "PermissionError: user.check_password: passwords are checked by the password stage only"},
		{"a field of a user", `context["pending_user"].is_active = False`, "AttributeError: 'User' object does not let attribute 'is_active' be set"},
		{"attributes of a user", `context["pending_user"].attributes["x"] = 1`, "TypeError: this value cannot be changed"},
		{"attributes of a user, updated", `context["pending_user"].attributes.update({"x": 1})`, "TypeError: this value cannot be changed"},
		{"deep attributes of a user", `context["pending_user"].attributes["settings"]["locale"] = "fr"`, "TypeError: this value cannot be changed"},
		{"attributes of a group", models + `Group.objects.first().attributes["x"] = 1`, "TypeError: this value cannot be changed"},
		{"groups of a user", `context["pending_user"].groups.add(1)`, "PermissionError: Group.objects.add: expressions cannot change objects"},
		{"a new user", models + `User(username="x")`, "PermissionError: User(): expressions cannot create objects"},
		{"objects.create", models + `Group.objects.create(name="x")`, "PermissionError: Group.objects.create: expressions cannot change objects"},
		{"objects.update", models + `User.objects.filter(pk=7).update(is_active=False)`, "PermissionError: User.objects.update: expressions cannot change objects"},
		{"objects.get_or_create of something new", models + `Group.objects.get_or_create(name="new")`, "PermissionError: Group.objects.get_or_create: no such object, and expressions cannot create one"},
		{"a flow", "from authentik.flows.models import Flow\nFlow.objects.filter(slug='login').update(authentication='none')", "PermissionError: Flow.objects.update: expressions cannot change objects"},
		{"an object of the configuration", "from authentik.flows.models import Flow\nf = Flow.objects.first()\nf.save()", "PermissionError: Flow.save: expressions cannot change objects"},
		{"tokens", models + `Token.objects.filter(user=request.user).first()`, "PermissionError: Token.objects: expressions cannot look at tokens"},
		{"all invitations", "from authentik.stages.invitation.models import Invitation\nInvitation.objects.all().first()", "PermissionError: Invitation.objects: name the invitation by its pk"},
		{"invitations by name", "from authentik.stages.invitation.models import Invitation\nInvitation.objects.get(name='welcome')", "PermissionError: Invitation.objects: name the invitation by its pk"},
		{"devices of everybody", "from authentik.stages.authenticator_totp.models import TOTPDevice\nTOTPDevice.objects.count()", "RuntimeError: TOTPDevice.objects: name the user"},
		{"an unknown field of an application", models + `Application.objects.filter(owner=1)`, "FieldError: Cannot resolve keyword 'owner'"},
		{"the session", `http_request.session["x"] = 1`, "TypeError: this value cannot be changed"},
		{"insert_stage", `context["flow_plan"].insert_stage(1)`, "NotImplementedError: flow_plan.insert_stage: stages cannot be added"},
		{"append_stage", `context["flow_plan"].append_stage(1)`, "NotImplementedError: flow_plan.append_stage: stages cannot be added"},
		{"in_memory_stage", "from authentik.flows.models import in_memory_stage", "ImportError: cannot import name 'in_memory_stage' from 'authentik.flows.models'"},
		{"a user inside a list of the plan", `context["flow_plan"].context["people"] = [request.user]`, "TypeError: the value of 'people' cannot be kept in the plan"},
		{"an authenticator in the plan", `context["flow_plan"].context["d"] = context["auth_method_args"]["mfa_devices"][0]`, "TypeError: a value of type 'TOTPDevice' cannot be kept"},
		{"a function in the plan", `context["flow_plan"].context["f"] = len`, "TypeError: a value of type"},
		{"ak_create_jwt", `ak_create_jwt(request.user, "p", ["openid"], validity="seconds=60")`, "NotImplementedError: ak_create_jwt: tokens are made by providers"},
		{"ak_create_jwt_raw", `ak_create_jwt_raw("p", validity="seconds=60", sub="x")`, "NotImplementedError: ak_create_jwt_raw: tokens are made by providers"},
		{"ak_call_policy of nothing", `ak_call_policy("none")`, "ValueError: no policy is called 'none'"},
		{"ak_is_group_member with an unknown field", `ak_is_group_member(request.user, no_field=1)`, "FieldError: Cannot resolve keyword 'no_field'"},
		{"ak_is_group_member of no user", `ak_is_group_member(None, name="x")`, "TypeError: a user is needed, not 'NoneType'"},
		{"ak_message without a text", `ak_message()`, "TypeError: ak_message() takes one argument without a name, message, and 0 are given"},
		{"ak_message with more", `ak_message("x", level=1)`, "TypeError: ak_message() got an unexpected keyword argument 'level'"},
		{"ak_is_group_member of nobody", `ak_is_group_member(name="x")`, "TypeError: ak_is_group_member() takes one argument without a name, user, and 0 are given"},
		{"ak_call_policy of no name", `ak_call_policy(5)`, "TypeError: ak_call_policy() takes the name of a policy, not 'int'"},
		{"ip_address", `ip_address("x")`, "ValueError: 'x' does not appear"},
		{"a module of the host", "import os", "ModuleNotFoundError: No module named 'os' is available to expressions"},
		{"a model of nobody", "from authentik.core.models import Secret", "ImportError: cannot import name 'Secret'"},
		{"a missing attribute", `return request.nothing`, "AttributeError: 'PolicyRequest' object has no attribute 'nothing'"},
		{"a missing key", `return context["nothing"]`, "KeyError: 'nothing'"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			e := env(t)
			e.Objects = objects{}
			v, err := runIn(t, e, row.body, expression.Scope{Request: full(), Policy: true})
			if err == nil || !strings.Contains(err.Error(), ": "+row.want) {
				t.Errorf("got %q, %v\nwant %s", v.Text, err, row.want)
			}
			if !v.Writes.Empty() {
				t.Errorf("something is left to write: %+v", v.Writes)
			}
		})
	}
}

// Prompts and mappings have other variables than policies.
func TestReferenceOfPromptsAndMappings(t *testing.T) {
	prompt := map[string]any{"user": joe(), "prompt_context": map[string]any{"email": "e@example.com"}}
	rows := []struct {
		name, body, want string
		variables        map[string]any
	}{
		{"user", `return user.username`, "joe", prompt},
		{"http_request", `return http_request.method`, "GET", prompt},
		{"prompt_context", `return prompt_context.get("email")`, "e@example.com", prompt},
		{"request.context holds only prompt_context", `return list(request.context), request.context.get("prompt_data")`, "(['prompt_context'], None)", prompt},
		{"request.user", `return request.user.is_authenticated`, "False", prompt},
		{"no context", "try:\n    return context\nexcept NameError:\n    return 'none'", "none", prompt},
		{"no ak_client_ip", "try:\n    return ak_client_ip\nexcept NameError:\n    return 'none'", "none", prompt},
		{"no ak_is_sso_flow", "try:\n    return ak_is_sso_flow\nexcept NameError:\n    return 'none'", "none", prompt},
		{"no ak_message", "try:\n    return ak_message('x')\nexcept NameError:\n    return 'none'", "none", prompt},
		{"SkipObject", "try:\n    raise SkipObject()\nexcept SkipObject:\n    return 'skip'", "skip", prompt},
		{"helpers", `return (regex_match("a", "a"), ak_user_by(username="joe").pk, slugify("A B"))`, "(True, 7, 'a-b')", prompt},
		{"notification", `return notification["body"]`, "b", map[string]any{"notification": map[string]any{"body": "b"}}},
		{"names with other characters", `return (a_b_c, d_e)`, "(1, 2)", map[string]any{"a.b-c": int64(1), "d:e": int64(2)}},
		{"variables of mappings", `return (group.name, token, provider, info["x"], client, source, ldap["uid"], dn, scopes)`, "('staff', 't', 'p', 1, 'c', 's', 'u', 'd', ['openid'])",
			map[string]any{"group": groups[0], "token": "t", "provider": "p", "info": map[string]any{"x": int64(1)}, "client": "c", "source": "s", "ldap": map[string]any{"uid": "u"}, "dn": "d", "scopes": []string{"openid"}}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			v, err := run(t, row.body, expression.Scope{Request: &policy.Request{User: identity.Anonymous(), HTTP: request().HTTP, Context: map[string]any{"prompt_data": map[string]any{}}}, Variables: row.variables})
			if err != nil || v.Text != row.want {
				t.Errorf("got %s (%v)\nwant %s", v.Text, err, row.want)
			}
		})
	}
}

// Where a policy is bound to an application or a flow, request.obj is that.
func TestWhatAPolicyIsBoundTo(t *testing.T) {
	e := env(t)
	e.Objects = objects{}
	for body, target := range map[string]policy.Target{
		"return (request.obj.name, request.obj.slug, request.obj.group) == ('Wiki', 'wiki', 'docs')": {Kind: "application", ID: appID, Name: "wiki"},
		"return (request.obj.name, request.obj.slug) == ('Login', 'login')":                          {Kind: "flow", ID: flowID, Name: "login"},
		"return (request.obj.name, hasattr(request.obj, 'slug')) == ('password', False)":             {Kind: "binding", ID: appID, Name: "password"},
	} {
		v, err := runIn(t, e, body, expression.Scope{Request: &policy.Request{User: identity.Anonymous(), Target: &target}, Policy: true})
		if err != nil || v.Raw != true {
			t.Errorf("%s: %s, %v", target.Kind, v.Text, err)
		}
	}
}
