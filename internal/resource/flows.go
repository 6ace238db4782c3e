package resource

import (
	"slices"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/policy"
)

// The permissions of flows and policies that other kinds do not have.
const (
	Export           access.Verb = "export"
	Inspect          access.Verb = "inspect"
	ViewFlowCache    access.Verb = "view_flow_cache"
	ClearFlowCache   access.Verb = "clear_flow_cache"
	ViewPolicyCache  access.Verb = "view_policy_cache"
	ClearPolicyCache access.Verb = "clear_policy_cache"
)

// exportPath is where a flow is exported.
func exportPath(slug string) string { return "/api/v3/flows/instances/" + slug + "/export/" }

// flowMembers are the read-only members of a flow.
type flowMembers struct {
	PK            uuid.UUID        `json:"pk"`
	PolicyTarget  uuid.UUID        `json:"policybindingmodel_ptr_id"`
	BackgroundURL string           `json:"background_url"`
	Themed        *flow.ThemedURLs `json:"background_themed_urls" field:"null"`
	Stages        []uuid.UUID      `json:"stages"`
	Policies      []uuid.UUID      `json:"policies"`
	// CacheCount is always 0: plans are not cached.
	CacheCount int64  `json:"cache_count"`
	ExportURL  string `json:"export_url"`
}

func readFlow(v View, o *catalog.Object) flowMembers {
	f := o.Doc.(*flow.Flow)
	m := flowMembers{PK: o.ID, PolicyTarget: catalog.PolicyTargetID(o.ID), ExportURL: exportPath(f.Slug),
		Stages: []uuid.UUID{}, Policies: boundPolicies(v, o.ID)}
	m.BackgroundURL, m.Themed = flow.BackgroundURL(f.Background)
	for _, b := range v.Config.Bindings(o.ID) {
		m.Stages = append(m.Stages, b.Stage)
	}
	return m
}

// boundPolicies are the policies of the bindings of a target, in their order.
func boundPolicies(v View, target uuid.UUID) []uuid.UUID {
	out := []uuid.UUID{}
	for _, b := range v.Config.PolicyBindings(target) {
		if b.Policy != nil {
			out = append(out, *b.Policy)
		}
	}
	return out
}

// flowSummary is a flow inside of another object.
type flowSummary struct {
	PK                uuid.UUID         `json:"pk" field:"readonly"`
	PolicyTarget      uuid.UUID         `json:"policybindingmodel_ptr_id" field:"readonly"`
	Name              string            `json:"name" field:"required"`
	Slug              string            `json:"slug" field:"required,slug"`
	Title             string            `json:"title" field:"required"`
	Designation       flow.Designation  `json:"designation" field:"required"`
	BackgroundURL     string            `json:"background_url" field:"readonly"`
	PolicyEngineMode  policy.Mode       `json:"policy_engine_mode"`
	CompatibilityMode bool              `json:"compatibility_mode"`
	ExportURL         string            `json:"export_url" field:"readonly"`
	Layout            flow.Layout       `json:"layout"`
	DeniedAction      flow.DeniedAction `json:"denied_action"`
}

func summarizeFlow(f *flow.Flow) flowSummary {
	url, _ := flow.BackgroundURL(f.Background)
	return flowSummary{PK: f.ID, PolicyTarget: catalog.PolicyTargetID(f.ID), Name: f.Name, Slug: f.Slug, Title: f.Title, Designation: f.Designation,
		BackgroundURL: url, PolicyEngineMode: f.PolicyEngineMode, CompatibilityMode: f.CompatibilityMode, ExportURL: exportPath(f.Slug),
		Layout: f.Layout, DeniedAction: f.DeniedAction}
}

// stageSummary is what all stages have in common.
type stageSummary struct {
	PK            uuid.UUID     `json:"pk" field:"readonly"`
	Name          string        `json:"name" field:"required"`
	Component     string        `json:"component" field:"readonly"`
	Verbose       string        `json:"verbose_name" field:"readonly"`
	VerbosePlural string        `json:"verbose_name_plural" field:"readonly"`
	MetaModelName string        `json:"meta_model_name" field:"readonly"`
	FlowSet       []flowSummary `json:"flow_set" field:"readonly"`
}

// stageMembers are the read-only members of a stage.
type stageMembers struct {
	PK            uuid.UUID     `json:"pk"`
	Component     string        `json:"component"`
	Verbose       string        `json:"verbose_name"`
	VerbosePlural string        `json:"verbose_name_plural"`
	MetaModelName string        `json:"meta_model_name"`
	FlowSet       []flowSummary `json:"flow_set"`
}

func readStage(v View, o *catalog.Object) stageMembers {
	s := summarizeStage(v, o)
	return stageMembers{s.PK, s.Component, s.Verbose, s.VerbosePlural, s.MetaModelName, s.FlowSet}
}

func summarizeStage(v View, o *catalog.Object) stageSummary {
	stage := o.Doc.(*flow.StageObject)
	s := stageSummary{PK: o.ID, Name: stage.Name, Component: stage.Type.Component, MetaModelName: modelKey(stage.Type.Model), FlowSet: []flowSummary{}}
	s.Verbose, s.VerbosePlural = v.Config.Labels(o)
	seen := map[uuid.UUID]bool{}
	for _, from := range v.Config.Referrers(o.ID) {
		b, ok := from.Doc.(*flow.Binding)
		if !ok || seen[b.Target] {
			continue
		}
		seen[b.Target] = true
		if f, ok := v.Config.Flow(b.Target); ok {
			s.FlowSet = append(s.FlowSet, summarizeFlow(f))
		}
	}
	return s
}

