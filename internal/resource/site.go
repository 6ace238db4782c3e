package resource

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/catalog"
)

// declare completes the declaration of a configuration object.
func (k *object) declare(d Kind) *Kind {
	d.Objects, d.Model, d.Filters = k, k.model, k.filters
	d.Label, d.Plural = k.catalog.Labels(k.kind, k.typ)
	d.Files = !k.base
	return &d
}

// schemaName is what the API description calls the objects of a type.
func schemaName(declared, label string) string {
	if declared != "" {
		return declared
	}
	return strings.ReplaceAll(label, " ", "")
}

// brandMembers are the read-only members of a brand.
type brandMembers struct {
	PK uuid.UUID `json:"brand_uuid"`
}

func brandKind(c *catalog.Catalog) *Kind {
	o := &object{catalog: c, kind: catalog.KindBrand, model: "authentik_brands.brand",
		extras: []extra{computed(func(_ View, o *catalog.Object) brandMembers { return brandMembers{o.ID} })},
		search: []string{"domain", "branding_title", "web_certificate"}}
	o.filters = append(filtersOf(o.Fields(), "branding_default_flow_background", "branding_favicon", "branding_logo", "branding_title", "client_certificates", "default",
		"domain", "flow_authentication", "flow_device_code", "flow_invalidation", "flow_lockdown", "flow_recovery", "flow_request", "flow_unenrollment",
		"flow_user_settings", "flow_user_switch", "web_certificate"), Filter{Name: "brand_uuid", Format: "uuid", Path: "pk"})
	return o.declare(Kind{Path: "core/brands", Param: "brand_uuid", Key: "pk", Schema: "Brand", Tag: "core"})
}

// applicationMembers are the read-only members of an application.
type applicationMembers struct {
	PK           uuid.UUID `json:"pk"`
	PolicyTarget uuid.UUID `json:"pbm_uuid"`
	// Provider and BackchannelProviders are always empty: there are none.
	Provider             *providerSummary  `json:"provider_obj" field:"null"`
	BackchannelProviders []providerSummary `json:"backchannel_providers_obj"`
	LaunchURL            *string           `json:"launch_url" field:"null"`
	IconURL              *string           `json:"meta_icon_url" field:"null"`
	IconThemed           *flow.ThemedURLs  `json:"meta_icon_themed_urls" field:"null"`
}

// providerSummary has the shape of what Weir does not have.
type providerSummary struct {
	PK                 int64       `json:"pk" field:"readonly"`
	Name               string      `json:"name" field:"required"`
	AuthenticationFlow *uuid.UUID  `json:"authentication_flow" field:"null"`
	AuthorizationFlow  *uuid.UUID  `json:"authorization_flow" field:"null"`
	InvalidationFlow   *uuid.UUID  `json:"invalidation_flow" field:"null"`
	PropertyMappings   []uuid.UUID `json:"property_mappings"`
	Component          string      `json:"component" field:"readonly"`
	AssignedSlug       *string     `json:"assigned_application_slug" field:"readonly,null"`
	AssignedName       *string     `json:"assigned_application_name" field:"readonly,null"`
	AssignedBackSlug   *string     `json:"assigned_backchannel_application_slug" field:"readonly,null"`
	AssignedBackName   *string     `json:"assigned_backchannel_application_name" field:"readonly,null"`
	Verbose            string      `json:"verbose_name" field:"readonly"`
	VerbosePlural      string      `json:"verbose_name_plural" field:"readonly"`
	MetaModelName      string      `json:"meta_model_name" field:"readonly"`
}

// readApplication fills the launch address in for the reader.
func readApplication(v View, o *catalog.Object) applicationMembers {
	a := o.Doc.(*flow.Application)
	m := applicationMembers{PK: o.ID, PolicyTarget: o.ID, BackchannelProviders: []providerSummary{}}
	if a.LaunchURL != "" {
		to := a.LaunchURL
		if p := v.Reader; p != nil {
			to = a.Launch(p.Username, p.Name, p.Email)
		}
		m.LaunchURL = &to
	}
	if a.Icon != "" {
		url, themed := flow.BackgroundURL(a.Icon)
		m.IconURL, m.IconThemed = &url, themed
	}
	return m
}

func applicationKind(c *catalog.Catalog) *Kind {
	o := &object{catalog: c, kind: catalog.KindApplication, model: "authentik_core.application", extras: []extra{computed(readApplication)},
		search: []string{"name", "slug", "meta_launch_url", "meta_description", "meta_publisher", "group"}}
	o.filters = filtersOf(o.Fields(), "group", "meta_description", "meta_launch_url", "meta_publisher", "name", "slug")
	// Package api lists them by what people may open.
	return o.declare(Kind{Path: "core/applications", Param: "slug", Key: "slug", Schema: "Application", Tag: "core", Calls: AllCalls &^ List})
}

