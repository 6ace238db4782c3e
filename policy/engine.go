package policy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
)

// Source is where the engine finds bindings and policies: one immutable view
// of the configuration.
type Source interface {
	// PolicyBindings returns the bindings of a target in evaluation order.
	PolicyBindings(target uuid.UUID) []*Binding
	// Policy returns a policy by id.
	Policy(id uuid.UUID) (*Object, bool)
}

// Engine combines the results of a target's bindings. The zero value works.
type Engine struct {
	// Now is the clock for expiring bindings; time.Now when nil.
	Now func() time.Time
}

// Run is one engine run: one target, one person.
type Run struct {
	Source Source
	Target Target
	// User is the person to decide about; never nil.
	User *identity.Person
	HTTP *HTTPRequest
	Plan Plan
	// Context returns a fresh copy of the top level of the context; called
	// once for each evaluation. Nil means an empty context. What HTTP knows of
	// the client's place is added to it.
	Context func() map[string]any
	// Apply carries out the writes of one policy after it passed or failed.
	// Nil drops them.
	Apply func(Writes)
	// EmptyResult is the verdict without bindings.
	EmptyResult Verdict
}

// Evaluate runs every enabled binding of the target in order, without
// short-circuit, and combines the results:
//
//	any: one pass passes, else one error is an error, else fail
//	all: one fail fails, else one error is an error, else pass
//
// All group and user bindings together count as one result; for a person
// without a row of their own it never passes, negated or not.
func (e *Engine) Evaluate(ctx context.Context, run Run) Result {
	now := time.Now
	if e.Now != nil {
		now = e.Now
	}
	at := now()
	var results []Result
	var static staticResult
	for _, b := range run.Source.PolicyBindings(run.Target.ID) {
		if !b.applies(at) {
			continue
		}
		if b.Policy == nil {
			static.add(ctx, b, run.User)
			continue
		}
		results = append(results, e.evaluate(ctx, run, b))
	}
	if static.total > 0 {
		results = append(results, static.result(run.Target.Mode, run.User))
	}
	return combine(run.Target.Mode, results, run.EmptyResult)
}

// evaluate runs one policy binding with its timeout.
func (e *Engine) evaluate(ctx context.Context, run Run, b *Binding) Result {
	object, ok := run.Source.Policy(*b.Policy)
	if !ok {
		return Result{Verdict: Error, Binding: b, Err: fmt.Errorf("policy %s does not exist", *b.Policy)}
	}
	timeout := DefaultTimeout
	if b.Timeout > 0 {
		timeout = time.Duration(b.Timeout) * time.Second
	}
	req := &Request{User: run.User, HTTP: run.HTTP, Target: &run.Target, Plan: run.Plan}
	if run.Context != nil {
		req.Context = run.Context()
	}
	if req.Context == nil {
		req.Context = map[string]any{}
	}
	// What was looked up counts more than what a plan carries.
	maps.Copy(req.Context, run.HTTP.Locate())
	began := time.Now()
	r := object.Evaluate(ctx, req, timeout)
	r.Binding, r.Took = b, time.Since(began)
	switch {
	case r.Verdict == Error:
		r.Writes, r.Mails, r.Effects = Writes{}, nil, nil
		r.Events = []Event{exception(object, b, req, r.Err)}
		if b.FailureResult {
			r.Verdict = Pass
		}
	case b.Negate && r.Verdict == Pass:
		r.Verdict = Fail
	case b.Negate:
		r.Verdict = Pass
	}
	if object.ExecutionLogging && r.Err == nil {
		r.Events = append(r.Events, execution(object, b, req, r))
	}
	if run.Apply != nil && !r.Writes.Empty() {
		run.Apply(r.Writes)
	}
	return r
}

// errTimeout is the cause of an evaluation that was cut off.
var errTimeout = errors.New("policy timed out")

// Evaluate runs the policy on its own: no binding, so no negation and no
// failure result. It returns when the policy does or when timeout has passed,
// whichever is first; a panic, an error and a timeout are Error verdicts.
func (o *Object) Evaluate(ctx context.Context, r *Request, timeout time.Duration) Result {
	if o.Err != nil || o.Policy == nil {
		return Result{Verdict: Error, Err: fmt.Errorf("policy %q: %w", o.Name, errors.Join(o.Err, errors.New("not usable")))}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
	defer cancel()
	if _, ok := o.Policy.(Bounded); ok {
		return o.evaluate(ctx, r)
	}
	done := make(chan Result, 1)
	go func() { done <- o.evaluate(ctx, r) }()
	select {
	case res := <-done:
		return res
	case <-ctx.Done():
		return Result{Verdict: Error, Err: fmt.Errorf("policy %q: %w", o.Name, context.Cause(ctx))}
	}
}

// evaluate asks the policy and makes an error of whatever goes wrong in it.
func (o *Object) evaluate(ctx context.Context, r *Request) (res Result) {
	defer func() {
		if p := recover(); p != nil {
			res = Result{Verdict: Error, Err: fmt.Errorf("policy %q: panic: %v", o.Name, p)}
		}
	}()
	res, err := o.Policy.Evaluate(ctx, r)
	if end := ctx.Err(); end != nil && (err == nil || errors.Is(err, end)) {
		err = context.Cause(ctx) // too late is no verdict
	}
	if err != nil {
		return Result{Verdict: Error, Err: fmt.Errorf("policy %q: %w", o.Name, err), Logs: res.Logs}
	}
	return res
}

func combine(mode Mode, results []Result, empty Verdict) Result {
	if len(results) == 0 {
		return Result{Verdict: empty}
	}
	out := Result{Sources: results}
	var count [3]int
	for _, r := range results {
		count[r.Verdict]++
		out.Messages = append(out.Messages, r.Messages...)
		out.Events = append(out.Events, r.Events...)
		out.Mails = append(out.Mails, r.Mails...)
		out.Effects = append(out.Effects, r.Effects...)
		if r.Verdict == Error {
			out.Err = errors.Join(out.Err, r.Err)
		}
	}
	deciding, otherwise := Pass, Fail
	if mode == All {
		deciding, otherwise = Fail, Pass
	}
	switch {
	case count[deciding] > 0:
		out.Verdict = deciding
	case count[Error] > 0:
		out.Verdict = Error
	default:
		out.Verdict = otherwise
	}
	return out
}

// staticResult gathers group and user bindings, which count as one.
type staticResult struct {
	total, passing int
	err            error
}

func (s *staticResult) add(ctx context.Context, b *Binding, p *identity.Person) {
	s.total++
	if !p.Saved() {
		return
	}
	var match bool
	if b.Group != nil {
		in, err := p.InGroup(ctx, *b.Group)
		if err != nil {
			s.err = errors.Join(s.err, fmt.Errorf("read groups: %w", err))
			return
		}
		match = in
	} else if b.User != nil {
		match = p.ID == *b.User
	} else {
		// A binding without a subject (its policy, group or user is gone)
		// matches nobody, negated or not.
		return
	}
	if match != b.Negate {
		s.passing++
	}
}

func (s *staticResult) result(mode Mode, p *identity.Person) Result {
	switch {
	case s.err != nil:
		return Result{Verdict: Error, Err: s.err}
	case mode == All && s.passing == s.total && p.Saved(), mode != All && s.passing > 0:
		return Result{Verdict: Pass}
	}
	return Result{Verdict: Fail}
}
