package userlogin_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/stages/userlogin"
)

// visit logs in with a cookie and returns whether the device was known.
func (fx *fixture) visit(t *testing.T, cookie string) (known bool) {
	t.Helper()
	b := fx.NewBrowser()
	req := b.Request("login", "")
	req.HTTP.Cookies["authentik_device"] = cookie
	before := len(fx.Store.Commits)
	if _, err := b.Do(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	for _, c := range fx.Store.Commits[before:] {
		if c.Login != nil {
			return c.Login.MethodArgs["known_device"] == true
		}
	}
	t.Fatal("no login")
	return false
}

// cookie logs in and returns the device cookie.
func (fx *fixture) cookie(t *testing.T) flow.Cookie {
	t.Helper()
	r := fx.NewBrowser().Get(t, "login", "")
	if len(r.Cookies) != 1 {
		t.Fatalf("cookies %v", r.Cookies)
	}
	return r.Cookies[0]
}

func TestDeviceCookie(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(fx *fixture)
		known  bool
	}{
		{"the same person on the same browser is known", func(*fixture) {}, true},
		{"until the last moment", func(fx *fixture) { fx.Time = fx.Time.Add(30*24*time.Hour - time.Second) }, true},
		{"but not longer", func(fx *fixture) { fx.Time = fx.Time.Add(30 * 24 * time.Hour) }, false},
		{"another person with the same row id is not", func(fx *fixture) {
			fx.People.Add(identity.User{ID: 7, UUID: uuid.New(), Username: "eve", Active: true})
		}, false},
		{"another login stage does not know the browser", func(fx *fixture) {
			fx.Delete(fx.Bindings(fx.flow.ID)[0].ID)
			fx.Bind(fx.flow, fx.AddStage("user_login", "other", fx.config), nil)
		}, false},
		{"a stage that remembers no devices does not look", func(fx *fixture) {
			c := *fx.config
			c.RememberDevice = "seconds=0"
			fx.PutStage(fx.stage.ID, "user_login", "in", &c)
		}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			fx := newFixture(t, nil, nil)
			c := fx.cookie(t)
			if c.Name != "authentik_device" || c.MaxAge != 30*24*time.Hour {
				t.Errorf("cookie is %+v", c)
			}
			row.change(fx)
			if got := fx.visit(t, c.Value); got != row.known {
				t.Errorf("known is %v", got)
			}
		})
	}
}

func TestDeviceIsRememberedOnlyOnRequest(t *testing.T) {
	fx := newFixture(t, func(c *userlogin.Config) { c.RememberDevice = "milliseconds=999" }, nil)
	if r := fx.browser.Get(t, "login", ""); len(r.Cookies) != 0 {
		t.Errorf("cookies %v", r.Cookies)
	}
}

func TestDeviceKnownByAddress(t *testing.T) {
	fx := newFixture(t, nil, nil)
	fx.house.seen = netip.MustParseAddr("192.0.2.1")
	if !fx.visit(t, "") {
		t.Error("the address of another session is not known")
	}
}

func TestDeviceVerdictOfEarlierStagesStays(t *testing.T) {
	fx := newFixture(t, nil, map[string]any{"auth_method_args": map[string]any{"known_device": false}})
	fx.house.seen = netip.MustParseAddr("192.0.2.1")
	if fx.visit(t, "") {
		t.Error("known_device was overwritten")
	}
}

func TestRule34FlippingAnyByteOfTheDeviceCookieIsRefused(t *testing.T) {
	// Times of different lengths, so that the last character of the cookie
	// carries two, four and six bits.
	for _, fraction := range []time.Duration{0, 100 * time.Millisecond, 111 * time.Millisecond} {
		fx := newFixture(t, nil, nil)
		fx.Time = fx.Time.Add(fraction)
		value := []byte(fx.cookie(t).Value)
		if !fx.visit(t, string(value)) {
			t.Fatal("the cookie itself is not known")
		}
		for i := range value {
			flipped := append([]byte(nil), value...)
			flipped[i] ^= 1
			if fx.visit(t, string(flipped)) {
				t.Errorf("byte %d of %d may be changed", i, len(value))
			}
		}
		for _, forged := range []string{"x", string(value[:len(value)-1]), string(value) + "A", string(value) + "=", `{"sub":"` + fx.ann.UUID.String() + `"}`} {
			if fx.visit(t, forged) {
				t.Errorf("%q is accepted", forged)
			}
		}
	}
}
