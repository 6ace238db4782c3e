package authenticatorvalidate_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/authenticator"
	validate "github.com/weir-id/weir/internal/stages/authenticatorvalidate"
	"github.com/weir-id/weir/policy"
)

const again = "ak-stage-authenticator-validate"

// owned are devices of ann of these classes; their codes are their names.
func owned(classes ...string) []authenticator.Device {
	var out []authenticator.Device
	for i, class := range classes {
		out = append(out, authenticator.Device{ID: int64(i + 1), UUID: uuid.NewSHA1(uuid.Nil, []byte(class)), User: 7, Class: class, Name: class + "1"})
	}
	return out
}

func chosen(class, uid string) map[string]any {
	return map[string]any{"selected_challenge": map[string]any{"device_class": class, "device_uid": uid, "challenge": map[string]any{}, "last_used": nil}}
}

// Whoever has a device is asked for it, and nothing but its answer counts.
func TestRule02NoAnswerOfADeviceIsTakenOnTrust(t *testing.T) {
	fx := newFixture(t, ann(), 1, action(validate.Skip))
	fx.devices.ann = owned("totp", "webauthn")
	for _, body := range []map[string]any{
		{}, chosen("totp", "1"), {"code": "000000"}, {"code": nil}, {"code": ""}, {"code": []any{"totp1"}},
		{"webauthn": map[string]any{"id": "x"}}, {"webauthn": nil}, {"webauthn": map[string]any{}}, {"duo": 3}, {"selected_stage": fx.setup[0].ID.String()},
	} {
		r := fx.browser.Post(t, "f", "", body)
		if got := flowtest.Describe(r); got != again || !r.Rejected {
			t.Errorf("%v: %s", body, got)
		}
	}
}

func TestDevicesAreOfferedInOrder(t *testing.T) {
	day := func(n int) *time.Time { d := time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC); return &d }
	fx := newFixture(t, ann(), 0, func(c *validate.Config) {
		c.DeviceClasses = []validate.Class{validate.TOTP, validate.Static, validate.Email}
	})
	fx.devices.ann = []authenticator.Device{{ID: 1, Class: "static", LastUsed: day(9)}, {ID: 3, Class: "webauthn", LastUsed: day(8)},
		{ID: 5, Class: "totp", LastUsed: day(3)}, {ID: 4, Class: "totp", LastUsed: day(2)}, {ID: 2, Class: "email"}, {ID: 6, Class: "email"}}
	var got []string
	c := fx.browser.Get(t, "f", "").Challenge.Body.(*validate.Challenge)
	for _, d := range c.DeviceChallenges {
		got = append(got, string(d.Class)+d.UID)
	}
	if want := []string{"totp5", "email2", "email6", "static1"}; !slices.Equal(got, want) {
		t.Errorf("offered %v, want %v", got, want)
	}
	if c.Chosen == nil || c.Chosen.UID != "5" || len(c.Others()) != 3 {
		t.Errorf("pages ask for %+v, and offer %+v", c.Chosen, c.Others())
	}
}

