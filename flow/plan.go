package flow

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"
)

// PlanFormat is the version of the stored form. A stored plan of another
// format is dropped and the flow starts again.
const PlanFormat = 1

// Plan is what is left of one person's run of a flow.
type Plan struct {
	Format int       `json:"format"`
	FlowID uuid.UUID `json:"flow"`
	// Entries are the stages still ahead, the current one first.
	Entries []Entry  `json:"entries"`
	Context *Context `json:"context"`
	// Proofs are the facts established so far.
	Proofs []Proof `json:"proofs,omitempty"`
	// Tokens are the start parameters that are part of the plan's identity
	// (rule 10): a request with other ones starts again.
	Tokens map[string]string `json:"tokens,omitempty"`
	// Started is when the plan was made; it ends 24 h later.
	Started time.Time `json:"started"`
	// Consume are things that the plan uses up: with the first step from now on
	// that acts, or when the flow ends well (rule 13).
	Consume []Consumable `json:"consume,omitempty"`
	// Answered counts the stages that were done or skipped by an answer.
	Answered int `json:"answered,omitempty"`
}

// Consumable is something that holds once, such as an invitation.
type Consumable struct {
	Kind string    `json:"kind"`
	ID   uuid.UUID `json:"id"`
}

// Entry is one stage of a plan: a pinned binding, or a stage put in at run
// time.
type Entry struct {
	Binding        uuid.UUID `json:"binding,omitzero"`
	BindingVersion int64     `json:"binding_version,omitempty"`
	Stage          uuid.UUID `json:"stage,omitzero"`
	StageVersion   int64     `json:"stage_version,omitempty"`
	// Reevaluate asks the binding's policies again when the entry is reached.
	Reevaluate bool `json:"reevaluate,omitempty"`
	// Inline is a stage without a stored object.
	Inline *Inline `json:"inline,omitempty"`
}

// Inline is a stage that exists only in one plan.
type Inline struct {
	Type   string          `json:"type"`
	Name   string          `json:"name"`
	Config json.RawMessage `json:"config"`
}

// Insert puts an entry directly after the current stage.
func (p *Plan) insert(e Entry) {
	p.Entries = slices.Insert(p.Entries, min(1, len(p.Entries)), e)
}

// Has tells whether the fact was proved for the user in this execution.
func (p *Plan) Has(f Fact, user int64) bool {
	return slices.ContainsFunc(p.Proofs, func(pr Proof) bool { return pr.Fact == f && pr.User == user })
}

// clone returns a copy that can be changed while the original stays; values
// inside the context are shared and replaced, never edited.
func (p *Plan) clone() *Plan {
	c := *p
	c.Entries = slices.Clone(p.Entries)
	c.Proofs = slices.Clone(p.Proofs)
	c.Consume = slices.Clone(p.Consume)
	c.Context = NewContext(p.Context.values)
	return &c
}
