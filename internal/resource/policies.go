package resource

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/policy"
)

// policySummary is what all policies have in common.
type policySummary struct {
	PK               uuid.UUID `json:"pk" field:"readonly"`
	Name             string    `json:"name" field:"required"`
	ExecutionLogging bool      `json:"execution_logging"`
	Component        string    `json:"component" field:"readonly"`
	Verbose          string    `json:"verbose_name" field:"readonly"`
	VerbosePlural    string    `json:"verbose_name_plural" field:"readonly"`
	MetaModelName    string    `json:"meta_model_name" field:"readonly"`
	BoundTo          int64     `json:"bound_to" field:"readonly"`
}

// policyMembers are the read-only members of a policy.
type policyMembers struct {
	PK            uuid.UUID `json:"pk"`
	Component     string    `json:"component"`
	Verbose       string    `json:"verbose_name"`
	VerbosePlural string    `json:"verbose_name_plural"`
	MetaModelName string    `json:"meta_model_name"`
	// BoundTo counts what the policy decides on.
	BoundTo int64 `json:"bound_to"`
}

func readPolicy(v View, o *catalog.Object) policyMembers {
	s := summarizePolicy(v, o)
	return policyMembers{s.PK, s.Component, s.Verbose, s.VerbosePlural, s.MetaModelName, s.BoundTo}
}

func summarizePolicy(v View, o *catalog.Object) policySummary {
	p := o.Doc.(*policy.Object)
	s := policySummary{PK: o.ID, Name: p.Name, ExecutionLogging: p.ExecutionLogging, Component: p.Type.Component, MetaModelName: modelKey(p.Type.Model),
		BoundTo: int64(len(v.Config.Referrers(o.ID)))}
	s.Verbose, s.VerbosePlural = v.Config.Labels(o)
	return s
}

func policyKind(c *catalog.Catalog, t *policy.Type) *Kind {
	o := &object{catalog: c, kind: catalog.KindPolicy, typ: t.Name, model: modelKey(t.Model), extras: []extra{computed(readPolicy)}, search: []string{"name"}}
	if c, ok := t.Defaults().(policy.Deriving); ok {
		o.extras = append(o.extras, derived(c))
	}
	o.filters = typeFilters(o.Fields(), t.Filters, "policy_uuid")
	if t.Filters == nil {
		o.filters = append(o.filters, atTime("created"), atTime("last_updated"))
	}
	return o.declare(Kind{Path: "policies/" + t.Name, Param: "policy_uuid", Key: "pk", Schema: schemaName("", t.Label), Tag: "policies"})
}

// derived are the members that follow from the configuration of a policy type,
// of which example is one.
func derived(example policy.Deriving) extra {
	return extra{readOnly(example.Derived()), func(_ View, o *catalog.Object) map[string]any {
		return field.Encode(o.Doc.(*policy.Object).Config.(policy.Deriving).Derived(), field.Public)
	}}
}

// atTime filters by a time of the object itself.
func atTime(name string) Filter {
	return Filter{Name: name, Format: "date-time", Match: func(v View, o *catalog.Object, want any) bool {
		have, _ := v.Config.Value(o, name)
		at, _ := have.(time.Time)
		return at.Equal(want.(time.Time))
	}}
}

// anyPolicyKind is the base class of all policies.
func anyPolicyKind(c *catalog.Catalog) *Kind {
	o := &object{catalog: c, kind: catalog.KindPolicy, base: true, model: "authentik_policies.policy", extras: []extra{computed(readPolicy)}, search: []string{"name"}}
	o.filters = []Filter{
		{Name: "bindings__isnull", Type: "boolean", Match: func(v View, o *catalog.Object, want any) bool {
			return !usedIn(v, o, catalog.KindPolicyBinding) == want
		}},
		{Name: "promptstage__isnull", Type: "boolean", Match: func(v View, o *catalog.Object, want any) bool { return !usedIn(v, o, catalog.KindStage) == want }},
	}
	k := o.declare(Kind{Path: "policies/all", Param: "policy_uuid", Key: "pk", Schema: "Policy", Tag: "policies", Calls: List | Retrieve | Delete | UsedBy,
		Verbs: []access.Verb{ViewPolicyCache, ClearPolicyCache}})
	k.Label, k.Plural, k.Files = "Policy", "Policies", false
	return k
}

