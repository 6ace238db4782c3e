package identification_test

import (
	"context"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/stages/identification"
	"github.com/weir-id/weir/internal/stages/password"
	"github.com/weir-id/weir/policy"
)

// users knows one person and counts how many passwords' worth of work was done,
// and which unknown names were stored with a step.
type users struct {
	person  *identity.Person
	work    int
	unknown []string
}

func (u *users) Unknown(typed string, _ netip.Addr) func(context.Context, flow.Tx) error {
	return func(context.Context, flow.Tx) error { u.unknown = append(u.unknown, typed); return nil }
}

func (u *users) Identify(_ context.Context, fields []string, typed string, fold bool) (*identity.Person, error) {
	same := func(a string) bool { return a == typed || (fold && strings.EqualFold(a, typed)) }
	upn, _ := u.person.Attributes["upn"].(string)
	if (slices.Contains(fields, "username") && same(u.person.Username)) || (slices.Contains(fields, "email") && same(u.person.Email)) ||
		(slices.Contains(fields, "upn") && same(upn)) {
		return u.person, nil
	}
	return nil, nil
}

func (u *users) Authenticate(_ context.Context, _ guard.Guess, backends []string, p *identity.Person, plain string) (directory.Verdict, error) {
	u.work++
	if p == nil || !p.Active || plain != "right" {
		return directory.Verdict{}, nil
	}
	return directory.Verdict{OK: true, Backend: backends[0], Method: "password", Args: map[string]any{"by": "test"}}, nil
}

type fixture struct {
	*flowtest.World
	users   *users
	browser *flowtest.Browser
	flow    *flow.Flow
	stage   *flow.StageObject
	config  *identification.Config
}

// newFixture has a flow of one identification stage: user name and e-mail
// address, else as the defaults are.
func newFixture(t *testing.T, change func(*identification.Config)) *fixture {
	fx := &fixture{users: &users{}}
	typ := identification.Type(fx.users, fx.users)
	fx.World = flowtest.New(t, typ, password.Type(fx.users))
	fx.users.person = fx.People.Add(identity.User{ID: 7, Username: "ann", Email: "ann@example.com", Active: true,
		Attributes: map[string]any{"upn": "ann@corp"}})
	fx.config = typ.Defaults().(*identification.Config)
	fx.config.UserFields = []identification.UserField{identification.Username, identification.Email}
	if change != nil {
		change(fx.config)
	}
	fx.flow = fx.AddFlow("login", nil)
	fx.stage = fx.AddStage("identification", "who", fx.config)
	fx.Bind(fx.flow, fx.stage, nil)
	fx.browser = fx.NewBrowser()
	return fx
}

// embed adds a password stage to the page.
func (fx *fixture) embed(allowShow bool) {
	s := fx.AddStage("password", "secret", &password.Config{Backends: []password.Backend{password.Inbuilt}, AllowShowPassword: allowShow})
	fx.config.PasswordStage = &s.ID
	fx.rebuild()
}

// rebuild puts the changed configuration into the catalog.
func (fx *fixture) rebuild() { fx.PutStage(fx.stage.ID, "identification", "who", fx.config) }

// hold stops the flow behind the stage, so that its plan can be looked at.
func (fx *fixture) hold() {
	fx.Bind(fx.flow, fx.AddStage("password", "next", &password.Config{Backends: []password.Backend{password.Inbuilt}}), nil)
}

func (fx *fixture) context() map[string]any {
	return fx.browser.Request("login", "").Execution.Plan.Context.Values()
}

