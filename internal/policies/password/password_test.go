package password_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/policies/password"
	"github.com/weir-id/weir/policy"
)

// judge asks a policy of the configuration about a context.
func judge(t *testing.T, env password.Env, c password.Config, r *policy.Request) policy.Result {
	t.Helper()
	typ := password.Type(env)
	p, err := typ.Build("p", &c)
	if err != nil {
		t.Fatal(err)
	}
	if r.User == nil {
		r.User = identity.Anonymous()
	}
	return (&policy.Object{Name: "p", Policy: p}).Evaluate(t.Context(), r, 20*time.Second)
}

// config is the default configuration, changed.
func config(change func(*password.Config)) password.Config {
	typ := password.Type(password.Env{})
	c := *typ.Defaults().(*password.Config)
	if change != nil {
		change(&c)
	}
	return c
}

func request(plain any) *policy.Request {
	return &policy.Request{Context: map[string]any{"password": plain}}
}

const broken = "The rules are broken."

// strict is the configuration of the situations in which each rule is broken in
// turn.
func strict(c *password.Config) {
	c.AmountDigits, c.AmountUppercase, c.AmountLowercase, c.AmountSymbols, c.LengthMin = 1, 1, 2, 3, 24
	c.ErrorMessage = broken
}

func TestStaticRules(t *testing.T) {
	const missing = "There is no password to check: enter one."
	length := func(n int32) func(*password.Config) {
		return func(c *password.Config) { c.LengthMin = n }
	}
	symbols := func(n int32, set string) func(*password.Config) {
		return func(c *password.Config) { c.AmountSymbols, c.SymbolCharset = n, set }
	}
	rows := []struct {
		name   string
		change func(*password.Config)
		plain  any
		// want is the message, empty for a pass.
		want string
	}{
		{"no password", strict, nil, missing},
		{"an empty password", strict, "", missing},
		{"too short", strict, "aA1#%!", broken},
		{"too few lower-case letters", strict, "AAAAAAAAAAAAAAAAAAAAAAAAA1#%!a", broken},
		{"too few upper-case letters", strict, "aaaaaaaaaaaaaaaaaaaaaaaaa1#%!", broken},
		{"too few symbols", strict, "aaaaaaaaaaaaaaaaaaaaaaaaaA1#%", broken},
		{"too few digits", strict, "aaaaaaaaaaaaaaaaaaaaaaaaaA#%!", broken},
		{"all rules are kept", strict, "aaaaaaaaaaaaaaaaaaaaaaaaaA1#%!", ""},
		{"switched off", func(c *password.Config) { strict(c); c.CheckStaticRules = false }, "a", ""},
		{"the defaults ask for nothing", nil, "a", ""},
		{"the text names the rule", length(5), "abcd", "Choose a password with at least 5 characters."},
		{"upper-case letters are held against their own amount", func(c *password.Config) { c.AmountUppercase, c.AmountLowercase = 1, 5 }, "abcdeF", ""},
		{"as are lower-case ones", func(c *password.Config) { c.AmountUppercase, c.AmountLowercase = 5, 1 }, "ABCDf", "Choose a password with at least 5 upper-case letters from A to Z."},
		{"code points are counted, not bytes", length(4), "äöü", "Choose a password with at least 4 characters."},
		{"outside of the first plane, too", length(3), "😀😀😀", ""},
		{"letters are those of ASCII", func(c *password.Config) { c.AmountLowercase = 1 }, "äöüß", "Choose a password with at least 1 lower-case letters from a to z."},
		{"digits as well", func(c *password.Config) { c.AmountDigits = 1 }, "٣४", "Choose a password with at least 1 digits."},
		{"a backslash is one symbol", func(c *password.Config) { c.AmountSymbols = 2 }, `a\`, "Choose a password with at least 2 symbols."},
		{"two of them are two", func(c *password.Config) { c.AmountSymbols = 2 }, `\\`, ""},
		{"a blank is a symbol", func(c *password.Config) { c.AmountSymbols = 1 }, "a b", ""},
		{"symbols of another set", symbols(2, "€§"), "€§", ""},
		{"only those count", symbols(1, "€§"), "#!?", "Choose a password with at least 1 symbols."},
		{"a number is taken as text", length(5), int64(12345), ""},
		{"bytes that are no text count as well", length(3), "\xff\xfe\xfd", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got := judge(t, password.Env{}, config(row.change), request(row.plain))
			want := []string{row.want}
			if row.want == "" {
				want = nil
			}
			if (got.Verdict == policy.Pass) != (row.want == "") || got.Verdict == policy.Error || !slices.Equal(got.Messages, want) {
				t.Errorf("%v %q (%v), want %q", got.Verdict, got.Messages, got.Err, want)
			}
		})
	}
}

func TestWhereThePasswordComesFrom(t *testing.T) {
	c := config(func(c *password.Config) { c.PasswordField, c.LengthMin = "new_password", 5 })
	rows := []struct {
		name    string
		context map[string]any
		want    policy.Verdict
	}{
		{"the prompt", map[string]any{"prompt_data": map[string]any{"new_password": "12345"}}, policy.Pass},
		{"the prompt before the context", map[string]any{"prompt_data": map[string]any{"new_password": "1"}, "new_password": "12345"}, policy.Fail},
		{"the context without a prompt", map[string]any{"new_password": "12345"}, policy.Pass},
		{"the context behind a prompt that lacks the field", map[string]any{"prompt_data": map[string]any{"x": "1"}, "new_password": "12345"}, policy.Pass},
		{"an empty field is no password", map[string]any{"prompt_data": map[string]any{"new_password": ""}, "new_password": "12345"}, policy.Fail},
		{"another field", map[string]any{"prompt_data": map[string]any{"password": "12345"}, "password": "12345"}, policy.Fail},
		{"a prompt that is none", map[string]any{"prompt_data": "12345"}, policy.Fail},
		{"nothing", nil, policy.Fail},
	}
	for _, row := range rows {
		if got := judge(t, password.Env{}, c, &policy.Request{Context: row.context}); got.Verdict != row.want {
			t.Errorf("%s: %v %q", row.name, got.Verdict, got.Messages)
		}
	}
}

func TestStrength(t *testing.T) {
	ada := identity.NewPerson(identity.User{ID: 7, Username: "stargazer", Name: "Ada Lovelace", Email: "al@analytical.example"}, nil)
	typed := identity.NewPerson(identity.User{Username: "stargazer"}, nil)
	env := password.Env{BrandTitle: func(host string) string {
		if host != "login.example" {
			return ""
		}
		return "Zyxomma Industries"
	}}
	at := func(host string) *policy.HTTPRequest { return &policy.HTTPRequest{Host: host} }
	const weak = "Choose another password: this one is too easy to guess."
	rows := []struct {
		name      string
		plain     string
		threshold int32
		user      *identity.Person
		http      *policy.HTTPRequest
		want      policy.Verdict
	}{
		{"a common word", "password1", 2, nil, nil, policy.Fail},
		{"a word in other letters", "p4ssw0rd", 2, nil, nil, policy.Fail},
		{"random", "tR7#qLw9!vZx2@", 2, nil, nil, policy.Pass},
		{"a threshold that nothing exceeds", "tR7#qLw9!vZx2@", 4, nil, nil, policy.Fail},
		{"the own user name", "stargazer", 0, ada, nil, policy.Fail},
		{"somebody else's", "stargazer", 0, identity.NewPerson(identity.User{ID: 8, Username: "x"}, nil), nil, policy.Pass},
		{"a name that was only typed", "stargazer", 0, typed, nil, policy.Pass},
		{"the own name", "ada lovelace", 0, ada, nil, policy.Fail},
		{"the own address", "al@analytical.example", 0, ada, nil, policy.Fail},
		{"the name of the site", "zyxomma industries", 0, ada, at("login.example"), policy.Fail},
		{"of another site", "zyxomma industries", 0, ada, at("other.example"), policy.Pass},
		{"without a request", "zyxomma industries", 0, ada, nil, policy.Pass},
		{"the beginning counts", strings.Repeat("a", 72) + "tR7#qLw9!vZx2@", 2, nil, nil, policy.Fail},
		{"a million characters", strings.Repeat("tR7#qLw9!vZx2@", 71_000), 2, nil, nil, policy.Pass},
		{"every way to write letters otherwise", strings.Repeat("4@8({[<369!1|70$5+%2", 50), 2, nil, nil, policy.Pass},
		{"no text", "\xff\xfe\x00\xff", 4, nil, nil, policy.Fail},
		{"combining marks", strings.Repeat("e\u0301😀İß", 20), 4, nil, nil, policy.Fail},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			c := config(func(c *password.Config) { c.CheckStrength, c.ScoreThreshold = true, row.threshold })
			r := request(row.plain)
			r.User, r.HTTP = row.user, row.http
			got := judge(t, env, c, r)
			if got.Verdict != row.want || row.want == policy.Fail && !slices.Equal(got.Messages, []string{weak}) || row.want == policy.Pass && got.Messages != nil {
				t.Errorf("%v %q (%v), want %v", got.Verdict, got.Messages, got.Err, row.want)
			}
		})
	}
}

func TestDefaultsAndBounds(t *testing.T) {
	c := config(nil)
	if c.PasswordField != "password" || !c.CheckStaticRules || c.CheckLeaks || c.CheckStrength || c.AllowedLeaks != 0 || c.ScoreThreshold != 2 || c.ErrorMessage != "" {
		t.Errorf("defaults %+v", c)
	}
	if n := len(c.SymbolCharset); n != 34 || !strings.HasSuffix(c.SymbolCharset, "~ ") {
		t.Errorf("%d symbols: %q", n, c.SymbolCharset)
	}
	for name, data := range map[string]map[string]any{
		"length_min": {"length_min": -1}, "amount_digits": {"amount_digits": -1}, "hibp_allowed_count": {"hibp_allowed_count": -1},
		"zxcvbn_score_threshold": {"zxcvbn_score_threshold": -1}, "password_field": {"password_field": " "}, "symbol_charset": {"symbol_charset": ""},
	} {
		typ := password.Type(password.Env{})
		if _, errs := field.Decode(typ.Defaults(), data, field.Create); errs[name] == nil {
			t.Errorf("%v is accepted", data)
		}
	}
	kept := config(nil)
	if _, errs := field.Decode(&kept, map[string]any{"symbol_charset": "! ", "error_message": ""}, field.Create); errs != nil || kept.SymbolCharset != "! " {
		t.Errorf("the blank at the end: %q, %v", kept.SymbolCharset, errs)
	}
}

// FuzzPassword holds the policy to a verdict whatever is typed: a panic in the
// estimate would be an error.
func FuzzPassword(f *testing.F) {
	for _, s := range []string{"password", "a\x00b", "\xff\xfe", "İİİ", "1|7!", "2001-01-01", "qwertz"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, plain, name string) {
		r := request(plain)
		r.User = identity.NewPerson(identity.User{ID: 1, Username: name}, nil)
		c := config(func(c *password.Config) { strict(c); c.CheckStrength = true; c.LengthMin = 0; c.ErrorMessage = "" })
		if got := judge(t, password.Env{}, c, r); got.Verdict == policy.Error {
			t.Errorf("%q, known %q: %v", plain, name, got.Err)
		}
		c.CheckStaticRules = false
		if got := judge(t, password.Env{}, c, r); got.Verdict == policy.Error {
			t.Errorf("%q, known %q: %v", plain, name, got.Err)
		}
	})
}
