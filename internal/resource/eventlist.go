package resource

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
)

// EventWindow is how many events a list is about: the latest ones that its
// filters choose. So many are counted, looked through for words and sorted,
// whatever the number of events; the filter created__lt leads to older ones.
const EventWindow = 10_000

// eventsTable has an index for each filter, in the order of time: reading the
// latest of those that agree takes no more than reading so many.
func eventsTable(now func() time.Time) *table[event.Recorded] {
	return &table[event.Recorded]{
		from: "events e", columns: event.Columns, scan: event.Scan, key: "e.id",
		always: func(s *statement) { s.where("e.expires > ?", now()) },
		order: map[string]string{"pk": "e.id", "event_uuid": "e.id", "action": "e.action", "app": "e.app", "client_ip": "e.client_ip", "created": "e.created",
			"expires": "e.expires", "user": "e.username", "brand": "e.brand_name"},
		fallback: "e.created desc, e.id",
		search: mentions("e.id", "e.action", "e.app", "e.client_ip", "cast(e.user_json as text)", "cast(e.brand as text)",
			"cast(e.context as text)"),
		filters: map[string]func(*statement, any){
			"actions": oneOf("e.action"), "username": filled("e.username"), "brand_name": filled("e.brand_name"),
			"client_ip": func(s *statement, want any) {
				if ip, err := netip.ParseAddr(want.(string)); err == nil {
					want = ip.Unmap().String()
				}
				s.where("e.client_ip = ?", want)
			},
			"context_model_app": filled("e.model_app"), "context_model_name": filled("e.model_name"), "context_model_pk": plainKey("e.model_pk"),
			"context_authorized_app": plainKey("e.authorized_app"), "context_device": plainKey("e.device"),
			"created__gt": compares("e.created", ">"), "created__lt": compares("e.created", "<"),
		},
	}
}

// filled compares a column that is empty where it says nothing. The index leaves
// those rows out, which a query has to do as well to go by it.
func filled(column string) func(*statement, any) {
	return func(s *statement, want any) { s.where(column+" = ? and "+column+" <> ''", want) }
}

// plainKey does so with the key of an object in either form.
func plainKey(column string) func(*statement, any) {
	compare := filled(column)
	return func(s *statement, want any) { compare(s, event.PlainKey(want.(string))) }
}

// EventFilters are the parameters that choose events.
func EventFilters() []Filter {
	actions := filterOf(field.Describe(new(eventData)), "action")
	actions.Name, actions.Many = "actions", true
	return []Filter{{Name: "action"}, actions, {Name: "brand_name"}, {Name: "client_ip"},
		{Name: "context_authorized_app"}, {Name: "context_device"}, {Name: "context_model_app"}, {Name: "context_model_name"}, {Name: "context_model_pk"},
		{Name: "created__gt", Format: "date-time"}, {Name: "created__lt", Format: "date-time"}, {Name: "username"}}
}

// actions is the query with the filter action, a part of the name, turned into
// the names that have it.
func (k *events) actions(ctx context.Context, v View, q *Query) (*Query, error) {
	part, ok := q.Filters["action"].(string)
	if !ok {
		return q, nil
	}
	custom, err := event.ActionsBetween(ctx, v.DB, event.Custom, "custom`") // ` follows _
	if err != nil {
		return nil, err
	}
	part = strings.ToLower(part)
	among, many := q.Filters["actions"].([]any)
	var named []any
	for _, name := range append(event.Action("").Choices(), custom...) {
		if strings.Contains(strings.ToLower(name), part) && (!many || containsAny(among, name)) {
			named = append(named, name)
		}
	}
	resolved := *q
	resolved.Filters = maps.Clone(q.Filters)
	delete(resolved.Filters, "action")
	resolved.Filters["actions"] = named
	return &resolved, nil
}

func containsAny(list []any, want string) bool {
	for _, v := range list {
		if v == want {
			return true
		}
	}
	return false
}

// choose adds what the reader may see and asks for, without the filters named.
func (k *events) choose(s *statement, q *Query, but ...string) error {
	k.rows.scope(s, q.Scope)
	filters := maps.Clone(q.Filters)
	for _, name := range but {
		delete(filters, name)
	}
	for name, want := range filters {
		add, ok := k.rows.filters[name]
		if !ok {
			return noSuchField(eventModel, name)
		}
		add(s, want)
	}
	return nil
}

// latest is a query for keys and times of the latest events that agree, or the
// earliest ones. The index has the events of each action in order, not those of
// several: they are read one action after the other.
func (k *events) latest(s *statement, q *Query, direction string) (string, error) {
	k.rows.always(s)
	if err := k.choose(s, q, "actions"); err != nil {
		return "", err
	}
	limit := fmt.Sprintf(" order by created %s limit %d", direction, EventWindow)
	branch := func() string { return "select e.id, e.created from events e" + s.condition() + limit }
	actions, ok := q.Filters["actions"].([]any)
	if !ok {
		return branch(), nil
	}
	common := s.terms
	branches := []string{}
	for i, action := range actions {
		s.terms = common[:len(common):len(common)]
		s.where("e.action = ?", action)
		branches = append(branches, fmt.Sprintf("select * from (%s) b%d", branch(), i))
	}
	return "select * from (" + strings.Join(branches, " union all ") + ") b" + limit, nil
}

// List implements Objects. It finds the keys of all events that the list is
// about, in order, and reads those of the page.
func (k *events) List(ctx context.Context, v View, q *Query) ([]*Ref, int, error) {
	q, err := k.actions(ctx, v, q)
	if err != nil {
		return nil, 0, err
	}
	if actions, ok := q.Filters["actions"].([]any); ok && len(actions) == 0 {
		return nil, 0, nil
	}
	direction, order := "desc", q.Order
	if len(order) > 0 && order[0] == (Order{Field: "created"}) {
		direction = "asc"
	}
	s := &statement{dialect: v.Dialect}
	latest, err := k.latest(s, q, direction)
	if err != nil {
		return nil, 0, err
	}
	sql := "select id from (" + latest + ") w order by created " + direction + ", id"
	if len(q.Terms) > 0 || len(order) > 0 && order[0].Field != "created" {
		s.terms = []string{"e.id = w.id"}
		k.rows.search(s, q.Terms)
		// The words cross join keep SQLite from turning the join around.
		sql = "select e.id from (" + latest + ") w cross join events e" + s.condition() + " order by " + k.rows.orderBy(order)
	}
	keys, err := store.Select(ctx, v.DB, store.Column[string], sql, s.args...)
	if err != nil {
		return nil, 0, fmt.Errorf("list events: %w", err)
	}
	total := len(keys)
	if q.offset() >= total {
		return nil, total, nil
	}
	keys = keys[q.offset():min(q.offset()+q.Size, total)]
	var args store.Args
	rows, err := store.Select(ctx, v.DB, k.rows.scan, "select "+k.rows.columns+" from events e where e.id in "+store.In(&args, keys), args...)
	if err != nil {
		return nil, 0, fmt.Errorf("list events: %w", err)
	}
	byKey := make(map[string]*Ref, len(rows))
	for i := range rows {
		byKey[rows[i].ID.String()] = eventRef(&rows[i])
	}
	refs := make([]*Ref, 0, len(keys))
	for _, key := range keys {
		if ref := byKey[key]; ref != nil { // may have been deleted meanwhile
			refs = append(refs, ref)
		}
	}
	return refs, total, nil
}
