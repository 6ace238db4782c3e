package weir

import (
	"fmt"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/prove"
	"github.com/weir-id/weir/internal/catalog"
)

// Prove returns what static analysis finds in the flows with these slugs, or in
// all flows. The error wraps flow.ErrNoFlow when no flow has a slug.
func (in *Installation) Prove(slugs ...string) ([]prove.Finding, error) {
	config := in.catalog.Snapshot()
	var flows []*flow.Flow
	for _, slug := range slugs {
		f, ok := config.FlowBySlug(slug)
		if !ok {
			return nil, fmt.Errorf("prove flow %q: %w", slug, flow.ErrNoFlow)
		}
		flows = append(flows, f)
	}
	if len(slugs) == 0 {
		for _, o := range config.Objects(catalog.KindFlow) {
			flows = append(flows, o.Doc.(*flow.Flow))
		}
	}
	found := []prove.Finding{}
	for _, f := range flows {
		found = append(found, prove.Flow(config, f, in.now())...)
	}
	return found, nil
}
