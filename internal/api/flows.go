package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/flowhttp"
	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/resource"
)

// flowRoutes are what can be done with flows besides changing them.
func (a *API) flowRoutes() []Route {
	k := a.Kinds.Model("authentik_flows.flow")
	one := k.Path + "/{" + k.Param + "}/"
	return []Route{
		{http.MethodGet, k.Path + "/cache_info/", onAll(k, resource.ViewFlowCache), Doc{Call: "retrieve", Summary: "Count cached plans: none", Answer: valueOf(cache{})}, cacheInfo},
		{http.MethodPost, k.Path + "/cache_clear/", onAll(k, resource.ClearFlowCache), Doc{Call: "create", Summary: "Do nothing: plans are not cached", Status: http.StatusNoContent}, (*call).done},
		{http.MethodGet, one + "export/", onOne(k, resource.Export).and("view of all flows, bindings, stages, policies and their bindings"), Doc{Call: "retrieve", Summary: "Write the flow as a blueprint", File: true}, exportFlow},
		{http.MethodGet, one + "diagram/", onOne(k, access.View), Doc{Call: "retrieve", Summary: "Draw the flow", Answer: valueOf(flowDiagram{})}, drawFlow},
		{http.MethodGet, one + "execute/", onOne(k, access.View), Doc{Call: "retrieve", Summary: "Start the flow for the caller", Answer: valueOf(link{})}, executeFlow},
	}
}

// cache counts what is cached.
type cache struct {
	Count int64 `json:"count" field:"readonly"`
}

// cacheInfo answers that nothing is cached: plans and verdicts are always made
// anew. Emptying the cache is likewise done at once.
func cacheInfo(c *call) error { return c.answer(http.StatusOK, cache{}) }

// exported are the models that an export holds. Those that an installation does
// not have ask for no permission.
var exported = []string{"authentik_flows.flow", "authentik_flows.flowstagebinding", "authentik_flows.stage", "authentik_policies.policy",
	"authentik_policies.policybinding", "authentik_stages_prompt.prompt"}

// exportFlow answers with a flow as a blueprint. That shows objects of several
// kinds, so the caller must be able to view them all.
func exportFlow(c *call) error {
	for _, model := range exported {
		k := c.api.Kinds.Model(model)
		if k == nil {
			continue
		}
		if err := c.demand(access.View, k, ""); err != nil {
			return err
		}
	}
	v, err := c.view()
	if err != nil {
		return err
	}
	slug := c.r.PathValue("slug")
	text, err := c.api.Exporter.Flow(c.ctx, v, slug)
	if err != nil {
		return err
	}
	head := c.w.Header()
	// RFC 9512. Browsers save this type and never show it, whatever a text in
	// the file looks like.
	head.Set("Content-Type", "application/yaml")
	// A slug holds nothing that would have to be quoted.
	head.Set("Content-Disposition", `attachment; filename="`+slug+`.yaml"`)
	_, _ = c.w.Write(text) // the client is gone if this fails
	return nil
}

// link is an address to open in a browser.
type link struct {
	Link string `json:"link" field:"required"`
}

// executeFlow starts a flow for the caller and answers with its page.
func executeFlow(c *call) error {
	if passive(c.r) {
		return &resource.ForbiddenError{Message: "This starts a flow. Call it from a program or from a page of this site."}
	}
	return c.startFlow(c.r.PathValue("slug"), nil)
}

// startFlow starts the flow that the call is about in the session of the caller,
// for the account of about or else their own, and answers with its page.
func (c *call) startFlow(slug string, about *identity.Person) error {
	err := c.api.Start(c.w, c.r, flowhttp.Call{Slug: slug, About: about, Bearer: true})
	var refused *flow.RefusedError
	if errors.As(err, &refused) {
		var problems field.Errors
		for _, m := range refused.Messages {
			problems = problems.Add(field.NonField, field.Error{Code: field.CodeInvalid, String: m})
		}
		return problems
	}
	if err != nil {
		return err
	}
	if err := c.write(func(ctx context.Context, w *resource.Write) error { return c.api.Kinds.NoteExecution(ctx, w, c.ref) }); err != nil {
		return err
	}
	return c.answer(http.StatusOK, link{c.absolute("/if/flow/" + url.PathEscape(slug) + "/")})
}

// absolute makes an address of this site from a path. Only where no base URL is
// configured the request says what the site is called (rule 21); that answer
// goes to nobody else.
func (c *call) absolute(path string) string {
	if c.api.BaseURL != "" {
		return c.api.BaseURL + path
	}
	info := request.From(c.ctx)
	scheme := "http"
	if info.Secure {
		scheme = "https"
	}
	return scheme + "://" + info.Host + path
}