func TestIdentification(t *testing.T) {
	const again, onward = "ak-stage-identification", "redirect / final"
	strict := func(c *identification.Config) { c.PretendUserExists = false }
	for _, row := range []struct {
		name   string
		change func(*identification.Config)
		embed  bool
		body   map[string]any
		want   string
		// errors is where the problem is reported, with its code.
		errors string
		work   int
		events []string
	}{
		{"an e-mail address that is known goes on", nil, false, map[string]any{"uid_field": "ann@example.com"}, onward, "", 0, nil},
		{"case makes no difference", nil, false, map[string]any{"uid_field": "ANN"}, onward, "", 0, nil},
		{"case makes a difference where the stage says so", func(c *identification.Config) { c.CaseInsensitiveMatching, c.PretendUserExists = false, false }, false,
			map[string]any{"uid_field": "ANN"}, again, "non_field_errors/invalid", 0, nil},
		{"a principal name is looked for only where it is enabled", strict, false, map[string]any{"uid_field": "ann@corp"}, again, "non_field_errors/invalid", 0, nil},
		{"a principal name that is known goes on", func(c *identification.Config) {
			c.UserFields, c.PretendUserExists = []identification.UserField{identification.UPN}, false
		}, false, map[string]any{"uid_field": "ann@corp"}, onward, "", 0, nil},
		{"a user name is refused where only e-mail counts", func(c *identification.Config) {
			c.UserFields, c.PretendUserExists = []identification.UserField{identification.Email}, false
		}, false, map[string]any{"uid_field": "ann"}, again, "non_field_errors/invalid", 0, nil},
		{"the same goes on when accounts are pretended", func(c *identification.Config) {
			c.UserFields = []identification.UserField{identification.Email}
		}, false, map[string]any{"uid_field": "ann"}, onward, "", 0, nil},
		{"without user fields nobody is found", func(c *identification.Config) { c.UserFields, c.PretendUserExists = nil, false }, false,
			map[string]any{"uid_field": "ann"}, again, "non_field_errors/invalid", 0, nil},
		{"nothing typed is a problem of the whole form", nil, false, map[string]any{}, again, "non_field_errors/invalid", 0, nil},
		{"null is nothing", nil, false, map[string]any{"uid_field": nil, "password": nil}, again, "non_field_errors/invalid", 0, nil},
		{"a list is no name", nil, false, map[string]any{"uid_field": []any{"ann"}}, again, "uid_field/invalid", 0, nil},
		{"a name longer than any account has is refused before it is looked for", nil, false,
			map[string]any{"uid_field": strings.Repeat("a", 1025)}, again, "uid_field/max_length", 0, nil},
		{"a passkey is refused, without a word about the name", nil, false,
			map[string]any{"uid_field": "ann", "passkey": map[string]any{"id": "x"}}, again, "non_field_errors/invalid", 0, nil},
		{"an empty passkey is none", nil, false, map[string]any{"uid_field": "ann", "passkey": map[string]any{}}, onward, "", 0, nil},
		{"name and password that belong together go on", nil, true, map[string]any{"uid_field": "ann", "password": "right"}, onward, "", 1, nil},
		{"blanks around the password count, as on the page of the password alone", nil, true, map[string]any{"uid_field": "ann", "password": " right "}, again, "non_field_errors/invalid", 1, []string{"login_failed"}},
		{"a wrong password is refused and recorded", nil, true, map[string]any{"uid_field": "ann", "password": "wrong"}, again, "non_field_errors/invalid", 1, []string{"login_failed"}},
		{"an unknown name costs the same; pretending does not help", nil, true, map[string]any{"uid_field": "bob", "password": "right"}, again, "non_field_errors/invalid", 1, nil},
		{"no password costs the same", nil, true, map[string]any{"uid_field": "ann"}, again, "non_field_errors/invalid", 1, []string{"login_failed"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			fx := newFixture(t, row.change)
			if row.embed {
				fx.embed(false)
			}
			r := fx.browser.Answer(t, "login", "", row.body)
			if got := flowtest.Describe(r); got != row.want {
				t.Fatalf("got %s, want %s", got, row.want)
			}
			if row.errors != "" {
				var got []string
				for name, problems := range r.Challenge.Errors {
					for _, p := range problems {
						got = append(got, name+"/"+p.Code)
					}
				}
				if !slices.Equal(got, []string{row.errors}) {
					t.Errorf("errors %v, want %s", r.Challenge.Errors, row.errors)
				}
			}
			if fx.users.work != row.work {
				t.Errorf("%d passwords' worth of work, want %d", fx.users.work, row.work)
			}
			if got := fx.Store.Events(); !slices.Equal(got, row.events) {
				t.Errorf("events %v, want %v", got, row.events)
			}
		})
	}
}

