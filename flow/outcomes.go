package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/weir-id/weir/field"
)

// carryOut does what a stage decided. What the transaction refuses is undone,
// so the plan is as it was before.
func (r *run) carryOut(ctx context.Context, c *current, out Outcome) (*Result, error) {
	result, err := r.try(ctx, c, out)
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		return result, err
	}
	r.e.Log.InfoContext(ctx, "step refused", slog.String("flow", r.req.Flow.Slug), slog.String("stage", r.trace.Stage), slog.String("error", r.reason(refusal.Err)))
	r.exec = nil // knows of people who were never made
	if r.before != nil {
		r.plan = r.before.Plan.clone()
	} else {
		r.plan = &Plan{Format: PlanFormat, FlowID: r.req.Flow.ID, Context: NewContext(nil), Started: r.now}
	}
	return r.invalid(ctx, c, Deny(refusal.Message))
}

func (r *run) try(ctx context.Context, c *current, out Outcome) (*Result, error) {
	switch out.kind {
	case ask:
		if r.req.Passive && out.Apply != nil {
			return r.result(&Result{Confirm: true}), nil
		}
		return r.show(ctx, out, nil)
	case askAgain:
		return r.refuse(ctx, c, out)
	case done, skipped:
		if last := len(r.plan.Entries) == 1; r.req.Passive && (out.acts() || last && len(r.plan.Consume) > 0) {
			return r.result(&Result{Confirm: true}), nil
		}
		if err := checkEffects(c, out); err != nil {
			return r.flowError(ctx, err)
		}
		return r.advance(ctx, out)
	case switchFlow:
		return r.switchTo(ctx, out)
	}
	return r.invalid(ctx, c, out)
}

// checkEffects holds a stage to what its configuration promises: without it,
// a stage that forgot to check something would let people through.
func checkEffects(c *current, out Outcome) error {
	if out.kind != done {
		return nil
	}
	for _, fact := range c.typ.Effects(c.config).Always {
		var ok bool
		switch fact {
		case FactLogin:
			ok = out.Login != nil
		case FactLogout:
			ok = out.Logout
		default:
			ok = slices.ContainsFunc(out.Proofs, func(p Proof) bool { return p.Fact == fact })
		}
		if !ok {
			return fmt.Errorf("stage %q is done without %s", c.name, fact)
		}
	}
	return nil
}

// show sends a challenge; the plan is stored only when something changed.
func (r *run) show(ctx context.Context, out Outcome, errs field.Errors) (*Result, error) {
	result := &Result{Rejected: len(errs) > 0, Cookies: out.Cookies}
	envelope, err := r.envelope(ctx, out.challenge, errs)
	if err != nil {
		return r.flowError(ctx, err)
	}
	result.Challenge = envelope
	// Whoever inspects a flow looks at a stored plan.
	inspected := r.before == nil && r.inspects(ctx)
	if r.dirty() || len(out.Events) > 0 || out.Apply != nil || inspected {
		r.trace.Outcome = "ask"
		if result.Rejected {
			r.trace.Outcome = "refused"
		}
		// Events alone need no execution: nothing is to be remembered.
		after := r.plan
		if !r.plan.Context.changed && r.before == nil && !inspected {
			after = nil
		}
		if err := r.commit(ctx, result, after, out); err != nil {
			return nil, err
		}
	}
	return r.result(result), nil
}

// refuse answers a response that did not satisfy the stage.
func (r *run) refuse(ctx context.Context, c *current, out Outcome) (*Result, error) {
	r.hold(out)
	if c.action() != Retry {
		return r.restart(ctx, c)
	}
	again, err := r.call(ctx, c, false)
	if err != nil {
		return r.stageError(ctx, err)
	}
	switch again.kind {
	case ask:
		return r.show(ctx, again, out.errors)
	case done, skipped, switchFlow:
		// A refused answer never lets anybody pass (rule 1).
		return r.flowError(ctx, fmt.Errorf("stage %q resolved after it refused an answer", c.name))
	}
	return r.carryOut(ctx, c, again)
}

// reject answers a response that is malformed for every stage.
func (r *run) reject(ctx context.Context, c *current, errs field.Errors) (*Result, error) {
	return r.refuse(ctx, c, Outcome{kind: askAgain, errors: errs})
}

