package prove_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/prove"
	"github.com/weir-id/weir/internal/blueprint"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/resource/resourcetest"
	"github.com/weir-id/weir/internal/store/storetest"
)

type site struct {
	*blueprint.Importer
	catalog *catalog.Catalog
}

func newSite(t testing.TB) *site {
	t.Helper()
	in := resourcetest.New(t, storetest.SQLite(t))
	return &site{blueprint.New(blueprint.Config{Catalog: in.Catalog, Logger: in.Log, Access: in.Access, Grants: resource.Grants{Access: in.Access}, Registry: in.Kinds}), in.Catalog}
}

func (s *site) apply(t testing.TB, files ...blueprint.File) {
	t.Helper()
	if _, err := s.Apply(t.Context(), files, blueprint.Options{}); err != nil {
		t.Fatal(err)
	}
}

// prove returns code, order and severity of each finding: "error missing-need 10".
func (s *site) prove(t testing.TB, slug string) []string {
	t.Helper()
	config := s.catalog.Snapshot()
	f, ok := config.FlowBySlug(slug)
	if !ok {
		t.Fatalf("no flow %s", slug)
	}
	out := []string{}
	for _, found := range prove.Flow(config, f, time.Now()) {
		if found.Flow != slug || found.Text == "" || (found.Order == nil) != (found.Stage == "") {
			t.Errorf("an incomplete finding: %+v", found)
		}
		out = append(out, strings.Join(strings.Fields(found.String())[:2], " "))
		if found.Order != nil {
			out[len(out)-1] += " " + found.Stage
		}
	}
	return out
}

// stageFile holds those of the rows below: one of each name.
const stageFile = `
version: 1
entries:
- {model: authentik_stages_identification.identificationstage, identifiers: {name: who}, attrs: {user_fields: [username]}}
- {model: authentik_stages_password.passwordstage, identifiers: {name: secret}, attrs: {backends: [authentik.core.auth.InbuiltBackend]}}
- {model: authentik_stages_authenticator_validate.authenticatorvalidatestage, identifiers: {name: factor}, attrs: {not_configured_action: skip}}
- {model: authentik_stages_authenticator_validate.authenticatorvalidatestage, identifiers: {name: passkey}, attrs: {not_configured_action: deny}}
- {model: authentik_stages_user_login.userloginstage, identifiers: {name: login}}
- {model: authentik_stages_user_logout.userlogoutstage, identifiers: {name: logout}}
- {model: authentik_stages_user_delete.userdeletestage, identifiers: {name: delete}}
- {model: authentik_stages_user_write.userwritestage, identifiers: {name: write}}
- {model: authentik_stages_user_write.userwritestage, identifiers: {name: change}, attrs: {user_creation_mode: never_create}}
- {model: authentik_stages_prompt.prompt, id: prompt, identifiers: {name: prompt}, attrs: {field_key: username, label: Name, type: username, order: 0}}
- {model: authentik_stages_prompt.promptstage, identifiers: {name: form}, attrs: {fields: [!KeyOf prompt]}}
- {model: authentik_stages_invitation.invitationstage, identifiers: {name: invited}, attrs: {continue_flow_without_invitation: true}}
- {model: authentik_stages_email.emailstage, identifiers: {name: mail}}
- {model: authentik_stages_mtls.mutualtlsstage, identifiers: {name: certificate}, attrs: {mode: required, cert_attribute: email, user_attribute: email}}
- {model: authentik_stages_mtls.mutualtlsstage, identifiers: {name: certificate-perhaps}, attrs: {mode: optional, cert_attribute: email, user_attribute: email}}
- {model: authentik_stages_dummy.dummystage, identifiers: {name: page}}
- {model: authentik_stages_deny.denystage, identifiers: {name: denied}}
- {model: authentik_stages_redirect.redirectstage, identifiers: {name: away}, attrs: {mode: static, target_static: /elsewhere}}
- {model: authentik_policies_expression.expressionpolicy, identifiers: {name: maybe}, attrs: {expression: "return request.user.is_active"}}
- {model: authentik_policies_expression.expressionpolicy, identifiers: {name: always}, attrs: {expression: "# yes\nreturn True\n"}}
- {model: authentik_policies_expression.expressionpolicy, identifiers: {name: never}, attrs: {expression: "return False"}}
- model: authentik_policies_expression.expressionpolicy
  identifiers: {name: wanted}
  attrs:
    expression: |
      flow_plan = request.context.get("flow_plan")
      if not flow_plan:
          return True
      return not hasattr(flow_plan.context.get("pending_user"), "backend")
- model: authentik_policies_expression.expressionpolicy
  identifiers: {name: wanted-wrong}
  attrs:
    expression: |
      flow_plan = request.context.get("flow_plan")
      if not flow_plan:
          return True
          return not hasattr(flow_plan.context.get("pending_user"), "backend")
`