func TestIdentificationContext(t *testing.T) {
	hide := func(c *identification.Config) { c.ShowMatchedUser, c.PretendUserExists = false, false }
	for _, row := range []struct {
		name   string
		change func(*identification.Config)
		embed  bool
		body   map[string]any
		want   map[string]any
		proofs []flow.Fact
	}{
		{"a known person becomes the pending user", func(c *identification.Config) { c.PretendUserExists = false }, false, map[string]any{"uid_field": "ann@example.com"},
			map[string]any{"pending_user": &flow.PersonRef{ID: 7}}, []flow.Fact{flow.FactUser}},
		{"Rule18: where others are pretended, what was typed is shown of everybody", nil, false, map[string]any{"uid_field": "ann@example.com"},
			map[string]any{"pending_user": &flow.PersonRef{ID: 7}, "weir_typed": "ann@example.com"}, []flow.Fact{flow.FactUser}},
		{"what was typed is kept where the account is not shown", hide, false, map[string]any{"uid_field": "ann@example.com"},
			map[string]any{"pending_user": &flow.PersonRef{ID: 7}, "pending_user_identifier": "ann@example.com"}, []flow.Fact{flow.FactUser}},
		{"a pretended person is claimed, not known", nil, false, map[string]any{"uid_field": "bob"},
			map[string]any{"pending_user": &flow.PersonRef{Username: "bob", Email: "bob"}, "weir_typed": "bob"}, nil},
		{"a checked password marks the person and sets the method, but no back end of the plan", nil, true, map[string]any{"uid_field": "ann", "password": "right"},
			map[string]any{"pending_user": &flow.PersonRef{ID: 7, Backend: string(password.Inbuilt)}, "auth_method": "password",
				"auth_method_args": map[string]any{"by": "test"}}, []flow.Fact{flow.FactPassword, flow.FactUser}},
	} {
		t.Run(row.name, func(t *testing.T) {
			fx := newFixture(t, row.change)
			if row.embed {
				fx.embed(false)
			}
			fx.hold()
			fx.browser.Answer(t, "login", "", row.body)
			if diff := cmp.Diff(row.want, fx.context()); diff != "" {
				t.Error(diff)
			}
			var got []flow.Fact
			for _, p := range fx.browser.Request("login", "").Execution.Plan.Proofs {
				got = append(got, p.Fact)
			}
			if !slices.Equal(got, row.proofs) {
				t.Errorf("proofs %v, want %v", got, row.proofs)
			}
		})
	}
}

// Whatever a failure leaves behind is the same for an account that exists and
// for one that does not: answer, plan, work; only the audit trail differs.
func TestRule18FailuresLookAlike(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*identification.Config)
	}{
		{"with the matched account shown", nil},
		{"with the matched account hidden", func(c *identification.Config) { c.ShowMatchedUser = false }},
	} {
		t.Run(row.name, func(t *testing.T) {
			answers := map[string]string{}
			for _, name := range []string{"ann", "bob"} {
				fx := newFixture(t, row.change)
				fx.flow.Title = "Hello %(user)s"
				fx.embed(true)
				r := fx.browser.Post(t, "login", "", map[string]any{"uid_field": name, "password": "wrong"})
				body, err := json.Marshal(r.Challenge)
				if err != nil {
					t.Fatal(err)
				}
				plan, err := json.Marshal(fx.browser.Request("login", "").Execution.Plan.Context)
				if err != nil {
					t.Fatal(err)
				}
				answers[name] = strings.ReplaceAll(string(body)+string(plan), name, "NAME")
				if fx.users.work != 1 {
					t.Errorf("%s: %d passwords' worth of work", name, fx.users.work)
				}
			}
			if diff := cmp.Diff(answers["ann"], answers["bob"]); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestIdentificationChallenge(t *testing.T) {
	fx := newFixture(t, func(c *identification.Config) { c.EnableRememberMe, c.ShowSourceLabels = true, true })
	enroll := fx.AddFlow("enroll", nil)
	recover := fx.AddFlow("recover", nil)
	quick := fx.AddFlow("quick", nil)
	fx.config.EnrollmentFlow, fx.config.RecoveryFlow, fx.config.PasswordlessFlow = &enroll.ID, &recover.ID, &quick.ID
	fx.embed(true)
	fx.BindPolicy(fx.flow.ID, writes(map[string]any{"pending_user_identifier": "foo"}), nil)
	r := fx.browser.Get(t, "login", "next=%2Fapp")
	data, err := json.Marshal(r.Challenge)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "flow_info")
	want := map[string]any{
		"component": "ak-stage-identification", "user_fields": []any{"username", "email"}, "password_fields": true,
		"allow_show_password": true, "pending_user_identifier": "foo", "flow_designation": "authentication", "primary_action": "Log in",
		"enroll_url": "/if/flow/enroll/?next=%2Fapp", "recovery_url": "/if/flow/recover/?next=%2Fapp", "passwordless_url": "/if/flow/quick/?next=%2Fapp",
		"sources": []any{}, "show_source_labels": true, "enable_remember_me": true, "captcha_stage": nil, "passkey_challenge": nil,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestIdentificationChallengeOfOtherFlows(t *testing.T) {
	fx := newFixture(t, func(c *identification.Config) { c.UserFields = nil })
	fx.flow.Designation = flow.Recovery
	app := &flow.Ref{Kind: "application", ID: uuid.New(), Name: "Mail"}
	fx.BindPolicy(fx.flow.ID, writes(map[string]any{"application": app}), nil)
	c := fx.browser.Get(t, "login", "").Challenge.Body.(*identification.Challenge)
	if c.PrimaryAction != "Continue" || c.ApplicationPre != "Mail" || c.UserFields == nil || len(c.UserFields) != 0 {
		t.Errorf("challenge is %+v", c)
	}
}

func TestIdentificationHints(t *testing.T) {
	const ask, onward = "ak-stage-identification", "redirect / final"
	for _, row := range []struct {
		name   string
		change func(*identification.Config)
		embed  bool
		policy bool
		query  string
		want   string
		shown  string
	}{
		{"a hint answers a simple stage", nil, false, false, "login_hint=ann", onward, ""},
		{"an unknown hint goes on when accounts are pretended", nil, false, false, "login_hint=bob", onward, ""},
		{"an unknown hint only fills in the field otherwise", func(c *identification.Config) { c.PretendUserExists = false }, false, false, "login_hint=bob", ask, "bob"},
		{"with a password on the page it only fills in the field", nil, true, false, "login_hint=ann", ask, "ann"},
		{"with policies on the binding it only fills in the field", nil, false, true, "login_hint=ann", ask, "ann"},
		{"a hint that is too long is none", nil, true, false, "login_hint=" + strings.Repeat("a", 1025), ask, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			fx := newFixture(t, row.change)
			if row.embed {
				fx.embed(false)
			}
			if row.policy {
				fx.BindPolicy(fx.Bindings(fx.flow.ID)[0].ID, writes(nil), nil)
			}
			r := fx.browser.Get(t, "login", row.query)
			if got := flowtest.Describe(r); got != row.want {
				t.Fatalf("got %s, want %s", got, row.want)
			}
			if c, ok := r.Challenge.Body.(*identification.Challenge); ok && string(c.PendingUserIdentifier) != row.shown {
				t.Errorf("the field shows %q, want %q", c.PendingUserIdentifier, row.shown)
			}
		})
	}
}

func TestIdentificationHintNeverUndoesARefusal(t *testing.T) {
	fx := newFixture(t, func(c *identification.Config) { c.PretendUserExists = false })
	r := fx.browser.Post(t, "login", "login_hint=ann", map[string]any{"uid_field": "bob"})
	if got := flowtest.Describe(r); got != "ak-stage-identification" || !r.Rejected {
		t.Errorf("got %s, rejected %v", got, r.Rejected)
	}
}

func TestIdentificationOfSomebodyElseThanHinted(t *testing.T) {
	fx := newFixture(t, nil)
	fx.embed(false)
	fx.hold()
	fx.BindPolicy(fx.flow.ID, writes(map[string]any{"pending_user_identifier": "foo"}), nil)
	fx.browser.Post(t, "login", "", map[string]any{"uid_field": "ann", "password": "right"})
	if shown, set := fx.context()["pending_user_identifier"]; set {
		t.Errorf("later stages show %v instead of ann", shown)
	}
}

// An identification stage whose password stage cannot be used must not let
// people in by name.
func TestIdentificationWithoutItsPasswordStageFails(t *testing.T) {
	fx := newFixture(t, nil)
	fx.embed(false)
	fx.Delete(*fx.config.PasswordStage)
	r := fx.browser.Answer(t, "login", "", map[string]any{"uid_field": "ann", "password": "right"})
	if got := flowtest.Describe(r); got != "ak-stage-flow-error" {
		t.Errorf("got %s", got)
	}
}

func writes(set map[string]any) policy.Policy {
	return policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: set}}, nil
	})
}

