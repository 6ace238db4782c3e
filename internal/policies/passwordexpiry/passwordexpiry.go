// Package passwordexpiry is the policy type that fails for people whose password
// is older than some days. It can also ask for the old password to be made
// unusable.
package passwordexpiry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/weir-id/weir/policy"
)

// Config is the configuration of a password expiry policy.
type Config struct {
	// Days is the age from which on a password has expired; 0 and less mean
	// always.
	Days int32 `json:"days" field:"required"`
	// DenyOnly leaves the expired password as it is.
	DenyOnly bool `json:"deny_only"`
}

// Type returns the policy type; now is the clock, time.Now when nil.
func Type(now func() time.Time) policy.Type {
	if now == nil {
		now = time.Now
	}
	return policy.NewType(policy.Type{
		Name: "password_expiry", Model: "authentik_policies_expiry.passwordexpirypolicy", Component: "ak-policy-password-expiry-form",
		Label: "Password Expiry Policy", Description: "Fails when the password has not been changed for some days.",
	}, func() Config { return Config{} }, func(name string, c Config) (policy.Policy, error) { return &expiry{now, name, c}, nil })
}

type expiry struct {
	now    func() time.Time
	name   string
	config Config
}

var _ policy.Bounded = (*expiry)(nil)

// Bounded implements policy.Bounded: nothing is waited for.
func (*expiry) Bounded() {}

const day = 24 * time.Hour

// errNobody keeps a policy that is asked too early, before anybody is known,
// from letting everybody through.
var errNobody = errors.New("there is no user whose password could have expired")

// Evaluate compares the age of the password, in whole days.
func (e *expiry) Evaluate(_ context.Context, r *policy.Request) (policy.Result, error) {
	if !r.User.Saved() {
		return policy.Result{}, errNobody
	}
	age := int64(e.now().Sub(r.User.PasswordChangedAt) / day)
	if age < int64(e.config.Days) {
		return policy.Result{Verdict: policy.Pass}, nil
	}
	if e.config.DenyOnly {
		return policy.Result{Verdict: policy.Fail, Messages: []string{"Your password has expired. Change it to go on."}}, nil
	}
	out := policy.Result{Verdict: policy.Fail, Messages: []string{expired(age - int64(e.config.Days))}}
	if !strings.HasPrefix(r.User.PasswordHash, "!") {
		out.Effects = []policy.Effect{{Act: policy.EndPassword, Person: r.User, Event: policy.Event{Action: "password_set", App: e.name,
			Context: map[string]any{"message": "The password has expired and can no longer be used.", "usable": false, "age_days": age}}}}
	}
	return out, nil
}

func expired(days int64) string {
	switch days {
	case 0:
		return "Your password expired today. Set a new one."
	case 1:
		return "Your password expired 1 day ago. Set a new one."
	}
	return fmt.Sprintf("Your password expired %d days ago. Set a new one.", days)
}