func TestAnswers(t *testing.T) {
	only := func(classes ...validate.Class) func(*validate.Config) {
		return func(c *validate.Config) { c.DeviceClasses = classes }
	}
	for _, row := range []struct {
		name   string
		has    []string
		change func(*validate.Config)
		body   map[string]any
		want   string
		// problem is the field and the id of the text.
		problem string
		asked   []int64
		events  []string
	}{
		{"a right code goes on", []string{"totp"}, nil, map[string]any{"code": "totp1"}, "redirect / final", "", []int64{1}, nil},
		{"in groups", []string{"totp"}, nil, map[string]any{"code": " tot-p1 "}, "redirect / final", "", []int64{1}, nil},
		{"a wrong code", []string{"totp"}, nil, map[string]any{"code": "123456"}, again, "code validate.error.code", []int64{1}, []string{"login_failed"}},
		{"a code of hyphens", []string{"totp"}, nil, map[string]any{"code": "- -"}, again, "code validate.error.code", []int64{1}, []string{"login_failed"}},
		{"a wrong recovery code", []string{"static"}, nil, map[string]any{"code": "123456"}, again, "code validate.error.static", []int64{1}, []string{"login_failed"}},
		{"any of the devices takes the code", []string{"totp", "static"}, nil, map[string]any{"code": "static1"}, "redirect / final", "", []int64{1, 2}, nil},
		{"but none that is not allowed", []string{"totp", "static"}, only(validate.TOTP), map[string]any{"code": "static1"}, again, "code validate.error.code", []int64{1}, []string{"login_failed"}},
		{"nor a passkey", []string{"totp", "webauthn"}, nil, map[string]any{"code": "webauthn1"}, again, "code validate.error.code", []int64{1}, []string{"login_failed"}},
		{"a code where none is taken", []string{"webauthn"}, nil, map[string]any{"code": "totp1"}, again, "code ", nil, nil},
		{"an assertion", []string{"totp", "webauthn"}, nil, map[string]any{"webauthn": map[string]any{"id": "webauthn1"}}, "redirect / final", "", nil, nil},
		{"a wrong assertion", []string{"webauthn"}, nil, map[string]any{"webauthn": map[string]any{"id": "x"}}, again, "webauthn validate.error.answer", nil, []string{"login_failed"}},
		{"an assertion where none is offered", []string{"totp"}, nil, map[string]any{"webauthn": map[string]any{"id": "webauthn1"}}, again, "webauthn ", nil, nil},
		{"a push where none is offered", []string{"totp"}, nil, map[string]any{"duo": 1}, again, "duo ", nil, nil},
		{"a device that is not offered", []string{"totp"}, nil, chosen("totp", "2"), again, "selected_challenge validate.error.stage", nil, nil},
		{"a choice is no answer", []string{"totp"}, nil, chosen("totp", "1"), again, "non_field_errors validate.chosen", nil, nil},
		{"a choice that sends", []string{"email"}, nil, chosen("email", "1"), again, "non_field_errors validate.sent", nil, []string{"email_sent"}},
		{"nothing", []string{"totp"}, nil, map[string]any{}, again, "non_field_errors validate.error.empty", nil, nil},
		{"a stage, where devices are offered", []string{"totp"}, nil, map[string]any{"selected_stage": uuid.NewString()}, again, "non_field_errors validate.error.empty", nil, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			fx := newFixture(t, ann(), 0, row.change)
			fx.devices.ann = owned(row.has...)
			r := fx.browser.Answer(t, "f", "", row.body)
			if got := flowtest.Describe(r); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
			var problems []string
			for name, list := range r.Challenge.Errors {
				problems = append(problems, name+" "+list[0].Message)
			}
			if got := strings.Join(problems, ", "); got != row.problem {
				t.Errorf("problems %q, want %q", got, row.problem)
			}
			if !slices.Equal(fx.devices.asked, row.asked) {
				t.Errorf("asked %v, want %v", fx.devices.asked, row.asked)
			}
			if got := fx.Store.Events(); !slices.Equal(got, row.events) {
				t.Errorf("events %v, want %v", got, row.events)
			}
		})
	}
}

func TestChoosingADevice(t *testing.T) {
	fx := newFixture(t, ann(), 0, nil)
	fx.devices.ann = owned("totp", "email", "email", "static")
	fx.devices.ann[2].Name = "broken"
	shown := func(r *flow.Result) string {
		c := r.Challenge.Body.(*validate.Challenge)
		return string(c.Chosen.Class) + c.Chosen.UID
	}
	if got := shown(fx.browser.Get(t, "f", "")); got != "totp1" {
		t.Errorf("at first %s", got)
	}
	if got := shown(fx.browser.Post(t, "f", "", chosen("email", "2"))); got != "email2" || !slices.Equal(fx.mails.sent, []string{"email1"}) {
		t.Errorf("chosen %s, sent to %v", got, fx.mails.sent)
	}
	// It stays chosen, and another look sends nothing.
	if got := shown(fx.browser.Get(t, "f", "")); got != "email2" || len(fx.mails.sent) != 1 {
		t.Errorf("on another look %s, sent to %v", got, fx.mails.sent)
	}
	r := fx.browser.Post(t, "f", "", map[string]any{"code": "wrong"})
	if e := r.Challenge.Errors["code"]; shown(r) != "email2" || len(e) != 1 || e[0].Message != "validate.error.sent" {
		t.Errorf("%s: %+v", shown(r), e)
	}
	if r := fx.browser.Post(t, "f", "", chosen("email", "3")); r.Challenge.Errors[field.NonField][0].Code != "broken" {
		t.Errorf("a mail that cannot be sent: %+v", r.Challenge.Errors)
	}
	if got := shown(fx.browser.Post(t, "f", "", chosen("static", "4"))); got != "static4" {
		t.Errorf("then %s", got)
	}
	// A mail is never sent unasked.
	other := newFixture(t, ann(), 0, nil)
	other.devices.ann = owned("email")
	if c := other.browser.Get(t, "f", "").Challenge.Body.(*validate.Challenge); c.Chosen != nil || len(other.mails.sent) != 0 {
		t.Errorf("unasked %+v, %v", c.Chosen, other.mails.sent)
	}
}