func TestConfig(t *testing.T) {
	id := uuid.NewString()
	names := []any{"username"}
	for _, row := range []struct {
		name  string
		data  map[string]any
		field string
	}{
		{"one user field is enough", map[string]any{"user_fields": names}, ""},
		{"no user field is too few", map[string]any{}, field.NonField},
		{"an unknown user field is refused", map[string]any{"user_fields": []any{"phone"}}, "user_fields"},
		{"a captcha may be embedded", map[string]any{"user_fields": names, "captcha_stage": id}, ""},
		{"passkeys may be asked for", map[string]any{"user_fields": names, "webauthn_stage": id}, ""},
		{"sources are refused rather than ignored", map[string]any{"user_fields": names, "sources": []any{id}}, "sources"},
		{"nulls stand for nothing", map[string]any{"user_fields": names, "captcha_stage": nil, "webauthn_stage": nil, "password_stage": nil}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			typ := identification.Type(&users{}, &users{})
			_, errs := field.Decode(typ.Defaults(), row.data, field.Create)
			if (row.field == "") != (errs == nil) || (row.field != "" && len(errs[row.field]) == 0) {
				t.Errorf("errors %v, want some on %q", errs, row.field)
			}
		})
	}
}

func TestPasswordStageTakesTheStageWithIt(t *testing.T) {
	id := uuid.New()
	for _, ref := range field.References(&identification.Config{PasswordStage: &id}) {
		if ref.Field == "password_stage" && ref.OnDelete == field.Cascade {
			return
		}
	}
	t.Error("deleting the password stage would leave a page that asks for no password")
}
