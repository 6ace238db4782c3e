// Package prompt holds the stage that shows a form made of prompts and keeps
// what the person typed, as prompt_data, for the stages and policies after it.
package prompt

import (
	"context"
	"embed"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/prompt"
)

//go:embed *.html
var pages embed.FS

// Users tells whether a user name is taken.
type Users interface {
	// Lookup returns the user of whom one of the fields equals what was typed;
	// nil when there is none.
	Lookup(ctx context.Context, fields []string, typed string, caseInsensitive bool) (*identity.Person, error)
}

// Config is the configuration of a prompt stage.
type Config struct {
	// Fields are the prompts; they are shown by their order.
	Fields []uuid.UUID `json:"fields" field:"required,ref=prompt,max=100"`
	// ValidationPolicies judge the answers: all of them have to pass.
	ValidationPolicies []uuid.UUID `json:"validation_policies" field:"ref=policy"`
}

// Type returns the stage type; compiler compiles the expressions of prompts.
func Type(users Users, compiler *expression.Compiler) flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:      "prompt",
		Path:      "prompt/stages",
		Model:     "authentik_stages_prompt.promptstage",
		Component: "ak-stage-prompt-form",
		Label:     "Prompt Stage",
		Filters:   []string{"fields", "stage_uuid", "validation_policies"},
		Exchanges: []flow.Exchange{{Name: "Prompt", Challenge: &Challenge{}, Answer: struct{}{}, Open: true}},

		Description: "Asks the person to fill in a form.",
		Pages:       pages,
	}, func() Config { return Config{Fields: []uuid.UUID{}, ValidationPolicies: []uuid.UUID{}} },
		func(Config) flow.Effects { return flow.Effects{Supplies: []flow.Fact{flow.FactData}} },
		func(_ string, c Config) flow.Stage { return &stage{c, users, compiler} })
}

// Challenge is a form.
type Challenge struct {
	Fields []Field `json:"fields" field:"required"`
}

// Component implements flow.Challenge.
func (*Challenge) Component() string { return "ak-stage-prompt" }

// Field is one field of the form as it is shown.
type Field struct {
	FieldKey     string      `json:"field_key" field:"required"`
	Label        string      `json:"label" field:"required"`
	Type         prompt.Type `json:"type" field:"required"`
	Required     bool        `json:"required" field:"required"`
	Placeholder  string      `json:"placeholder" field:"required"`
	InitialValue string      `json:"initial_value" field:"required"`
	Order        int         `json:"order" field:"required"`
	SubText      string      `json:"sub_text" field:"required"`
	// Choices is null for fields without any.
	Choices []Choice `json:"choices" field:"required,null"`
}

// Choice is one of the values that a field offers.
type Choice struct {
	Value string `json:"value" field:"required"`
	Label string `json:"label" field:"required"`
}

type stage struct {
	config   Config
	users    Users
	compiler *expression.Compiler
}

var _ flow.Stage = (*stage)(nil)

// Challenge implements flow.Stage.
func (s *stage) Challenge(ctx context.Context, x *flow.Exec) (flow.Outcome, error) {
	f, err := s.form(ctx, x)
	if err != nil {
		return flow.Outcome{}, err
	}
	return flow.Ask(&Challenge{f.fields()}).Record(f.events...), nil
}

// Asks returns the prompts of a stage and the policies that judge the answers,
// for descriptions of a prompt.
func (c *Config) Asks() (fields, policies []uuid.UUID) { return c.Fields, c.ValidationPolicies }
