package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// publishedFlow is a walk through the flow of a published file: as a visitor, or
// as the administrator, who answers everything and ends where it says.
type publishedFlow struct {
	slug, ends string
	admin      bool
	// link is set where the flow of ours lets nobody in without a link, which the
	// file leaves as it is; the walk does away with that.
	link bool
	// runs are the policies that such a walk comes to; nil for all of the file.
	runs []string
}

// publishedFlows are the published files with expressions.
var publishedFlows = map[string]publishedFlow{
	"default/flow-default-authentication-flow.yaml":   {slug: "default-authentication-flow", ends: "xak-flow-redirect"},
	"default/flow-default-source-authentication.yaml": {slug: "default-source-authentication", ends: "ak-stage-access-denied"}, // nobody comes from a source
	"default/flow-default-source-enrollment.yaml": {slug: "default-source-enrollment", ends: "ak-stage-access-denied",
		runs: []string{"default-source-enrollment-if-sso"}}, // nor here
	"default/flow-default-user-settings-flow.yaml":       {slug: "default-user-settings-flow", ends: "xak-flow-redirect", admin: true},
	"default/later/flow-default-user-settings-flow.yaml": {slug: "default-user-settings-flow", ends: "xak-flow-redirect", admin: true},
	// The set-up was done when the installation began.
	"default/flow-oobe.yaml":                         {slug: "initial-setup", link: true, ends: "ak-stage-access-denied", runs: []string{"default-oobe-password-usable"}},
	"default/later/flow-oobe.yaml":                   {slug: "initial-setup", link: true, ends: "ak-stage-access-denied", runs: []string{"default-oobe-password-usable"}},
	"example/flows-login-2fa.yaml":                   {slug: "default-authentication-flow", ends: "xak-flow-redirect"},
	"example/flows-recovery-email-verification.yaml": {slug: "default-recovery-flow", ends: "ak-stage-email"},
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
			if flow.runs != nil {
				waiting += len(policies) + prompts - len(flow.runs)
				policies, prompts = flow.runs, 0
			}
			ran += len(policies) + prompts
			t.Run(name, func(t *testing.T) {
				s := newSite(t, "sqlite")
				if _, err := s.Apply(t.Context(), []string{file}, false); err != nil {
					t.Fatal(err)
				}
				walkPublished(t, s, flow, policies)
			})
		}
	}
	if ran < 18 {
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
func walkPublished(t *testing.T, s *site, flow publishedFlow, policies []string) {
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
	keys := map[string]string{}
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
		keys[name] = strings.ReplaceAll(pk, "-", "")
	}
	if flow.link {
		if r := call(admin, http.MethodPatch, "/flows/instances/"+flow.slug+"/", object{"authentication": "none"}); r.status != http.StatusOK {
			t.Fatal(r.text)
		}
	}
	path := "/flows/executor/" + flow.slug + "/"
	v := newVisitor(t, "")
	if flow.admin {
		v = newVisitor(t, token)
		me := call(v, http.MethodGet, "/core/users/me/", nil).body["user"].(map[string]any)
		if r := call(v, http.MethodPatch, fmt.Sprintf("/core/users/%v/", me["pk"]), object{"email": "published@example.com"}); r.status != http.StatusOK {
			t.Fatal(r.text)
		}
	}
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
		case "ak-stage-prompt":
			at = call(v, http.MethodPost, path, filledIn(at))
			continue
		}
		break
	}
	if at.component() != flow.ends {
		t.Errorf("the flow went %s: %s", strings.Join(seen, ", "), at.text)
	}
	recorded := func(action string) []any {
		list, _ := call(admin, http.MethodGet, "/events/events/?page_size=100&action="+action, nil).body["results"].([]any)
		return list
	}
	evaluated := fmt.Sprint(recorded("policy_execution"))
	for name, key := range keys {
		if !strings.Contains(evaluated, "policy_uuid:"+key) {
			t.Errorf("policy %s was not evaluated", name)
		}
	}
	for _, action := range []string{"policy_exception", "property_mapping_exception"} {
		if failed := recorded(action); len(failed) > 0 {
			t.Errorf("expressions failed: %v", failed)
		}
	}
}

// filledIn answers a form with what stands in it.
func filledIn(r response) object {
	answer := object{}
	fields, _ := r.body["fields"].([]any)
	for _, f := range fields {
		f := f.(map[string]any)
		answer[f["field_key"].(string)] = f["initial_value"]
	}
	return answer
}
