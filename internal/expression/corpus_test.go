package expression_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/policy"
)

const corpus = "../../../shared/corpus/blueprints"

// corpusBody is one expression of a published blueprint.
type corpusBody struct {
	file, id, text string
	prompt         bool
}

// corpusFiles finds the files below a folder of the corpus; the oldest are JSON.
func corpusFiles(t *testing.T, folder string) []string {
	t.Helper()
	root := filepath.Join(corpus, folder)
	if _, err := os.Stat(root); err != nil {
		t.Skipf("the corpus of published blueprints is not beside the repository: %v", err)
	}
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && (filepath.Ext(path) == ".yaml" || filepath.Ext(path) == ".pbflow") {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// corpusBodies reads all expressions below a folder of the corpus.
func corpusBodies(t *testing.T, folder string) []corpusBody {
	t.Helper()
	var out []corpusBody
	for _, path := range corpusFiles(t, folder) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Entries []struct {
				ID          string         `yaml:"id"`
				Identifiers map[string]any `yaml:"identifiers"`
				Attrs       yaml.Node      `yaml:"attrs"`
			} `yaml:"entries"`
		}
		if err := yaml.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		for _, e := range doc.Entries {
			attrs := map[string]*yaml.Node{}
			for i := 0; i+1 < len(e.Attrs.Content); i += 2 {
				attrs[e.Attrs.Content[i].Value] = e.Attrs.Content[i+1]
			}
			add := func(key string, prompt bool) {
				if n := attrs[key]; n != nil && n.Kind == yaml.ScalarNode && n.Value != "" {
					name, _ := e.Identifiers["name"].(string)
					out = append(out, corpusBody{filepath.Base(path), name, n.Value, prompt})
				}
			}
			on := func(key string) bool { return attrs[key] != nil && attrs[key].Value == "true" }
			add("expression", false)
			if on("placeholder_expression") {
				add("placeholder", true)
			}
			if on("initial_value_expression") {
				add("initial_value", true)
			}
		}
	}
	return out
}

// expressionKey finds what says in a file that there is an expression; it knows
// nothing of entries, so nothing is overlooked where they are laid out otherwise.
var expressionKey = regexp.MustCompile(`(?m)^[ \t-]*"?(expression"?:|(placeholder|initial_value)_expression"?: *true)`)

// All expressions of the corpus compile, and import nothing that is not there.
func TestCorpusCompiles(t *testing.T) {
	c := expression.NewCompiler(env(t))
	for folder, least := range map[string]int{"default": 15, "example": 2, "system": 0, "old": 5} {
		list := corpusBodies(t, folder)
		kinds := map[bool]int{}
		for _, b := range list {
			kinds[b.prompt]++
			p, err := c.Compile(b.file, b.text)
			if err != nil {
				t.Errorf("%s, %s: %v\n%s", b.file, b.id, err, b.text)
				continue
			}
			if missing := p.MissingImports(); len(missing) > 0 {
				t.Errorf("%s, %s: imports %v", b.file, b.id, missing)
			}
		}
		said := 0
		for _, path := range corpusFiles(t, folder) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			said += len(expressionKey.FindAll(data, -1))
		}
		if len(list) < least || len(list) != said {
			t.Errorf("%s: %d expressions found, but the files speak of %d", folder, len(list), said)
		}
		t.Logf("%s: %d policies and mappings and %d placeholders and initial values of prompts compile", folder, kinds[false], kinds[true])
	}
}

func TestCorpusLogin(t *testing.T) {
	find := func(part string) corpusBody {
		for _, b := range corpusBodies(t, "default") {
			if b.file == "flow-default-authentication-flow.yaml" && strings.Contains(b.text, part) {
				return b
			}
		}
		t.Fatalf("no expression with %q", part)
		return corpusBody{}
	}
	password, factor := find(`"backend"`), find("auth_webauthn_pwl")
	rows := []struct {
		name string
		body corpusBody
		plan plan
		want bool
	}{
		{"the password is asked before anybody is known", password, plan{}, true},
		{"the password is asked of a known person", password, plan{"pending_user": joe()}, true},
		{"the password is not asked again after it was checked", password, plan{"pending_user": joe().WithBackend("b")}, false},
		{"the password is asked outside a plan", password, nil, true},
		{"the second factor is asked after a password", factor, plan{"auth_method": "password"}, true},
		{"the second factor is not asked after a passkey alone", factor, plan{"auth_method": "auth_webauthn_pwl"}, false},
		{"the second factor is asked outside a plan", factor, nil, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := &policy.Request{User: identity.Anonymous(), Context: map[string]any{}}
			if row.plan != nil {
				r.Plan = row.plan
				r.Context["flow_plan"] = row.plan
			}
			v, err := run(t, row.body.text, expression.Scope{Request: r, Policy: true})
			if err != nil || v.Raw != row.want {
				t.Errorf("got %v (%v), want %v", v.Raw, err, row.want)
			}
		})
	}
}

func TestCorpusOthersRun(t *testing.T) {
	wants := map[string]any{ // by a part of the body
		"return ak_is_sso_flow":                                  false,
		"'username' not in context.get('prompt_data'":            true,
		"return user.username":                                   "joe",
		"return user.name":                                       "Joe Doe",
		"return user.email":                                      "joe@example.com",
		`get("settings", {}).get("locale", "")`:                  "de",
		"USER_ATTRIBUTE_CHANGE_EMAIL":                            false,
		`context["flow_plan"].context["pending_user"] = akadmin`: true,
		`akadmin is None or not akadmin.has_usable_password()`:   false,
		`build_absolute_uri("/").rstrip("/")`:                    "https://id.example.com",
		"URLValidator()(base_url)":                               true,
		"request.context.get('is_restored', True)":               true,
		`return context.get("auth_method") != "app_password"`:    true,
	}
	seen := map[string]bool{}
	for _, folder := range []string{"default", "example"} {
		for _, b := range corpusBodies(t, folder) {
			for part, want := range wants {
				if !strings.Contains(b.text, part) {
					continue
				}
				seen[part] = true
				scope := expression.Scope{Request: request(), Policy: !b.prompt}
				if b.prompt {
					scope.Variables = map[string]any{"user": joe()}
				}
				v, err := run(t, b.text, scope)
				if err != nil || v.Raw != want {
					t.Errorf("%s, %s: got %v (%v), want %v", b.file, part, v.Raw, err, want)
				}
			}
		}
	}
	for part := range wants {
		if !seen[part] {
			t.Errorf("the corpus has no %q any more", part)
		}
	}
}
