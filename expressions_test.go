package weir

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/expression"
)

// A body that cannot be accepted is refused at each door, with the place and
// with what to write instead: the API names the line of the body, a blueprint
// that of its file.
func TestBodiesThatAreRefusedSayWhere(t *testing.T) {
	site := open(t, settings(t), "version: 1\nentries: []\n")
	c := visit(t, site)
	rows := []struct {
		name, body   string
		line, column int
		hint         string
	}{
		{"a class", "x = 1\nclass A:\n    pass", 2, 1, "'class' is not available"},
		{"a name of the host", "if True:\n    y = context.__class__", 2, 17, "__class__"},
		{"eval", "\n\nreturn eval('1')", 3, 8, "eval"},
		{"an assignment where a comparison is meant", "if context = 1:\n    pass", 1, 12, "use == to compare"},
	}
	for i, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			place := fmt.Sprintf("(line %d, column %d)", row.line, row.column)
			r := c.as(rootToken, "POST", "/api/v3/policies/expression/", `{"name":"p","expression":`+quote(t, row.body)+`}`)
			text := fmt.Sprint(r.body["expression"])
			if r.status != 400 || !strings.Contains(text, place) || !strings.Contains(text, row.hint) {
				t.Errorf("API: %d %v, want %s", r.status, r.body, place)
			}

			// The last one keeps one blank before each line of the body.
			for style, indent := range map[string]int{"|": 8, "|-": 6, "|1": 6} {
				file := "version: 1\nentries:\n- model: authentik_policies_expression.expressionpolicy\n  identifiers: {name: p}\n  attrs:\n    expression: " + style
				for line := range strings.SplitSeq(row.body, "\n") {
					file += "\n" + strings.Repeat(" ", indent) + line
				}
				file += "\n"
				path := filepath.Join(t.TempDir(), fmt.Sprintf("bad%d.yaml", i))
				if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
					t.Fatal(err)
				}
				_, err := site.Apply(t.Context(), []string{path}, false)
				var problems BlueprintErrors
				if !errors.As(err, &problems) || len(problems) != 1 {
					t.Fatalf("file: %v", err)
				}
				if p := problems[0]; p.Line != 6+row.line || p.Column != indent+row.column || p.Field != "expression" || !strings.Contains(p.Message, row.hint) {
					t.Errorf("file with %s: %v, want line %d, column %d", style, p, 6+row.line, indent+row.column)
				}

				r = c.as(rootToken, "POST", "/api/v3/managed/blueprints/", `{"name":"b","content":`+quote(t, file)+`}`)
				if where := fmt.Sprintf("In line %d, column %d: ", 6+row.line, indent+row.column); r.status != 400 || !strings.Contains(fmt.Sprint(r.body["content"]), where) {
					t.Errorf("kept blueprint: %d %v, want %s", r.status, r.body, where)
				}
			}
		})
	}
}

// The expressions of prompts are refused at the same doors.
func TestBodiesOfPromptsThatAreRefusedSayWhere(t *testing.T) {
	site := open(t, settings(t), "version: 1\nentries: []\n")
	body := "x = 1\nreturn exec('1')"
	r := visit(t, site).as(rootToken, "POST", "/api/v3/stages/prompt/prompts/", `{"name":"p","field_key":"p","label":"p","type":"text","placeholder_expression":true,"placeholder":`+quote(t, body)+`}`)
	if text := fmt.Sprint(r.body["placeholder"]); r.status != 400 || !strings.Contains(text, "(line 2, column 8)") {
		t.Errorf("API: %d %v", r.status, r.body)
	}
	path := filepath.Join(t.TempDir(), "bad.yaml")
	file := "version: 1\nentries:\n- model: authentik_stages_prompt.prompt\n  identifiers: {name: p}\n  attrs:\n    field_key: p\n    label: p\n    type: text\n    initial_value_expression: true\n    initial_value: |\n      " +
		strings.ReplaceAll(body, "\n", "\n      ") + "\n"
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := site.Apply(t.Context(), []string{path}, false)
	var problems BlueprintErrors
	if !errors.As(err, &problems) || len(problems) != 1 || problems[0].Line != 12 || problems[0].Column != 14 || problems[0].Field != "initial_value" {
		t.Errorf("file: %v", err)
	}
}

