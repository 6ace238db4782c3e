package catalog

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/certificate"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/prompt"
	"github.com/weir-id/weir/internal/system"
	"github.com/weir-id/weir/policy"
)

// kinds declares every kind of object.
func kinds(stages map[string]*flow.StageType, policies map[string]*policy.Type, compile func(name, body string) error) []*kind {
	return []*kind{
		newKind(KindFlow, "authentik_flows.flow", "Flow", flow.NewFlow, func(k *kind) {
			k.target = true
			k.order = func(a, b any) int { return cmp.Compare(a.(*flow.Flow).Slug, b.(*flow.Flow).Slug) }
			k.groups = func(doc any) []string { return []string{"designation:" + string(doc.(*flow.Flow).Designation)} }
			k.display = func(_ *Snapshot, doc any) string { return doc.(*flow.Flow).Slug }
		}),
		newKind(KindBinding, "authentik_flows.flowstagebinding", "Flow Stage Binding", flow.NewBinding, func(k *kind) {
			k.target = true
			k.uniques = [][]string{{"target", "stage", "order"}}
			k.fail = func(doc any, _ error) { failBinding(doc.(*flow.Binding)) }
			k.order = func(a, b any) int { return cmp.Compare(a.(*flow.Binding).Order, b.(*flow.Binding).Order) }
			k.groups = func(doc any) []string { return []string{"target:" + doc.(*flow.Binding).Target.String()} }
			k.display = func(s *Snapshot, doc any) string {
				b := doc.(*flow.Binding)
				return fmt.Sprintf("%s #%d %s", s.nameOf(b.Target), b.Order, s.nameOf(b.Stage))
			}
		}),
		newKind(KindPolicyBinding, "authentik_policies.policybinding", "Policy Binding", policy.NewBinding, func(k *kind) {
			k.uniques = [][]string{{"policy", "target", "order"}}
			k.fail = func(doc any, _ error) { failPolicyBinding(doc.(*policy.Binding)) }
			k.check = noPolicyEntitles
			k.order = func(a, b any) int { return cmp.Compare(a.(*policy.Binding).Order, b.(*policy.Binding).Order) }
			k.groups = func(doc any) []string { return []string{"target:" + doc.(*policy.Binding).Target.String()} }
			k.display = func(s *Snapshot, doc any) string {
				b := doc.(*policy.Binding)
				return fmt.Sprintf("%s #%d %s", s.nameOf(b.Target), b.Order, subject(s, b))
			}
		}),
		newKind(KindBrand, "authentik_brands.brand", "Brand", flow.NewBrand, func(k *kind) {
			k.order = func(a, b any) int { return cmp.Compare(a.(*flow.Brand).Domain, b.(*flow.Brand).Domain) }
			k.groups = brandGroups
			k.check = oneDefaultBrand
			k.display = func(_ *Snapshot, doc any) string { return doc.(*flow.Brand).Domain }
		}),
		newKind(KindApplication, "authentik_core.application", "Application", flow.NewApplication, func(k *kind) {
			k.target, k.ownTarget = true, true
			k.order = func(a, b any) int { return cmp.Compare(a.(*flow.Application).Name, b.(*flow.Application).Name) }
			k.display = func(_ *Snapshot, doc any) string { return doc.(*flow.Application).Name }
		}),
		entitlementKind(),
		newKind(KindPrompt, "authentik_stages_prompt.prompt", "Prompt", prompt.New, func(k *kind) {
			k.order = func(a, b any) int { return cmp.Compare(a.(*prompt.Prompt).Order, b.(*prompt.Prompt).Order) }
			k.display = func(_ *Snapshot, doc any) string { return doc.(*prompt.Prompt).Name }
			k.check = func(_ *Snapshot, _ uuid.UUID, doc any) field.Errors { return compiles(doc.(*prompt.Prompt), compile) }
		}),
		newKind(KindBlueprint, "authentik_blueprints.blueprintinstance", "Blueprint Instance", system.NewBlueprint, func(k *kind) {
			k.order = func(a, b any) int { return cmp.Compare(a.(*system.Blueprint).Name, b.(*system.Blueprint).Name) }
			k.display = func(_ *Snapshot, doc any) string { return doc.(*system.Blueprint).Name }
		}),
		newKind(KindSettings, "", "System Settings", system.NewSettings, func(k *kind) {
			k.single = true
			k.plural = "System Settings"
			k.display = func(*Snapshot, any) string { return "settings" }
		}),
		newKind(KindCertificate, "authentik_crypto.certificatekeypair", "Certificate-Key Pair", certificate.New, func(k *kind) {
			k.clone = func(doc any) any {
				p := *doc.(*certificate.Pair)
				p.Parsed = nil
				return &p
			}
			k.build = func(doc any, built *cached) error {
				p := doc.(*certificate.Pair)
				made, err := built.once(func() (any, error) { return certificate.Parse(p) })
				p.Parsed, _ = made.(*certificate.Parsed)
				return err
			}
			k.order = func(a, b any) int { return cmp.Compare(a.(*certificate.Pair).Name, b.(*certificate.Pair).Name) }
			k.display = func(_ *Snapshot, doc any) string { return doc.(*certificate.Pair).Name }
		}),
		newKind(KindStage, "", "Stage", func() flow.StageObject { return flow.StageObject{} }, func(k *kind) { stageKind(k, stages) }),
		newKind(KindPolicy, "", "Policy", func() policy.Object { return policy.Object{} }, func(k *kind) { policyKind(k, policies) }),
	}
}