func TestRule31DevicesThatWaitLookAtNoCode(t *testing.T) {
	fx := newFixture(t, ann(), 0, nil)
	fx.devices.ann, fx.devices.locked = owned("totp"), 90*time.Second
	r := fx.browser.Post(t, "f", "", map[string]any{"code": "totp1"})
	if e := r.Challenge.Errors["code"]; len(e) != 1 || e[0].Code != field.CodeInvalid || e[0].Message != "guard.minutes" || e[0].Count != 2 {
		t.Errorf("%+v", r.Challenge.Errors)
	}
	if got := fx.Store.Events(); len(got) != 0 {
		t.Errorf("events %v about a code that nobody looked at", got)
	}
}

func TestWhatAnAnswerProves(t *testing.T) {
	for _, row := range []struct {
		name, method string
		person       *identity.Person
		body         map[string]any
		facts        []flow.Fact
		channel, by  string
		wantMethod   string
	}{
		{"a code", "", ann(), map[string]any{"code": "totp1"}, []flow.Fact{flow.FactSecondFactor}, "totp", "tests_totp.device/1", "auth_mfa"},
		{"a code after a password", "password", ann(), map[string]any{"code": "totp1"}, []flow.Fact{flow.FactSecondFactor}, "totp", "tests_totp.device/1", "password"},
		{"a code by mail", "password", ann(), map[string]any{"code": "email1"}, []flow.Fact{flow.FactSecondFactor}, "mail:email1", "tests_email.device/2", "password"},
		{"a passkey alone", "", nil, map[string]any{"webauthn": map[string]any{"id": "webauthn1"}}, []flow.Fact{flow.FactUser, flow.FactPassword, flow.FactSecondFactor},
			"webauthn", "tests_webauthn.device/3", "auth_webauthn_pwl"},
	} {
		t.Run(row.name, func(t *testing.T) {
			fx := newFixture(t, row.person, 0, nil)
			fx.People[7] = ann()
			fx.Bind(fx.flow, fx.AddStage("dummy", "behind", nil), nil)
			fx.devices.ann = owned("totp", "email", "webauthn")
			if row.method != "" {
				fx.BindPolicy(fx.flow.ID, policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
					return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: map[string]any{"auth_method": row.method}}}, nil
				}), nil)
				fx.flow.PolicyEngineMode = policy.All
			}
			if got := flowtest.Describe(fx.browser.Answer(t, "f", "", row.body)); got != "ak-stage-dummy" {
				t.Fatal(got)
			}
			plan := fx.browser.Request("f", "").Execution.Plan
			var facts []flow.Fact
			for _, p := range plan.Proofs {
				facts = append(facts, p.Fact)
			}
			want := flow.Proof{Fact: flow.FactSecondFactor, User: 7, Channel: row.channel, Authenticator: row.by, At: fx.Time}
			if !slices.Equal(facts, row.facts) || !cmp.Equal(plan.Proofs[len(plan.Proofs)-1], want) {
				t.Errorf("proofs %+v, want %v and %+v", plan.Proofs, row.facts, want)
			}
			if got, _ := flow.KeyAuthMethod.Get(plan.Context); got != row.wantMethod {
				t.Errorf("method %q, want %q", got, row.wantMethod)
			}
			args, _ := flow.KeyAuthMethodArgs.Get(plan.Context)
			if list, _ := args["mfa_devices"].([]any); len(list) != 1 {
				t.Errorf("args %v", args)
			}
			if ref, _ := flow.KeyPendingUser.Get(plan.Context); ref == nil || ref.ID != 7 {
				t.Errorf("pending user %+v", ref)
			}
		})
	}
}