var stageModels = map[string]string{"who": "identification.identificationstage", "secret": "password.passwordstage",
	"factor": "authenticator_validate.authenticatorvalidatestage", "passkey": "authenticator_validate.authenticatorvalidatestage",
	"login": "user_login.userloginstage", "logout": "user_logout.userlogoutstage", "delete": "user_delete.userdeletestage",
	"write": "user_write.userwritestage", "change": "user_write.userwritestage", "form": "prompt.promptstage", "invited": "invitation.invitationstage", "mail": "email.emailstage",
	"page": "dummy.dummystage", "denied": "deny.denystage", "away": "redirect.redirectstage",
	"certificate": "mtls.mutualtlsstage", "certificate-perhaps": "mtls.mutualtlsstage"}

// flowFile writes a flow. Each stage is "name", with "?policy" for a policy that
// decides about it and "/attributes" of the binding: "secret?maybe".
func flowFile(slug, attrs string, list ...string) blueprint.File {
	var b strings.Builder
	b.WriteString("version: 1\nentries:\n- {model: authentik_flows.flow, id: flow, identifiers: {slug: " + slug + "}, attrs: {name: x, title: x, " + attrs + "}}\n")
	for i, entry := range list {
		entry, binding, _ := strings.Cut(entry, "/")
		stage, policies, _ := strings.Cut(entry, "?")
		id := slug + string(rune('a'+i))
		b.WriteString("- {model: authentik_flows.flowstagebinding, id: " + id + ", identifiers: {target: !KeyOf flow, stage: !Find [authentik_stages_" + stageModels[stage] +
			", [name, " + stage + "]], order: " + string(rune('0'+i)) + "}, attrs: {" + binding + "}}\n")
		if policies != "" {
			name, more, _ := strings.Cut(policies, "?")
			b.WriteString("- {model: authentik_policies.policybinding, identifiers: {target: !KeyOf " + id +
				", policy: !Find [authentik_policies_expression.expressionpolicy, [name, " + name + "]], order: 0}, attrs: {" + more + "}}\n")
		}
	}
	return blueprint.File{Name: slug + ".yaml", Data: []byte(b.String())}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.apply(t, blueprint.File{Name: "stages.yaml", Data: []byte(stageFile)})
	const (
		authentication = "designation: authentication"
		enrollment     = "designation: enrollment"
		settings       = "designation: stage_configuration"
		unenrollment   = "designation: unenrollment, authentication: require_authenticated"
	)
	list := func(s ...string) []string { return s }
	s.finds(t, "flow", []findingRow{
		{"a name alone signs in", authentication, list("who", "login"), list("error unchecked-login login")},
		{"a name and a password", authentication, list("who", "secret", "login"), nil},
		{"a password that a policy may leave out", authentication, list("who", "secret?maybe", "login"), list("error unchecked-login login")},
		{"a policy that always passes leaves nothing out", authentication, list("who", "secret?always", "login"), nil},
		{"unless it is turned round", authentication, list("who", "secret?always?negate: true", "login"), list("error unchecked-login login")},
		{"a password that nobody is asked for", authentication, list("who", "secret?never", "login"), list("error unchecked-login login")},
		{"a disabled policy does not count", authentication, list("who", "secret?maybe?enabled: false", "login"), nil},
		{"one asked only for the plan does", authentication, list("who", "secret?maybe/evaluate_on_plan: true, re_evaluate_policies: false", "login"), list("error unchecked-login login")},
		{"a password left out only where it was given before", authentication, list("who", "secret?wanted", "login"), nil},
		{"a policy that only looks like that", authentication, list("who", "secret?wanted-wrong", "login"), list("error unchecked-login login")},
		{"and where the person may have changed since", authentication, list("who", "secret?wanted/evaluate_on_plan: true, invalid_response_action: restart_with_context", "login"), list("error unchecked-login login")},
		{"a password of somebody else", authentication, list("who", "secret", "who", "login"), list("error unchecked-login login")},
		{"a second factor that people without one skip", authentication, list("who", "factor", "login"), list("error unchecked-login login")},
		{"a second factor that people without one fail", authentication, list("who", "passkey", "login"), nil},
		{"a certificate", authentication, list("certificate", "login"), nil},
		{"a certificate for those who have one", authentication, list("certificate-perhaps", "login"), list("warning uncertain-need login")},
		{"a certificate of perhaps nobody, and a name", authentication, list("certificate-perhaps", "who", "login"), list("error unchecked-login login")},
		{"a certificate of perhaps nobody, and a password", authentication, list("certificate-perhaps", "who", "secret", "login"), nil},
		{"a certificate, and then another name", authentication, list("certificate", "who", "login"), list("error unchecked-login login")},
		{"an account by a certificate, which may say nothing of the person", enrollment, list("certificate", "write", "login"), list("warning uncertain-need write")},
		{"a certificate of somebody without an account", enrollment, list("certificate", "login"), list("warning no-effect", "error missing-need login")},
		{"another flow may have checked", authentication + ", authentication: require_redirect", list("who", "login"), list("warning unchecked-login login")},
		{"a denied path does not sign in", authentication, list("who", "denied", "login"), list("note never-succeeds")},
		{"a password of nobody", settings, list("secret"), list("error missing-need secret")},
		{"a password of somebody", settings, list("who", "secret"), nil},
		{"a password of perhaps nobody", settings, list("who?maybe", "secret"), list("warning uncertain-need secret")},
		{"a login of nobody", authentication, list("page", "login"), list("error missing-need login")},
		{"an account without a form", enrollment, list("write"), list("error missing-need write")},
		{"an account with a form", enrollment, list("form", "write", "login"), nil},
		{"an account with what an invitation may bring", enrollment, list("invited", "write"), list("warning uncertain-need write")},
		{"a change of perhaps nobody", settings, list("form", "change"), list("warning uncertain-need change")},
		{"a change of the person who is signed in", settings + ", authentication: require_authenticated", list("form", "change"), nil},
		{"a deletion of a visitor", "designation: unenrollment, authentication: require_unauthenticated", list("delete"), list("error missing-need delete")},
		{"a deletion of the person who is signed in", unenrollment, list("page", "delete"), nil},
		{"a second deletion", unenrollment, list("delete", "delete"), list("error missing-need delete")},
		{"round and round", settings, list("page", "denied/invalid_response_action: restart"), list("error endless")},
		{"round and round with what is known", settings, list("page", "denied/invalid_response_action: restart_with_context"), list("error endless")},
		{"round until a policy lets out", settings, list("page", "denied?maybe/invalid_response_action: restart"), nil},
		{"nobody has answered yet", settings, list("denied/invalid_response_action: restart"), list("note never-succeeds")},
		{"denied in the end", settings, list("page", "denied"), list("note never-succeeds")},
		{"denied by a policy", settings, list("page", "denied?maybe"), nil},
		{"a sign-in without a login", authentication, nil, list("warning no-effect")},
		{"a sign-out without a logout", "designation: invalidation", list("page"), list("warning no-effect")},
		{"a sign-out", "designation: invalidation", list("logout"), nil},
		{"a sign-out that leads elsewhere", "designation: invalidation", list("away"), nil},
		{"a departure without a deletion", unenrollment, list("page"), list("warning no-effect")},
		{"an enrolment without an account", enrollment, list("form"), list("warning no-effect")},
	})
}

