package authenticatorvalidate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
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
	"github.com/weir-id/weir/internal/stages/dummy"
	"github.com/weir-id/weir/policy"
)

// devices are those of ann, who is user 7.
type devices struct {
	ann []authenticator.Device
	err error
	// asked are the devices that were to judge the last code, locked says that none
	// looks at it.
	asked  []int64
	locked time.Duration
}

func (d *devices) Confirmed(_ context.Context, user int64) ([]authenticator.Device, error) {
	if user != 7 {
		return nil, d.err
	}
	return d.ann, d.err
}

func (d *devices) Judge(_ context.Context, ids []int64, _ func(string) float64, check func(*authenticator.Device, time.Time) (bool, error)) (authenticator.Judgement, error) {
	if d.asked = ids; d.locked > 0 {
		return authenticator.Judgement{Wait: d.locked}, nil
	}
	for i := range d.ann {
		if !slices.Contains(ids, d.ann[i].ID) {
			continue
		}
		if ok, err := check(&d.ann[i], time.Time{}); ok || err != nil {
			return authenticator.Judgement{Device: &d.ann[i]}, err
		}
	}
	return authenticator.Judgement{}, nil
}

// Seal and Open make cookies that can be read.
func (d *devices) Seal(plain []byte, place string) []byte { return append([]byte(place), plain...) }

func (d *devices) Open(sealed []byte, place string) ([]byte, error) {
	plain, ok := bytes.CutPrefix(sealed, []byte(place))
	if !ok {
		return nil, errors.New("another place")
	}
	return plain, nil
}

// class is what the kinds of these tests have in common.
type class string

func (k class) Type() authenticator.Type {
	return authenticator.Type{Class: string(k), Model: "tests_" + string(k) + ".device"}
}

// coder is a kind whose devices take the code that is their name.
type coder struct{ class }

func (coder) Offer(_ context.Context, v *authenticator.Validation) ([]authenticator.Offer, error) {
	return authenticator.First(v.Devices), nil
}

func (coder) Check(d *authenticator.Device, code string, _ time.Time) (bool, error) {
	return d.Name == code, nil
}

// mailer is a kind that sends codes, to the name of the device.
type mailer struct {
	coder
	sent []string
}

func (*mailer) Offer(_ context.Context, v *authenticator.Validation) ([]authenticator.Offer, error) {
	return authenticator.Each(v.Devices), nil
}

func (k *mailer) Send(_ context.Context, _ *authenticator.Validation, d *authenticator.Device) (authenticator.Sent, error) {
	if d.Name == "broken" {
		return authenticator.Sent{Problem: &field.Error{Code: "broken", String: "Nothing was sent."}}, nil
	}
	k.sent = append(k.sent, d.Name)
	return authenticator.Sent{Events: []flow.Event{{Action: "email_sent"}}}, nil
}

func (*mailer) Channel(d *authenticator.Device) string { return "mail:" + d.Name }

// passkey is a kind that answers with a name of its own, also for nobody yet.
type passkey struct {
	class
	owned *devices
}

func (k passkey) Offer(_ context.Context, v *authenticator.Validation) ([]authenticator.Offer, error) {
	if v.Person == nil && len(k.owned.ann) > 0 {
		return []authenticator.Offer{{UID: "-1"}}, nil
	}
	return authenticator.First(v.Devices), nil
}

func (passkey) Key() string { return "webauthn" }

func (k passkey) Answer(_ context.Context, v *authenticator.Validation, value any) (authenticator.Verdict, error) {
	for _, d := range k.owned.ann {
		if d.Class == "webauthn" && value.(map[string]any)["id"] == d.Name {
			return authenticator.Verdict{Device: &d}, nil
		}
	}
	return authenticator.Verdict{}, nil
}

type fixture struct {
	*flowtest.World
	devices *devices
	mails   *mailer
	browser *flowtest.Browser
	flow    *flow.Flow
	stage   *flow.StageObject
	setup   []*flow.StageObject
}

// config are the defaults.
func (fx *fixture) config() *validate.Config {
	typ, _ := fx.StageType("authenticator_validate")
	return typ.Defaults().(*validate.Config)
}

