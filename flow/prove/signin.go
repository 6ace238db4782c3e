package prove

import (
	"time"

	"github.com/weir-id/weir/flow"
)

// The reasons for which nobody gets through a flow to a login.
const (
	refusesAll   = "its policies always fail"
	notForAll    = "it does not let in people who come without a session or a link"
	noLogin      = "no path of it reaches a login"
	noCredential = "no path to its login checks a password or another credential"
)

// NoSignIn says why nobody who comes to a flow as a stranger can get to a login by
// proving who they are; it is empty when some path may lead there. What policies say
// that are not known in advance may be either, and whoever is led elsewhere may
// sign in there.
func NoSignIn(cat flow.Catalog, f *flow.Flow, now time.Time) string {
	switch f.Authentication {
	case flow.RequireNone, flow.RequireUnauthenticated, "":
	default:
		return notForAll
	}
	if Refuses(cat, f, now) {
		return refusesAll
	}
	p := &proof{flow: f, steps: steps(cat, f, now)}
	p.walk(0)
	missing := noLogin
	for i := range p.steps {
		if !p.steps[i].may().has(flow.FactLogin) {
			continue
		}
		for state := range p.reached[i] {
			switch {
			case !state.has(flow.FactUser):
			case state&credentials != 0:
				return ""
			default:
				missing = noCredential
			}
		}
	}
	if p.leaves {
		return ""
	}
	return missing
}

// Refuses tells whether the policies of a flow fail whatever happens.
func Refuses(cat flow.Catalog, f *flow.Flow, now time.Time) bool {
	known := verdicts(cat, f.ID, now)
	return len(known) > 0 && together(f.PolicyEngineMode, known).always
}

// Admits tells whether the policies of a flow pass whatever happens.
func Admits(cat flow.Catalog, f *flow.Flow, now time.Time) bool {
	known := verdicts(cat, f.ID, now)
	return len(known) == 0 || together(f.PolicyEngineMode, known).never
}
