package passwordexpiry_test

import (
	"slices"
	"testing"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/policies/passwordexpiry"
	"github.com/weir-id/weir/policy"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestPasswordExpiry(t *testing.T) {
	changed := func(ago time.Duration, hash string) *identity.Person {
		return identity.NewPerson(identity.User{ID: 7, Username: "ada", PasswordHash: hash, PasswordChangedAt: noon.Add(-ago)}, nil)
	}
	const day = 24 * time.Hour
	const denied = "Your password has expired. Change it to go on."
	ended := func(text string) string { return "Your password expired " + text + ". Set a new one." }
	rows := []struct {
		name    string
		config  passwordexpiry.Config
		user    *identity.Person
		want    policy.Verdict
		message string
		// ends tells whether the password is to be made unusable.
		ends bool
	}{
		{"younger", passwordexpiry.Config{Days: 90}, changed(89*day, "x"), policy.Pass, "", false},
		{"younger by a moment: only whole days count", passwordexpiry.Config{Days: 90}, changed(90*day-time.Second, "x"), policy.Pass, "", false},
		{"just as old", passwordexpiry.Config{Days: 90}, changed(90*day, "x"), policy.Fail, ended("today"), true},
		{"a day older", passwordexpiry.Config{Days: 90}, changed(91*day, "x"), policy.Fail, ended("1 day ago"), true},
		{"much older", passwordexpiry.Config{Days: 90}, changed(300*day+time.Hour, "x"), policy.Fail, ended("210 days ago"), true},
		{"only denied", passwordexpiry.Config{Days: 90, DenyOnly: true}, changed(300*day, "x"), policy.Fail, denied, false},
		{"only denied, younger", passwordexpiry.Config{Days: 90, DenyOnly: true}, changed(89*day, "x"), policy.Pass, "", false},
		{"no days", passwordexpiry.Config{}, changed(0, "x"), policy.Fail, ended("today"), true},
		{"less than no days", passwordexpiry.Config{Days: -1, DenyOnly: true}, changed(0, "x"), policy.Fail, denied, false},
		{"a date in the future", passwordexpiry.Config{Days: 1}, changed(-100*day, "x"), policy.Pass, "", false},
		{"already unusable: nothing is left to end", passwordexpiry.Config{Days: 90}, changed(91*day, "!"), policy.Fail, ended("1 day ago"), false},
		{"as other programs write that", passwordexpiry.Config{Days: 90}, changed(91*day, "!abcdef"), policy.Fail, ended("1 day ago"), false},
		{"nobody", passwordexpiry.Config{Days: 90}, identity.Anonymous(), policy.Error, "", false},
		{"somebody who was only typed", passwordexpiry.Config{Days: 90}, identity.NewPerson(identity.User{Username: "x"}, nil), policy.Error, "", false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			typ := passwordexpiry.Type(func() time.Time { return noon })
			p, err := typ.Build("expiry", &row.config)
			if err != nil {
				t.Fatal(err)
			}
			got := (&policy.Object{Name: "expiry", Policy: p}).Evaluate(t.Context(), &policy.Request{User: row.user}, time.Minute)
			var want []string
			if row.message != "" {
				want = []string{row.message}
			}
			if got.Verdict != row.want || !slices.Equal(got.Messages, want) {
				t.Errorf("%v %q (%v), want %v %q", got.Verdict, got.Messages, got.Err, row.want, want)
			}
			if row.ends != (len(got.Effects) == 1) {
				t.Fatalf("effects %+v", got.Effects)
			}
			if row.ends {
				e := got.Effects[0]
				if e.Act != policy.EndPassword || e.Person != row.user || e.Event.Action != "password_set" || e.Event.App != "expiry" || e.Event.Context["usable"] != false {
					t.Errorf("effect %+v", e)
				}
			}
		})
	}
}

func TestDefaultsAndBounds(t *testing.T) {
	typ := passwordexpiry.Type(nil)
	if c := typ.Defaults().(*passwordexpiry.Config); c.DenyOnly || c.Days != 0 {
		t.Errorf("defaults %+v", c)
	}
	for name, data := range map[string]map[string]any{"missing": {}, "too large": {"days": 1 << 31}, "a text": {"days": "x"}} {
		if _, errs := field.Decode(typ.Defaults(), data, field.Create); errs["days"] == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, errs := field.Decode(typ.Defaults(), map[string]any{"days": -5}, field.Create); errs != nil {
		t.Errorf("days before: %v", errs)
	}
}
