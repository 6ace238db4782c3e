// Package uniquepassword is the policy type that refuses a password which the
// person has or had before.
package uniquepassword

import (
	"context"
	"fmt"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/policy"
)

// Name is the wire name of the type.
const Name = "unique_password"

// MaxHistory bounds how many earlier passwords a policy may ask for: each is
// one hash to compute whenever somebody chooses a password.
const MaxHistory = 50

// Config is the configuration of a unique password policy.
type Config struct {
	// PasswordField is the prompt field, or the key of the context, that holds
	// the password.
	PasswordField string `json:"password_field"`
	// Historical is how many earlier passwords are refused besides the present
	// one; 0 refuses none at all.
	Historical int32 `json:"num_historical_passwords" field:"min=0,max=50"`
}

// Passwords knows the passwords that people have and had.
type Passwords interface {
	// PasswordUsed tells whether a password is the person's present one or
	// among the newest before that. It is a guess of them, and limited as such.
	PasswordUsed(ctx context.Context, guess guard.Guess, p *identity.Person, plain string, newest int) (bool, error)
}

// Type returns the policy type.
func Type(passwords Passwords) policy.Type {
	return policy.NewType(policy.Type{
		Name: Name, Model: "authentik_policies_unique_password.uniquepasswordpolicy", Component: "ak-policy-password-uniqueness-form",
		Label: "Password Uniqueness Policy", Schema: "UniquePasswordPolicy", Description: "Refuses a password that the person has had before.",
	}, func() Config { return Config{PasswordField: "password", Historical: 1} },
		func(_ string, c Config) (policy.Policy, error) { return &unique{passwords, c}, nil })
}

type unique struct {
	passwords Passwords
	config    Config
}

// Evaluate compares the password with those of the person whom the request is
// about: in a flow the pending user, where there is one.
func (u *unique) Evaluate(ctx context.Context, r *policy.Request) (policy.Result, error) {
	plain := r.Entered(u.config.PasswordField)
	if plain == "" {
		return policy.Result{Verdict: policy.Fail, Messages: []string{"There is no password to check: enter one."}}, nil
	}
	if u.config.Historical == 0 || !r.User.Saved() {
		return policy.Result{Verdict: policy.Pass}, nil
	}
	used, err := u.passwords.PasswordUsed(ctx, guard.Chosen(r), r.User, plain, int(u.config.Historical))
	if err != nil {
		return policy.Result{}, fmt.Errorf("compare with earlier passwords: %w", err)
	}
	if used {
		return policy.Result{Verdict: policy.Fail, Messages: []string{"Choose a password that you have not used before."}}, nil
	}
	return policy.Result{Verdict: policy.Pass}, nil
}