// entitlementMembers are the read-only members of an entitlement.
type entitlementMembers struct {
	PK uuid.UUID `json:"pbm_uuid"`
}

func entitlementKind(c *catalog.Catalog) *Kind {
	o := &object{catalog: c, kind: catalog.KindEntitlement, model: "authentik_core.applicationentitlement", search: []string{"name"},
		extras: []extra{computed(func(_ View, o *catalog.Object) entitlementMembers { return entitlementMembers{o.ID} })}}
	o.filters = append(filtersOf(o.Fields(), "app", "name"), Filter{Name: "pbm_uuid", Format: "uuid", Path: "pk"})
	return o.declare(Kind{Path: "core/application_entitlements", Param: "pbm_uuid", Key: "pk", Schema: "ApplicationEntitlement", Tag: "core"})
}

// settings are the system settings: one object that is always there, stored
// once somebody changes it.
type settings struct {
	*object
	// baseURL is the only address that can be stored.
	baseURL string
}

// SettingsModel is the model of the system settings. The permissions to read
// and to change them are those of System.
const SettingsModel = "authentik_tenants.tenant"

func settingsKind(c *catalog.Catalog, baseURL string) *Kind {
	o := &object{catalog: c, kind: catalog.KindSettings, model: SettingsModel}
	k := o.declare(Kind{Schema: "Settings", Tag: "admin"})
	k.Objects, k.Files = settings{o, baseURL}, false
	return k
}

// settingsID is the key of the one object, drawn at random.
var settingsID = uuid.MustParse("5a1f2c58-8a5b-4d43-9c1e-0d1c8f0b6b11")

// Find returns the settings whatever is asked for.
func (k settings) Find(context.Context, View, map[string]any) (*Ref, error) {
	return &Ref{Model: k.model, Key: settingsID.String(), Name: "settings"}, nil
}

// Read returns the settings in force.
func (k settings) Read(_ context.Context, v View, refs ...*Ref) ([]map[string]any, error) {
	return slices.Repeat([]map[string]any{field.Encode(v.Config.Settings(), field.Public)}, len(refs)), nil
}

// Update changes the settings, and stores them the first time.
func (k settings) Update(ctx context.Context, w *Write, ref *Ref, data map[string]any, mode field.Mode) (changed, unknown []string, err error) {
	if _, stored := w.Get(settingsID); stored {
		changed, unknown, err = k.object.Update(ctx, w, ref, data, mode)
	} else {
		changed, unknown, err = k.store(ctx, w, data, mode)
	}
	if err == nil {
		err = k.checkBaseURL(w.Snapshot().Settings().BaseURL)
	}
	return changed, unknown, err
}

// store makes the one object out of the defaults and what is to change.
func (k settings) store(ctx context.Context, w *Write, data map[string]any, mode field.Mode) (changed, unknown []string, err error) {
	before := field.Encode(w.Snapshot().Settings(), field.Public)
	whole := field.Encode(w.Snapshot().Settings(), field.Public)
	for name, v := range data {
		whole[name] = v
	}
	if _, required := data["flags"]; !required && mode == field.Replace {
		delete(whole, "flags")
	}
	_, unknown, err = k.object.Create(ctx, w, settingsID.String(), whole)
	if err != nil {
		return nil, unknown, err
	}
	return differing(before, field.Encode(w.Snapshot().Settings(), field.Public)), unknown, nil
}

// checkBaseURL refuses an address that links would not begin with: that one is
// set where the program starts.
func (k settings) checkBaseURL(stored string) error {
	switch strings.TrimSuffix(stored, "/") {
	case "", k.baseURL:
		return nil
	}
	if k.baseURL == "" {
		return field.Errorf("base_url", field.CodeInvalid, "Leave this empty and start the program with WEIR_BASE_URL.")
	}
	return field.Errorf("base_url", field.CodeInvalid, "Enter %s or nothing; start the program with another WEIR_BASE_URL to change it.", k.baseURL)
}

// CheckSettings refuses system settings that do not fit what the program was
// started with, where they come from elsewhere than a write of them.
func (r *Registry) CheckSettings(s *catalog.Snapshot) error {
	k := r.kinds[modelKey(SettingsModel)].Objects.(settings)
	return k.checkBaseURL(s.Settings().BaseURL)
}
