package policy

// Foreseeable is a configuration about whose verdicts something is known
// without asking it. Static analysis uses it; nothing at run time does.
type Foreseeable interface {
	Foresee() Foresight
}

// Foresight is what is known of a policy's verdicts. The zero value knows
// nothing: the policy may pass or fail.
type Foresight struct {
	// Always is Pass or Fail for a policy that never says anything else.
	Always Verdict
	// FailsAfter names a fact (of package flow) that is established whenever the
	// policy fails: a stage that it leaves out is not needed for that fact.
	FailsAfter string
	// NamesVisitor tells that the policy makes whoever is signed in the pending user.
	NamesVisitor bool
}