// newFixture has a flow of one validation stage for person, and n stages that
// set a device up.
func newFixture(t *testing.T, person *identity.Person, n int, change func(*validate.Config)) *fixture {
	fx := &fixture{devices: &devices{}, mails: &mailer{coder: coder{"email"}}}
	typ := validate.Type(validate.Env{Devices: fx.devices, Sealer: fx.devices, Kinds: []authenticator.Kind{coder{"static"}, coder{"totp"}, fx.mails,
		passkey{"webauthn", fx.devices}}})
	fx.World = flowtest.New(t, typ, dummy.Type())
	c := typ.Defaults().(*validate.Config)
	for i := range n {
		s := fx.AddStage("dummy", []string{"first", "second"}[i], nil)
		fx.setup = append(fx.setup, s)
		c.ConfigurationStages = append(c.ConfigurationStages, s.ID)
	}
	if change != nil {
		change(c)
	}
	fx.flow = fx.AddFlow("f", nil)
	if person != nil {
		if person.Saved() {
			fx.People[person.ID] = person
		}
		fx.BindPolicy(fx.flow.ID, policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
			return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: map[string]any{"pending_user": person}}}, nil
		}), nil)
	}
	fx.stage = fx.AddStage("authenticator_validate", "confirm", c)
	fx.Bind(fx.flow, fx.stage, nil)
	fx.browser = fx.NewBrowser()
	return fx
}

func ann() *identity.Person {
	return identity.NewPerson(identity.User{ID: 7, Username: "ann", Active: true}, nil)
}

func action(a validate.NotConfigured) func(*validate.Config) {
	return func(c *validate.Config) { c.NotConfiguredAction = a }
}

func TestWithoutDevice(t *testing.T) {
	const none = "denied: You have no authenticator that can be used here."
	typed := identity.NewPerson(identity.User{Username: "bob"}, nil)
	for _, row := range []struct {
		name        string
		person      *identity.Person
		stages      int
		change      func(*validate.Config)
		designation flow.Designation
		want        string
		events      []string
	}{
		{"skip goes on", ann(), 0, nil, flow.Authentication, "redirect / final", nil},
		{"deny denies", ann(), 0, action(validate.Deny), flow.Authentication, none, nil},
		{"a pretended person has no device either", typed, 0, action(validate.Deny), flow.Authentication, none, nil},
		{"one stage that sets a device up comes next", ann(), 1, action(validate.Configure), flow.Authentication, "ak-stage-dummy", nil},
		{"of several the person chooses one", ann(), 2, action(validate.Configure), flow.Authentication, "ak-stage-authenticator-validate", nil},
		{"no stage left to set a device up denies and is reported", ann(), 0, action(validate.Configure), flow.Authentication,
			"denied: Unknown error", []string{"configuration_error"}},
		{"an anonymous visitor of another flow goes on", nil, 0, action(validate.Deny), flow.Recovery, "redirect / final", nil},
		{"an anonymous visitor of a login flow would need a passkey", nil, 0, nil, flow.Authentication, none, nil},
		{"and goes on where passkeys are not allowed", nil, 0, func(c *validate.Config) { c.DeviceClasses = []validate.Class{validate.TOTP} },
			flow.Authentication, "redirect / final", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			fx := newFixture(t, row.person, row.stages, row.change)
			fx.flow.Designation = row.designation
			if got := flowtest.Describe(fx.browser.Get(t, "f", "")); got != row.want {
				t.Errorf("GET: %s, want %s", got, row.want)
			}
			if got := flowtest.Describe(fx.NewBrowser().Answer(t, "f", "", nil)); got != row.want {
				t.Errorf("POST: %s, want %s", got, row.want)
			}
			for _, want := range row.events {
				if !slices.Contains(fx.Store.Events(), want) {
					t.Errorf("events %v lack %s", fx.Store.Events(), want)
				}
			}
		})
	}
}

