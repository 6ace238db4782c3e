package blueprint

import (
	"fmt"
	"strings"

	"github.com/weir-id/weir/flow/prove"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/history"
)

// Action is what applying an entry did.
type Action string

// The actions, with the sign that reports show for them.
const (
	Create    Action = "+"
	Update    Action = "~"
	Delete    Action = "-"
	Unchanged Action = "="
	// Skip: a condition was not met, there was nothing to delete, or the
	// blueprint that an entry applies is not there.
	Skip Action = " "
)

// Change is what one entry did.
type Change struct {
	Place
	Action Action
	// Model and Name say which object; Key is its primary key as text. Name
	// and Key are empty for skipped entries.
	Model, Name, Key string
	// Fields are the names of the changed fields of an Update, sorted.
	Fields []string
	// Note says why an entry was skipped.
	Note string
}

// String returns one line: "~ authentik_flows.flow my-flow (title)".
func (c Change) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", c.Action, c.Model)
	if c.Name != "" {
		b.WriteString(" " + c.Name)
	}
	if len(c.Fields) > 0 {
		b.WriteString(" (" + strings.Join(c.Fields, ", ") + ")")
	}
	if c.Note != "" {
		b.WriteString(" [" + c.Note + "]")
	}
	return b.String()
}

// Report tells what a call of Apply did, or would have done.
type Report struct {
	// DryRun says that nothing was kept.
	DryRun bool
	// Revision is the catalog's revision with the changes; 0 for a dry run.
	Revision int64
	Changes  []Change
	Warnings []Warning
	// Findings are about the flows that the entries touch. They never keep a
	// file from being applied.
	Findings []prove.Finding
	// Differences are what a dry run would change, field by field: objects of
	// the configuration once, with those that go along with what is deleted, and
	// others for each entry. Nil without DryRun.
	Differences []history.Difference
	// after is the configuration that a dry run makes.
	after *catalog.Snapshot
}

// Count returns how many entries had that action.
func (r *Report) Count(a Action) int {
	n := 0
	for _, c := range r.Changes {
		if c.Action == a {
			n++
		}
	}
	return n
}

// Changed tells whether anything differs from before.
func (r *Report) Changed() bool {
	return r.Count(Create)+r.Count(Update)+r.Count(Delete) > 0
}
