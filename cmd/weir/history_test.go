package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const historyFirst = `version: 1
entries:
- {model: authentik_flows.flow, id: flow, identifiers: {slug: hello}, attrs: {name: Hello, title: Hello, designation: stage_configuration}}
- {model: authentik_stages_captcha.captchastage, id: check, identifiers: {name: check}, attrs: {public_key: a, private_key: the first secret}}
- model: authentik_policies_expression.expressionpolicy
  id: policy
  identifiers: {name: evening}
  attrs:
    expression: |
      a = 1
      b = 2
      c = 3
      d = 4
      e = 5
      return a + b + c + d == e
- {model: authentik_flows.flowstagebinding, id: binding, identifiers: {target: !KeyOf flow, stage: !KeyOf check, order: 10}}
- {model: authentik_policies.policybinding, identifiers: {target: !KeyOf binding, policy: !KeyOf policy, order: 0}}
- {model: authentik_core.group, id: friends, identifiers: {name: Friends}, attrs: {attributes: {color: blue}}}
- {model: authentik_core.user, identifiers: {username: bob}, attrs: {name: Bob, password: bobs first secret, groups: [!KeyOf friends]}}
`

// steps runs commands of one installation and returns all that they print.
type steps struct {
	t    *testing.T
	data string
	out  strings.Builder
}

var clockTime = regexp.MustCompile(`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+Z)?`)

func (s *steps) run(args ...string) {
	s.t.Helper()
	code, out, errs := call(s.t, "", append([]string{"--data", s.data, "--hash-memory", "7168"}, args...)...)
	shown := make([]string, len(args))
	for i, a := range args {
		shown[i] = filepath.Base(a)
	}
	errs = regexp.MustCompile(`(?m)^time=.*\n`).ReplaceAllString(errs, "") // the log
	fmt.Fprintf(&s.out, "$ weir %s\n%s%sexit %d\n\n", strings.Join(shown, " "), clockTime.ReplaceAllString(out, "TIME"), errs, code)
}

// What the commands print is kept as a file; WEIR_UPDATE=1 writes it anew.
func TestPlanHistoryDiffAndRollback(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "first.yaml"), filepath.Join(dir, "second.yaml")
	changed := strings.NewReplacer("title: Hello", `title: "Good evening \u001b[31m"`, "the first secret", "the second secret", "c = 3", "c = 33", "order: 10", "order: 20",
		"name: Bob", "name: Robert", "bobs first", "bobs second", "blue", "red").Replace(historyFirst)
	for name, text := range map[string]string{first: historyFirst, second: changed} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := &steps{t: t, data: filepath.Join(dir, "data")}
	s.run("apply", "--dry-run", first)
	s.run("apply", first)
	s.run("apply", "--dry-run", first)
	s.run("diff", second)
	s.run("diff", first, second)
	s.run("apply", second)
	s.run("history", "--limit", "2")
	s.run("history", "3")
	s.run("history", "--object", "stage:check", "--json")
	s.run("diff", "2", "--object", "hello")
	s.run("diff", "3", "2", "--object", "policy:evening")
	s.run("rollback", "2", "--object", "hello", "--object", "stage:check", "--dry-run")
	s.run("rollback", "2", "--object", "hello", "--object", "stage:check")
	s.run("rollback", "2")
	s.run("rollback", "2")
	s.run("diff", "2")
	s.run("rollback", "1")
	s.run("rollback", "2", "--object", "binding:hello #10 check")
	s.run("history", "--object", "hello", "--limit", "1")
	s.run("history", "--object", "nothing")
	s.run("history", "77")
	s.run("rollback", "77")
	s.run("rollback", "x")
	s.run("diff")
	s.run("diff", "--drift")
	got := regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).ReplaceAllString(s.out.String(), "UUID")
	const golden = "testdata/history.txt"
	if os.Getenv("WEIR_UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("printed (-want +got):\n%s", cmp.Diff(string(want), got))
	}
	for _, secret := range []string{"the first secret", "the second secret", "bobs"} {
		if strings.Contains(got, secret) {
			t.Errorf("rule 45: %q is printed", secret)
		}
	}
	if strings.Contains(got, "\x1b") {
		t.Error("a name moves the cursor, or there are colours without a terminal")
	}
}
