// Package dummy holds the stage that shows its name and asks for nothing, for
// trying out flows and how they fail.
package dummy

import (
	"context"
	"embed"
	"errors"

	"github.com/weir-id/weir/flow"
)

//go:embed *.html
var pages embed.FS

// errWanted is what a stage with throw_error fails with.
var errWanted = errors.New("the dummy stage is configured to fail")

// Config is the configuration of a dummy stage.
type Config struct {
	// ThrowError makes the stage fail, to see how errors are shown.
	ThrowError bool `json:"throw_error"`
}

// Type returns the stage type.
func Type() flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:        "dummy",
		Path:        "dummy",
		Model:       "authentik_stages_dummy.dummystage",
		Component:   "ak-stage-dummy-form",
		Label:       "Dummy Stage",
		Description: "Shows its name and goes on; for testing.",
		Exchanges:   []flow.Exchange{{Name: "Dummy", Challenge: &Challenge{}, Answer: struct{}{}}},
		Pages:       pages,
	}, func() Config { return Config{} }, effects, func(name string, c Config) flow.Stage { return &stage{name, c} })
}

func effects(Config) flow.Effects { return flow.Effects{} }

// Challenge shows the name of the stage.
type Challenge struct {
	Name string `json:"name" field:"required"`
}

// Component implements flow.Challenge.
func (*Challenge) Component() string { return "ak-stage-dummy" }

type stage struct {
	name   string
	config Config
}

var _ flow.Stage = (*stage)(nil)

// Challenge implements flow.Stage.
func (s *stage) Challenge(context.Context, *flow.Exec) (flow.Outcome, error) {
	if s.config.ThrowError {
		return flow.Outcome{}, errWanted
	}
	return flow.Ask(&Challenge{Name: s.name}), nil
}

// Respond implements flow.Stage. Any answer will do: the stage proves nothing.
func (s *stage) Respond(context.Context, *flow.Exec, flow.Response) (flow.Outcome, error) {
	if s.config.ThrowError {
		return flow.Outcome{}, errWanted
	}
	return flow.Done(), nil
}
