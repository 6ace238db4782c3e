// Package password is the policy type that judges a new password: by how long
// it is and what it is made of, by whether it has leaked, and by how easy it is
// to guess.
package password

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/weir-id/weir/policy"
)

// Config is the configuration of a password policy.
type Config struct {
	// PasswordField is the prompt field, or the key of the context, that holds
	// the password.
	PasswordField string `json:"password_field"`
	// CheckStaticRules switches the amounts and the length.
	CheckStaticRules bool `json:"check_static_rules"`
	// CheckLeaks switches the look-up among leaked passwords.
	CheckLeaks bool `json:"check_have_i_been_pwned"`
	// CheckStrength switches the estimate of how easy it is to guess.
	CheckStrength bool `json:"check_zxcvbn"`
	// The amounts are how many characters of each class are needed; 0 asks for
	// none. LengthMin counts all characters.
	AmountDigits    int32 `json:"amount_digits" field:"min=0"`
	AmountUppercase int32 `json:"amount_uppercase" field:"min=0"`
	AmountLowercase int32 `json:"amount_lowercase" field:"min=0"`
	AmountSymbols   int32 `json:"amount_symbols" field:"min=0"`
	LengthMin       int32 `json:"length_min" field:"min=0"`
	// SymbolCharset are the characters that count as symbols.
	SymbolCharset string `json:"symbol_charset" field:"notrim"`
	// ErrorMessage is what the person reads when a static rule is broken; empty
	// for a text that names the rule.
	ErrorMessage string `json:"error_message" field:"blank"`
	// AllowedLeaks is how often the password may have leaked.
	AllowedLeaks int32 `json:"hibp_allowed_count" field:"min=0"`
	// ScoreThreshold is the highest score, of 0 to 4, that is refused.
	ScoreThreshold int32 `json:"zxcvbn_score_threshold" field:"min=0"`
}

// defaultSymbols are ASCII's punctuation and the blank. The backslash stands in
// it twice, as on the wire, which means nothing: each character is counted once.
const defaultSymbols = `!\"#$%&'()*+,-./:;<=>?@[\]^_` + "`{|}~ "

// Env is what the policy type needs of the rest of the program.
type Env struct {
	// Leaks knows leaked passwords; nil knows none and says so.
	Leaks *Leaks
	// BrandTitle is the title of the brand of a host; nil when there is none.
	BrandTitle func(host string) string
}

// Type returns the policy type.
func Type(env Env) policy.Type {
	return policy.NewType(policy.Type{
		Name: "password", Model: "authentik_policies_password.passwordpolicy", Component: "ak-policy-password-form",
		Label: "Password Policy", Description: "Checks a new password against rules, leaks and guessing.",
	}, func() Config {
		return Config{PasswordField: "password", CheckStaticRules: true, SymbolCharset: defaultSymbols, ScoreThreshold: 2}
	}, func(_ string, c Config) (policy.Policy, error) { return &judge{env, c}, nil })
}

type judge struct {
	env    Env
	config Config
}

// msgMissing is for a flow that asks for no password before this policy.
const msgMissing = "There is no password to check: enter one."

// Evaluate judges the password. The first group of rules that is broken ends
// it. An error means that nobody knows whether the password has leaked.
func (j *judge) Evaluate(ctx context.Context, r *policy.Request) (policy.Result, error) {
	plain := r.Entered(j.config.PasswordField)
	if plain == "" {
		return refuse(msgMissing), nil
	}
	if j.config.CheckStaticRules {
		if broken := j.config.brokenRule(plain); broken != "" {
			if j.config.ErrorMessage != "" {
				broken = j.config.ErrorMessage
			}
			return refuse(broken), nil
		}
	}
	if j.config.CheckLeaks {
		sum := sha1.Sum([]byte(plain)) // what lists of leaked passwords are made of
		count, err := j.env.Leaks.Count(ctx, strings.ToUpper(hex.EncodeToString(sum[:])))
		if err != nil {
			return policy.Result{}, fmt.Errorf("look for leaked passwords: %w", err)
		}
		if count > int64(j.config.AllowedLeaks) {
			return refuse(fmt.Sprintf("Choose another password: this one stands %d times in lists of leaked passwords.", count)), nil
		}
	}
	if j.config.CheckStrength && score(plain, j.knownWords(r)) <= int(j.config.ScoreThreshold) {
		return refuse("Choose another password: this one is too easy to guess."), nil
	}
	return policy.Result{Verdict: policy.Pass}, nil
}

func refuse(message string) policy.Result {
	return policy.Result{Verdict: policy.Fail, Messages: []string{message}}
}

// brokenRule is the first static rule that a password breaks; empty for none.
func (c *Config) brokenRule(plain string) string {
	var length, digits, lower, upper, symbols int32
	for _, r := range plain {
		length++
		switch {
		case '0' <= r && r <= '9':
			digits++
		case 'a' <= r && r <= 'z':
			lower++
		case 'A' <= r && r <= 'Z':
			upper++
		}
		if c.AmountSymbols > 0 && strings.ContainsRune(c.SymbolCharset, r) {
			symbols++
		}
	}
	for _, rule := range []struct {
		have, want int32
		what       string
	}{
		{length, c.LengthMin, "characters"},
		{digits, c.AmountDigits, "digits"},
		{lower, c.AmountLowercase, "lower-case letters from a to z"},
		{upper, c.AmountUppercase, "upper-case letters from A to Z"},
		{symbols, c.AmountSymbols, "symbols"},
	} {
		if rule.have < rule.want {
			return fmt.Sprintf("Choose a password with at least %d %s.", rule.want, rule.what)
		}
	}
	return ""
}
