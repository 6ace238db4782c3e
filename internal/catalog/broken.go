package catalog

import (
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/policy"
)

// unusable stands in bindings that cannot be read for what they bind. Leaving
// such a binding out would skip a stage or a policy; with it the flow has a
// stage that denies and a policy that errs. No object has this id.
var unusable = uuid.Max

var unusableStage = func() *flow.StageObject {
	none := func(struct{}) flow.Effects { return flow.Effects{} }
	t := flow.NewStageType(flow.StageType{Name: "unusable", Label: "Unusable"}, func() (c struct{}) { return }, none,
		func(string, struct{}) flow.Stage { return nil })
	return &flow.StageObject{Identity: field.Identity{ID: unusable}, Name: "unusable", Type: &t, Config: t.Defaults(), Err: errors.New("the stage binding cannot be read")}
}()

func failBinding(b *flow.Binding) {
	b.Stage = unusable
	b.EvaluateOnPlan, b.ReevaluatePolicies = false, false
	if b.Target == uuid.Nil {
		b.Target = unusable
	}
}

func failPolicyBinding(b *policy.Binding) {
	id, target := b.Identity, b.Target
	if target == uuid.Nil {
		target = unusable
	}
	*b = policy.NewBinding()
	b.Identity, b.Target, b.Policy = id, target, &unusable
}

// bound returns the bindings of a target. A binding that cannot be read so far
// that even its target is unknown counts for every one.
func bound[T any](s *Snapshot, kind string, target uuid.UUID) []T {
	list := docs[T](s, kind, "target:"+target.String())
	if lost := docs[T](s, kind, "target:"+unusable.String()); len(lost) > 0 && target != unusable {
		return slices.Concat(lost, list)
	}
	return list
}
