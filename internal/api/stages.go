package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/flowhttp"
	"github.com/weir-id/weir/internal/resource"
)

// stageRoutes tell of the types of stages and of those that people set up.
func (a *API) stageRoutes() []Route {
	path, invitation := a.Kinds.Model("authentik_flows.stage").Path, a.Kinds.Model("authentik_stages_invitation.invitation")
	return []Route{
		{http.MethodPost, invitation.Path + "/{" + invitation.Param + "}/send_email/", onOne(invitation, access.Add),
			Doc{Call: "create", Summary: "Send the link of an invitation by mail", Body: valueOf(resource.NewInvitationMail()).named("InvitationSendEmail"), Status: http.StatusNoContent}, mailInvitation},
		{http.MethodGet, path + "/types/", signedIn, Doc{Call: "list", Summary: "List the types of stages", Answer: listOf(typeCreate{})}, stageTypes},
		{http.MethodGet, path + "/user_settings/", signedIn, Doc{Call: "list", Summary: "List the stages that the caller can set up", Answer: listOf(userSetting{})}, stageSettings},
		{http.MethodGet, "stages/email/templates/", signedIn, Doc{Call: "list", Summary: "List the templates of mails", Answer: listOf(typeCreate{})}, mailTemplates},
	}
}

// mailTemplates lists the names that an e-mail stage can be given.
func mailTemplates(c *call) error {
	out := []typeCreate{}
	for _, name := range c.api.Mails.Names() {
		out = append(out, typeCreate{Name: name, Description: name})
	}
	return c.answer(http.StatusOK, out)
}

// mailInvitation sends the link of an invitation.
func mailInvitation(c *call) error {
	body := resource.NewInvitationMail()
	if err := c.decode(&body); err != nil {
		return err
	}
	if err := c.write(func(ctx context.Context, w *resource.Write) error {
		return c.api.Kinds.MailInvitation(ctx, w, c.ref, body)
	}); err != nil {
		return err
	}
	return c.done()
}

// typeCreate is a type of which objects can be created.
type typeCreate struct {
	Name               string `json:"name" field:"required"`
	Description        string `json:"description" field:"required"`
	Component          string `json:"component" field:"required"`
	ModelName          string `json:"model_name" field:"required"`
	RequiresEnterprise bool   `json:"requires_enterprise" field:"default"`
	Deprecated         bool   `json:"deprecated" field:"default"`
}

// newType describes a type whose objects are of a model.
func newType(label, description, component, model string) typeCreate {
	_, name, _ := strings.Cut(strings.ToLower(model), ".")
	return typeCreate{Name: label, Description: description, Component: component, ModelName: name}
}

// types answers with types by name.
func (c *call) types(list []typeCreate) error {
	slices.SortFunc(list, func(x, y typeCreate) int { return strings.Compare(x.Name, y.Name) })
	return c.answer(http.StatusOK, list)
}

func stageTypes(c *call) error {
	out := []typeCreate{}
	for _, t := range c.api.Stages {
		out = append(out, newType(t.Label, t.Description, t.Component, t.Model))
	}
	return c.types(out)
}

// userSetting is a stage for which people set something up, such as an
// authenticator.
type userSetting struct {
	ObjectUID string `json:"object_uid" field:"required"`
	Component string `json:"component" field:"required"`
	Title     string `json:"title" field:"required"`
	// ConfigureURL is where that begins.
	ConfigureURL string `json:"configure_url,omitempty"`
}

// stageSettings lists the stages that the caller can set something up for, by
// type and name: those with a flow that lets the caller in.
func stageSettings(c *call) error {
	v, err := c.view()
	if err != nil {
		return err
	}
	out := []userSetting{}
	for _, up := range v.Config.SetUps() {
		if ok, err := c.api.Startable(c.w, c.r, flowhttp.Call{Slug: up.Flow.Slug, Bearer: true}); err != nil {
			return err
		} else if !ok {
			continue
		}
		out = append(out, userSetting{ObjectUID: up.Stage.ID.String(), Component: up.Type.SettingsComponent, Title: up.Title, ConfigureURL: up.Address()})
	}
	return c.answer(http.StatusOK, out)
}
