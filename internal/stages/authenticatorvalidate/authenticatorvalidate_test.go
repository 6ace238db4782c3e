package authenticatorvalidate_test

import (
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
	validate "github.com/weir-id/weir/internal/stages/authenticatorvalidate"
	"github.com/weir-id/weir/internal/stages/dummy"
	"github.com/weir-id/weir/policy"
)

// devices are those of ann, who is user 7.
type devices struct {
	ann []identity.Authenticator
	err error
}

func (d *devices) Confirmed(_ context.Context, user int64) ([]identity.Authenticator, error) {
	if user != 7 {
		return nil, d.err
	}
	return d.ann, d.err
}

type fixture struct {
	*flowtest.World
	devices *devices
	browser *flowtest.Browser
	flow    *flow.Flow
	setup   []*flow.StageObject
}

// newFixture has a flow of one validation stage for person, and n stages that
// set a device up.
func newFixture(t *testing.T, person *identity.Person, n int, change func(*validate.Config)) *fixture {
	fx := &fixture{devices: &devices{}}
	typ := validate.Type(fx.devices)
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
	fx.Bind(fx.flow, fx.AddStage("authenticator_validate", "confirm", c), nil)
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

func TestDevicesAreOfferedInOrder(t *testing.T) {
	day := func(n int) *time.Time { d := time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC); return &d }
	fx := newFixture(t, ann(), 0, func(c *validate.Config) {
		c.DeviceClasses = []validate.Class{validate.TOTP, validate.Static, validate.SMS}
	})
	fx.devices.ann = []identity.Authenticator{{ID: 1, Class: "static", LastUsed: day(9)}, {ID: 2, Class: "sms"},
		{ID: 3, Class: "duo", LastUsed: day(8)}, {ID: 4, Class: "totp", LastUsed: day(2)}, {ID: 5, Class: "totp", LastUsed: day(3)}}
	var got []string
	for _, d := range fx.browser.Get(t, "f", "").Challenge.Body.(*validate.Challenge).DeviceChallenges {
		got = append(got, string(d.Class)+d.UID)
	}
	if want := []string{"totp5", "totp4", "sms2", "static1"}; !slices.Equal(got, want) {
		t.Errorf("offered %v, want %v", got, want)
	}
}

// Nothing here can check what a device answers: whoever has one is asked, and
// no answer counts.
func TestRule02NoAnswerOfADeviceIsTakenOnTrust(t *testing.T) {
	fx := newFixture(t, ann(), 1, action(validate.Skip))
	fx.devices.ann = []identity.Authenticator{{ID: 1, Class: "totp"}, {ID: 2, Class: "webauthn"}, {ID: 3, Class: "duo"}}
	chosen := map[string]any{"device_class": "totp", "device_uid": "1", "challenge": map[string]any{}, "last_used": nil}
	for _, body := range []map[string]any{
		{}, {"selected_challenge": chosen}, {"code": "000000"}, {"selected_challenge": chosen, "code": "000000"},
		{"webauthn": map[string]any{"id": "x"}}, {"duo": 3}, {"selected_stage": fx.setup[0].ID.String()},
	} {
		r := fx.browser.Post(t, "f", "", body)
		if got := flowtest.Describe(r); got != "ak-stage-authenticator-validate" || !r.Rejected {
			t.Errorf("%v: %s", body, got)
		}
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
			typ := validate.Type(nil)
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
			typ := validate.Type(nil)
			_, errs := field.Decode(typ.Defaults(), row.data, field.Create)
			if (row.field == "") != (errs == nil) || (row.field != "" && len(errs[row.field]) == 0) {
				t.Errorf("errors %v, want some on %q", errs, row.field)
			}
		})
	}
}
