package weir

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/blueprint"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/resource"
)

var update = flag.Bool("update", false, "write the golden files anew")

// empty opens an installation without flows and people.
func empty(t *testing.T, s Settings) *Installation {
	t.Helper()
	s.Data = t.TempDir()
	in, err := Connect(t.Context(), Config{Settings: s, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})),
		Now: func() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	return in
}

// imports applies a blueprint without the default ones.
func (in *Installation) imports(t *testing.T, text []byte) *Report {
	t.Helper()
	importer, err := in.importer()
	if err != nil {
		t.Fatal(err)
	}
	report, err := importer.Apply(t.Context(), []blueprint.File{{Name: "export.yaml", Data: text}}, blueprint.Options{})
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if len(report.Warnings) > 0 {
		t.Errorf("warnings %v for\n%s", report.Warnings, text)
	}
	return report
}

func (in *Installation) exports(t *testing.T, slug string) []byte {
	t.Helper()
	text, err := in.Export(t.Context(), slug)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestExportGolden applies the blueprint of each file in testdata/export and
// exports the flow "golden". A file holds the sections "-- in.yaml --" and
// "-- out.yaml --".
func TestExportGolden(t *testing.T) {
	golden(t, "export", func(t *testing.T, in *Installation) []byte { return in.exports(t, "golden") })
}

// golden compares what an installation exports after the first section of each file in
// a folder of testdata was imported with the second section.
func golden(t *testing.T, folder string, export func(*testing.T, *Installation) []byte) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			each(t, func(t *testing.T, s Settings) {
				data, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				in, out, _ := bytes.Cut(bytes.TrimPrefix(data, []byte("-- in.yaml --\n")), []byte("-- out.yaml --\n"))
				site := empty(t, s)
				site.acquaint(t)
				site.imports(t, in)
				got := export(t, site)
				if *update {
					text := fmt.Appendf(nil, "-- in.yaml --\n%s-- out.yaml --\n%s", in, got)
					if err := os.WriteFile(name, text, 0o600); err != nil {
						t.Fatal(err)
					}
					return
				}
				if diff := cmp.Diff(string(out), string(got)); diff != "" {
					t.Errorf("want -, got +:\n%s", diff)
				}
			})
		})
	}
}

// everything is a flow with a stage and a policy of every type, bound in all
// ways. Types with required fields have their line here.
func everything(in *Installation) string {
	attrs := map[string]string{
		"authenticator_duo":  `{client_id: DI1, api_hostname: api.example.com}`,
		"mtls":               `{mode: optional, cert_attribute: common_name, user_attribute: username}`,
		"authenticator_sms":  `{provider: twilio, account_sid: AC123, from_number: "+15550001"}`,
		"authenticator_totp": `{digits: "8"}`,
		"redirect":           `{mode: static, target_static: "/x?a=b"}`,
		"password":           "{backends: [authentik.core.auth.InbuiltBackend]}",
		"identification":     "{user_fields: [username]}",
		"prompt":             "{fields: [!KeyOf prompt], validation_policies: []}",
		"deny":               `{deny_message: "no: 'entry' # here"}`,
		"expression":         "{expression: \"if request.user:\\n    return True\\n\\n# Ä\\nreturn False\\n\"}",
		"geoip":              `{countries: ["NO", DE], asns: [64496], history_max_distance_km: 9223372036854775807}`,
		"password_expiry":    "{days: 90}",
		"policy-password":    `{length_min: 8, symbol_charset: "!? ", error_message: "no: 'password' # here"}`,
	}
	var b strings.Builder
	b.WriteString(`version: 1
entries:
- {model: authentik_stages_prompt.prompt, id: prompt, identifiers: {name: "a field"}, attrs: {field_key: attributes.x, label: Field, type: dropdown, placeholder: "return ['a']\n", placeholder_expression: true}}
- {model: authentik_flows.flow, id: flow, identifiers: {slug: everything}, attrs: {name: "yes", title: "12:30", designation: authentication, denied_action: message}}
`)
	bind := func(target, subject string, order int, more string) {
		fmt.Fprintf(&b, "- {model: authentik_policies.policybinding, identifiers: {target: !KeyOf %s, order: %d}, attrs: {%s%s}}\n", target, order, subject, more)
	}
	add := func(model, typ, id string) {
		line := attrs[id]
		if line == "" {
			line = attrs[typ]
		}
		if line == "" {
			line = "{}"
		}
		fmt.Fprintf(&b, "- {model: %s, id: %s, identifiers: {name: %q}, attrs: %s}\n", model, id, "my "+typ, line)
	}
	for i := range in.stageTypes {
		s := &in.stageTypes[i]
		add(s.Model, s.Name, "stage-"+s.Name)
		fmt.Fprintf(&b, "- {model: authentik_flows.flowstagebinding, id: binding-%s, identifiers: {target: !KeyOf flow, stage: !KeyOf stage-%s, order: %d},\n   attrs: {evaluate_on_plan: true, invalid_response_action: restart}}\n", s.Name, s.Name, i)
	}
	// One stage twice, and each policy on two targets.
	b.WriteString("- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf stage-dummy, order: 99}}\n")
	policies := in.policyList
	for i := range policies {
		add(policies[i].Model, policies[i].Name, "policy-"+policies[i].Name)
		bind("flow", "policy: !KeyOf policy-"+policies[i].Name, i, ", negate: true, timeout: 7")
		bind("binding-dummy", "policy: !KeyOf policy-"+policies[i].Name, i, ", failure_result: true, enabled: false")
	}
	bind("flow", "group: "+exportGroup, 90, "")
	bind("binding-dummy", "user: 1", 91, ", negate: true")
	return b.String()
}

