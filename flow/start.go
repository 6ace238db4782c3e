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

func (r *run) begin(ctx context.Context, with map[string]any) error {
	plan, err := r.makePlan(ctx, with)
	var na *notApplicable
	switch {
	case err == nil:
		return r.keep(ctx, r.req.Flow, plan, r.events, r.mails)
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

// refuseStart records what the policies had to say and touches no execution.
func (r *run) refuseStart(ctx context.Context, messages ...string) error {
	if r.wishes() {
		_, err := r.e.Store.Commit(ctx, &Commit{Session: r.req.Session, HTTP: r.req.HTTP, User: r.req.User, Brand: r.req.Brand,
			Flow: r.req.Flow, Events: r.events, Mails: r.mails, Trace: Trace{At: r.now, Outcome: "denied"}})
		if err != nil {
			return fmt.Errorf("record refusal of flow %q: %w", r.req.Flow.Slug, err)
		}
	}
	return &RefusedError{Messages: messages}
}