// A mailbox whose link led here is not a second factor too.
func TestRule27AMailboxCountsOnce(t *testing.T) {
	fx := newFixture(t, ann(), 0, action(validate.Deny))
	fx.devices.ann = owned("email", "totp")
	fx.browser.Get(t, "f", "")
	if r := fx.browser.Post(t, "f", "", chosen("email", "1")); r.Challenge.Errors[field.NonField][0].Message != validate.TextSent {
		t.Fatalf("the mailbox is not offered: %+v", r.Challenge.Errors)
	}
	req := fx.browser.Request("f", "")
	req.Execution.Plan.Proofs = append(req.Execution.Plan.Proofs, flow.Proof{Fact: flow.FactMailbox, User: 7, Channel: "mail:email1"})
	r, err := fx.browser.Do(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if c := r.Challenge.Body.(*validate.Challenge); len(c.DeviceChallenges) != 1 || c.DeviceChallenges[0].Class != validate.TOTP {
		t.Errorf("offered %+v", c.DeviceChallenges)
	}
}

func TestRule26EachClassRaisesTheDemand(t *testing.T) {
	for _, class := range []string{"static", "totp", "email", "webauthn"} {
		fx := newFixture(t, ann(), 0, action(validate.Skip))
		fx.devices.ann = owned(class)
		if got := flowtest.Describe(fx.browser.Get(t, "f", "")); got != again {
			t.Errorf("a person with %s: %s", class, got)
		}
	}
}

// A passkey that has named the person is two factors: the stage asks for nothing more,
// but only if it would take that passkey itself.
func TestWhatAPasskeyHasProvedIsNotAskedAgain(t *testing.T) {
	named := func(key string) []flow.Proof {
		return []flow.Proof{{Fact: flow.FactPassword, User: 7, Channel: "webauthn", Authenticator: "tests_webauthn.device/" + key},
			{Fact: flow.FactSecondFactor, User: 7, Channel: "webauthn", Authenticator: "tests_webauthn.device/" + key}}
	}
	other := named("2")
	other[0].User, other[1].User = 8, 8
	for _, tt := range []struct {
		name   string
		proofs []flow.Proof
		set    func(*validate.Config)
		want   string
	}{
		{"its own passkey", named("2"), nil, "ak-stage-dummy"},
		{"nothing", nil, nil, again},
		{"another passkey", named("9"), nil, again},
		{"somebody else's", other, nil, again},
		{"a second factor only", named("2")[1:], nil, again},
		{"a name only", named("2")[:1], nil, again},
		{"a stage without passkeys", named("2"), func(c *validate.Config) { c.DeviceClasses = []validate.Class{validate.TOTP} }, again},
	} {
		fx := newFixture(t, ann(), 0, tt.set)
		fx.Bind(fx.flow, fx.AddStage("dummy", "behind", nil), nil)
		fx.devices.ann = owned("totp", "webauthn")
		fx.browser.Get(t, "f", "")
		fx.browser.Post(t, "f", "", chosen("totp", "1")) // stores the plan
		req := fx.browser.Request("f", "")
		if req.Execution == nil {
			t.Fatalf("%s: no plan is stored", tt.name)
		}
		req.Execution.Plan.Proofs = append(req.Execution.Plan.Proofs, tt.proofs...)
		r, err := fx.browser.Do(t.Context(), req)
		for err == nil && r.Next {
			r, err = fx.browser.Do(t.Context(), fx.browser.Request("f", ""))
		}
		if err != nil {
			t.Fatal(err)
		}
		if got := flowtest.Describe(r); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}
