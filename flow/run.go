package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// run is one attempt at one step.
type run struct {
	e   *Executor
	req *Request
	cat Catalog
	// people reads each person once.
	people People
	now    time.Time
	plan   *Plan
	// before is the stored execution that the step started from.
	before *Execution
	// dropped tells that markers took entries out of the plan.
	dropped bool
	// events and apply are what the step does besides the outcome at its end.
	events []Event
	apply  []func(ctx context.Context, tx Tx) error
	// effects and mails are what policies ask for.
	effects []policy.Effect
	mails   []policy.Mail
	trace   Trace
	// inspected tells whether the trace holds what was seen, once that was asked.
	inspected *bool
	exec      *Exec
	// lapsed tells that the request came by a link that leads nowhere any more.
	lapsed bool
}

func (e *Executor) newRun(req *Request) *run {
	now := e.Now().UTC()
	return &run{e: e, req: req, cat: e.Catalog(), people: readOnce{e.People, map[int64]*identity.Person{}}, now: now, before: req.Execution,
		trace: Trace{At: now, Answer: req.Answer}}
}

func (r *run) planner() *planner {
	return &planner{cat: r.cat, engine: r.e.Engine, people: r.people, req: r.req, now: r.now, inspected: r.inspected != nil && *r.inspected}
}

// step finds the current stage, hands it the request and carries out what it
// says.
func (r *run) step(ctx context.Context) (*Result, error) {
	if r.req.BodyErr != nil {
		return r.fault(ctx, slog.LevelInfo, r.req.BodyErr)
	}
	r.inspects(ctx)
	taken := r.restore()
	if !taken {
		var err error
		if taken, err = r.redeem(ctx); err != nil {
			return nil, err
		}
	}
	if !taken {
		if result, err := r.start(ctx, nil); result != nil || err != nil {
			return result, err
		}
	}
	current, err := r.next(ctx)
	if err != nil {
		return r.unexpected(ctx, err)
	}
	if current == nil {
		return r.finish(ctx, Outcome{kind: skipped})
	}
	if current.inline != nil && current.inline.Type == inlineRedirect {
		return r.inlineRedirect(ctx, current)
	}
	return r.runStage(ctx, current)
}

// restore takes up the stored plan. A request with another start token, or
// with none stored that can be used, starts again.
func (r *run) restore() bool {
	if r.before == nil || r.before.Plan == nil || r.before.Plan.Format != PlanFormat || r.before.Plan.FlowID != r.req.Flow.ID {
		return false
	}
	if tokens := startTokens(r.req.Query); len(tokens) > 0 && !sameTokens(tokens, r.before.Plan.Tokens) {
		return false
	}
	r.plan = r.before.Plan.clone()
	return true
}

