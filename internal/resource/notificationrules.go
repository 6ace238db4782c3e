package resource

import (
	"context"
	"reflect"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/notification/rule"
)

// ruleMembers are the read-only members of a notification rule.
type ruleMembers struct {
	PK uuid.UUID `json:"pk"`
}

// groupSchema stands for whole groups inside of other objects.
var groupSchema = reflect.TypeFor[groupData]()

func notificationRuleKind(c *catalog.Catalog, groups *group) *Kind {
	o := &object{catalog: c, kind: catalog.KindNotificationRule, model: "authentik_events.notificationrule",
		extras: []extra{computed(func(_ View, o *catalog.Object) ruleMembers { return ruleMembers{o.ID} })}, search: []string{"name"}}
	o.filters = append(filtersOf(o.Fields(), "name", "severity"), Filter{Name: "destination_group__name", Match: func(View, *catalog.Object, any) bool { return true }})
	k := o.declare(Kind{Path: "events/rules", Param: "pbm_uuid", Key: "pk", Schema: "NotificationRule", Tag: "events"})
	k.Objects = notificationRules{o, groups}
	return k
}

// notificationRules add the groups to the rules that name them.
type notificationRules struct {
	*object
	groups *group
}

// Fields implements Objects.
func (k notificationRules) Fields() []field.Spec {
	return append(k.object.Fields(), field.Spec{Name: "destination_group_obj", Type: "object", ReadOnly: true, Nullable: true, Go: groupSchema, Fields: k.groups.Fields()})
}

// List implements Objects.
func (k notificationRules) List(ctx context.Context, v View, q *Query) ([]*Ref, int, error) {
	name, given := q.Filters["destination_group__name"]
	if !given {
		return k.object.List(ctx, v, q)
	}
	found, err := k.groups.directory.FindGroups(ctx, v.DB, map[string]any{"name": name})
	if err != nil || len(found) == 0 {
		return nil, 0, err
	}
	// Names are unique, so there is one group at most.
	only := *q
	only.Filters = map[string]any{}
	for filter, want := range q.Filters {
		only.Filters[filter] = want
	}
	delete(only.Filters, "destination_group__name")
	only.Filters[destinationGroup.Name] = found[0].ID
	inner := *k.object
	inner.filters = append(inner.filters[:len(inner.filters):len(inner.filters)], destinationGroup)
	return inner.List(ctx, v, &only)
}

// destinationGroup is the filter behind the one by name.
var destinationGroup = Filter{Name: "destination_group", Match: func(_ View, o *catalog.Object, want any) bool {
	group := o.Doc.(*rule.Rule).DestinationGroup
	return group != nil && *group == want
}}

// Read implements Objects.
func (k notificationRules) Read(ctx context.Context, v View, refs ...*Ref) ([]map[string]any, error) {
	out, err := k.object.Read(ctx, v, refs...)
	if err != nil {
		return nil, err
	}
	var groups []*Ref
	seen := map[uuid.UUID]bool{}
	for _, ref := range refs {
		o, err := k.get(v.Config, ref)
		if err != nil {
			return nil, err
		}
		if id := o.Doc.(*rule.Rule).DestinationGroup; id != nil && !seen[*id] {
			seen[*id] = true
			groups = append(groups, groupRef(*id, ""))
		}
	}
	v.Include = map[string]bool{"include_users": false}
	read, err := k.groups.Read(ctx, v, groups...)
	if err != nil {
		return nil, err
	}
	byKey := map[any]any{}
	for i, ref := range groups {
		byKey[ref.Key] = read[i]
	}
	for i := range out {
		out[i]["destination_group_obj"] = byKey[out[i]["destination_group"]]
	}
	return out, nil
}

// transportMembers are the read-only members of a transport.
type transportMembers struct {
	PK          uuid.UUID `json:"pk"`
	ModeVerbose string    `json:"mode_verbose"`
}

func notificationTransportKind(c *catalog.Catalog) *Kind {
	o := &object{catalog: c, kind: catalog.KindNotificationTransport, model: "authentik_events.notificationtransport",
		extras: []extra{computed(func(_ View, o *catalog.Object) transportMembers {
			return transportMembers{o.ID, o.Doc.(*rule.Transport).Mode.Label()}
		})}, search: []string{"name", "mode"}}
	o.filters = filtersOf(o.Fields(), "mode", "name", "send_once", "webhook_url")
	return o.declare(Kind{Path: "events/transports", Param: "uuid", Key: "pk", Schema: "NotificationTransport", Tag: "events"})
}

// webhookMappingMembers are the read-only members of a webhook mapping.
type webhookMappingMembers struct {
	PK uuid.UUID `json:"pk"`
}

const webhookMappingModel = "authentik_events.notificationwebhookmapping"

func webhookMappingKind(c *catalog.Catalog) *Kind {
	o := &object{catalog: c, kind: catalog.KindWebhookMapping, model: webhookMappingModel,
		extras: []extra{computed(func(_ View, o *catalog.Object) webhookMappingMembers { return webhookMappingMembers{o.ID} })}, search: []string{"name"}}
	o.filters = filtersOf(o.Fields(), "name")
	return o.declare(Kind{Path: "propertymappings/notification", Param: "pm_uuid", Key: "pk", Schema: "NotificationWebhookMapping", Tag: "propertymappings"})
}

// mappingMembers are the read-only members that mappings of all sorts have.
type mappingMembers struct {
	PK            uuid.UUID `json:"pk"`
	Component     string    `json:"component"`
	Verbose       string    `json:"verbose_name"`
	VerbosePlural string    `json:"verbose_name_plural"`
	MetaModelName string    `json:"meta_model_name"`
	// Managed is always null: the program makes no mappings.
	Managed *string `json:"managed" field:"null"`
}

// MappingComponent is the form of webhook mappings.
const MappingComponent = "ak-property-mapping-notification-form"

// anyMappingKind is the base class of all mappings, of which those of webhooks
// are the only ones.
func anyMappingKind(c *catalog.Catalog) *Kind {
	o := &object{catalog: c, kind: catalog.KindWebhookMapping, base: true, model: "authentik_core.propertymapping", search: []string{"name"},
		extras: []extra{computed(func(v View, o *catalog.Object) mappingMembers {
			m := mappingMembers{PK: o.ID, Component: MappingComponent, MetaModelName: webhookMappingModel}
			m.Verbose, m.VerbosePlural = v.Config.Labels(o)
			return m
		})}}
	o.filters = append(filtersOf(o.Fields(), "name"), Filter{Name: "managed", Many: true, Match: func(View, *catalog.Object, any) bool { return false }},
		Filter{Name: "managed__isnull", Type: "boolean", Match: func(_ View, _ *catalog.Object, want any) bool { return want == true }})
	k := o.declare(Kind{Path: "propertymappings/all", Param: "pm_uuid", Key: "pk", Schema: "PropertyMapping", Tag: "propertymappings",
		Calls: List | Retrieve | Delete | UsedBy})
	k.Label, k.Plural, k.Files = "Property Mapping", "Property Mappings", false
	return k
}