// A published recovery is imported all the same: see TestPublishedFlowsAreProved.
func TestRule22ARecoveryPastTheSecondFactorIsReported(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.apply(t, blueprint.File{Name: "stages.yaml", Data: []byte(stageFile)})
	const recovery = "designation: recovery"
	list := func(s ...string) []string { return s }
	past := list("warning no-second-factor change")
	s.finds(t, "back", []findingRow{
		{"a new password", recovery, list("who", "form", "change", "login"), past},
		{"by a link in a mail", recovery, list("who", "mail", "form", "change", "login"), past},
		{"that asks for it", recovery, list("who", "mail", "factor", "form", "change", "login"), nil},
		{"that may ask for it", recovery, list("who", "factor?maybe", "form", "change", "login"), past},
		{"that asks too late", recovery, list("who", "mail", "form", "change", "factor", "login"), past},
	})
}

// findingRow is a flow and what is found in it.
type findingRow struct {
	name, attrs string
	stages      []string
	want        []string
}

// finds proves the flows of rows, with slugs that begin alike.
func (s *site) finds(t *testing.T, slugs string, rows []findingRow) {
	t.Helper()
	for i, row := range rows {
		slug := slugs + "-" + string(rune('a'+i/26)) + string(rune('a'+i%26))
		t.Run(row.name, func(t *testing.T) {
			s.apply(t, flowFile(slug, row.attrs, row.stages...))
			if got := s.prove(t, slug); !slices.Equal(got, row.want) {
				t.Errorf("%v in %v\ngot  %v\nwant %v", row.stages, row.attrs, got, row.want)
			}
		})
	}
}

