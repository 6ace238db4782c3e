package resource

import (
	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/catalog"
)

// promptMembers are the read-only members of a prompt.
type promptMembers struct {
	PK uuid.UUID `json:"pk"`
	// Stages are the stages that ask it.
	Stages []promptStage `json:"prompt_stages_obj"`
}

// promptStage is a prompt stage inside of a prompt.
type promptStage struct {
	stageSummary
	Fields             []uuid.UUID `json:"fields" field:"required,max=100"`
	ValidationPolicies []uuid.UUID `json:"validation_policies"`
}

func readPrompt(v View, o *catalog.Object) promptMembers {
	m := promptMembers{PK: o.ID, Stages: []promptStage{}}
	for _, from := range v.Config.Referrers(o.ID) {
		if from.Kind != catalog.KindStage {
			continue
		}
		s := promptStage{stageSummary: summarizeStage(v, from)}
		asks, ok := from.Doc.(*flow.StageObject).Config.(interface {
			Asks() (fields, policies []uuid.UUID)
		})
		if !ok {
			continue
		}
		s.Fields, s.ValidationPolicies = asks.Asks()
		m.Stages = append(m.Stages, s)
	}
	return m
}

func promptKind(c *catalog.Catalog) *Kind {
	o := &object{catalog: c, kind: catalog.KindPrompt, model: "authentik_stages_prompt.prompt", extras: []extra{computed(readPrompt)},
		search: []string{"name", "field_key", "label", "type"}}
	o.filters = filtersOf(o.Fields(), "field_key", "label", "name", "placeholder", "type")
	return o.declare(Kind{Path: "stages/prompt/prompts", Param: "prompt_uuid", Key: "pk", Schema: "Prompt", Tag: "stages"})
}
