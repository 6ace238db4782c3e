package prove

import (
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/policy"
)

// step is a binding with what is known of its stage and its policies.
type step struct {
	order   int32
	name    string
	effects flow.Effects
	// asks tells that the stage has a page that is answered.
	asks bool
	// enrols tells that the flow is for people without an account.
	enrols  bool
	restart flow.InvalidResponseAction
	skipped skip
	// named tells that a policy makes whoever is signed in the pending user.
	named bool
}

// anything is what a stage may do that declares nothing.
var anything = []flow.Fact{flow.FactUser, flow.FactData, flow.FactLogin, flow.FactLogout, flow.FactWritten, flow.FactDeleted}

// steps reads the bindings of a flow.
func steps(cat flow.Catalog, f *flow.Flow, now time.Time) []step {
	var out []step
	for _, b := range cat.Bindings(f.ID) {
		stage, ok := cat.Stage(b.Stage)
		if !ok {
			continue // the planner leaves it out
		}
		s := step{order: b.Order, name: stage.Name, enrols: f.Designation == flow.Enrollment, restart: b.InvalidResponseAction, skipped: skips(cat, b, now), named: names(cat, b)}
		if s.restart == "" {
			s.restart = flow.Retry
		}
		switch {
		case stage.Err != nil:
			// Such a stage denies by itself, whatever the binding says.
			s.effects, s.restart = flow.Effects{Denies: true}, flow.Retry
		case stage.Type == nil || stage.Config == nil:
			s.effects.Unknown = true
		default:
			s.effects, s.asks = stage.Type.Effects(stage.Config), len(stage.Type.Exchanges) > 0
		}
		if s.effects.Unknown {
			s.effects.Sometimes = anything
		}
		out = append(out, s)
	}
	return out
}

// sure are the facts that hold whenever the stage is done, may those that can.
func (s *step) sure() set { return of(s.effects.Always...) | of(s.effects.Supplies...) }

func (s *step) may() set { return s.sure() | of(s.effects.Sometimes...) }

// after are the states in which the stage can leave a path.
func (s *step) after(state set) []set {
	e, sure := &s.effects, s.sure()
	if e.Names || s.effects.Unknown {
		state &^= credentials | asked
	}
	if sure.has(flow.FactDeleted) {
		state &^= user | person | credentials | asked
	}
	if s.may().has(flow.FactSecondFactor) {
		state |= asked
	}
	if s.asks {
		state |= answered
	}
	out := []set{state | sure}
	for _, fact := range e.Sometimes {
		bit := of(fact) &^ sure
		if bit == 0 {
			continue
		}
		for _, other := range out {
			out = append(out, other|bit)
		}
	}
	for i := range out {
		if !s.enrols && out[i]&^state&certificate != 0 {
			out[i] |= user // whom the certificate names
		}
		if out[i]&user != 0 {
			out[i] |= person
		}
	}
	return out
}

// skip tells when the policies of a binding leave its stage out.
type skip struct {
	// always and never are for policies whose verdict is known.
	always, never bool
	// after are facts that hold wherever the stage is left out.
	after set
}

func (s skip) in(state set) bool { return !s.never && state&s.after == s.after }

// skips reads the policies of a binding.
func skips(cat flow.Catalog, b *flow.Binding, now time.Time) skip {
	if !b.EvaluateOnPlan && !b.ReevaluatePolicies {
		return skip{never: true} // nobody asks them
	}
	known := verdicts(cat, b.ID, now)
	if len(known) == 0 {
		return skip{never: true}
	}
	out := together(b.PolicyEngineMode, known)
	if b.EvaluateOnPlan {
		// A plan can begin with what another plan or flow has left. Whoever is
		// named afterwards may be a different person.
		out.after = 0
	}
	return out
}

// names tells whether a policy of a binding, which is asked when its stage is reached,
// makes whoever is signed in the pending user.
func names(cat flow.Catalog, b *flow.Binding) bool {
	if !b.ReevaluatePolicies {
		return false
	}
	for _, bound := range cat.PolicyBindings(b.ID) {
		if !bound.Enabled || bound.Expires != nil || bound.Policy == nil {
			continue
		}
		if o, ok := cat.Policy(*bound.Policy); ok && o.Err == nil {
			if c, ok := o.Config.(policy.Foreseeable); ok && c.Foresee().NamesVisitor {
				return true
			}
		}
	}
	return false
}

// verdicts is what is known of the policies of a target that count.
func verdicts(cat flow.Catalog, target uuid.UUID, now time.Time) []skip {
	var known []skip
	for _, bound := range cat.PolicyBindings(target) {
		if bound.Enabled && (bound.Expires == nil || now.Before(*bound.Expires)) {
			known = append(known, foresee(cat, bound))
		}
	}
	return known
}

// together combines the policies of a binding as the engine does: one that
// fails is enough in mode all, and all have to in mode any.
func together(mode policy.Mode, known []skip) skip {
	out := skip{always: true}
	if mode == policy.All {
		out = skip{never: true, after: ^set(0)}
	}
	for _, k := range known {
		if mode != policy.All {
			out.always = out.always && k.always
			out.never = out.never || k.never
			out.after |= k.after
			continue
		}
		out.always = out.always || k.always
		out.never = out.never && k.never
		if !k.never {
			out.after &= k.after
		}
	}
	if out.never || out.always {
		out.after = 0
	}
	return out
}

// foresee tells when one policy binding fails.
func foresee(cat flow.Catalog, b *policy.Binding) skip {
	if b.Policy == nil {
		return skip{} // a group or a person
	}
	var f policy.Foresight
	if o, ok := cat.Policy(*b.Policy); ok && o.Err == nil {
		if c, ok := o.Config.(policy.Foreseeable); ok {
			f = c.Foresee()
		}
	}
	switch {
	case b.Expires != nil:
		return skip{} // known now, not later
	case f.Always == policy.Error && b.Negate:
		return skip{}
	case f.Always == policy.Error:
		return skip{after: of(flow.Fact(f.FailsAfter))}
	case (f.Always == policy.Pass) != b.Negate:
		return skip{never: true}
	case b.FailureResult:
		return skip{} // an error passes
	}
	return skip{always: true}
}