func TestDefaultFlowsHaveNoFinding(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	files, err := blueprint.Files(t.Context(), blueprint.Defaults())
	if err != nil {
		t.Fatal(err)
	}
	s.apply(t, files...)
	flows := s.catalog.Snapshot().Objects(catalog.KindFlow)
	if len(flows) < 14 {
		t.Errorf("only %d flows", len(flows))
	}
	for _, o := range flows {
		slug := o.Doc.(*flow.Flow).Slug
		if got := s.prove(t, slug); len(got) > 0 {
			t.Errorf("%s: %v", slug, got)
		}
	}
}

func TestPublishedFlowsAreProved(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("../../../shared/corpus/blueprints/*/*.yaml")
	if err != nil || len(names) == 0 {
		t.Skip("the published blueprints are not here")
	}
	s := newSite(t)
	applied := 0
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		// Some need kinds of objects that this version does not have.
		if _, err := s.Apply(t.Context(), []blueprint.File{{Name: filepath.Base(name), Data: data}}, blueprint.Options{}); err == nil {
			applied++
		}
	}
	config := s.catalog.Snapshot()
	flows := config.Objects(catalog.KindFlow)
	for _, o := range flows {
		f := o.Doc.(*flow.Flow)
		for _, found := range prove.Flow(config, f, time.Now()) {
			t.Log(found)
			if f.Slug == "default-authentication-flow" && found.Severity == prove.Error {
				t.Errorf("the published sign-in: %s", found)
			}
		}
	}
	if _, ok := config.FlowBySlug("default-authentication-flow"); !ok || len(flows) < 2 {
		t.Errorf("%d of %d files are applied, with %d flows", applied, len(names), len(flows))
	}
}