// advance drops the finished stage, and goes on or finishes.
func (r *run) advance(ctx context.Context, out Outcome) (*Result, error) {
	r.plan.Entries = r.plan.Entries[1:]
	if r.req.Answer {
		r.plan.Answered++
	}
	r.plan.Proofs = append(r.plan.Proofs, out.Proofs...)
	if len(r.plan.Entries) == 0 {
		return r.finish(ctx, out)
	}
	r.trace.Outcome = "done"
	if out.kind == skipped {
		r.trace.Outcome = "skipped"
	}
	if out.acts() {
		r.consume(&out)
	}
	result := &Result{Next: true, Cookies: out.Cookies}
	if err := r.commit(ctx, result, r.plan, out); err != nil {
		return nil, err
	}
	return result, nil
}

// finish ends the flow: the context's redirect, which configuration put
// there, else the next address of the page, else the root page.
func (r *run) finish(ctx context.Context, out Outcome) (*Result, error) {
	to, ok := "/", true
	if target, set := KeyRedirect.Get(r.plan.Context); set {
		to, ok = SafeTarget(target)
	} else if values, given := r.req.Query["next"]; given {
		to, ok = SafeNext(values[len(values)-1])
	}
	result := &Result{Cookies: out.Cookies}
	r.trace.Outcome = "finished"
	if ok {
		result.Challenge = &Envelope{Component: "xak-flow-redirect", Body: &RedirectTo{To: to, Final: true}}
	} else {
		r.trace.Outcome = "denied"
		envelope, err := r.envelope(ctx, &AccessDenied{Message: "Invalid next URL"}, nil)
		if err != nil {
			return nil, err
		}
		result.Challenge = envelope
	}
	if r.before == nil && !out.acts() && len(r.plan.Consume) == 0 && !r.owes() && len(out.Events) == 0 && r.proofsToKeep(out) == nil {
		return result, nil // nothing was stored and nothing happened
	}
	r.consume(&out)
	if err := r.commit(ctx, result, nil, out); err != nil {
		return nil, err
	}
	return result, nil
}

// consume has the transaction of the step use up what the plan has to, before
// anything else happens in it.
func (r *run) consume(out *Outcome) {
	used, apply := r.plan.Consume, out.Apply
	if len(used) == 0 {
		return
	}
	r.plan.Consume = nil
	out.Apply = func(ctx context.Context, tx Tx) error {
		for _, c := range used {
			use, ok := r.e.Consume[c.Kind]
			if !ok {
				return fmt.Errorf("nobody knows how to use up %s %s", c.Kind, c.ID)
			}
			if err := use(ctx, tx, c.ID); err != nil {
				return err
			}
		}
		if apply == nil {
			return nil
		}
		return apply(ctx, tx)
	}
}

// invalid ends the flow with access denied, or restarts it where the binding
// says so. A flow that is denied before anybody answered anything would be
// denied again at once, also behind stages that ask nothing, so there a restart
// denies too.
func (r *run) invalid(ctx context.Context, c *current, out Outcome) (*Result, error) {
	if c.action() != Retry && (r.req.Answer || r.plan.Answered > 0) {
		r.hold(out)
		return r.restart(ctx, c)
	}
	return r.deny(ctx, &AccessDenied{Message: out.message}, out)
}