const exportGroup = "2d4a2c3e-5a0f-4f5f-9a39-3c8f3a0e7b11"

// acquaint makes those people whom an export only mentions.
func (in *Installation) acquaint(t *testing.T) {
	t.Helper()
	id, err := in.CreateUser(t.Context(), NewUser{Username: "ada", Name: "Ada"})
	if err != nil || id != 1 {
		t.Fatalf("user %d: %v", id, err)
	}
	in.imports(t, []byte("version: 1\nentries: [{model: authentik_core.group, identifiers: {pk: "+exportGroup+"}, attrs: {name: staff}}]\n"))
}

func TestAnExportImportsAsItWas(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		site := empty(t, s)
		site.acquaint(t)
		defaults, err := blueprint.Files(context.Background(), blueprint.Defaults())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range defaults {
			site.imports(t, f.Data)
		}
		site.imports(t, []byte(everything(site)))
		for _, slug := range []string{"everything", "default-authentication-flow", "default-invalidation-flow"} {
			t.Run(slug, func(t *testing.T) {
				text := site.exports(t, slug)
				for _, model := range []string{"authentik_flows.flow\n", "authentik_flows.flowstagebinding\n"} {
					if !bytes.Contains(text, []byte("model: "+model)) {
						t.Errorf("no %s in\n%s", model, text)
					}
				}
				if report := site.imports(t, text); report.Changed() {
					t.Errorf("importing where it came from changes %v", report.Changes)
				}
				other := empty(t, settings(t))
				other.acquaint(t)
				if slug == "default-authentication-flow" {
					// Its stages refer to these, which an export does not hold.
					other.imports(t, site.exports(t, "default-password-change"))
					other.imports(t, site.exports(t, "default-recovery-flow"))
					f, _ := site.view().FlowBySlug("default-passwordless-authentication")
					other.imports(t, fmt.Appendf(nil, "version: 1\nentries: [{model: authentik_flows.flow, identifiers: {pk: %s, slug: %s}, attrs: {name: x, title: x, designation: authentication}}]\n", f.ID, f.Slug))
				}
				if report := other.imports(t, text); report.Count(blueprint.Create) != len(report.Changes) {
					t.Errorf("the import made less than it holds: %v", report.Changes)
				}
				if report := other.imports(t, text); report.Changed() {
					t.Errorf("importing again changes %v", report.Changes)
				}
				if diff := cmp.Diff(string(text), string(other.exports(t, slug))); diff != "" {
					t.Errorf("exported again (want -, got +):\n%s", diff)
				}
			})
		}
	})
}

func TestExportHoldsEachObjectOnce(t *testing.T) {
	site := empty(t, settings(t))
	site.acquaint(t)
	site.imports(t, []byte(everything(site)))
	text := string(site.exports(t, "everything"))
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		if pk, ok := strings.CutPrefix(strings.TrimSpace(line), "pk: "); ok {
			if seen[pk] {
				t.Errorf("%s is written twice", pk)
			}
			seen[pk] = true
		}
	}
	// The flow, a prompt, one stage and one binding of each type, one binding more, and
	// of each policy type a policy with two bindings; a group and a user.
	if want := 2 + 2*len(site.stageTypes) + 1 + 3*len(site.policyList) + 2; len(seen) != want {
		t.Errorf("%d objects, want %d in\n%s", len(seen), want, text)
	}
}

