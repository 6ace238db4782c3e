package blueprint

import (
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/prove"
	"github.com/weir-id/weir/internal/catalog"
)

// proofs returns what static analysis finds in the flows that the entries are
// about: the flows themselves, and those that the bindings, stages and policies
// among the entries belong to, or did before the call.
func (r *Report) proofs(before, after *catalog.Snapshot, now time.Time) []prove.Finding {
	named := map[uuid.UUID]bool{}
	for _, c := range r.Changes {
		if id, err := uuid.Parse(c.Key); err == nil && c.Action != Skip {
			named[id] = true
		}
	}
	var found []prove.Finding
	for _, o := range after.Objects(catalog.KindFlow) {
		f := o.Doc.(*flow.Flow)
		if named[f.ID] || partNamed(after, f, named) || partNamed(before, f, named) {
			found = append(found, prove.Flow(after, f, now)...)
		}
	}
	return found[:min(len(found), maxWarnings)]
}

// partNamed tells whether something that decides how a flow runs is named.
func partNamed(s *catalog.Snapshot, f *flow.Flow, named map[uuid.UUID]bool) bool {
	for _, b := range s.Bindings(f.ID) {
		if named[b.ID] || named[b.Stage] {
			return true
		}
		for _, p := range s.PolicyBindings(b.ID) {
			if named[p.ID] || p.Policy != nil && named[*p.Policy] {
				return true
			}
		}
	}
	return false
}