// deny shows access denied and drops the plan.
func (r *run) deny(ctx context.Context, challenge *AccessDenied, out Outcome) (*Result, error) {
	if challenge.Message == "" {
		challenge.Message = "Unknown error"
	}
	envelope, err := r.envelope(ctx, challenge, nil)
	if err != nil {
		return nil, err
	}
	result := &Result{Challenge: envelope, Cookies: out.Cookies}
	r.trace.Outcome, r.trace.Message = "denied", challenge.Message
	if r.before != nil || r.owes() || len(out.Events) > 0 || out.Apply != nil {
		if err := r.commit(ctx, result, nil, out); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// restart plans the flow anew.
func (r *run) restart(ctx context.Context, c *current) (*Result, error) {
	var with map[string]any
	var used []Consumable
	if c.action() == RestartWithContext {
		with, used = r.plan.Context.Values(), r.plan.Consume
	}
	if result, err := r.start(ctx, with); result != nil || err != nil {
		return result, err
	}
	r.plan.Consume = used
	result := &Result{Next: true}
	r.trace.Outcome = "restarted"
	after := r.plan
	if with == nil {
		after = nil // the next request plans the same
	}
	if err := r.commit(ctx, result, after, Outcome{}); err != nil {
		return nil, err
	}
	return result, nil
}

// switchTo plans another flow and sends the person there.
func (r *run) switchTo(ctx context.Context, out Outcome) (*Result, error) {
	target, ok := r.cat.Flow(out.flow)
	if !ok {
		return r.flowError(ctx, fmt.Errorf("the flow to go on with, %s, does not exist", out.flow))
	}
	var with map[string]any
	var used []Consumable
	if out.keep {
		with, used = r.plan.Context.Values(), r.plan.Consume
	}
	if with == nil {
		with = map[string]any{}
	}
	with[string(KeyRedirected)] = &Ref{Kind: "flow", ID: r.req.Flow.ID, Name: r.req.Flow.Slug}
	p := r.planner()
	plan, err := p.plan(ctx, target, with)
	r.keepAsked(p)
	var na *notApplicable
	switch {
	case errors.As(err, &na):
		if na.cause != nil {
			return r.unexpected(ctx, na.cause)
		}
		return r.deny(ctx, &AccessDenied{Message: denialText(na)}, Outcome{})
	case err != nil && !errors.Is(err, errEmpty):
		return nil, err
	}
	plan.Consume = used
	result := &Result{Challenge: &Envelope{Component: "xak-flow-redirect", Body: &RedirectTo{To: flowPath(target.Slug, r.req.RawQuery)}}}
	again := target.ID == r.req.Flow.ID
	if err := r.keep(ctx, target, plan, again); err != nil {
		return nil, err
	}
	if again {
		return result, nil
	}
	r.trace.Outcome = "switched"
	if r.before != nil || r.owes() {
		if err := r.commit(ctx, result, nil, Outcome{}); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// inlineRedirect sends the person away; the stage never completes.
func (r *run) inlineRedirect(ctx context.Context, c *current) (*Result, error) {
	var to string
	if err := json.Unmarshal(c.inline.Config, &to); err != nil {
		return r.unexpected(ctx, fmt.Errorf("decode redirect: %w", err))
	}
	to, ok := SafeTarget(to)
	if !ok {
		return r.deny(ctx, &AccessDenied{Message: "Invalid next URL"}, Outcome{})
	}
	return r.show(ctx, Ask(&RedirectTo{To: to}), nil)
}

// notApplicable answers a person whom the flow does not apply to.
func (r *run) notApplicable(ctx context.Context, na *notApplicable) (*Result, error) {
	r.plan = &Plan{Format: PlanFormat, FlowID: r.req.Flow.ID, Context: NewContext(nil), Started: r.now}
	if na.cause != nil {
		return r.unexpected(ctx, na.cause)
	}
	f := r.req.Flow
	if f.Designation == Authentication && r.req.User.Saved() {
		return r.finish(ctx, Outcome{kind: skipped})
	}
	if f.DeniedAction == Continue || f.DeniedAction == MessageContinue {
		if to, ok := SafeNext(r.req.DeniedNext); ok {
			return r.leave(ctx, to)
		}
	}
	if f.DeniedAction == Continue {
		return r.leave(ctx, "/")
	}
	return r.deny(ctx, &AccessDenied{Message: denialText(na)}, Outcome{})
}

func (r *run) leave(ctx context.Context, to string) (*Result, error) {
	result := &Result{Challenge: &Envelope{Component: "xak-flow-redirect", Body: &RedirectTo{To: to}}}
	r.trace.Outcome = "denied"
	if r.before != nil || r.owes() {
		if err := r.commit(ctx, result, nil, Outcome{}); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// commit writes the step.
func (r *run) commit(ctx context.Context, result *Result, after *Plan, out Outcome) error {
	c := &Commit{Session: r.req.Session, HTTP: r.req.HTTP, User: r.req.User, Pending: r.pendingForEvents(ctx), Brand: r.req.Brand,
		Flow: r.req.Flow, Before: r.before, After: after, Login: out.Login, Logout: out.Logout,
		Events: append(r.events, out.Events...), Apply: r.apply, Effects: r.effects, Mails: r.mails, Trace: r.trace, Proofs: r.proofsToKeep(out)}
	if out.Apply != nil {
		c.Apply = append(c.Apply, out.Apply)
	}
	committed, err := r.e.Store.Commit(ctx, c)
	if err != nil {
		return fmt.Errorf("store step: %w", err)
	}
	result.Execution, result.Session = committed.Execution, committed.Session
	return nil
}

// result fills in the state of a step that wrote nothing.
func (r *run) result(result *Result) *Result {
	if result.Execution == nil && r.before != nil {
		result.Execution = r.before
	}
	result.Lapsed = r.lapsed && !r.req.Answer
	return result
}
