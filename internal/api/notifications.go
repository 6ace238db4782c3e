package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/notification"
	"github.com/weir-id/weir/internal/notification/rule"
	"github.com/weir-id/weir/internal/resource"
)

// Notifications try transports and mappings out; *notification.Engine does.
type Notifications interface {
	Test(ctx context.Context, t *rule.Transport, p *identity.Person) ([]string, error)
	Run(ctx context.Context, m *rule.Mapping, scope expression.Scope) (expression.Value, error)
}

// notificationRoutes are the calls about notifications that not every kind has.
func (a *API) notificationRoutes() []Route {
	transport, mapping := a.Kinds.Model("authentik_events.notificationtransport"), a.Kinds.Model("authentik_core.propertymapping")
	return []Route{
		{http.MethodPost, "events/notifications/mark_all_seen/", signedIn, Doc{Call: "create", Summary: "Mark all own notifications as seen", Status: http.StatusNoContent}, markAllSeen},
		{http.MethodPost, "events/transports/{uuid}/test/", onOne(transport, access.View).and("change of the transport"),
			Doc{Call: "create", Summary: "Send a notification to the caller", Answer: valueOf(notificationTransportTest{})}, testTransport},
		{http.MethodGet, "propertymappings/all/types/", signedIn, Doc{Call: "list", Summary: "List the types of mappings", Answer: listOf(typeCreate{})}, mappingTypes},
		{http.MethodPost, "propertymappings/all/{pm_uuid}/test/", onOne(mapping, access.View).and("change of the mapping, view of the user and of the group"),
			Doc{Call: "create", Summary: "Try the mapping out", Query: []resource.Filter{formatResult}, Body: valueOf(propertyMappingTestRequest{}), OptionalBody: true,
				Answer: valueOf(propertyMappingTestResult{})}, testMapping},
	}
}

func markAllSeen(c *call) error {
	if err := c.write(func(ctx context.Context, w *resource.Write) error { return c.api.Kinds.MarkAllSeen(ctx, w) }); err != nil {
		return err
	}
	return c.done()
}

type notificationTransportTest struct {
	Messages []string `json:"messages" field:"required"`
}

// testTransport sends a notification to whoever calls. It makes the server call
// another one, so it takes the permission to say which.
func testTransport(c *call) error {
	if err := c.demand(access.Change, c.kind, c.ref.ID()); err != nil {
		return err
	}
	v, id, err := c.current()
	if err != nil {
		return err
	}
	t, ok := v.Config.NotificationTransport(id)
	if !ok {
		return resource.ErrGone
	}
	messages, err := c.api.Notifications.Test(c.ctx, t, c.visit.User)
	var failed *notification.FailedError
	if errors.As(err, &failed) {
		return field.Errorf(field.NonField, field.CodeInvalid, "The notification was not sent: %v.", failed)
	}
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, notificationTransportTest{messages})
}

func mappingTypes(c *call) error {
	return c.types([]typeCreate{newType("Webhook Mapping", "Makes the body or the headers of a webhook.", resource.MappingComponent,
		"authentik_events.notificationwebhookmapping")})
}

// formatResult asks for a result that people can read.
var formatResult = resource.Filter{Name: "format_result", Type: "boolean"}

type propertyMappingTestRequest struct {
	User    *int64         `json:"user" field:"null"`
	Context map[string]any `json:"context"`
	Group   *uuid.UUID     `json:"group" field:"null"`
}

type propertyMappingTestResult struct {
	Result     string `json:"result" field:"readonly"`
	Successful bool   `json:"successful" field:"readonly"`
}

// testMapping runs a mapping without effects: for the notification of an event
// that has not happened, or what the context says instead. As with policies, it
// takes more than looking at mappings to make them run (rule 11).
func testMapping(c *call) error {
	mapping := c.api.Kinds.Model(c.ref.Model)
	if err := c.demand(access.Change, mapping, c.ref.ID()); err != nil {
		return err
	}
	pretty, problem := formatResult.Decode(c.r.URL.Query()[formatResult.Name])
	if problem != nil {
		return field.Errors{formatResult.Name: {*problem}}
	}
	var body propertyMappingTestRequest
	if err := c.decode(&body); err != nil {
		return err
	}
	scope, err := c.mappingScope(&body)
	if err != nil {
		return err
	}
	v, id, err := c.current()
	if err != nil {
		return err
	}
	m, ok := v.Config.WebhookMapping(id)
	if !ok {
		return resource.ErrGone
	}
	result, err := c.api.Notifications.Run(c.ctx, m, scope)
	if err != nil {
		return c.answer(http.StatusOK, propertyMappingTestResult{err.Error(), false})
	}
	text, err := json.Marshal(result.Raw)
	if pretty == true {
		text, err = json.MarshalIndent(result.Raw, "", "    ")
	}
	if err != nil {
		return c.answer(http.StatusOK, propertyMappingTestResult{err.Error(), false})
	}
	return c.answer(http.StatusOK, propertyMappingTestResult{string(text), true})
}

// mappingScope is what a mapping sees when it is tried out: the people that the
// body names, as far as the caller may see them.
func (c *call) mappingScope(body *propertyMappingTestRequest) (expression.Scope, error) {
	person := c.visit.User
	if body.User != nil {
		var err error
		if person, err = c.tested(*body.User); err != nil {
			return expression.Scope{}, err
		}
	}
	n := &notification.Notification{User: person, Severity: rule.Notice, Body: "A notification to try the mapping out.", Created: c.api.Now(),
		Event: &event.Recorded{Action: "custom_test", App: "weir.notification", Context: map[string]any{}, User: map[string]any{}, Brand: map[string]any{}, Created: c.api.Now()}}
	scope := notification.Scope(n)
	if body.Group != nil {
		groups := c.api.Kinds.Model("authentik_core.group")
		if err := c.demand(access.View, groups, body.Group.String()); err != nil {
			return expression.Scope{}, err
		}
		v, err := c.view()
		if err != nil {
			return expression.Scope{}, err
		}
		g, err := groups.Find(c.ctx, v, map[string]any{"pk": *body.Group})
		if err != nil {
			return expression.Scope{}, err
		}
		if g == nil {
			return expression.Scope{}, field.Errorf("group", field.CodeDoesNotExist, "There is no group with the id %s.", *body.Group)
		}
		scope.Variables["group"] = identity.Group{ID: *body.Group, Name: g.Name}
	}
	for name, value := range body.Context {
		scope.Variables[name] = value
	}
	return scope, nil
}
