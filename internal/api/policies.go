package api

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/geoip"
	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/policy"
)

// policyRoutes tell of the types of policies and try policies out.
func (a *API) policyRoutes() []Route {
	k := a.Kinds.Model("authentik_policies.policy")
	one := k.Path + "/{" + k.Param + "}/"
	return []Route{
		{http.MethodGet, k.Path + "/types/", signedIn, Doc{Call: "list", Summary: "List the types of policies", Answer: listOf(typeCreate{})}, policyTypes},
		{http.MethodGet, k.Path + "/cache_info/", onAll(k, resource.ViewPolicyCache), Doc{Call: "retrieve", Summary: "Count cached results: none", Answer: valueOf(cache{})}, cacheInfo},
		{http.MethodPost, k.Path + "/cache_clear/", onAll(k, resource.ClearPolicyCache), Doc{Call: "create", Summary: "Do nothing: results are not cached", Status: http.StatusNoContent}, (*call).done},
		{http.MethodGet, "policies/geoip_iso3166/", public, Doc{Call: "list", Summary: "List the countries", Answer: listOf(detailedCountry{})}, countries},
		{http.MethodPost, one + "test/", onOne(k, access.View).and("change of the policy, view of the user"),
			Doc{Call: "create", Summary: "Try the policy out on a user", Body: valueOf(policyTestRequest{}), Answer: valueOf(policyTestResult{})}, testPolicy},
	}
}

func policyTypes(c *call) error {
	out := []typeCreate{}
	for _, t := range c.api.Policies {
		out = append(out, newType(t.Label, t.Description, t.Component, t.Model))
	}
	return c.types(out)
}

// detailedCountry is a country that GeoIP policies may name.
type detailedCountry struct {
	Code geoip.CountryCode `json:"code" field:"required"`
	Name string            `json:"name" field:"required"`
}

func countries(c *call) error {
	out := []detailedCountry{}
	for _, code := range geoip.CountryCode("").Choices() {
		country := geoip.CountryCode(code)
		out = append(out, detailedCountry{country, country.Name()})
	}
	return c.answer(http.StatusOK, out)
}

// policyTestRequest says whom a policy is to judge, and with what context.
type policyTestRequest struct {
	User    int64          `json:"user" field:"required"`
	Context map[string]any `json:"context"`
}

// policyTestResult is what a policy said.
type policyTestResult struct {
	Passing     bool       `json:"passing" field:"required"`
	Messages    []string   `json:"messages" field:"readonly"`
	LogMessages []logEvent `json:"log_messages" field:"readonly"`
}

// testPolicy runs a policy for a user, on its own and without effects. Whoever
// may only look at policies may not make them run (rule 11): that takes the
// permission to change this one, and to view the user.
func testPolicy(c *call) error {
	kind := c.api.Kinds.Model(c.ref.Model)
	if err := c.demand(access.Change, kind, c.ref.ID()); err != nil {
		return err
	}
	var body policyTestRequest
	if err := c.decode(&body); err != nil {
		return err
	}
	person, err := c.tested(body.User)
	if err != nil {
		return err
	}
	v, id, err := c.current()
	if err != nil {
		return err
	}
	object, ok := v.Config.Policy(id)
	if !ok {
		return resource.ErrGone
	}
	if body.Context == nil {
		body.Context = map[string]any{}
	}
	return c.answer(http.StatusOK, c.testResult(object.Evaluate(c.ctx, &policy.Request{User: person, HTTP: request.Policy(c.r, nil),
		Context: body.Context, Debug: true}, policy.DefaultTimeout), object.Name))
}

// tested is the user on whom something is tried out, whom the caller has to be
// allowed to view.
func (c *call) tested(user int64) (*identity.Person, error) {
	if err := c.demand(access.View, c.api.Kinds.Model("authentik_core.user"), strconv.FormatInt(user, 10)); err != nil {
		return nil, err
	}
	person, err := c.api.Person(c.ctx, user)
	if errors.Is(err, flow.ErrNoPerson) {
		return nil, field.Errorf("user", field.CodeDoesNotExist, "There is no user with the id %d.", user)
	}
	return person, err
}

// current is the configuration as it is now, and the key of the object in the
// address.
func (c *call) current() (v resource.View, id uuid.UUID, err error) {
	if v, err = c.view(); err == nil {
		id, err = uuid.Parse(c.ref.ID())
	}
	return v, id, err
}

// testResult shows errors too: the caller is somebody who may mend them.
func (c *call) testResult(r policy.Result, logger string) policyTestResult {
	out := policyTestResult{Passing: r.Passing(), Messages: append([]string{}, r.Messages...), LogMessages: []logEvent{}}
	if r.Err != nil {
		out.Messages = append(out.Messages, r.Err.Error())
	}
	at := c.api.Now().UTC()
	for _, line := range r.Logs {
		attributes := map[string]any{}
		for name, text := range line.Attrs {
			attributes[name] = text
		}
		out.LogMessages = append(out.LogMessages, logEvent{Timestamp: at, Level: LogLevel(line.Level), Logger: logger, Event: line.Text, Attributes: attributes})
	}
	return out
}
