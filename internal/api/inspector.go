package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/session"
)

// Traces are what executions have recorded of their steps.
type Traces interface {
	// Inspect returns the newest run of a flow in a session, and its plan if it has one.
	Inspect(ctx context.Context, s flow.Session, flowID uuid.UUID) ([]session.Step, *flow.Execution, error)
	// Steps returns the steps of an execution, in order.
	Steps(ctx context.Context, execution uuid.UUID) ([]session.Step, error)
	// Runs lists executions, of one flow and about one user where they are given.
	Runs(ctx context.Context, flowID uuid.UUID, user int64, limit int) ([]session.Run, error)
}

// maxRuns is how many executions a list holds.
const maxRuns = 200

// inspectorRoutes show what happens in flows.
func (a *API) inspectorRoutes() []Route {
	k := a.Kinds.Model(flowModel)
	inspects := signedIn.and("authentik_flows.inspect_flow of the flow")
	return []Route{
		{http.MethodGet, "flows/inspector/{flow_slug}/", inspects, Doc{ID: "flows_inspector_get", Summary: "Show the plan of the caller's own run of a flow", Answer: valueOf(flowInspection{})}, inspectFlow},
		{http.MethodGet, "weir/executions/", onAll(k, resource.Inspect), Doc{Call: "list", Summary: "List the latest runs of flows, the newest first",
			Query: []resource.Filter{{Name: "flow"}, {Name: "user", Type: "integer"}}, Answer: listOf(executionRun{})}, listRuns},
		{http.MethodGet, "weir/executions/{execution_uuid}/", inspects, Doc{Call: "retrieve", Summary: "Show the steps of a run, with what policies decided", Answer: valueOf(executionTrace{})}, showRun},
		{http.MethodPost, "weir/executions/{execution_uuid}/replay/", signedIn.and("authentik_flows.inspect_flow of the flow, change of the policy and view of the user"),
			Doc{Call: "create", Summary: "Ask a policy again with what it saw then", Body: valueOf(replayRequest{}).named("Replay"), Answer: valueOf(replayResult{})}, replayPolicy},
	}
}

const flowModel = "authentik_flows.flow"

// flowInspection is the published form.
type flowInspection struct {
	Plans   []flowInspectorPlan `json:"plans" field:"required"`
	Current *flowInspectorPlan  `json:"current_plan"`
	// Completed tells that the flow is over; the current plan is its last then.
	Completed bool `json:"is_completed" field:"required"`
}

// flowInspectorPlan is a plan before one of its stages.
type flowInspectorPlan struct {
	CurrentStage map[string]any `json:"current_stage" field:"readonly"`
	NextStage    map[string]any `json:"next_planned_stage" field:"readonly"`
	Context      map[string]any `json:"plan_context" field:"readonly"`
	Session      string         `json:"session_id" field:"readonly"`
}

// mayInspect tells whether the caller may inspect a flow.
func (c *call) mayInspect(id uuid.UUID) (bool, error) {
	return c.api.Access.Can(c.ctx, c.visit.User, resource.Inspect, c.api.Kinds.Model(flowModel).Name(), id.String())
}

// inspectFlow shows the caller's own run. To those who may not see it there is none.
func inspectFlow(c *call) error {
	v, err := c.view()
	if err != nil {
		return err
	}
	f, ok := v.Config.FlowBySlug(c.r.PathValue("flow_slug"))
	if !ok {
		return resource.ErrGone
	}
	if ok, err := c.mayInspect(f.ID); err != nil || !ok {
		return errors.Join(err, resource.ErrGone)
	}
	steps, e, err := c.api.Traces.Inspect(c.ctx, c.visit.Session, f.ID)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(c.visit.Session.Key))
	id := hex.EncodeToString(sum[:])
	out := flowInspection{Plans: []flowInspectorPlan{}, Completed: e == nil}
	for _, s := range steps {
		if s.Trace.Seen == nil || !finished(s.Trace.Outcome) {
			continue
		}
		p, err := c.inspected(v, s.Trace.Seen, id)
		if err != nil {
			return err
		}
		out.Plans = append(out.Plans, p)
	}
	switch {
	case e != nil:
		seen, err := c.planned(e.Plan)
		if err != nil {
			return err
		}
		p, err := c.inspected(v, seen, id)
		if err != nil {
			return err
		}
		out.Current = &p
	case len(out.Plans) > 0:
		out.Current = &out.Plans[len(out.Plans)-1]
	default:
		c.w.WriteHeader(http.StatusBadRequest)
		return nil
	}
	return c.answer(http.StatusOK, out)
}

// finished tells whether a step ended a stage.
func finished(outcome string) bool {
	return outcome == "done" || outcome == "skipped" || outcome == "finished"
}

// planned is what the next step of a plan begins with.
func (c *call) planned(p *flow.Plan) (*flow.Seen, error) {
	values := p.Context.Values()
	for key, value := range values {
		ref, ok := value.(*flow.PersonRef)
		if !ok || ref == nil || ref.ID == 0 {
			continue
		}
		person, err := c.api.Person(c.ctx, ref.ID)
		if err != nil && !errors.Is(err, flow.ErrNoPerson) {
			return nil, err
		}
		values[key] = person
	}
	s := &flow.Seen{Context: event.Sanitise(values)}
	if len(p.Entries) > 0 {
		s.Binding = p.Entries[0].Binding
	}
	if len(p.Entries) > 1 {
		s.Next = p.Entries[1].Binding
	}
	return s, nil
}

