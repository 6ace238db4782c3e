package authenticatortotp

import (
	"encoding/base32"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/authenticator/authenticatortest"
)

// The key of the test vectors of both RFCs.
var known = []byte("12345678901234567890")

func TestVectorsOfRFC4226(t *testing.T) {
	s := secret{Key: known, Digits: 6}
	for n, want := range []string{"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"} {
		if got := s.hotp(int64(n)); got != want {
			t.Errorf("counter %d: %s, want %s", n, got, want)
		}
	}
}

func TestVectorsOfRFC6238(t *testing.T) {
	s := secret{Key: known, Digits: 8}
	for second, want := range map[int64]string{59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 1234567890: "89005924",
		2000000000: "69279037", 20000000000: "65353130"} {
		if used, ok := s.accept(want, time.Unix(second, 0), 0); !ok || used != second/30 {
			t.Errorf("at %d: %v, step %d", second, ok, used)
		}
	}
}

func TestCodesByTime(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 10, 0, time.UTC)
	here := at(now)
	for _, row := range []struct {
		name string
		// code is the step whose code is typed, as far from now, drift and last as well.
		code, drift, last int64
		ok                bool
		learned           int64
	}{
		{"the code of now", 0, 0, -9, true, 0},
		{"one step late", -1, 0, -9, true, -1},
		{"one step early", 1, 0, -9, true, 1},
		{"two steps late", -2, 0, -9, false, 0},
		{"two steps early", 2, 0, -9, false, 0},
		{"two steps late, of a clock that is known to be slow", -2, -1, -9, true, -2},
		{"of now, of a clock that is known to be slow", 0, -1, -9, true, 0},
		{"early, of a clock that is known to be slow", 1, -1, -9, false, -1},
		{"of a clock that is as slow as can be learned", -11, -10, -20, true, -10},
		{"used before", 0, 0, 0, false, 0},
		{"older than one used before", -1, 0, 0, false, 0},
		{"newer than one used before", 1, 0, 0, true, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, digits := range []int{6, 8} {
				s := newSecret(digits)
				s.Drift = row.drift
				code := s.hotp(here + row.code)
				used, ok := s.accept(code, now, here+row.last)
				if ok != row.ok || s.Drift != row.learned || ok && used != here+row.code || len(code) != digits {
					t.Errorf("%d digits: %v, step %d, drift %d", digits, ok, used-here, s.Drift)
				}
			}
		})
	}
}

func TestADeviceTakesACodeOnce(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 10, 0, time.UTC)
	s, d := newSecret(6), &authenticator.Device{Class: "totp"}
	if err := d.Write(s); err != nil {
		t.Fatal(err)
	}
	for n, row := range []struct {
		code string
		want bool
	}{{"letters", false}, {s.hotp(at(now))[:5], false}, {s.hotp(at(now)), true}, {s.hotp(at(now)), false}, {s.hotp(at(now) + 1), true}, {s.hotp(at(now)), false}} {
		if ok, err := (Kind{}).Check(d, row.code, now); err != nil || ok != row.want {
			t.Errorf("%d: %v, %v", n, ok, err)
		}
	}
}

func TestSettingAnAppUp(t *testing.T) {
	for digits, n := range map[Digits]int{Six: 6, Eight: 8} {
		t.Run(string(digits), func(t *testing.T) {
			s := &authenticatortest.Shelf{}
			w := authenticatortest.Setup(t, Type(s), &Config{Digits: digits}, authenticatortest.Ann())
			brand := *w.Catalog.Brand
			brand.Title = "Acme: Works & Co"
			w.Catalog.Brand = &brand
			b := w.NewBrowser()
			c := b.Get(t, "f", "").Challenge.Body.(*Challenge)
			want := "otpauth://totp/Acme%20%20Works%20%26%20Co:ann%2Bx%40example.com?secret=" + c.Key + "&algorithm=SHA1&digits=" + string(digits) + "&period=30&issuer=Acme%20%20Works%20%26%20Co"
			if u, err := url.Parse(c.ConfigURL); err != nil || c.ConfigURL != want || u.Query().Get("secret") != c.Key || len(c.Key) != 32 || c.Digits != n {
				t.Errorf("%s\nwant %s", c.ConfigURL, want)
			}
			if again := b.Get(t, "f", "").Challenge.Body.(*Challenge); again.Key != c.Key {
				t.Error("another look, another key")
			}
			if other := w.NewBrowser().Get(t, "f", "").Challenge.Body.(*Challenge); other.Key == c.Key {
				t.Error("two people get the same key")
			}
			for _, code := range []string{"000000", "", "x", strings.Repeat("1", 200)} {
				r := b.Post(t, "f", "", map[string]any{"code": code})
				if !r.Rejected || len(r.Challenge.Errors["code"]) != 1 || r.Challenge.Body.(*Challenge).Key != c.Key {
					t.Errorf("the code %q: %+v", code, r.Challenge.Errors)
				}
			}
			if len(s.Devices) != 0 {
				t.Fatal("a wrong code set a device up")
			}
			raw, err := base32.StdEncoding.DecodeString(c.Key)
			if err != nil {
				t.Fatal(err)
			}
			key := secret{Key: raw, Digits: n}
			code := key.hotp(at(w.Time))
			if got := flowtest.Describe(b.Answer(t, "f", "", map[string]any{"code": code[:3] + " " + code[3:]})); got != "redirect / final" {
				t.Fatal(got)
			}
			if len(s.Devices) != 1 || !s.Devices[0].Confirmed || s.Devices[0].User != 7 || s.Devices[0].Name != "TOTP Authenticator" {
				t.Fatalf("devices %+v", s.Devices)
			}
			// The code that was just typed does not count once more; the next one does.
			if ok, err := (Kind{}).Check(s.Devices[0], code, w.Time); ok || err != nil {
				t.Errorf("the same code: %v, %v", ok, err)
			}
			if ok, err := (Kind{}).Check(s.Devices[0], key.hotp(at(w.Time)+1), w.Time); !ok || err != nil {
				t.Errorf("the next code: %v, %v", ok, err)
			}
		})
	}
}

func TestWhoSetsAnAppUp(t *testing.T) {
	authenticatortest.Owners(t, "ak-stage-authenticator-totp", func(s *authenticatortest.Shelf) flow.StageType { return Type(s) })
}

func TestConfig(t *testing.T) {
	for digits, code := range map[any]string{"6": "", "8": "", "7": "invalid_choice", 6: "", nil: "null"} {
		typ := Type(nil)
		_, errs := field.Decode(typ.Defaults(), map[string]any{"digits": digits}, field.Create)
		if (code == "") != (errs == nil) || code != "" && errs["digits"][0].Code != code {
			t.Errorf("%v: %v", digits, errs)
		}
	}
}
