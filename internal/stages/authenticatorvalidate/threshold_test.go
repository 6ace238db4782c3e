package authenticatorvalidate_test

import (
	"bytes"
	"encoding/base64"
	"testing"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	validate "github.com/weir-id/weir/internal/stages/authenticatorvalidate"
)

// returns is the first step of another browser that has the cookie.
func (fx *fixture) returns(t *testing.T, b *flowtest.Browser, value string) *flow.Result {
	t.Helper()
	req := b.Request("f", "")
	req.HTTP.Cookies[validate.Cookie] = value
	r, err := b.Do(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func hour(c *validate.Config) { c.LastAuthThreshold = "hours=1" }

func TestThreshold(t *testing.T) {
	none := func(*validate.Config) {}
	for _, row := range []struct {
		name          string
		before, later func(*validate.Config)
		after         time.Duration
		change        func(fx *fixture, value string) string
		asked         bool
	}{
		{"without a threshold", none, hour, 0, nil, true},
		{"within the hour", hour, hour, 59 * time.Minute, nil, false},
		{"after the hour", hour, hour, 61 * time.Minute, nil, true},
		{"a threshold that was made shorter", hour, func(c *validate.Config) { c.LastAuthThreshold = "minutes=5" }, 0, nil, true},
		{"a threshold that was taken away", hour, none, 0, nil, true},
		{"a device that is gone", hour, hour, 0, func(fx *fixture, v string) string { fx.devices.ann = owned("static"); return v }, true},
		{"a device that is not allowed any more", hour, func(c *validate.Config) {
			hour(c)
			c.DeviceClasses = []validate.Class{validate.Static}
		}, 0, func(fx *fixture, v string) string { fx.devices.ann = owned("totp", "static"); return v }, true},
		{"a cookie that somebody cut", hour, hour, 0, func(_ *fixture, v string) string { return v[:len(v)-8] }, true},
		{"a cookie of another place", hour, hour, 0, func(_ *fixture, v string) string {
			plain, _ := base64.RawURLEncoding.DecodeString(v)
			return base64.RawURLEncoding.EncodeToString(bytes.Replace(plain, []byte(validate.Cookie), []byte("authentik_xyz"), 1))
		}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			fx := newFixture(t, ann(), 0, row.before)
			fx.devices.ann = owned("totp")
			value := "nothing that opens"
			for _, c := range fx.browser.Post(t, "f", "", map[string]any{"code": "totp1"}).Cookies {
				if value = c.Value; c.Name != validate.Cookie || c.MaxAge != time.Hour {
					t.Errorf("cookie %+v", c)
				}
			}
			fx.Time = fx.Time.Add(row.after)
			c := fx.config()
			row.later(c)
			fx.PutStage(fx.stage.ID, "authenticator_validate", "confirm", c)
			if row.change != nil {
				value = row.change(fx, value)
			}
			if r := fx.returns(t, fx.NewBrowser(), value); (flowtest.Describe(r) == again) != row.asked {
				t.Errorf("got %s", flowtest.Describe(r))
			}
		})
	}
}

// The cookie of one stage says nothing to another.
func TestThresholdIsThatOfOneStage(t *testing.T) {
	fx := newFixture(t, ann(), 0, hour)
	fx.devices.ann = owned("totp")
	value := fx.browser.Post(t, "f", "", map[string]any{"code": "totp1"}).Cookies[0].Value
	c := fx.config()
	hour(c)
	fx.Bind(fx.flow, fx.AddStage("authenticator_validate", "other", c), nil)
	b := fx.NewBrowser()
	if r := fx.returns(t, b, value); !r.Next {
		t.Errorf("the stage of the cookie: %s", flowtest.Describe(r))
	}
	if r := fx.returns(t, b, value); flowtest.Describe(r) != again {
		t.Errorf("another stage: %s", flowtest.Describe(r))
	}
}
