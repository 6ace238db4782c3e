package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// publishedFlows are published files with expressions that can be imported: the
// flow in each, and where a visitor who answers everything ends.
var publishedFlows = map[string]struct{ slug, ends string }{
	"default/flow-default-authentication-flow.yaml":   {"default-authentication-flow", "xak-flow-redirect"},
	"default/flow-default-source-authentication.yaml": {"default-source-authentication", "ak-stage-access-denied"}, // nobody comes from a source
	"example/flows-login-2fa.yaml":                    {"default-authentication-flow", "xak-flow-redirect"},
}

// The expressions of published flows run in these flows as far as their stages
// exist: each is evaluated when the flow is walked, and none fails.
func TestPublishedExpressionsRunInTheirFlows(t *testing.T) {
	root := filepath.Dir(corpus)
	if _, err := os.Stat(root); err != nil {
		t.Skipf("the published files are not here: %v", err)
	}
	ran, waiting := 0, 0
	for _, pattern := range []string{"default/*.yaml", "default/later/*.yaml", "example/*.yaml"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name, err := filepath.Rel(root, file)
			if err != nil {
				t.Fatal(err)
			}
			policies, prompts := publishedExpressions(t, file)
			if len(policies)+prompts == 0 {
				continue
			}
			flow, ok := publishedFlows[filepath.ToSlash(name)]
			if !ok {
				t.Logf("%s: %d policies and %d prompts are not run in a flow; without %s", name, len(policies), prompts, missingModels(t, file))
				waiting += len(policies) + prompts
				continue
			}
			ran += len(policies)
			t.Run(name, func(t *testing.T) {
				s := newSite(t, "sqlite")
				if _, err := s.Apply(t.Context(), []string{file}, false); err != nil {
					t.Fatal(err)
				}
				walkPublished(t, s, flow.slug, flow.ends, policies)
			})
		}
	}
	if ran < 4 {
		t.Errorf("only %d expressions ran", ran)
	}
	t.Logf("%d expressions ran in their flows, %d wait for stages", ran, waiting)
}

// missingModels names the models for which a file cannot be imported.
func missingModels(t *testing.T, file string) string {
	t.Helper()
	_, err := newSite(t, "sqlite").Apply(t.Context(), []string{file}, true)
	if err == nil {
		return "a walk in publishedFlows, though it can be imported"
	}
	var missing []string
	for _, m := range regexp.MustCompile(`the model (\S+) is not known`).FindAllStringSubmatch(err.Error(), -1) {
		if !slices.Contains(missing, m[1]) {
			missing = append(missing, m[1])
		}
	}
	if len(missing) == 0 {
		t.Errorf("%s: %v", file, err)
	}
	return strings.Join(missing, ", ")
}

// publishedExpressions returns the names of a file's expression policies and
// the number of its prompts with an expression.
func publishedExpressions(t *testing.T, file string) (policies []string, prompts int) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Entries []struct {
			Identifiers map[string]yaml.Node `yaml:"identifiers"`
			Attrs       map[string]yaml.Node `yaml:"attrs"`
		} `yaml:"entries"`
	}
	if err := yaml.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	for _, e := range doc.Entries {
		if _, ok := e.Attrs["expression"]; ok {
			policies = append(policies, e.Identifiers["name"].Value)
		}
		for _, key := range []string{"placeholder_expression", "initial_value_expression"} {
			if e.Attrs[key].Value == "true" {
				prompts++
			}
		}
	}
	return policies, prompts
}

// walkPublished has the policies record their evaluations, walks the flow and
// looks at what was recorded.
func walkPublished(t *testing.T, s *site, slug, ends string, policies []string) {
	t.Helper()
	admin, user := newVisitor(t, token), s.user(t, "Published")
	call := func(v *visitor, method, path string, body object) response {
		t.Helper()
		r, err := v.ask(t.Context(), s.URL, method, path, body)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, name := range policies {
		list := call(admin, http.MethodGet, "/policies/expression/?name="+name, nil)
		found, _ := list.body["results"].([]any)
		if len(found) != 1 {
			t.Fatalf("policy %s: %s", name, list.text)
		}
		pk := found[0].(map[string]any)["pk"].(string)
		if r := call(admin, http.MethodPatch, "/policies/expression/"+pk+"/", object{"execution_logging": true}); r.status != http.StatusOK {
			t.Fatalf("policy %s: %s", name, r.text)
		}
	}
	path := "/flows/executor/" + slug + "/"
	v := newVisitor(t, "")
	at, seen := call(v, http.MethodGet, path, nil), []string{}
	for range 10 {
		for at.status == http.StatusFound {
			at = call(v, http.MethodGet, at.location, nil)
		}
		seen = append(seen, at.component())
		switch at.component() {
		case "ak-stage-identification":
			at = call(v, http.MethodPost, path, object{"uid_field": user.name})
			continue
		case "ak-stage-password":
			at = call(v, http.MethodPost, path, object{"password": user.password})
			continue
		}
		break
	}
	if at.component() != ends {
		t.Errorf("the flow went %s: %s", strings.Join(seen, ", "), at.text)
	}
	db := s.open(t)
	count := func(action, app string) (n int) {
		if err := db.QueryRow(t.Context(), "select count(*) from events where action = $1 and (app = $2 or $2 = '')", action, app).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, name := range policies {
		if count("policy_execution", name) == 0 {
			t.Errorf("policy %s was not evaluated", name)
		}
	}
	if n := count("policy_exception", ""); n > 0 {
		t.Errorf("%d expressions failed", n)
	}
}