// What an expression reaches outside is what the settings say: nothing unless
// an administrator lists it.
func TestRule11ExpressionsCallWhatIsListed(t *testing.T) {
	calls := 0
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		fmt.Fprint(w, `{"allowed": true}`)
	}))
	defer other.Close()
	text := fmt.Sprintf(`version: 1
entries:
- {model: authentik_core.application, identifiers: {slug: wiki}, attrs: {name: Wiki, group: docs}}
- model: authentik_policies_expression.expressionpolicy
  identifiers: {pk: 00000000-0000-4000-8000-000000000001}
  attrs: {name: http, expression: "return requests.get('%s/').json()['allowed']"}
- model: authentik_policies_expression.expressionpolicy
  identifiers: {pk: 00000000-0000-4000-8000-000000000002}
  attrs: {name: dns, expression: "return resolve_dns('127.0.0.1') == ['127.0.0.1']"}
- model: authentik_policies_expression.expressionpolicy
  identifiers: {pk: 00000000-0000-4000-8000-000000000003}
  attrs:
    name: objects
    expression: |
      from authentik.core.models import Application
      from authentik.flows.models import Flow
      return (Application.objects.get(slug="wiki").group == "docs" and Flow.objects.filter(designation="authentication").exists()
              and request.user.avatar.startswith("/"))
`, other.URL)
	silent, listed := settings(t), settings(t)
	listed.Expressions.Hosts, listed.Expressions.DNS = []string{other.URL}, true
	rows := []struct {
		name     string
		settings Settings
		policy   int
		passing  bool
		say      string
		calls    int
	}{
		{"no host is listed", silent, 1, false, "setting expression_hosts", 0},
		{"no name server is allowed", silent, 2, false, "expression_dns", 0},
		{"the configuration is there", silent, 3, true, "", 0},
		{"the host is listed", listed, 1, true, "", 1},
		{"name servers are allowed", listed, 2, true, "", 0},
	}
	sites := map[string]*Server{}
	for _, row := range rows {
		site := sites[row.settings.Data]
		if site == nil {
			site = open(t, row.settings, text)
			sites[row.settings.Data] = site
		}
		calls = 0
		ada, err := site.CreateUser(t.Context(), NewUser{Username: fmt.Sprint("u", row.policy), Name: "Ada"})
		if err != nil {
			t.Fatal(err)
		}
		r := visit(t, site).as(rootToken, "POST", fmt.Sprintf("/api/v3/policies/all/00000000-0000-4000-8000-00000000000%d/test/", row.policy), fmt.Sprintf(`{"user":%d}`, ada))
		if r.status != http.StatusOK || r.body["passing"] != row.passing || !strings.Contains(fmt.Sprint(r.body["messages"]), row.say) || calls != row.calls {
			t.Errorf("%s: %d %v, %d calls", row.name, r.status, r.body, calls)
		}
	}
	bad := settings(t)
	bad.Expressions.Hosts = []string{"https://x/y"}
	if site, err := Open(t.Context(), Config{Settings: bad}); err == nil || !strings.Contains(err.Error(), "x/y") {
		t.Errorf("a list that nobody can read: %v, %v", site, err)
	}
}

func TestInvitationsOfExpressions(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		site := open(t, s, "version: 1\nentries: []\n")
		c := visit(t, site)
		r := c.as(rootToken, "POST", "/api/v3/stages/invitation/invitations/", `{"name":"welcome","single_use":true,"fixed_data":{"team":"red"}}`)
		if r.status != http.StatusCreated {
			t.Fatalf("%d %v", r.status, r.body)
		}
		ended := c.as(rootToken, "POST", "/api/v3/stages/invitation/invitations/", `{"name":"ended","expires":"2020-01-01T00:00:00Z"}`)
		if ended.status != http.StatusCreated {
			t.Fatalf("%d %v", ended.status, ended.body)
		}
		body := fmt.Sprintf(`from authentik.stages.invitation.models import Invitation
i = Invitation.objects.get(pk=%q)
return (i.name, i.fixed_data, i.single_use, i.created_by.username, Invitation.objects.filter(pk=%q).exists())`, r.body["pk"], ended.body["pk"])
		p, err := site.expressions.Compile("body", body)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := p.Run(t.Context(), expression.Scope{Policy: true}); err != nil || v.Text != "('welcome', {'team': 'red'}, True, 'akadmin', False)" {
			t.Errorf("got %s, %v", v.Text, err)
		}
	})
}
