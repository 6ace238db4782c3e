package resource

import (
	"context"
	"fmt"
	"maps"
	"slices"
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
// action and quarter of a day in UTC; its search, order and page say nothing. What has just
// expired is counted until it is removed: the index does without the rows.
func (r *Registry) EventVolume(ctx context.Context, v View, q *Query, span time.Duration) ([]Volume, error) {
	s, err := r.event.since(ctx, v, q, span)
	if err != nil {
		return nil, err
	}
	hour := "substr(e.created, 1, 13)"
	if v.Dialect == store.Postgres {
		hour = "to_char(e.created at time zone 'UTC', 'YYYY-MM-DD HH24')"
	}
	type perHour struct {
		hour, action string
		count        int
	}
	hours, err := store.Select(ctx, v.DB, func(row store.Row) (perHour, error) {
		var h perHour
		return h, row.Scan(&h.hour, &h.action, &h.count)
	}, "select "+hour+", e.action, count(*) from events e"+s.condition()+" group by 1, 2 order by 1, 2", s.args...)
	if err != nil {
		return nil, fmt.Errorf("count events: %w", err)
	}
	out := []Volume{}
	at := map[Volume]int{}
	for _, h := range hours {
		begin, err := time.Parse("2006-01-02 15", h.hour)
		if err != nil {
			return nil, fmt.Errorf("count events: %w", err)
		}
		period := Volume{Action: event.Action(h.action), Time: begin.Truncate(volumeStep)}
		i, ok := at[period]
		if !ok {
			i = len(out)
			at[period], out = i, append(out, period)
		}
		out[i].Count += h.count
	}
	return out, nil
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
		return t, row.Scan(&t.app, &t.events, &t.users)
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
