package prove_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/flow/prove"
	"github.com/weir-id/weir/internal/blueprint"
)

func TestNoSignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.apply(t, blueprint.File{Name: "stages.yaml", Data: []byte(stageFile)})
	list := func(s ...string) []string { return s }
	full := list("who", "secret", "login")
	for i, row := range []struct {
		name, attrs string
		// policies are those of the flow.
		policies string
		stages   []string
		// want is a part of the reason, empty where somebody may sign in.
		want string
	}{
		{"a name and a password", "", "", full, ""},
		{"for visitors", "authentication: require_unauthenticated", "", full, ""},
		{"a second factor that people without one fail", "", "", list("who", "passkey", "login"), ""},
		{"a second factor that people without one skip", "", "", list("who", "factor", "login"), ""},
		{"a link in a mail", "", "", list("who", "mail", "login"), ""},
		{"a password that a policy may leave out", "", "", list("who", "secret?maybe", "login"), ""},
		{"a login that a policy may leave out", "", "", list("who", "secret", "login?maybe"), ""},
		{"a denial that a policy may leave out", "", "", list("denied?maybe", "who", "secret", "login"), ""},
		{"a denial that nobody meets", "", "", list("denied?never", "who", "secret", "login"), ""},
		{"a denial afterwards", "", "", list("who", "secret", "login", "denied"), ""},
		{"a policy of the flow that may fail", "", "maybe", full, ""},
		{"a policy of the flow that always passes", "", "always", full, ""},
		{"one that fails beside one that may pass", "", "never maybe", full, ""},
		{"the same where all have to pass", "policy_engine_mode: all", "never maybe", full, "its policies always fail"},
		{"a policy of the flow that always fails", "", "never", full, "its policies always fail"},
		{"turned round", "", "never?negate:true", full, ""},
		{"disabled", "", "never?enabled:false", full, ""},
		{"an elsewhere", "", "", list("who", "away"), ""},
		{"no stage", "", "", nil, "reaches a login"},
		{"no login", "", "", list("who", "secret"), "reaches a login"},
		{"a login that is left out", "", "", list("who", "secret", "login?never"), "reaches a login"},
		{"a denial first", "", "", list("denied", "who", "secret", "login"), "reaches a login"},
		{"a denial of nobody's answer", "", "", list("denied/invalid_response_action: restart_with_context", "who", "secret", "login"), "reaches a login"},
		{"a login of nobody", "", "", list("login"), "reaches a login"},
		{"no password", "", "", list("who", "login"), "checks a password"},
		{"a password that is left out", "", "", list("who", "secret?never", "login"), "checks a password"},
		{"a password of somebody else", "", "", list("who", "secret", "who", "login"), "checks a password"},
		{"a password after the login", "", "", list("who", "login", "secret"), "checks a password"},
		{"only for people who are signed in", "authentication: require_authenticated", "", full, "without a session or a link"},
		{"only by a link", "authentication: require_token", "", full, "without a session or a link"},
		{"only from another flow", "authentication: require_redirect", "", full, "without a session or a link"},
	} {
		t.Run(row.name, func(t *testing.T) {
			slug := fmt.Sprintf("in-%c%c", 'a'+i/26, 'a'+i%26)
			attrs := "designation: authentication"
			if row.attrs != "" {
				attrs += ", " + row.attrs
			}
			file := flowFile(slug, attrs, row.stages...)
			for order, entry := range strings.Fields(row.policies) {
				name, more, _ := strings.Cut(entry, "?")
				file.Data = fmt.Appendf(file.Data, "- {model: authentik_policies.policybinding, identifiers: {target: !KeyOf flow, policy: !Find [authentik_policies_expression.expressionpolicy, [name, %s]], order: %d}, attrs: {%s}}\n",
					name, order, strings.ReplaceAll(more, ":", ": "))
			}
			s.apply(t, file)
			f, _ := s.catalog.Snapshot().FlowBySlug(slug)
			got := prove.NoSignIn(s.catalog.Snapshot(), f, time.Now())
			if (got == "") != (row.want == "") || !strings.Contains(got, row.want) {
				t.Errorf("%v in %v: %q, want %q", row.stages, row.attrs, got, row.want)
			}
		})
	}
}

// BenchmarkNoSignIn looks at the sign-in as it is shipped.
func BenchmarkNoSignIn(b *testing.B) {
	c := flowtest.NewCatalog(types()...)
	f := c.AddFlow("in", func(f *flow.Flow) { f.Designation = flow.Authentication })
	for _, name := range []string{"identification", "password", "authenticator_validate", "user_login"} {
		c.Bind(f, c.AddStage(name, name, nil), nil)
	}
	b.ReportAllocs()
	for b.Loop() {
		if reason := prove.NoSignIn(c, f, time.Now()); reason != "" {
			b.Fatal(reason)
		}
	}
}
