package api

import (
	"net/http"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/prompt"
	"github.com/weir-id/weir/internal/request"
	form "github.com/weir-id/weir/internal/stages/prompt"
	"github.com/weir-id/weir/policy"
)

// promptRoutes show prompts before they are stored.
func (a *API) promptRoutes() []Route {
	k := a.Kinds.Model("authentik_stages_prompt.prompt")
	return []Route{{http.MethodPost, k.Path + "/preview/", onAll(k, access.Add), Doc{Call: "create", ID: "stages_prompt_prompts_preview_create",
		Summary: "Show a prompt as people would see it", Body: requestOf(k), Answer: valueOf(promptPreview{Envelope: flow.Envelope{Component: (&form.Challenge{}).Component()}}).named("PromptChallenge")}, previewPrompt}}
}

// promptPreview describes the answer.
type promptPreview struct {
	flow.Envelope
	form.Challenge
}

// previewPrompt runs the expressions of a prompt for the caller, without
// effects. That takes the permission to add prompts, since it runs what the
// caller wrote (rule 11).
func previewPrompt(c *call) error {
	p := prompt.New()
	if err := c.decode(&p); err != nil {
		return err
	}
	challenge, err := c.api.Preview(c.ctx, &p, &policy.Request{User: c.visit.User, HTTP: request.Policy(c.r, nil), Context: map[string]any{}, Debug: true})
	if err != nil {
		return field.Errorf(field.NonField, field.CodeInvalid, "%s", err)
	}
	background, _ := flow.BackgroundURL("")
	return c.answer(http.StatusOK, &flow.Envelope{Component: challenge.Component(), Body: challenge,
		Info: &flow.Info{Background: background, CancelURL: "/flows/-/cancel/", Layout: flow.Stacked}})
}
