package weir

import (
	"fmt"
	"slices"
)

// verdicts is the set of verdicts that policies may come to.
type verdicts uint8

const (
	mayPass verdicts = 1 << iota
	mayFail
	mayErr
)

// combine lists what the bindings of a target may come to together, written
// from the rules in policy.Engine.Evaluate.
func combine(all bool, each []verdicts) verdicts {
	if len(each) == 0 {
		return mayPass
	}
	deciding, otherwise := mayPass, mayFail
	if all {
		deciding, otherwise = mayFail, mayPass
	}
	var out verdicts
	var choose func(rest []verdicts, seen verdicts)
	choose = func(rest []verdicts, seen verdicts) {
		switch {
		case len(rest) > 0:
			for _, v := range []verdicts{mayPass, mayFail, mayErr} {
				if rest[0]&v != 0 {
					choose(rest[1:], seen|v)
				}
			}
		case seen&deciding != 0:
			out |= deciding
		case seen&mayErr != 0:
			out |= mayErr
		default:
			out |= otherwise
		}
	}
	choose(each, 0)
	return out
}

// deed is what a stage means for who may sign in.
type deed uint8

const (
	// names makes the person who was typed the pending one.
	names deed = 1 << iota
	// proves lets nobody by without the password.
	proves
	// blocks lets nobody by.
	blocks
	// blocksKnown lets nobody by who is known, and in a login flow nobody at all.
	blocksKnown
	// leads goes on in the flow behind, never in this one.
	leads
	// signsIn signs the pending person in.
	signsIn
)

// step is a stage of a made-up flow and what its policies may come to.
type step struct {
	deed   deed
	may    verdicts
	onPlan bool
}

// runs and skips tell whether the step may be reached, and may be left out.
func (s step) runs() bool  { return s.may&mayPass != 0 }
func (s step) skips() bool { return s.may&mayFail != 0 }

// model is what a made-up flow demands, worked out without the engine.
type model struct {
	login bool // designation
	may   verdicts
	// never tells that the flow's requirement is one that no visitor meets;
	// signed that it is for people who are signed in.
	never, signed bool
	steps         []step
}

// evidence is what a browser has shown in a run: whom it named, and whose
// password it sent after that.
type evidence struct {
	named, proved map[string]bool
	// signed tells that it was signed in before.
	signed bool
}

// starts returns nil when the flow may begin for a browser.
func (m *model) starts(e evidence) error {
	switch {
	case m.never || m.signed && !e.signed:
		return fmt.Errorf("the requirement of the flow is not met")
	case m.may&mayPass == 0:
		return fmt.Errorf("the policies of the flow do not pass")
	case slices.ContainsFunc(m.steps, func(s step) bool { return s.onPlan && s.may == mayErr }):
		return fmt.Errorf("the policies of a stage err while the flow is planned")
	}
	return nil
}

// reaches returns nil when the step may be reached on the evidence.
func (m *model) reaches(i int, user string, e evidence) error {
	known := false
	for n, s := range m.steps[:i] {
		if s.may == mayErr {
			return fmt.Errorf("the policies of step %d err", n)
		}
		if s.skips() {
			continue
		}
		switch {
		case s.deed&(blocks|leads) != 0, s.deed&blocksKnown != 0 && (m.login || known):
			return fmt.Errorf("step %d lets nobody by", n)
		case s.deed&proves != 0 && !m.proved(n, i, user, e):
			return fmt.Errorf("step %d wants a password, and that of %s was not given", n, user)
		}
		known = known || s.deed&names != 0
	}
	if !m.steps[i].runs() {
		return fmt.Errorf("step %d does not run", i)
	}
	return nil
}

// proved tells whether the password stage n was satisfied for a login at step
// i. Where somebody else may have been named in between, it was the password
// of whoever was named before.
func (m *model) proved(n, i int, user string, e evidence) bool {
	renamed := slices.ContainsFunc(m.steps[n+1:i], func(s step) bool { return s.deed&names != 0 && s.runs() })
	if !renamed {
		return e.proved[user]
	}
	return len(e.proved) > 0
}

// allows returns nil when the flow may have signed the user in.
func (m *model) allows(user string, e evidence) error {
	if err := m.starts(e); err != nil {
		return err
	}
	switch {
	case user == "ivy":
		return fmt.Errorf("the account is not active")
	case !e.named[user]:
		return fmt.Errorf("%s was never named", user)
	}
	err := fmt.Errorf("the flow has no login")
	for i, s := range m.steps {
		if s.deed&signsIn == 0 {
			continue
		}
		if !slices.ContainsFunc(m.steps[:i], func(s step) bool { return s.deed&names != 0 && s.runs() }) {
			err = fmt.Errorf("nobody can be named before the login at step %d", i)
			continue
		}
		if err = m.reaches(i, user, e); err == nil {
			return nil
		}
	}
	return err
}

// allowsBehind returns nil when the flow behind, which asks for the password
// and signs in, may have signed the user in after m led there.
func (m *model) allowsBehind(user string, e, behind evidence) error {
	if err := m.starts(e); err != nil {
		return err
	}
	switch {
	case user == "ivy":
		return fmt.Errorf("the account is not active")
	case !e.named[user]:
		return fmt.Errorf("%s was never named", user)
	case !behind.proved[user]:
		return fmt.Errorf("the password of %s was not given in the flow behind", user)
	}
	err := fmt.Errorf("the flow does not lead there")
	for i, s := range m.steps {
		if s.deed&leads != 0 {
			if err = m.reaches(i, user, e); err == nil {
				return nil
			}
		}
	}
	return err
}
