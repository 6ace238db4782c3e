package authenticatorstatic

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/authenticator/authenticatortest"
)

func TestRecoveryCodes(t *testing.T) {
	s := &authenticatortest.Shelf{}
	b := authenticatortest.Setup(t, Type(s), nil, authenticatortest.Ann()).NewBrowser()
	if r := b.Post(t, "f", "", map[string]any{}); !r.Rejected || len(s.Devices) != 0 {
		t.Fatal("codes that nobody has seen are taken for saved")
	}
	codes := b.Get(t, "f", "").Challenge.Body.(*Challenge).Codes
	spelling := regexp.MustCompile("^[a-km-z2-9]{12}$")
	seen := map[string]bool{}
	for _, c := range codes {
		if seen[c] = true; !spelling.MatchString(c) {
			t.Errorf("the code %q", c)
		}
	}
	if len(seen) != 6 || !slices.Equal(codes, b.Get(t, "f", "").Challenge.Body.(*Challenge).Codes) {
		t.Fatalf("codes %v, others on another look", codes)
	}
	if got := flowtest.Describe(b.Answer(t, "f", "", map[string]any{})); got != "redirect / final" || len(s.Devices) != 1 {
		t.Fatal(got)
	}
	d := s.Devices[0]
	if !d.Confirmed || d.User != 7 || d.Name != "Static Token" {
		t.Errorf("device %+v", d)
	}
	var raw json.RawMessage
	if err := d.Read(&raw); err != nil {
		t.Fatal(err)
	}
	for _, c := range codes {
		if bytes.Contains(raw, []byte(c)) {
			t.Errorf("%s is kept as it is: %s", c, raw)
		}
	}
	left := func() int {
		m, err := (Kind{}).Members(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range m.(*members).Tokens {
			if token.Token != mask {
				t.Errorf("shown is %q", token.Token)
			}
		}
		return len(m.(*members).Tokens)
	}
	for _, row := range []struct {
		name, code string
		ok         bool
		left       int
	}{
		{"a wrong code", "abcdefghijkm", false, 6}, {"a right code", codes[2], true, 5}, {"the same code", codes[2], false, 5},
		{"another one, in capital letters", strings.ToUpper(codes[0]), true, 4}, {"a part of one", codes[1][:11], false, 4}, {"nothing", "", false, 4},
	} {
		if ok, err := (Kind{}).Check(d, row.code, time.Time{}); err != nil || ok != row.ok || left() != row.left {
			t.Errorf("%s: %v, %v, %d left", row.name, ok, err, left())
		}
	}
	for _, c := range []string{codes[1], codes[3], codes[4], codes[5]} {
		if ok, err := (Kind{}).Check(d, c, time.Time{}); !ok || err != nil {
			t.Errorf("%s: %v, %v", c, ok, err)
		}
	}
	// The second factor stays, without a code.
	offers, err := (Kind{}).Offer(t.Context(), &authenticator.Validation{Person: authenticatortest.Ann(), Devices: []authenticator.Device{*d}})
	if err != nil || len(offers) != 1 || left() != 0 {
		t.Errorf("offers %v, %v", offers, err)
	}
}

func TestWhoGetsRecoveryCodes(t *testing.T) {
	authenticatortest.Owners(t, "ak-stage-authenticator-static", func(s *authenticatortest.Shelf) flow.StageType { return Type(s) })
}

func TestConfig(t *testing.T) {
	for _, row := range []struct {
		name  string
		data  map[string]any
		field string
	}{
		{"the defaults", map[string]any{}, ""},
		{"short codes", map[string]any{"token_length": 7}, "token_length"},
		{"no codes", map[string]any{"token_count": 0}, "token_count"},
		{"too many codes", map[string]any{"token_count": 101}, "token_count"},
		{"long codes", map[string]any{"token_length": 100, "token_count": 100}, ""},
		{"codes that are too long", map[string]any{"token_length": 101}, "token_length"},
	} {
		typ := Type(nil)
		_, errs := field.Decode(typ.Defaults(), row.data, field.Create)
		if (row.field == "") != (errs == nil) || row.field != "" && len(errs[row.field]) == 0 {
			t.Errorf("%s: %v", row.name, errs)
		}
	}
}