// usedIn tells whether an object of the kind refers to o.
func usedIn(v View, o *catalog.Object, kind string) bool {
	for _, from := range v.Config.Referrers(o.ID) {
		if from.Kind == kind {
			return true
		}
	}
	return false
}

// policyBindingMembers are the read-only members of a policy binding.
type policyBindingMembers struct {
	PK       uuid.UUID      `json:"pk"`
	Policy   *policySummary `json:"policy_obj" field:"null"`
	Group    *groupSummary  `json:"group_obj" field:"null"`
	User     *userSummary   `json:"user_obj" field:"null"`
	Expiring bool           `json:"expiring"`
}

func readPolicyBinding(v View, o *catalog.Object) policyBindingMembers {
	b := o.Doc.(*policy.Binding)
	m := policyBindingMembers{PK: o.ID, Expiring: b.Expires != nil}
	if b.Policy != nil {
		if o, ok := v.Config.Get(*b.Policy); ok && o.Kind == catalog.KindPolicy {
			s := summarizePolicy(v, o)
			m.Policy = &s
		}
	}
	return m
}

func policyBindingKind(c *catalog.Catalog, p people) *Kind {
	o := &object{catalog: c, kind: catalog.KindPolicyBinding, model: "authentik_policies.policybinding", extras: []extra{computed(readPolicyBinding)},
		search: []string{"policy__name"}}
	o.filters = append(filtersOf(o.Fields(), "enabled", "order", "policy", "target", "timeout"),
		Filter{Name: "policy__isnull", Type: "boolean", Match: func(_ View, o *catalog.Object, want any) bool {
			return (o.Doc.(*policy.Binding).Policy == nil) == want
		}},
		Filter{Name: "target_in", Format: "uuid", Many: true, Match: func(v View, o *catalog.Object, want any) bool {
			for _, w := range want.([]any) {
				id := w.(uuid.UUID)
				if own, ok := v.Config.ResolveTarget(id); ok {
					id = own
				}
				if id == o.Doc.(*policy.Binding).Target {
					return true
				}
			}
			return false
		}})
	k := o.declare(Kind{Path: "policies/bindings", Param: "policy_binding_uuid", Key: "pk", Schema: "PolicyBinding", Tag: "policies"})
	k.Objects = policyBindings{o, p}
	return k
}

// policyBindings adds the people to the bindings that name them.
type policyBindings struct {
	*object
	people people
}

// Read implements Objects.
func (k policyBindings) Read(ctx context.Context, v View, refs ...*Ref) ([]map[string]any, error) {
	out, err := k.object.Read(ctx, v, refs...)
	if err != nil {
		return nil, err
	}
	var users []int64
	var groups []uuid.UUID
	bindings := make([]*policy.Binding, len(refs))
	for i, ref := range refs {
		o, err := k.get(v.Config, ref)
		if err != nil {
			return nil, err
		}
		b := o.Doc.(*policy.Binding)
		bindings[i] = b
		if b.User != nil {
			users = append(users, *b.User)
		}
		if b.Group != nil {
			groups = append(groups, *b.Group)
		}
	}
	byUser, err := k.people.usersByID(ctx, v.DB, users)
	if err != nil {
		return nil, err
	}
	byGroup, err := k.people.groupsByID(ctx, v.DB, groups)
	if err != nil {
		return nil, err
	}
	for i, b := range bindings {
		if b.User != nil && byUser[*b.User] != nil {
			s := k.people.summarizeUser(byUser[*b.User])
			out[i]["user_obj"] = field.Encode(&s, field.Public)
		}
		if b.Group != nil && byGroup[*b.Group] != nil {
			s := summarizeGroup(byGroup[*b.Group])
			out[i]["group_obj"] = field.Encode(&s, field.Public)
		}
	}
	return out, nil
}