// stageKind adds the configuration of the type to the document. A stage that
// cannot be built has no Stage, and so denies.
func stageKind(k *kind, types map[string]*flow.StageType) {
	of := func(t *flow.StageType) any { return &flow.StageObject{Type: t, Config: t.Defaults()} }
	k.fresh = func(typ string) (any, bool) {
		t, ok := types[typ]
		if !ok {
			return nil, false
		}
		return of(t), true
	}
	k.stranger = func(typ string) any {
		none := func(struct{}) flow.Effects { return flow.Effects{} }
		t := flow.NewStageType(flow.StageType{Name: typ, Label: typ}, func() (c struct{}) { return }, none,
			func(string, struct{}) flow.Stage { return nil })
		return of(&t)
	}
	k.parts = func(doc any) []any { return []any{doc, doc.(*flow.StageObject).Config} }
	k.clone = func(doc any) any {
		o := *doc.(*flow.StageObject)
		o.Config, o.Stage, o.Err = field.Copy(o.Config), nil, nil
		return &o
	}
	k.build = func(doc any, built *cached) (err error) {
		o := doc.(*flow.StageObject)
		made, err := built.once(func() (any, error) { return o.Type.Build(o.Name, o.Config) })
		o.Stage, _ = made.(flow.Stage)
		return err
	}
	k.fail = func(doc any, err error) { doc.(*flow.StageObject).Stage, doc.(*flow.StageObject).Err = nil, err }
	k.order = func(a, b any) int { return cmp.Compare(a.(*flow.StageObject).Name, b.(*flow.StageObject).Name) }
	k.display = func(_ *Snapshot, doc any) string { return doc.(*flow.StageObject).Name }
}

// policyKind does the same for policies; one that cannot be built evaluates
// to an error.
func policyKind(k *kind, types map[string]*policy.Type) {
	of := func(t *policy.Type) any { return &policy.Object{Type: t, Config: t.Defaults()} }
	k.fresh = func(typ string) (any, bool) {
		t, ok := types[typ]
		if !ok {
			return nil, false
		}
		return of(t), true
	}
	k.stranger = func(typ string) any {
		t := policy.NewType(policy.Type{Name: typ, Label: typ}, func() (c struct{}) { return },
			func(string, struct{}) (policy.Policy, error) { return nil, nil })
		return of(&t)
	}
	k.parts = func(doc any) []any { return []any{doc, doc.(*policy.Object).Config} }
	k.clone = func(doc any) any {
		o := *doc.(*policy.Object)
		o.Config, o.Policy, o.Err = field.Copy(o.Config), nil, nil
		return &o
	}
	k.build = func(doc any, built *cached) error {
		o := doc.(*policy.Object)
		made, err := built.once(func() (any, error) { return o.Type.Build(o.Name, o.Config) })
		o.Policy, _ = made.(policy.Policy)
		return err
	}
	k.fail = func(doc any, err error) { doc.(*policy.Object).Policy, doc.(*policy.Object).Err = nil, err }
	k.order = func(a, b any) int { return cmp.Compare(a.(*policy.Object).Name, b.(*policy.Object).Name) }
	k.display = func(_ *Snapshot, doc any) string { return doc.(*policy.Object).Name }
}

// compiles refuses expressions that could never run, with line and column.
func compiles(p *prompt.Prompt, compile func(name, body string) error) field.Errors {
	var errs field.Errors
	for name, body := range p.Expressions() {
		if err := compile(p.Name, body); err != nil {
			errs = errs.Merge(expression.FieldError(name, err))
		}
	}
	return errs
}

func brandGroups(doc any) []string {
	b := doc.(*flow.Brand)
	groups := []string{"domain:" + strings.ToLower(b.Domain)}
	if b.Default {
		groups = append(groups, "default")
	}
	return groups
}

func oneDefaultBrand(s *Snapshot, id uuid.UUID, doc any) field.Errors {
	if !doc.(*flow.Brand).Default {
		return nil
	}
	for _, other := range s.group(KindBrand, "default").list() {
		if other.ID != id {
			return field.Errorf("default", field.CodeUnique, "Only one brand can be the default; at present it is %q.",
				other.Doc.(*flow.Brand).Domain)
		}
	}
	return nil
}

func subject(s *Snapshot, b *policy.Binding) string {
	switch {
	case b.Policy != nil:
		return s.nameOf(*b.Policy)
	case b.Group != nil:
		return "group " + b.Group.String()
	case b.User != nil:
		return fmt.Sprintf("user %d", *b.User)
	}
	return "nobody"
}
