package resource_test

import (
	"testing"

	"github.com/weir-id/weir/internal/resource"
)

func TestModelsOutsideAreNamed(t *testing.T) {
	r := resource.NewRegistry(nil, nil, nil)
	for model, want := range map[string]string{
		"authentik_sources_ldap.ldapsource":           "the model authentik_sources_ldap.ldapsource is outside of what Weir does",
		"authentik_providers_oauth2.oauth2provider":   "the model authentik_providers_oauth2.oauth2provider is outside of what Weir does",
		"authentik_stages_source.sourcestage":         "the model authentik_stages_source.sourcestage is outside of what Weir does",
		"authentik_flows.flwo":                        "there is no model authentik_flows.flwo in this version of Weir",
		"authentik_flows.stage":                       "authentik_flows.stage is a base type; name one of its types",
	} {
		if _, err := r.Kind(model); err == nil || err.Error() != want {
			t.Errorf("%s: %v", model, err)
		}
	}
	if _, err := r.Kind("authentik_core.User"); err != nil {
		t.Errorf("model names are written in any case: %v", err)
	}
}
