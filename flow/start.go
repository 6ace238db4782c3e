package flow

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// RefusedError says that a flow cannot be started, in words for the person who
// wanted to.
type RefusedError struct {
	// Messages are those of the policies, else one of our own; never empty.
	Messages []string
}

func (e *RefusedError) Error() string { return "flow refused: " + strings.Join(e.Messages, "; ") }

// msgNoStage is for those whom no stage of a flow is meant for.
const msgNoStage = "This flow has no stage for you, so there is nothing to start. Bind a stage to it first."

// Start plans a flow with values that its context begins with, such as
// KeyPendingUser, and keeps the plan in the session of the request: the page of
// the flow goes on from there. A run of this flow that the session has already
// gives way. The error is a *RefusedError when the flow does not apply, or has
// no stage for the person; what the session has stays then.
func (e *Executor) Start(ctx context.Context, req *Request, with map[string]any) error {
	for range maxAttempts {
		// A parallel step of the same run makes this one stale; it is read
		// again with the next attempt.
		if err := e.newRun(req).begin(ctx, with); !errors.Is(err, ErrStale) {
			return err
		}
	}
	return fmt.Errorf("start flow %q: %w", req.Flow.Slug, ErrStale)
}

// Startable tells whether Start would begin the flow for the person of a
// request. It keeps nothing: what policies ask for is left to Start.
func (e *Executor) Startable(ctx context.Context, req *Request, with map[string]any) (bool, error) {
	_, err := e.newRun(req).makePlan(ctx, with)
	var na *notApplicable
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case errors.Is(err, errEmpty), errors.As(err, &na) && !errors.Is(na.cause, ErrOverloaded):
		return false, nil
	}
	return err == nil, err
}

func (r *run) begin(ctx context.Context, with map[string]any) error {
	plan, err := r.makePlan(ctx, with)
	var na *notApplicable
	switch {
	case err == nil:
		return r.keep(ctx, r.req.Flow, plan, true)
	case errors.Is(err, errEmpty):
		return r.refuseStart(ctx, msgNoStage)
	case !errors.As(err, &na):
		return err
	case na.cause != nil && (errors.Is(na.cause, ErrOverloaded) || ctx.Err() != nil):
		return na.cause
	case na.cause != nil:
		message, _ := r.undecided(ctx, na.cause)
		return r.refuseStart(ctx, message)
	case len(na.messages) > 0:
		return r.refuseStart(ctx, na.messages...)
	}
	return r.refuseStart(ctx, denialText(na))
}

// keep stores a new plan in this session, in place of one of the same flow;
// asked tells to carry out what policies asked for along with it.
func (r *run) keep(ctx context.Context, target *Flow, plan *Plan, asked bool) error {
	if len(plan.Entries) == 0 {
		return nil // an empty flow is done as soon as its page is opened
	}
	before, err := r.e.Store.Load(ctx, r.req.Session, target.ID)
	if err != nil {
		return fmt.Errorf("load execution of %q: %w", target.Slug, err)
	}
	c := &Commit{Session: r.req.Session, HTTP: r.req.HTTP, User: r.req.User, Brand: r.req.Brand,
		Flow: target, Before: before, After: plan, Trace: Trace{At: r.now, Outcome: "planned"}}
	if asked {
		c.Events, c.Effects, c.Mails = r.events, r.effects, r.mails
	}
	committed, err := r.e.Store.Commit(ctx, c)
	if err != nil {
		return fmt.Errorf("start flow %q: %w", target.Slug, err)
	}
	r.req.Session.Stored = r.req.Session.Stored || committed.Execution != nil
	return nil
}

// refuseStart records what the policies had to say and touches no execution.
func (r *run) refuseStart(ctx context.Context, messages ...string) error {
	if r.owes() {
		_, err := r.e.Store.Commit(ctx, &Commit{Session: r.req.Session, HTTP: r.req.HTTP, User: r.req.User, Brand: r.req.Brand,
			Flow: r.req.Flow, Events: r.events, Effects: r.effects, Mails: r.mails, Trace: Trace{At: r.now, Outcome: "denied"}})
		if err != nil {
			return fmt.Errorf("record refusal of flow %q: %w", r.req.Flow.Slug, err)
		}
	}
	return &RefusedError{Messages: messages}
}
