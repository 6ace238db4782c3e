package blueprint_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/blueprint"
	"github.com/weir-id/weir/internal/store/storetest"
)

// The settings of users made accounts for strangers once, because nothing said
// that the stage behind them must not.
func TestRule16OldFilesMakeAccountsInEnrolmentsOnly(t *testing.T) {
	for _, row := range []struct{ designation, said, mode string }{
		{"stage_configuration", "", "never_create"},
		{"recovery", "", "never_create"},
		{"authentication", "", "never_create"},
		{"enrollment", "", "create_when_required"},
		{"stage_configuration", "can_create_users: true", "create_when_required"},
		{"enrollment", "can_create_users: false", "never_create"},
	} {
		t.Run(row.designation+" "+row.said, func(t *testing.T) {
			s := newSite(t, storetest.SQLite(t), nil)
			s.mustApply(t, `entries:
- {model: authentik_flows.flow, id: flow, identifiers: {slug: f}, attrs: {name: F, title: F, designation: `+row.designation+`}}
- {model: authentik_stages_prompt.prompt, id: who, identifiers: {field_key: username, label: Name}, attrs: {type: username}}
- {model: authentik_stages_prompt.promptstage, id: ask, identifiers: {name: ask}, attrs: {fields: [!KeyOf who]}}
- {model: authentik_stages_user_write.userwritestage, id: write, identifiers: {name: write}, attrs: {`+row.said+`}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf ask, order: 1}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf write, order: 2}}
`)
			report := s.mustApply(t, "entries: [{model: authentik_stages_user_write.userwritestage, identifiers: {name: write}, attrs: {user_creation_mode: "+row.mode+"}}]")
			if report.Changed() {
				t.Errorf("the stage has another mode than %s", row.mode)
			}
		})
	}
}

// No file is so large, deep or clever that it costs much before it is refused.
func TestRule43AFileCostsLittle(t *testing.T) {
	many := func(n int, line string) string { return strings.Repeat(line, n) }
	laughs := "context:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := range 8 {
		laughs += fmt.Sprintf("  a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(many(10, fmt.Sprintf("*a%d, ", i)), ", "))
	}
	one := "entries: [{model: authentik_core.group, identifiers: {name: x}, attrs: {attributes: {x: %s}}}]\n"
	ten := "[" + strings.TrimSuffix(many(100, "1,"), ",") + "]"
	for _, row := range []struct{ name, text, says string }{
		{"bytes", "# " + many(blueprint.MaxBytes, "x"), "more than the 1048576 allowed"},
		{"entries", "entries:\n" + many(10_001, "- {model: a.b}\n"), "more than 10000 entries"},
		{"problems", "entries:\n" + many(40, "- {model: a}\n") + many(40, "- {model: a.b, identifiers: {x: y}}\n"), "the model a.b is not known"},
		{"depth", fmt.Sprintf(one, many(100, "[")+many(100, "]")), "nested deeper than 64 levels"},
		{"depth of JSON", fmt.Sprintf(one, "!ParseJSON '"+many(100, "[")+many(100, "]")+"'"), "nested deeper than 64 levels"},
		{"aliases that multiply", laughs, "more than 200000 values once its aliases are expanded"},
		{"an alias of itself", "context: {a: &a {b: *a}}\n", "nested deeper than 64 levels"},
		{"merges that multiply", "context:\n  a: &a {x: &x [1, 2]}\n" + many(200, "  <<: [*a, *a]\n"), ""},
		{"a context that speaks of itself", "context: {a: !Format [\"%s%s\", !Context a, !Context a]}\n" + fmt.Sprintf(one, "!Context a"), "levels deep"},
		{"a context that doubles", doubling(40) + fmt.Sprintf(one, "!Context c40"), "values"},
		{"enumerations that multiply", fmt.Sprintf(one, "!Enumerate ["+ten+", SEQ, !Enumerate ["+ten+", SEQ, !Enumerate ["+ten+", SEQ, !Enumerate ["+ten+", SEQ, !Value 0]]]]"), "more than 2000000 values"},
		{"a wide conversion", fmt.Sprintf(one, "!Format [\"%99999999s\", a]"), "at most 1000"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSite(t, storetest.SQLite(t), nil)
			_, err := s.apply(t, blueprint.Options{}, row.text)
			if row.says != "" && (err == nil || !strings.Contains(err.Error(), row.says)) {
				t.Errorf("got %.300v\nwant %s", err, row.says)
			}
			if n := strings.Count(fmt.Sprint(err), "\n"); n >= 50 {
				t.Errorf("%d problems are told", n+1)
			}
		})
	}
}

// doubling is a context in which each value holds the one before twice.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString("context:\n  c0: x\n")
	for i := range n {
		fmt.Fprintf(&b, "  c%d: [!Context c%d, !Context c%d]\n", i+1, i, i)
	}
	return b.String()
}

// What is wrong with a secret is said without the secret.
func TestRule45NoProblemTellsASecret(t *testing.T) {
	const secret = "open-sesame"
	var log bytes.Buffer
	s := newSite(t, storetest.SQLite(t), func(c *blueprint.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	for _, entry := range []string{
		"{model: authentik_core.user, identifiers: {username: x}, attrs: {name: x, password: [" + secret + "]}}",
		"{model: authentik_core.user, identifiers: {username: x}, attrs: {name: x, password: " + secret + ", password_hash: " + secret + "}}",
		"{model: authentik_core.user, identifiers: {username: x}, attrs: {name: x, password_hash: " + secret + "}}",
		"{model: authentik_core.token, identifiers: {identifier: x}, attrs: {intent: api, user: 1, key: {a: " + secret + "}}}",
		"{model: authentik_core.token, identifiers: {identifier: x}, attrs: {intent: api, user: 1, kye: " + secret + "}}",
		"{model: authentik_stages_captcha.captchastage, identifiers: {name: x}, attrs: {public_key: x, private_key: [" + secret + "]}}",
		"{model: authentik_stages_email.emailstage, identifiers: {name: x}, attrs: {password: [" + secret + "], token_expiry: soon}}",
		"{model: authentik_core.user, identifiers: {username: x}, attrs: {name: x, password: !Format [\"%d\", " + secret + "]}}",
	} {
		report, err := s.apply(t, blueprint.Options{}, "entries:\n- "+entry+"\n")
		if err == nil {
			t.Errorf("%s is no problem", entry)
			continue
		}
		if told := fmt.Sprint(err, report.Warnings, log.String()); strings.Contains(told, secret) {
			t.Errorf("%s tells the secret: %s", entry, told)
		}
	}
}
