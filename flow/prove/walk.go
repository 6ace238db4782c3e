package prove

import "github.com/weir-id/weir/flow"

// set is a state: the facts that hold at one place of a path.
type set uint16

// facts are those that a state can hold, by bit.
var facts = [...]flow.Fact{
	flow.FactUser, flow.FactPerson, flow.FactPassword, flow.FactSecondFactor, flow.FactMailbox, flow.FactCertificate,
	flow.FactData, flow.FactLogin, flow.FactLogout, flow.FactWritten, flow.FactDeleted,
}

// The bits of a state that are looked at by themselves.
const (
	user set = 1 << iota
	person
	password
	secondFactor
	mailbox
	certificate
	data
)

const (
	// asked: those who have a second factor were asked for it.
	asked set = 1 << (len(facts) + iota)
	// answered: a page was answered since the flow was planned.
	answered
)

// credentials are the proofs of who somebody is.
const credentials = password | secondFactor | mailbox | certificate

func of(list ...flow.Fact) set {
	var s set
	for _, fact := range list {
		for i, f := range facts {
			if f == fact {
				s |= 1 << i
			}
		}
	}
	return s
}

// has tells whether a fact holds; one that states do not know always does.
func (s set) has(f flow.Fact) bool {
	bit := of(f)
	return s&bit == bit
}

// starts are the states in which a flow can begin.
func starts(f *flow.Flow) []set {
	switch f.Authentication {
	case flow.RequireAuthenticated, flow.RequireSuperuser:
		return []set{person}
	case flow.RequireUnauthenticated:
		return []set{0}
	case flow.RequireToken:
		// The token was sent to the person whom it is about.
		return []set{user | person | mailbox}
	case flow.RequireRedirect:
		return []set{0, person, user | person, user | person | data}
	}
	return []set{0, person}
}

// place is a state before a step.
type place struct {
	at    int
	state set
}

// walk visits each place once, from states in which the flow begins. There are at most as many as steps times states,
// however many paths lead to them, and in practice a handful for each step.
func (p *proof) walk(from ...set) {
	p.reached = make([]map[set]bool, len(p.steps))
	for i := range p.reached {
		p.reached[i] = map[set]bool{}
	}
	seen := map[place]bool{}
	var open []place
	visit := func(at int, state set) {
		if next := (place{at, state}); !seen[next] {
			seen[next] = true
			open = append(open, next)
		}
	}
	for _, s := range from {
		visit(0, s)
	}
	for len(open) > 0 {
		here := open[len(open)-1]
		open = open[:len(open)-1]
		if here.at == len(p.steps) {
			p.passes = true
			continue
		}
		s := &p.steps[here.at]
		if s.named && here.state&person != 0 {
			// What was proved before may be somebody else's.
			here.state = here.state&^(credentials|asked) | user
		}
		if s.skipped.in(here.state) {
			visit(here.at+1, here.state)
		}
		if s.skipped.always {
			continue
		}
		p.reached[here.at][here.state] = true
		// Beginning again without the context leads to the first states, which
		// have been visited.
		if s.restart == flow.RestartWithContext {
			visit(0, here.state&^answered)
		}
		if s.effects.Denies {
			// Nothing begins again before somebody has answered.
			p.denies = p.denies || s.restart == flow.Retry || here.state&answered == 0
			continue
		}
		p.leaves = p.leaves || s.effects.Leaves
		for _, next := range s.after(here.state) {
			visit(here.at+1, next)
		}
	}
}
