package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/catalog"
)

// flowDiagram is a flow as a Mermaid flowchart.
type flowDiagram struct {
	Diagram string `json:"diagram" field:"readonly"`
}

// drawFlow answers with a picture of a flow, as far as the caller may see its
// bindings.
func drawFlow(c *call) error {
	v, err := c.view()
	if err != nil {
		return err
	}
	d := &diagram{config: v.Config}
	if d.bindings, err = c.api.Access.Scope(c.ctx, c.visit.User, access.View, "flowstagebinding"); err != nil {
		return err
	}
	if d.policies, err = c.api.Access.Scope(c.ctx, c.visit.User, access.View, "policybinding"); err != nil {
		return err
	}
	f, ok := v.Config.FlowBySlug(c.r.PathValue("slug"))
	if !ok {
		return flow.ErrNoFlow
	}
	return c.answer(http.StatusOK, flowDiagram{d.draw(f)})
}

// diagram is a flowchart being drawn. The order of its lines is that of
// authentik's, since clients compare and cache the text.
type diagram struct {
	config *catalog.Snapshot
	// bindings and policies are the stage and policy bindings to show.
	bindings, policies access.Scope
	lines              []string
}

// node is a box of the chart. It is drawn where it stands in a line first.
type node struct{ id, text string }

// box makes a node; open and shut are the brackets that give its form.
func box(id, open, shut string, label ...string) node {
	return node{id, id + open + `"` + strings.ReplaceAll(strings.Join(label, "\n"), `"`, "#quot;") + `"` + shut}
}

const (
	fulfilled = "Requirement fulfilled"
	unmet     = "Requirement not fulfilled"
	passed    = "Policy passed"
	denied    = "Policy denied"
)

// edge draws an arrow, with a text unless it is empty.
func (d *diagram) edge(from node, text string, to node) {
	arrow := " --> "
	if text != "" {
		arrow = " --" + text + "--> "
	}
	d.lines = append(d.lines, from.id+arrow+to.text)
}

// step is a stage with the policies that decide about it.
type step struct {
	stage    node
	policies []decision
}

// decision is a policy at a target.
type decision struct {
	node
	order int32
}

func (d *diagram) draw(f *flow.Flow) string {
	done, start := box("done", "[[", "]]", "End of the flow"), box("flow_start", "[[", "]]", "Flow", f.Name)
	d.lines = []string{"graph TD"}
	if f.Authentication != flow.RequireNone {
		need := box("flow_auth_requirement", "[", "]", "Flow authentication requirement", string(f.Authentication))
		d.lines = append(d.lines, need.text)
		d.edge(need, unmet, done)
		d.edge(need, fulfilled, box("flow_start", "[", "]", "placeholder"))
	}
	d.begin(d.decisions(f.ID, "flow_policy_"), start, done)

	steps := d.steps(f.ID)
	for _, s := range steps {
		if len(s.policies) == 0 {
			// It goes on with the line above: whatever came last leads here.
			d.lines = append(d.lines, "--> "+s.stage.text)
		}
		for _, p := range s.policies {
			d.edge(p.node, passed, s.stage)
		}
	}
	before := step{stage: start}
	for i, s := range steps {
		for _, p := range s.policies {
			d.edge(before.stage, "", p.node)
		}
		for _, p := range before.policies {
			if i > 0 {
				d.edge(p.node, denied, s.stage)
			}
		}
		before = s
	}
	d.edge(before.stage, "", done)
	return strings.Join(d.lines, "\n")
}

// begin draws what decides whether the flow applies at all.
func (d *diagram) begin(policies []decision, start, done node) {
	if len(policies) == 0 {
		d.lines = append(d.lines, start.text)
		return
	}
	gate := box("flow_pre", "[[", "]]", "Pre-flow policies")
	d.lines = append(d.lines, gate.text)
	for _, p := range policies {
		d.edge(gate, fmt.Sprintf("Binding %d", p.order), p.node)
	}
	for _, p := range policies {
		d.edge(p.node, denied, done)
	}
	for _, p := range policies {
		d.edge(p.node, "", start)
	}
}

// steps are the stages of a flow in order.
func (d *diagram) steps(flowID uuid.UUID) []step {
	var out []step
	for _, b := range d.config.Bindings(flowID) {
		o, ok := d.config.Get(b.Stage)
		if !ok || !covers(d.bindings, b.ID) {
			continue
		}
		id := fmt.Sprintf("stage_%d", len(out))
		out = append(out, step{box(id, "([", "])", d.label("Stage", o)...), d.decisions(b.ID, id+"_policy_")})
	}
	return out
}

// decisions are the policies of a target in order, disabled ones too; groups
// and users are not drawn.
func (d *diagram) decisions(target uuid.UUID, prefix string) []decision {
	var out []decision
	for _, b := range d.config.PolicyBindings(target) {
		if b.Policy == nil || !covers(d.policies, b.ID) {
			continue
		}
		if o, ok := d.config.Get(*b.Policy); ok {
			out = append(out, decision{box(fmt.Sprintf("%s%d", prefix, len(out)), "{{", "}}", d.label("Policy", o)...), b.Order})
		}
	}
	return out
}

// label is what stands on the box of an object.
func (d *diagram) label(what string, o *catalog.Object) []string {
	one, _ := d.config.Labels(o)
	return []string{what + " (" + one + ")", d.config.DisplayName(o)}
}

func covers(s access.Scope, id uuid.UUID) bool { return s.All || slices.Contains(s.IDs, id.String()) }
