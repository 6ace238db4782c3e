package flow

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// Config is what an Executor needs. All fields without a stated default are
// required.
type Config struct {
	// Catalog returns the configuration as it is now.
	Catalog func() Catalog
	People  People
	Store   Store
	Counter Counter
	// Consume uses something up in the transaction of a step, by the kind that
	// a stage names; a *Refusal when it cannot be used any more.
	Consume map[string]func(ctx context.Context, tx Tx, id uuid.UUID) error
	// Restore returns the plan that was put aside under the key of a flow token,
	// nil where no such token holds; nil for no flow tokens. Its Consume has the
	// kind ConsumeFlowToken.
	Restore func(ctx context.Context, key string) (*Restored, error)
	Engine  *policy.Engine
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Log receives what people are not told; slog.Default when nil.
	Log *slog.Logger
	// Avatar returns the address of the picture for a user name, "" for the
	// anonymous visitor.
	Avatar func(username string) string
	// Inspect tells whether somebody may inspect a flow, which decides what traces
	// hold; who may look at them is asked again. Nil allows nobody.
	Inspect func(ctx context.Context, p *identity.Person, f *Flow) bool
	// Failed is told of faults inside stages, for the audit trail: with the
	// request, which may be nil, and a sentence without details. Nil for nothing.
	Failed func(ctx context.Context, h *policy.HTTPRequest, message string)
	// ObserveStage and ObservePlan receive durations; nil for none.
	ObserveStage func(stageType string, answer bool, d time.Duration)
	ObservePlan  func(flowSlug string, d time.Duration)
}

// Executor walks people through flows. It is safe for concurrent use.
type Executor struct{ Config }

// NewExecutor returns an executor; it panics when a required field is missing,
// since that is a broken build of the program.
func NewExecutor(c Config) *Executor {
	if c.Catalog == nil || c.People == nil || c.Store == nil || c.Counter == nil || c.Engine == nil || c.Avatar == nil {
		panic("flow: incomplete executor configuration")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Failed == nil {
		c.Failed = func(context.Context, *policy.HTTPRequest, string) {}
	}
	if c.ObserveStage == nil {
		c.ObserveStage = func(string, bool, time.Duration) {}
	}
	if c.ObservePlan == nil {
		c.ObservePlan = func(string, time.Duration) {}
	}
	return &Executor{c}
}

// maxAttempts bounds how often a step is taken anew after losing a race.
const maxAttempts = 4

// Step takes one step of a flow. Whatever a stage, a policy or a person does
// wrong is part of the Result; an error means that the step could not be taken
// at all: ErrOverloaded, a cancelled context, or a store that does not answer.
func (e *Executor) Step(ctx context.Context, req *Request) (*Result, error) {
	stale := e.checkHandle(req)
	for range maxAttempts {
		r := e.newRun(req)
		result, err := r.step(ctx)
		if err == nil {
			result.Stale = result.Stale || stale
			return result, nil
		}
		if !errors.Is(err, ErrStale) {
			return nil, err
		}
		// Somebody else took the step first. At the same position the step is
		// taken again; otherwise the client is asked to look where it is.
		current, err := e.Store.Load(ctx, req.Session, req.Flow.ID)
		if err != nil {
			return nil, fmt.Errorf("reload execution: %w", err)
		}
		if !samePosition(req.Execution, current) {
			return &Result{Next: true, Stale: true, Execution: current}, nil
		}
		req.Execution = current
	}
	return &Result{Next: true, Stale: true, Execution: req.Execution}, nil
}

// checkHandle turns the answer of an outdated page into a plain look at the
// current step: it changes nothing and counts nothing.
func (e *Executor) checkHandle(req *Request) (stale bool) {
	if req.Handle == nil {
		return false
	}
	current, version := req.Execution, 0
	var id [16]byte
	if current != nil {
		id, version = current.ID, current.Version
	}
	if id == *req.Handle && version == req.Step {
		return false
	}
	req.Answer, req.Body, req.BodyErr, req.Passive = false, nil, nil, true
	return true
}

func samePosition(a, b *Execution) bool {
	if a == nil || b == nil || a.ID != b.ID || a.Plan == nil || b.Plan == nil || len(a.Plan.Entries) != len(b.Plan.Entries) {
		return false
	}
	if len(a.Plan.Entries) == 0 {
		return true
	}
	x, y := a.Plan.Entries[0], b.Plan.Entries[0]
	return x.Binding == y.Binding && x.Stage == y.Stage && (x.Inline == nil) == (y.Inline == nil)
}

// Choose returns the flow for a designation: the brand's, unchecked, where
// the brand names one; else the first by slug whose policies let the person
// in. An error of a policy stops the choice. Nil means that there is none.
func (e *Executor) Choose(ctx context.Context, d Designation, req *Request) (*Flow, error) {
	cat := e.Catalog()
	if req.Brand != nil {
		var id = req.Brand.Authentication
		switch d {
		case Authentication:
		case Invalidation:
			id = req.Brand.Invalidation
		default:
			id = nil
		}
		if id != nil {
			if f, ok := cat.Flow(*id); ok {
				return f, nil
			}
		}
	}
	p := &planner{cat: cat, engine: e.Engine, people: e.People, req: req, now: e.Now().UTC()}
	for _, f := range cat.FlowsFor(d) {
		plan := &Plan{Format: PlanFormat, FlowID: f.ID, Context: NewContext(nil)}
		err := p.flowPolicies(ctx, f, plan, req.User)
		var na *notApplicable
		switch {
		case err == nil:
			return f, nil
		case errors.As(err, &na) && na.cause != nil:
			return nil, fmt.Errorf("choose flow for %s: %w", d, err)
		}
	}
	return nil, nil
}

// newID returns an id that people can read out to support and that the log
// has too.
func newID() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
