package uniquepassword_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/policies/uniquepassword"
	"github.com/weir-id/weir/policy"
)

// passwords are those of each user, newest first.
type passwords map[int64][]string

func (had passwords) PasswordUsed(_ context.Context, guess guard.Guess, p *identity.Person, plain string, newest int) (bool, error) {
	if guess.Account != p.Username || !guess.Choice {
		return false, errors.New("this is counted elsewhere")
	}
	if plain == "busy" {
		return false, errors.New("no core became free")
	}
	return slices.Contains(had[p.ID][:min(newest+1, len(had[p.ID]))], plain), nil
}

func TestUniquePassword(t *testing.T) {
	ada := identity.NewPerson(identity.User{ID: 7, Username: "ada"}, nil)
	bob := identity.NewPerson(identity.User{ID: 8, Username: "bob"}, nil)
	const used, missing = "Choose a password that you have not used before.", "There is no password to check: enter one."
	rows := []struct {
		name    string
		newest  int32
		user    *identity.Person
		context map[string]any
		want    policy.Verdict
		message string
	}{
		{"a new one", 2, ada, map[string]any{"password": "new"}, policy.Pass, ""},
		{"the present one", 2, ada, map[string]any{"password": "now"}, policy.Fail, used},
		{"one before", 2, ada, map[string]any{"password": "before"}, policy.Fail, used},
		{"one too long ago", 1, ada, map[string]any{"password": "long ago"}, policy.Pass, ""},
		{"from the prompt", 2, ada, map[string]any{"prompt_data": map[string]any{"password": "before"}, "password": "new"}, policy.Fail, used},
		{"none are looked at", 0, ada, map[string]any{"password": "now"}, policy.Pass, ""},
		{"no history", 2, bob, map[string]any{"password": "before"}, policy.Pass, ""},
		{"nobody yet, as when people enrol", 2, identity.Anonymous(), map[string]any{"password": "before"}, policy.Pass, ""},
		{"no password", 2, ada, nil, policy.Fail, missing},
		{"no password, none are looked at", 0, ada, map[string]any{"password": ""}, policy.Fail, missing},
		{"the comparison cannot be made", 2, ada, map[string]any{"password": "busy"}, policy.Error, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			typ := uniquepassword.Type(passwords{7: {"now", "before", "long ago"}})
			p, err := typ.Build("unique", &uniquepassword.Config{PasswordField: "password", Historical: row.newest})
			if err != nil {
				t.Fatal(err)
			}
			got := (&policy.Object{Name: "unique", Policy: p}).Evaluate(t.Context(), &policy.Request{User: row.user, Context: row.context}, time.Minute)
			var want []string
			if row.message != "" {
				want = []string{row.message}
			}
			if got.Verdict != row.want || !slices.Equal(got.Messages, want) {
				t.Errorf("%v %q (%v), want %v %q", got.Verdict, got.Messages, got.Err, row.want, want)
			}
		})
	}
}

func TestDefaultsAndBounds(t *testing.T) {
	typ := uniquepassword.Type(nil)
	if c := typ.Defaults().(*uniquepassword.Config); c.PasswordField != "password" || c.Historical != 1 {
		t.Errorf("defaults %+v", c)
	}
	for name, data := range map[string]map[string]any{"num_historical_passwords": {"num_historical_passwords": uniquepassword.MaxHistory + 1}, "password_field": {"password_field": ""}} {
		if _, errs := field.Decode(typ.Defaults(), data, field.Create); errs[name] == nil {
			t.Errorf("%v is accepted", data)
		}
	}
	if _, errs := field.Decode(typ.Defaults(), map[string]any{"num_historical_passwords": uniquepassword.MaxHistory}, field.Create); errs != nil {
		t.Errorf("the bound in the tag is another one: %v", errs)
	}
}
