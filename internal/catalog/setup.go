package catalog

import (
	"cmp"
	"slices"
	"strings"

	"github.com/weir-id/weir/flow"
)

// SetUp is a stage for which people set something up, such as an authenticator.
type SetUp struct {
	Stage *Object
	Type  *flow.StageType
	// Flow is where they do, unless it keeps them out.
	Flow *flow.Flow
	// Title is what it is called for people.
	Title string
}

// Address is where the flow begins.
func (u *SetUp) Address() string { return "/flows/-/configure/" + u.Stage.ID.String() + "/" }

// SetUps returns the stages that name a flow for setting up, by type and name.
func (s *Snapshot) SetUps() []SetUp {
	var out []SetUp
	for _, o := range s.Objects(KindStage) {
		stage, ok := o.Doc.(*flow.StageObject)
		if !ok || stage.Type == nil || stage.Type.SettingsComponent == "" {
			continue
		}
		f, ok := s.ConfigureFlow(o)
		if !ok {
			continue
		}
		u := SetUp{Stage: o, Type: stage.Type, Flow: f, Title: stage.Type.Label}
		if name, _ := s.Value(o, "friendly_name"); name != nil && name != "" {
			u.Title, _ = name.(string)
		}
		out = append(out, u)
	}
	slices.SortStableFunc(out, func(a, b SetUp) int {
		return cmp.Or(strings.Compare(a.Stage.Type, b.Stage.Type), strings.Compare(s.DisplayName(a.Stage), s.DisplayName(b.Stage)))
	})
	return out
}
