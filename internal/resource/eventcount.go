package resource

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
)

// EventHistory is how far back events are counted.
const EventHistory = 60 * 24 * time.Hour

// volumeStep is the length of the periods of EventVolume.
const volumeStep = 6 * time.Hour

// Volume is how many events of an action there were in the period that begins at
// Time.
type Volume struct {
	Action event.Action
	Time   time.Time
	Count  int
}

// EventVolume counts the events that a query chooses within a span until now, by
// action and quarter of a day in UTC; its search, order and page say nothing.
// What has just expired is counted until it is removed: the index does without
// the rows.
func (r *Registry) EventVolume(ctx context.Context, v View, q *Query, span time.Duration) ([]Volume, error) {
	q, err := r.event.actions(ctx, v, q)
	if err != nil {
		return nil, err
	}
	names, ok := q.Filters["actions"].([]any)
	if !ok {
		if names, err = r.event.recorded(ctx, v); err != nil {
			return nil, err
		}
	}
	out := []Volume{}
	for _, name := range names {
		counts, err := r.event.periods(ctx, v, q, name, span)
		if err != nil {
			return nil, fmt.Errorf("count events of action %s: %w", name, err)
		}
		out = append(out, counts...)
	}
	slices.SortStableFunc(out, func(a, b Volume) int { return a.Time.Compare(b.Time) })
	return out, nil
}

// recorded are the actions of which there are events.
func (k *events) recorded(ctx context.Context, v View) ([]any, error) {
	names, err := event.ActionsBetween(ctx, v.DB, "", "")
	out := make([]any, len(names))
	for i, name := range names {
		out[i] = name
	}
	return out, err
}

// periods counts the events of one action. Each count is a piece of the index;
// grouping would have to sort.
func (k *events) periods(ctx context.Context, v View, q *Query, action any, span time.Duration) ([]Volume, error) {
	one := *q
	one.Filters = maps.Clone(q.Filters)
	if one.Filters == nil {
		one.Filters = map[string]any{}
	}
	one.Filters["actions"] = []any{action}
	s := &statement{dialect: v.Dialect}
	if err := k.choose(s, &one); err != nil {
		return nil, err
	}
	all, args, begin := s.terms, s.args, k.now().UTC().Add(-min(span, EventHistory))
	s.where("e.created >= ?", begin)
	some := 0
	if err := v.DB.QueryRow(ctx, "select count(*) from (select 1 from events e"+s.condition()+" limit 1) w", s.args...).Scan(&some); err != nil || some == 0 {
		return nil, err
	}
	s.args = args[:len(args):len(args)] // PostgreSQL wants to know the type of each argument
	var columns []string
	var out []Volume
	for at := begin.Truncate(volumeStep); !at.After(k.now()); at = at.Add(volumeStep) {
		s.terms = all[:len(all):len(all)]
		from := at
		if from.Before(begin) {
			from = begin
		}
		s.where("e.created >= ? and e.created < ?", from, at.Add(volumeStep))
		columns, out = append(columns, "(select count(*) from events e"+s.condition()+")"), append(out, Volume{Action: event.Action(fmt.Sprint(action)), Time: at})
	}
	counts := make([]any, len(out))
	for i := range out {
		counts[i] = &out[i].Count
	}
	if err := v.DB.QueryRow(ctx, "select "+strings.Join(columns, ", "), s.args...).Scan(counts...); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(out, func(v Volume) bool { return v.Count == 0 }), nil
}

// since is the condition for the events that the query chooses within a span
// until now, at most EventHistory.
func (k *events) since(ctx context.Context, v View, q *Query, span time.Duration) (*statement, error) {
	q, err := k.actions(ctx, v, q)
	if err != nil {
		return nil, err
	}
	s := &statement{dialect: v.Dialect}
	s.where("e.created >= ?", k.now().Add(-min(span, EventHistory)))
	return s, k.choose(s, q)
}

// EventCounts counts the events that a query chooses within each of the spans
// until now, and the different users in the longest of them. There is at least
// one span.
func (r *Registry) EventCounts(ctx context.Context, v View, q *Query, spans []time.Duration) (counts []int, users int, err error) {
	count := func(what string, span time.Duration) (n int, err error) {
		s, err := r.event.since(ctx, v, q, span)
		if err != nil {
			return 0, err
		}
		if err := v.DB.QueryRow(ctx, "select count("+what+") from events e"+s.condition(), s.args...).Scan(&n); err != nil {
			return 0, fmt.Errorf("count events: %w", err)
		}
		return n, nil
	}
	for _, span := range spans {
		n, err := count("*", span)
		if err != nil {
			return nil, 0, err
		}
		counts = append(counts, n)
	}
	users, err = count("distinct e.user_id", slices.Max(spans))
	return counts, users, err
}

// Usage is how often and by how many people an application was opened.
type Usage struct {
	// Application is as the latest of the events has it.
	Application   map[string]any
	Events, Users int
}

// TopApplications returns the applications that most of the events are about,
// the first n, counted over EventHistory. Without a filter
// for actions the events are those of people who opened an application.
func (r *Registry) TopApplications(ctx context.Context, v View, q *Query, n int) ([]Usage, error) {
	_, one := q.Filters["action"]
	if _, many := q.Filters["actions"]; !one && !many {
		narrowed := *q
		narrowed.Filters = maps.Clone(q.Filters)
		if narrowed.Filters == nil {
			narrowed.Filters = map[string]any{}
		}
		narrowed.Filters["actions"] = []any{string(event.AuthorizeApplication)}
		q = &narrowed
	}
	s, err := r.event.since(ctx, v, q, EventHistory)
	if err != nil {
		return nil, err
	}
	s.where("e.authorized_app <> ''")
	type top struct {
		app           string
		events, users int
	}
	tops, err := store.Select(ctx, v.DB, func(row store.Row) (top, error) {
		var t top
		err := row.Scan(&t.app, &t.events, &t.users)
		return t, err
	}, "select e.authorized_app, count(*), count(distinct e.user_id) from events e"+s.condition()+
		" group by e.authorized_app order by 2 desc, 1 limit "+s.args.Add(n), s.args...)
	if err != nil {
		return nil, fmt.Errorf("count events of applications: %w", err)
	}
	out := []Usage{}
	for _, t := range tops {
		u := Usage{Events: t.events, Users: t.users}
		var details map[string]any
		if err := v.DB.QueryRow(ctx, "select context from events where authorized_app = $1 and authorized_app <> '' order by created desc limit 1", t.app).
			Scan(store.JSON(&details)); err != nil {
			return nil, fmt.Errorf("read event of application: %w", err)
		}
		u.Application, _ = details["authorized_application"].(map[string]any)
		out = append(out, u)
	}
	return out, nil
}