func TestChoiceOfSetup(t *testing.T) {
	fx := newFixture(t, ann(), 2, action(validate.Configure))
	data, err := json.Marshal(fx.browser.Get(t, "f", "").Challenge)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "flow_info")
	item := func(s *flow.StageObject) any {
		return map[string]any{"pk": s.ID.String(), "name": s.Name, "verbose_name": "Dummy Stage", "meta_model_name": "authentik_stages_dummy.dummystage"}
	}
	want := map[string]any{"component": "ak-stage-authenticator-validate", "pending_user": "ann", "pending_user_avatar": "/avatar/ann.svg",
		"device_challenges": []any{}, "configuration_stages": []any{item(fx.setup[0]), item(fx.setup[1])}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	for _, row := range []struct {
		name   string
		body   map[string]any
		errors string
	}{
		{"an empty answer", map[string]any{}, field.NonField},
		{"a stage that is not offered", map[string]any{"selected_stage": uuid.NewString()}, "selected_stage"},
		{"a code without a device", map[string]any{"code": "123456"}, "code"},
		{"a code beside a chosen stage", map[string]any{"code": "123456", "selected_stage": fx.setup[0].ID.String()}, "code"},
		{"an assertion without a device", map[string]any{"webauthn": map[string]any{}}, "webauthn"},
		{"a push without a device", map[string]any{"duo": 1}, "duo"},
		{"a device that is not offered", map[string]any{"selected_challenge": map[string]any{"device_class": "totp", "device_uid": "1"}}, "selected_challenge"},
	} {
		t.Run(row.name+" is refused", func(t *testing.T) {
			r := fx.browser.Post(t, "f", "", row.body)
			if len(r.Challenge.Errors[row.errors]) != 1 {
				t.Errorf("errors %v, want one on %s", r.Challenge.Errors, row.errors)
			}
		})
	}
	r := fx.browser.Answer(t, "f", "", map[string]any{"selected_stage": fx.setup[1].ID.String()})
	if c, ok := r.Challenge.Body.(*dummy.Challenge); !ok || c.Name != "second" {
		t.Errorf("got %s", flowtest.Describe(r))
	}
	if fx.browser.Request("f", "").Execution.Plan.Has(flow.FactSecondFactor, 7) {
		t.Error("choosing is taken for a second factor")
	}
}

func TestDevicesThatCannotBeReadStopTheFlow(t *testing.T) {
	fx := newFixture(t, ann(), 0, nil)
	fx.devices.err = errors.New("the database is away")
	if got := flowtest.Describe(fx.browser.Get(t, "f", "")); got != "ak-stage-flow-error" {
		t.Errorf("got %s", got)
	}
}

func TestEffects(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*validate.Config)
		always bool
	}{
		{"skip lets people without a device by", nil, false},
		{"configure lets people by who set one up", action(validate.Configure), false},
		{"deny always gets a second factor", action(validate.Deny), true},
		{"deny with a threshold does not ask every time", func(c *validate.Config) {
			c.NotConfiguredAction, c.LastAuthThreshold = validate.Deny, "hours=1"
		}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			typ := validate.Type(validate.Env{})
			c := typ.Defaults().(*validate.Config)
			if row.change != nil {
				row.change(c)
			}
			e := typ.Effects(c)
			if slices.Contains(e.Always, flow.FactSecondFactor) != row.always || slices.Contains(e.Sometimes, flow.FactSecondFactor) == row.always {
				t.Errorf("effects %+v", e)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	id := uuid.NewString()
	for _, row := range []struct {
		name  string
		data  map[string]any
		field string
	}{
		{"nothing need be given", map[string]any{}, ""},
		{"configure needs a stage", map[string]any{"not_configured_action": "configure"}, "not_configured_action"},
		{"configure with a stage is fine", map[string]any{"not_configured_action": "configure", "configuration_stages": []any{id}}, ""},
		{"deny needs none", map[string]any{"not_configured_action": "deny"}, ""},
		{"an unknown class is refused", map[string]any{"device_classes": []any{"pigeon"}}, "device_classes"},
		{"an unknown hint is refused", map[string]any{"webauthn_hints": []any{"wave"}}, "webauthn_hints"},
		{"an unknown verification is refused", map[string]any{"webauthn_user_verification": "maybe"}, "webauthn_user_verification"},
		{"a factor below zero is refused", map[string]any{"totp_otp_throttling_factor": -1}, "totp_otp_throttling_factor"},
		{"a negative threshold is refused", map[string]any{"last_auth_threshold": "hours=-1"}, "last_auth_threshold"},
	} {
		t.Run(row.name, func(t *testing.T) {
			typ := validate.Type(validate.Env{})
			_, errs := field.Decode(typ.Defaults(), row.data, field.Create)
			if (row.field == "") != (errs == nil) || (row.field != "" && len(errs[row.field]) == 0) {
				t.Errorf("errors %v, want some on %q", errs, row.field)
			}
		})
	}
}
