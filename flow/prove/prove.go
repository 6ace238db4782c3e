// Package prove looks at a flow without running it. It walks all paths through
// the bindings, following what the stage types declare as their effects, and
// tells what can go wrong on the way: a login that nothing was checked for, a
// stage that misses what it needs, a flow that never ends.
//
// A finding is advice. Nothing is refused because of one.
package prove

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/weir-id/weir/flow"
)

// Severity says how bad a finding is.
type Severity string

// The severities, worst first.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// Code says what kind of finding it is; docs/prove.md explains each.
type Code string

// The codes.
const (
	UncheckedLogin Code = "unchecked-login"
	NoSecondFactor Code = "no-second-factor"
	MissingNeed    Code = "missing-need"
	UncertainNeed  Code = "uncertain-need"
	Endless        Code = "endless"
	NeverSucceeds  Code = "never-succeeds"
	NoEffect       Code = "no-effect"
)

// Finding is one thing that is wrong with a flow, or may be.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	// Flow is the slug.
	Flow string `json:"flow"`
	// Order is that of the binding, and Stage the name of its stage; nil and
	// empty where the finding is about the whole flow.
	Order *int32 `json:"order"`
	Stage string `json:"stage"`
	// Text is a sentence for people.
	Text string `json:"text"`
}

// String returns one line: "error unchecked-login my-flow 20 login: ...".
func (f Finding) String() string {
	if f.Order == nil {
		return fmt.Sprintf("%s %s %s: %s", f.Severity, f.Code, f.Flow, f.Text)
	}
	return fmt.Sprintf("%s %s %s %d %s: %s", f.Severity, f.Code, f.Flow, *f.Order, f.Stage, f.Text)
}

// Flow returns the findings about a flow as it stands at that time: those about
// all of it first, then in the order of its bindings.
func Flow(cat flow.Catalog, f *flow.Flow, now time.Time) []Finding {
	p := &proof{flow: f, steps: steps(cat, f, now)}
	p.walk(starts(f)...)
	p.ends()
	p.effect()
	for i := range p.steps {
		p.needs(i)
	}
	p.logins()
	slices.SortStableFunc(p.findings, func(a, b Finding) int {
		if a.Order == nil || b.Order == nil {
			return cmp.Compare(btoi(a.Order != nil), btoi(b.Order != nil))
		}
		return cmp.Compare(*a.Order, *b.Order)
	})
	return p.findings
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// proof is the work on one flow.
type proof struct {
	flow  *flow.Flow
	steps []step
	// reached holds the states in which the stage of each step runs.
	reached []map[set]bool
	// passes, leaves and denies tell how the flow can end.
	passes, leaves, denies bool
	findings               []Finding
}

// add adds a finding about a step, or about the flow when i is negative.
func (p *proof) add(code Code, severity Severity, i int, format string, args ...any) {
	f := Finding{Code: code, Severity: severity, Flow: p.flow.Slug, Text: fmt.Sprintf(format, args...)}
	if i >= 0 {
		order := p.steps[i].order
		f.Order, f.Stage = &order, p.steps[i].name
	}
	p.findings = append(p.findings, f)
}

// ends tells of flows that nobody comes out of, or only denied.
func (p *proof) ends() {
	switch {
	case p.passes || p.leaves:
	case p.denies:
		p.add(NeverSucceeds, Note, -1, "Every path ends with access denied.")
	default:
		p.add(Endless, Error, -1, "Every path begins the flow again, so that no answer leads out of it.")
	}
}

// wanted is what a flow of a designation is for.
var wanted = map[flow.Designation]struct {
	fact  flow.Fact
	stage string
}{
	flow.Authentication: {flow.FactLogin, "user_login"},
	flow.Invalidation:   {flow.FactLogout, "user_logout"},
	flow.Unenrollment:   {flow.FactDeleted, "user_delete"},
	flow.Enrollment:     {flow.FactWritten, "user_write"},
}

// effect tells of flows without the stage that they are there for. Where people
// go on to another flow, that one may have it.
func (p *proof) effect() {
	want, ok := wanted[p.flow.Designation]
	if !ok || p.leaves {
		return
	}
	for _, s := range p.steps {
		if s.effects.Unknown || s.may().has(want.fact) {
			return
		}
	}
	p.add(NoEffect, Warning, -1, "The designation is %s, but no stage does that; a %s stage is missing.", p.flow.Designation, want.stage)
}

// needs tells of a stage that is reached without what it needs.
func (p *proof) needs(i int) {
	for _, need := range p.steps[i].effects.Needs {
		with, without := false, false
		for s := range p.reached[i] {
			with, without = with || s.has(need), without || !s.has(need)
		}
		switch {
		case without && !with:
			p.add(MissingNeed, Error, i, "The stage needs %s, and nothing before it supplies that.", words[need])
		case without:
			p.add(UncertainNeed, Warning, i, "The stage needs %s, and on some paths nothing before it supplies that.", words[need])
		}
	}
}

// words are what stages need, in words.
var words = map[flow.Fact]string{
	flow.FactUser: "a pending user", flow.FactPerson: "a pending user or somebody signed in", flow.FactData: "the values of a form",
	flow.FactPassword: "a verified password", flow.FactSecondFactor: "a verified second factor", flow.FactMailbox: "a proved mailbox", flow.FactCertificate: "a verified certificate",
	flow.FactLogin: "a login", flow.FactLogout: "a logout", flow.FactWritten: "a written account", flow.FactDeleted: "a deleted account",
}

// logins tells of logins and writes for which not enough was checked.
func (p *proof) logins() {
	recovery := false
	for i, s := range p.steps {
		login := s.sure().has(flow.FactLogin)
		if !login && !s.sure().has(flow.FactWritten) {
			continue
		}
		unchecked, unasked := false, false
		for st := range p.reached[i] {
			if login && !st.has(flow.FactUser) {
				continue // nobody is signed in, which is a missing need
			}
			unchecked = unchecked || st&credentials == 0
			unasked = unasked || st&asked == 0
		}
		if login && unchecked && p.flow.Designation == flow.Authentication {
			if p.flow.Authentication == flow.RequireRedirect {
				p.add(UncheckedLogin, Warning, i, "A path leads to this login without a password or another credential, unless the flow before has checked one.")
			} else {
				p.add(UncheckedLogin, Error, i, "A path leads to this login without a password or another credential.")
			}
		}
		if unasked && !recovery && p.flow.Designation == flow.Recovery {
			recovery = true
			p.add(NoSecondFactor, Warning, i, "A path leads here without asking those who have a second factor for it.")
		}
	}
}