// inspected is a plan as the wire has it.
func (c *call) inspected(v resource.View, s *flow.Seen, id string) (p flowInspectorPlan, err error) {
	p = flowInspectorPlan{Context: s.Context, Session: id}
	if p.CurrentStage, err = c.binding(v, s.Binding); err == nil {
		p.NextStage, err = c.binding(v, s.Next)
	}
	return p, err
}

// binding is a stage binding as the API shows it; an empty one where there is none, as
// clients of the published inspector expect.
func (c *call) binding(v resource.View, id uuid.UUID) (map[string]any, error) {
	k := c.api.Kinds.Model("authentik_flows.flowstagebinding")
	if id != uuid.Nil {
		ref, err := k.Find(c.ctx, v, map[string]any{"pk": id.String()})
		if err != nil {
			return nil, err
		}
		if ref != nil {
			read, err := k.Read(c.ctx, v, ref)
			if err != nil {
				return nil, err
			}
			return read[0], nil
		}
	}
	return map[string]any{"target": nil, "stage": nil, "order": nil, "policy_engine_mode": nil, "invalid_response_action": nil,
		"evaluate_on_plan": false, "re_evaluate_policies": false}, nil
}

// executionRun is a run in a list.
type executionRun struct {
	Execution uuid.UUID `json:"execution" field:"required"`
	// Flow is the slug, empty for a flow that is gone.
	Flow string `json:"flow" field:"required"`
	// User is whom it is about, null for nobody known.
	User    *int64    `json:"user" field:"required,null"`
	Began   time.Time `json:"began" field:"required"`
	Last    time.Time `json:"last" field:"required"`
	Steps   int       `json:"steps" field:"required"`
	Outcome string    `json:"outcome" field:"required"`
}

func listRuns(c *call) error {
	v, err := c.view()
	if err != nil {
		return err
	}
	var flowID uuid.UUID
	q := c.r.URL.Query()
	if slug := q.Get("flow"); slug != "" {
		f, ok := v.Config.FlowBySlug(slug)
		if !ok {
			return field.Errorf("flow", field.CodeDoesNotExist, "There is no flow %q.", slug)
		}
		flowID = f.ID
	}
	var user int64
	if text := q.Get("user"); text != "" {
		if user, err = strconv.ParseInt(text, 10, 64); err != nil || user < 1 {
			return field.Errorf("user", field.CodeInvalid, "Give the id of a user.")
		}
	}
	runs, err := c.api.Traces.Runs(c.ctx, flowID, user, maxRuns)
	if err != nil {
		return err
	}
	out := make([]executionRun, len(runs))
	for i, r := range runs {
		out[i] = executionRun{Execution: r.Execution, Began: r.Began, Last: r.Last, Steps: r.Steps, Outcome: r.Outcome}
		if f, ok := v.Config.Flow(r.Flow); ok {
			out[i].Flow = f.Slug
		}
		if r.User != 0 {
			out[i].User = &r.User
		}
	}
	return c.answer(http.StatusOK, out)
}

// executionTrace is a run with its steps.
type executionTrace struct {
	Execution uuid.UUID       `json:"execution" field:"required"`
	Flow      string          `json:"flow" field:"required"`
	Steps     []executionStep `json:"steps" field:"required"`
}

type executionStep struct {
	N     int            `json:"n" field:"required"`
	User  *int64         `json:"user" field:"required,null"`
	Trace map[string]any `json:"trace" field:"required"`
}

// run reads the execution of the address, if the caller may inspect its flow. Whoever may
// inspect all flows sees what those did that are gone.
func (c *call) run() (resource.View, []session.Step, error) {
	v, err := c.view()
	if err != nil {
		return v, nil, err
	}
	id, err := uuid.Parse(c.r.PathValue("execution_uuid"))
	if err != nil {
		return v, nil, resource.ErrGone
	}
	steps, err := c.api.Traces.Steps(c.ctx, id)
	if err != nil {
		return v, nil, err
	}
	if len(steps) == 0 {
		return v, nil, resource.ErrGone
	}
	may, err := c.mayInspect(steps[0].Flow)
	if err == nil && !may {
		err = resource.ErrGone
	}
	return v, steps, err
}

// asObject is a value as its JSON has it.
func asObject(v any) (out map[string]any, err error) {
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	return out, err
}

func showRun(c *call) error {
	v, steps, err := c.run()
	if err != nil {
		return err
	}
	out := executionTrace{Execution: steps[0].Execution, Steps: make([]executionStep, len(steps))}
	if f, ok := v.Config.Flow(steps[0].Flow); ok {
		out.Flow = f.Slug
	}
	for i, s := range steps {
		out.Steps[i] = executionStep{N: s.N}
		if s.User != 0 {
			out.Steps[i].User = &steps[i].User
		}
		if out.Steps[i].Trace, err = asObject(s.Trace); err != nil {
			return err
		}
	}
	c.w.Header().Set("Content-Disposition", `inline; filename="execution-`+out.Execution.String()+`.json"`)
	return c.answer(http.StatusOK, out)
}