// bindingMembers are the read-only members of a stage binding.
type bindingMembers struct {
	PK           uuid.UUID    `json:"pk"`
	PolicyTarget uuid.UUID    `json:"policybindingmodel_ptr_id"`
	Stage        stageSummary `json:"stage_obj"`
}

func readBinding(v View, o *catalog.Object) bindingMembers {
	m := bindingMembers{PK: o.ID, PolicyTarget: catalog.PolicyTargetID(o.ID), Stage: stageSummary{FlowSet: []flowSummary{}}}
	if stage, ok := v.Config.Get(o.Doc.(*flow.Binding).Stage); ok && stage.Kind == catalog.KindStage {
		m.Stage = summarizeStage(v, stage)
	}
	return m
}

func flowKind(c *catalog.Catalog) *Kind {
	o := &object{catalog: c, kind: catalog.KindFlow, model: "authentik_flows.flow", extras: []extra{computed(readFlow)},
		search: []string{"name", "slug", "designation", "title", "denied_action"}}
	o.filters = append(filtersOf(o.Fields(), "denied_action", "designation", "name", "slug"), Filter{Name: "flow_uuid", Format: "uuid", Path: "pk"})
	return o.declare(Kind{Path: "flows/instances", Param: "slug", Key: "slug", Schema: "Flow", Tag: "flows",
		Verbs: []access.Verb{Export, Inspect, ViewFlowCache, ClearFlowCache}})
}

func bindingKind(c *catalog.Catalog) *Kind {
	o := &object{catalog: c, kind: catalog.KindBinding, model: "authentik_flows.flowstagebinding", extras: []extra{computed(readBinding)},
		search: []string{"stage__name"}}
	o.filters = append(filtersOf(o.Fields(), "evaluate_on_plan", "invalid_response_action", "order", "policy_engine_mode", "re_evaluate_policies", "stage", "target"),
		Filter{Name: "fsb_uuid", Format: "uuid", Path: "pk"},
		Filter{Name: "pbm_uuid", Format: "uuid", Path: "policybindingmodel_ptr_id"},
		Filter{Name: "policies", Format: "uuid", Many: true, Match: func(v View, o *catalog.Object, want any) bool {
			return meet(boundPolicies(v, o.ID), want)
		}})
	return o.declare(Kind{Path: "flows/bindings", Param: "fsb_uuid", Key: "pk", Schema: "FlowStageBinding", Tag: "flows"})
}

// meet tells whether one of the ids is among the values of a filter.
func meet(ids []uuid.UUID, want any) bool {
	for _, id := range ids {
		for _, w := range want.([]any) {
			if w == any(id) {
				return true
			}
		}
	}
	return false
}

func stageKind(c *catalog.Catalog, t *flow.StageType) *Kind {
	o := &object{catalog: c, kind: catalog.KindStage, typ: t.Name, model: modelKey(t.Model), extras: []extra{computed(readStage)}, search: []string{"name"}}
	declared := slices.DeleteFunc(slices.Clone(t.Filters), func(name string) bool { return name == "no_flows" })
	o.filters = typeFilters(o.Fields(), declared, "stage_uuid")
	if len(declared) < len(t.Filters) {
		o.filters = append(o.filters, Filter{Name: "no_flows", Type: "boolean", Match: func(v View, o *catalog.Object, want any) bool {
			return usedIn(v, o, catalog.KindBinding) != want
		}})
	}
	k := o.declare(Kind{Path: "stages/" + t.Path, Param: "stage_uuid", Key: "pk", Schema: schemaName(t.Schema, t.Label), Tag: "stages"})
	for _, name := range t.Permissions {
		k.Verbs = append(k.Verbs, access.Verb(name))
	}
	return k
}

// anyStageKind is the base class of all stages.
func anyStageKind(c *catalog.Catalog) *Kind {
	o := &object{catalog: c, kind: catalog.KindStage, base: true, model: "authentik_flows.stage", extras: []extra{computed(readStage)}, search: []string{"name"}}
	o.filters = filtersOf(o.Fields(), "name")
	k := o.declare(Kind{Path: "stages/all", Param: "stage_uuid", Key: "pk", Schema: "Stage", Tag: "stages", Calls: List | Retrieve | Delete | UsedBy})
	k.Label, k.Plural, k.Files = "Stage", "Stages", false
	return k
}

// typeFilters are the filters of a stage or policy type: the declared ones, the
// id among them where it is named, or all fields that can be compared and the
// id.
func typeFilters(fields []field.Spec, declared []string, id string) []Filter {
	out := []Filter{{Name: id, Format: "uuid", Path: "pk"}}
	if i := slices.Index(declared, id); i >= 0 {
		return append(out, filtersOf(fields, append([]string{"name"}, slices.Delete(slices.Clone(declared), i, i+1)...)...)...)
	}
	if declared != nil {
		return filtersOf(fields, append([]string{"name"}, declared...)...)
	}
	for _, s := range fields {
		if !s.ReadOnly && !s.Secret && (s.Type == "string" || s.Type == "boolean" || s.Type == "integer") {
			out = append(out, filterOf(fields, s.Name))
		}
	}
	return out
}