func sameTokens(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

// makePlan plans the flow and keeps the events of its policies.
func (r *run) makePlan(ctx context.Context, with map[string]any) (*Plan, error) {
	p := r.planner()
	begin := time.Now()
	plan, err := p.plan(ctx, r.req.Flow, with)
	r.e.ObservePlan(r.req.Flow.Slug, time.Since(begin))
	r.keepAsked(p)
	return plan, err
}

// keepAsked keeps what the policies of a planner asked for until the step is
// written. A passive request has no effects (rule 5); what asks for them is
// asked again by the next one that may act.
func (r *run) keepAsked(p *planner) {
	r.events = append(r.events, p.events...)
	if !r.req.Passive {
		r.effects = append(r.effects, p.effects...)
		r.mails = append(r.mails, p.mails...)
	}
	r.note(p.asked)
	p.events, p.effects, p.mails, p.asked = nil, nil, nil, nil
}

// start plans the flow. A result means that the flow is over before it began.
func (r *run) start(ctx context.Context, with map[string]any) (*Result, error) {
	plan, err := r.makePlan(ctx, with)
	var na *notApplicable
	switch {
	case err == nil:
		r.plan = plan
		return nil, nil
	case errors.Is(err, errEmpty):
		r.plan = plan
		return r.finish(ctx, Outcome{kind: skipped})
	case errors.As(err, &na):
		return r.notApplicable(ctx, na)
	}
	return nil, err
}

// current is the stage that the step is about.
type current struct {
	binding *Binding
	object  *StageObject
	inline  *Inline
	name    string
	typ     *StageType
	stage   Stage
	config  any
}

func (c *current) action() InvalidResponseAction {
	if c.binding == nil || c.binding.InvalidResponseAction == "" {
		return Retry
	}
	return c.binding.InvalidResponseAction
}

// next returns the first entry whose marker lets it through and drops those
// before it. Nil means that nothing is left. Policies that reach no verdict,
// and bindings or stages that have been deleted, are errors, which deny.
func (r *run) next(ctx context.Context) (*current, error) {
	for len(r.plan.Entries) > 0 {
		c, err := r.load(ctx, r.plan.Entries[0])
		if err != nil {
			return nil, err
		}
		if !r.plan.Entries[0].Reevaluate || c.binding == nil {
			return c, nil
		}
		pass, err := r.marker(ctx, c)
		if err != nil {
			return nil, err
		}
		if pass {
			return c, nil
		}
		r.plan.Entries = r.plan.Entries[1:]
		r.dropped = true
	}
	return nil, nil
}

// load finds the pinned versions of an entry.
func (r *run) load(ctx context.Context, e Entry) (*current, error) {
	if e.Inline != nil {
		return r.loadInline(e.Inline)
	}
	c := &current{}
	if e.BindingVersion != 0 {
		b, err := r.cat.PinnedBinding(ctx, e.Binding, e.BindingVersion)
		if err != nil {
			return nil, fmt.Errorf("load binding %s: %w", e.Binding, err)
		}
		c.binding = b
	}
	s, err := r.cat.PinnedStage(ctx, e.Stage, e.StageVersion)
	if err != nil {
		return nil, fmt.Errorf("load stage %s: %w", e.Stage, err)
	}
	if s.Err != nil {
		return nil, fmt.Errorf("stage %q is not usable: %w", s.Name, s.Err)
	}
	c.object, c.name, c.typ, c.stage, c.config = s, s.Name, s.Type, s.Stage, s.Config
	return c, nil
}

func (r *run) loadInline(in *Inline) (*current, error) {
	c := &current{inline: in, name: in.Name}
	if in.Type == inlineRedirect {
		return c, nil
	}
	typ, ok := r.cat.StageType(in.Type)
	if !ok {
		return nil, fmt.Errorf("inline stage of unknown type %q", in.Type)
	}
	c.typ, c.config = typ, typ.Defaults()
	if err := json.Unmarshal(in.Config, c.config); err != nil {
		return nil, fmt.Errorf("decode inline stage %q: %w", in.Name, err)
	}
	stage, err := typ.Build(in.Name, c.config)
	if err != nil {
		return nil, fmt.Errorf("build inline stage %q: %w", in.Name, err)
	}
	c.stage = stage
	return c, nil
}

// marker asks the policies of a binding again: of the binding as it is now,
// since what decides is current.
func (r *run) marker(ctx context.Context, c *current) (bool, error) {
	user := r.req.User
	p := r.planner()
	if ref, ok := KeyPendingUser.Get(r.plan.Context); ok && ref != nil {
		person, err := resolve(ctx, r.people, ref)
		if err != nil {
			return false, err
		}
		user = person
	}
	target := bindingTarget(c.binding, c.name)
	if now, ok := r.cat.Binding(c.binding.ID); ok {
		target.Mode = now.PolicyEngineMode
	}
	result := p.evaluate(ctx, r.plan, user, target)
	r.keepAsked(p)
	if result.Verdict == policy.Error {
		return false, fmt.Errorf("policies of stage %q: %w", c.name, errors.Join(result.Err, errNoVerdict))
	}
	return result.Passing(), nil
}

var errNoVerdict = errors.New("no verdict")

// newExec returns what the stage sees.
func (r *run) newExec(c *current) *Exec {
	x := &Exec{Flow: r.req.Flow, StageName: c.name, Binding: c.binding, Context: r.plan.Context,
		RequestUser: r.req.User, Brand: r.req.Brand, Catalog: r.cat, Now: r.now,
		req: r.req, plan: r.plan, planner: r.planner(), people: r.people, counter: r.e.Counter,
		undecided: func(ctx context.Context, err error) string { message, _ := r.undecided(ctx, err); return message }}
	if c.typ != nil {
		x.model = c.typ.Model
	}
	if c.object != nil {
		x.StageID = c.object.ID
	}
	if c.binding != nil {
		x.BindingPolicies = len(r.cat.PolicyBindings(c.binding.ID)) > 0
	}
	return x
}

// runStage calls the stage and carries out its outcome.
func (r *run) runStage(ctx context.Context, c *current) (*Result, error) {
	r.look(ctx)
	r.exec = r.newExec(c)
	r.trace.Stage, r.trace.Type = c.name, c.typ.Name
	if r.req.Answer {
		if errs := checkComponent(r.req.Body); errs != nil {
			return r.reject(ctx, c, errs)
		}
	}
	out, err := r.call(ctx, c, r.req.Answer)
	if err != nil {
		return r.stageError(ctx, err)
	}
	return r.carryOut(ctx, c, out)
}

// call runs the stage's own code; a panic is an error of the stage.
func (r *run) call(ctx context.Context, c *current, answer bool) (out Outcome, err error) {
	begin := time.Now()
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{value: p, stack: debug.Stack()}
		}
		r.e.ObserveStage(c.typ.Name, answer, time.Since(begin))
		r.keepAsked(r.exec.planner)
	}()
	if answer {
		body := r.req.Body
		if body == nil {
			body = map[string]any{}
		}
		return c.stage.Respond(ctx, r.exec, Response{Data: body})
	}
	return c.stage.Challenge(ctx, r.exec)
}

type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// checkComponent refuses an explicit null or empty component; a missing or a
// wrong one is fine, since the plan decides which stage answers.
func checkComponent(body map[string]any) field.Errors {
	v, given := body["component"]
	switch {
	case !given:
		return nil
	case v == nil:
		return field.Errorf("component", field.CodeNull, "Leave component out or name one; it cannot be null.")
	case v == "":
		return field.Errorf("component", field.CodeBlank, "Leave component out or name one; it cannot be empty.")
	}
	if _, ok := v.(string); !ok {
		return field.Errorf("component", field.CodeInvalid, "Send component as a text.")
	}
	return nil
}

// dirty tells whether there is something to keep although no stage finished.
func (r *run) dirty() bool {
	return r.plan.Context.changed || (r.dropped && r.before != nil) || r.owes()
}

// owes tells whether there is something to write besides the plan.
func (r *run) owes() bool {
	return len(r.events) > 0 || len(r.apply) > 0 || len(r.effects) > 0 || len(r.mails) > 0
}

// hold keeps what an outcome does besides the plan, for a step that ends with
// another one.
func (r *run) hold(out Outcome) {
	r.events = append(r.events, out.Events...)
	if out.Apply != nil {
		r.apply = append(r.apply, out.Apply)
	}
}

// pendingForEvents is the person whom events of the step are about, as far as
// the stage has read them.
func (r *run) pendingForEvents(ctx context.Context) *identity.Person {
	if r.exec == nil {
		return nil
	}
	p, err := r.exec.ContextUser(ctx)
	if err != nil {
		return nil
	}
	return p
}
