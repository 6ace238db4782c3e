// Package redirect holds the stage that sends the person to an address or into
// another flow.
package redirect

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
)

// Target is the context key with which a policy overrides the configured
// target: an address, or "ak-flow://<slug>" for a flow.
const Target = flow.Key[string]("redirect_stage_target")

// flowScheme marks an override that names a flow.
const flowScheme = "ak-flow://"

// Mode says which of the two targets counts.
type Mode string

// The modes on the wire.
const (
	Static Mode = "static"
	Flow   Mode = "flow"
)

// Choices lists the modes.
func (Mode) Choices() []string { return []string{string(Static), string(Flow)} }

// Config is the configuration of a redirect stage.
type Config struct {
	// KeepContext hands the plan's context on to the target flow.
	KeepContext bool `json:"keep_context"`
	Mode        Mode `json:"mode" field:"required"`
	// TargetStatic is where mode static leads: an address that flow.SafeTarget
	// accepts. It may be empty where a policy always names the target.
	TargetStatic string `json:"target_static" field:"blank"`
	// TargetFlow is where mode flow leads.
	TargetFlow *uuid.UUID `json:"target_flow" field:"null,ref=flow"`
}

// Validate refuses an address that would never be sent.
func (c *Config) Validate() field.Errors {
	if c.TargetStatic == "" {
		return nil
	}
	if _, ok := flow.SafeTarget(c.TargetStatic); !ok {
		return field.Errorf("target_static", field.CodeInvalid,
			"Enter a path that begins with one slash, or an address like https://example.com/.")
	}
	return nil
}

// Type returns the stage type.
func Type() flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:        "redirect",
		Path:        "redirect",
		Model:       "authentik_stages_redirect.redirectstage",
		Component:   "ak-stage-redirect-form",
		Label:       "Redirect Stage",
		Description: "Sends the person to an address or into another flow.",
		Filters:     []string{},
		Exchanges:   []flow.Exchange{{Name: "Redirect", Challenge: &flow.RedirectTo{}, Answer: answer{}}},
	}, func() Config { return Config{KeepContext: true} }, effects,
		func(_ string, c Config) flow.Stage { return &stage{c} })
}

func effects(Config) flow.Effects { return flow.Effects{Leaves: true} }

type stage struct{ config Config }

var _ flow.Stage = (*stage)(nil)

// Challenge implements flow.Stage.
func (s *stage) Challenge(_ context.Context, x *flow.Exec) (flow.Outcome, error) {
	to, out := s.resolve(x)
	if to == "" {
		return out, nil
	}
	return flow.Ask(&flow.RedirectTo{To: to}), nil
}

// answer is what clients send.
type answer struct {
	To string `json:"to" field:"required"`
}

// Respond implements flow.Stage: a client that did not follow the redirect
// goes on by repeating the address it was offered.
func (s *stage) Respond(_ context.Context, x *flow.Exec, r flow.Response) (flow.Outcome, error) {
	to, out := s.resolve(x)
	if to == "" {
		return out, nil
	}
	var a answer
	if errs := r.Decode(&a); errs != nil {
		return flow.AskAgain(errs), nil
	}
	if a.To != to {
		return flow.AskAgain(field.Errorf("to", field.CodeInvalid, "Repeat the address that was offered.")), nil
	}
	return flow.Done(), nil
}

// resolve returns the address to offer, or else what happens instead: the
// switch to another flow, or a denial where there is no usable target.
func (s *stage) resolve(x *flow.Exec) (string, flow.Outcome) {
	if override := s.override(x); override != "" {
		slug, isFlow := strings.CutPrefix(override, flowScheme)
		if !isFlow {
			return static(override)
		}
		if f, ok := x.Catalog.FlowBySlug(strings.TrimSuffix(slug, "/")); ok {
			return "", flow.SwitchFlow(f.ID, s.config.KeepContext)
		}
		// The override names a flow that does not exist: the configured
		// target counts.
	}
	if s.config.Mode == Static {
		return static(s.config.TargetStatic)
	}
	if s.config.TargetFlow != nil {
		if f, ok := x.Catalog.Flow(*s.config.TargetFlow); ok {
			return "", flow.SwitchFlow(f.ID, s.config.KeepContext)
		}
	}
	return "", flow.Deny("")
}

func (s *stage) override(x *flow.Exec) string {
	v, set := x.Context.Value(string(Target))
	if !set || v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func static(target string) (string, flow.Outcome) {
	to, ok := flow.SafeTarget(target)
	if !ok {
		return "", flow.Deny("")
	}
	return to, flow.Outcome{}
}
