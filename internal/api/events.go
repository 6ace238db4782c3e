package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/resource"
)

// eventRoutes count events. They are about the events that the caller may view.
func (a *API) eventRoutes() []Route {
	k := a.Kinds.Model("authentik_events.event")
	counted := func(call string, answer *Shape, more resource.Filter) Doc {
		return Doc{Call: call, Query: append(append(resource.EventFilters(), more), resource.Filter{Name: "ordering"}, resource.Filter{Name: "search"}), Answer: answer}
	}
	return []Route{
		{http.MethodGet, k.Path + "/actions/", signedIn, Doc{Call: "list", Answer: listOf(typeCreate{})}, eventActions},
		{http.MethodGet, k.Path + "/volume/", onSome(k, access.View), counted("list", listOf(eventVolume{}), resource.Filter{Name: "history_days", Type: "integer", Default: 7}), countVolume},
		{http.MethodGet, k.Path + "/top_per_user/", onSome(k, access.View), counted("list", listOf(eventTopPerUser{}), resource.Filter{Name: "top_n", Type: "integer", Default: 15}), countTop},
		{http.MethodGet, k.Path + "/stats/", onSome(k, access.View), counted("retrieve", valueOf(eventStats{}), resource.Filter{Name: "count_steps", Many: true, Required: true}), countSteps},
	}
}

// eventActions answers with the actions of events, for forms.
func eventActions(c *call) error {
	out := []typeCreate{}
	for _, name := range event.Action("").Choices() {
		words := strings.ReplaceAll(strings.TrimSuffix(name, "_"), "_", " ")
		out = append(out, typeCreate{Name: strings.ToUpper(words[:1]) + words[1:], Component: name})
	}
	return c.types(out)
}

// eventVolume is how often something happened in the six hours from Time on.
type eventVolume struct {
	Action event.Action `json:"action" field:"required"`
	Time   time.Time    `json:"time" field:"required"`
	Count  int          `json:"count" field:"required"`
}

// eventTopPerUser is how much an application is used.
type eventTopPerUser struct {
	Application   map[string]any `json:"application" field:"required"`
	CountedEvents int            `json:"counted_events" field:"required"`
	UniqueUsers   int            `json:"unique_users" field:"required"`
}

// eventStats counts within each of the spans asked for, and the users of the
// longest one.
type eventStats struct {
	UniqueUsers int            `json:"unique_users" field:"required"`
	CountStep   map[string]any `json:"count_step" field:"required"`
}

// counting reads which events are to be counted.
func (c *call) counting() (resource.View, *resource.Query, error) {
	v, err := c.view()
	if err != nil {
		return v, nil, err
	}
	filters, errs := c.kind.ParseFilters(c.r.URL.Query())
	return v, &resource.Query{Filters: filters, Scope: c.scope}, errs.Err()
}

// number is a parameter that is a number from 1 to most.
func (c *call) number(name string, preset, most int) (int, error) {
	s := c.r.URL.Query().Get(name)
	if s == "" {
		return preset, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, field.Errorf(name, field.CodeInvalid, "Enter a number from 1 to %d.", most)
	}
	return min(n, most), nil
}

// countVolume counts the events of the last days by action and period.
func countVolume(c *call) error {
	v, q, err := c.counting()
	if err != nil {
		return err
	}
	days, err := c.number("history_days", 7, int(resource.EventHistory/(24*time.Hour)))
	if err != nil {
		return err
	}
	volumes, err := c.api.Kinds.EventVolume(c.ctx, v, q, time.Duration(days)*24*time.Hour)
	if err != nil {
		return err
	}
	out := []eventVolume{}
	for _, one := range volumes {
		out = append(out, eventVolume(one))
	}
	return c.answer(http.StatusOK, out)
}

// maxTop is the most applications that countTop answers with, maxSteps the most
// spans that countSteps counts.
const (
	maxTop   = 100
	maxSteps = 10
)

// countTop answers with the applications that were opened most.
func countTop(c *call) error {
	v, q, err := c.counting()
	if err != nil {
		return err
	}
	n, err := c.number("top_n", 15, maxTop)
	if err != nil {
		return err
	}
	usages, err := c.api.Kinds.TopApplications(c.ctx, v, q, n)
	if err != nil {
		return err
	}
	out := []eventTopPerUser{}
	for _, u := range usages {
		out = append(out, eventTopPerUser{u.Application, u.Events, u.Users})
	}
	return c.answer(http.StatusOK, out)
}

// countSteps counts events within spans of time until now.
func countSteps(c *call) error {
	v, q, err := c.counting()
	if err != nil {
		return err
	}
	steps := c.r.URL.Query()["count_steps"]
	if len(steps) == 0 || len(steps) > maxSteps {
		return field.Errorf("count_steps", field.CodeInvalid, "Give from 1 to %d spans, such as hours=1.", maxSteps)
	}
	spans := make([]time.Duration, len(steps))
	for i, step := range steps {
		var d field.Duration
		if problem := d.DecodeField(strings.ReplaceAll(step, ",", ";")); problem != nil {
			return field.Errors{"count_steps": {*problem}}
		}
		if spans[i] = d.Duration(); spans[i] <= 0 || spans[i] > resource.EventHistory {
			return field.Errorf("count_steps", field.CodeInvalid, "Enter at most days=%d.", int(resource.EventHistory/(24*time.Hour)))
		}
	}
	counts, users, err := c.api.Kinds.EventCounts(c.ctx, v, q, spans)
	if err != nil {
		return err
	}
	out := eventStats{UniqueUsers: users, CountStep: map[string]any{}}
	for i, n := range counts {
		out.CountStep[steps[i]] = n
	}
	return c.answer(http.StatusOK, out)
}