func TestExportRefusals(t *testing.T) {
	site := empty(t, settings(t))
	if _, err := site.Export(t.Context(), "nothing"); !errors.Is(err, flow.ErrNoFlow) {
		t.Errorf("an unknown flow: %v", err)
	}
	site.imports(t, []byte(`version: 1
entries:
- {model: authentik_flows.flow, id: flow, identifiers: {slug: broken}, attrs: {name: x, title: x, designation: authentication}}
- {model: authentik_policies_dummy.dummypolicy, id: p, identifiers: {name: spoilt}}
- {model: authentik_policies.policybinding, identifiers: {target: !KeyOf flow, policy: !KeyOf p, order: 0}}
`))
	// As another version of the program could have left it.
	if _, err := site.db.Exec(t.Context(), "update catalog_versions set type = 'gone' where type = 'dummy'"); err != nil {
		t.Fatal(err)
	}
	s := site.config
	again, err := Connect(t.Context(), Config{Settings: s, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = again.Close() })
	if _, err := again.Export(t.Context(), "broken"); err == nil || !strings.Contains(err.Error(), "Mend or delete it first.") {
		t.Errorf("a policy that cannot be read: %v", err)
	}
}

// checks is the configuration of a stage that consists of other objects, as
// prompt stages do.
type checks struct {
	Policies []uuid.UUID `json:"validation_policies" field:"ref=policy"`
	Piece    *uuid.UUID  `json:"piece" field:"null,ref=application"`
	Flow     *uuid.UUID  `json:"configure_flow" field:"null,ref=flow"`
	Stage    *uuid.UUID  `json:"other" field:"null,ref=stage"`
	Secret   string      `json:"secret" field:"blank,secret"`
	Set      string      `json:"some_set" field:"blank"`
}

func TestRule45AnExportHoldsWhatStagesConsistOfWithoutSecrets(t *testing.T) {
	in := empty(t, settings(t))
	in.stageTypes = append(in.stageTypes, flow.NewStageType(flow.StageType{Name: "checks", Path: "checks", Model: "authentik_stages_checks.checksstage", Label: "Checks Stage"},
		func() checks { return checks{} }, func(checks) flow.Effects { return flow.Effects{} },
		func(string, checks) flow.Stage { return flow.Plain(nil) }))
	var err error
	in.catalog, err = catalog.Open(t.Context(), catalog.Config{DB: in.db, Stages: in.stageTypes, Policies: in.policyList, Seal: plainSealer{}, Exists: in.people.Exists})
	if err != nil {
		t.Fatal(err)
	}
	in.kinds = resource.New(resource.Config{Devices: in.authenticators, DeviceKinds: in.authenticatorKinds, Catalog: in.catalog, Stages: in.stageTypes, Policies: in.policyList, Directory: in.people, Tokens: in.tokens, Access: in.access})
	in.imports(t, []byte(`version: 1
entries:
- {model: authentik_flows.flow, id: mentioned, identifiers: {slug: mentioned}, attrs: {name: x, title: x, designation: authentication}}
- {model: authentik_flows.flow, id: flow, identifiers: {slug: parts}, attrs: {name: x, title: x, designation: authentication}}
- {model: authentik_stages_dummy.dummystage, id: loose, identifiers: {name: loose}}
- {model: authentik_policies_dummy.dummypolicy, id: p, identifiers: {name: p}}
- {model: authentik_core.application, id: app, identifiers: {slug: app}, attrs: {name: App}}
- model: authentik_stages_checks.checksstage
  id: stage
  identifiers: {name: stage}
  attrs: {validation_policies: [!KeyOf p], piece: !KeyOf app, configure_flow: !KeyOf mentioned, other: !KeyOf loose, secret: hush, some_set: x}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf stage, order: 0}}
`))
	text := string(in.exports(t, "parts"))
	var models []string
	for _, m := range regexp.MustCompile(`(?m)^  model: (.*)$`).FindAllStringSubmatch(text, -1) {
		models = append(models, m[1])
	}
	want := []string{"authentik_flows.flow", "authentik_core.application", "authentik_policies_dummy.dummypolicy", "authentik_stages_checks.checksstage",
		"authentik_flows.flowstagebinding"}
	if diff := cmp.Diff(want, models); diff != "" {
		t.Errorf("models (-want +got):\n%s", diff)
	}
	for _, never := range []string{"hush", "secret", "some_set"} {
		if strings.Contains(text, never) {
			t.Errorf("%q is in\n%s", never, text)
		}
	}
	if report := in.imports(t, []byte(text)); report.Changed() {
		t.Errorf("importing it changes %v", report.Changes)
	}
}

// plainSealer seals nothing; what is exported must not depend on it.
type plainSealer struct{}

func (plainSealer) Seal(plain []byte, _ string) []byte           { return plain }
func (plainSealer) Open(sealed []byte, _ string) ([]byte, error) { return sealed, nil }
