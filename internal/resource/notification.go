package resource

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/notification/rule"
	"github.com/weir-id/weir/internal/store"
)

// notification is authentik_events.notification: what a person has been told.
// Rules make them; here everybody reads their own, and nobody those of others,
// superusers included.
type notification struct {
	events *events
	rows   *table[notificationRow]
}

// eventSchema stands for whole events inside of other objects.
var eventSchema = reflect.TypeFor[eventData]()

const notificationModel = "authentik_events.notification"

type notificationRow struct {
	members notificationMembers
	data    notificationData
	event   *uuid.UUID
}

// notificationMembers are the read-only members of a notification.
type notificationMembers struct {
	PK             uuid.UUID     `json:"pk"`
	Severity       rule.Severity `json:"severity"`
	Body           string        `json:"body"`
	Hyperlink      *string       `json:"hyperlink" field:"null,max=4096"`
	HyperlinkLabel *string       `json:"hyperlink_label" field:"null"`
	Created        time.Time     `json:"created"`
}

// notificationData is what can be written.
type notificationData struct {
	Seen bool `json:"seen"`
}

// Fields implements Objects.
func (k *notification) Fields() []field.Spec {
	// It is missing once the event has been deleted.
	about := field.Spec{Name: "event", Type: "object", ReadOnly: true, Go: eventSchema, Fields: k.events.Fields()}
	return append(append(readOnly(new(notificationMembers)), about), field.Describe(new(notificationData))...)
}

func notificationRef(r *notificationRow) *Ref {
	return &Ref{Model: notificationModel, Key: r.members.PK.String(), Name: string(r.members.Severity), loaded: r}
}

func notificationsTable(now func() time.Time) *table[notificationRow] {
	return &table[notificationRow]{
		from: "notifications n", columns: "n.id, n.severity, n.body, n.hyperlink, n.hyperlink_label, n.created, n.seen, n.event_id", key: "n.id", owner: "n.user_id",
		scan: func(row store.Row) (notificationRow, error) {
			var r notificationRow
			var about *string
			m := &r.members
			err := row.Scan(&m.PK, (*string)(&m.Severity), &m.Body, &m.Hyperlink, &m.HyperlinkLabel, &m.Created, &r.data.Seen, &about)
			if err == nil && about != nil {
				id, err := uuid.Parse(*about)
				r.event = &id
				return r, err
			}
			return r, err
		},
		always: func(s *statement) { s.where("n.expires > ?", now()) },
		order: map[string]string{"pk": "n.id", "severity": "n.severity", "body": "n.body", "created": "n.created", "seen": "n.seen", "event": "n.event_id",
			"user": "n.user_id"},
		fallback: "n.created desc, n.id",
		search:   mentions("n.body"),
		filters: map[string]func(*statement, any){"body": equals("n.body"), "created": equals("n.created"), "event": equals("n.event_id"), "seen": equals("n.seen"),
			"severity": equals("n.severity"), "user": equals("n.user_id")},
	}
}

func notificationKind(e *events, now func() time.Time) *Kind {
	k := &notification{e, notificationsTable(now)}
	return &Kind{Objects: k, Model: notificationModel, Label: "Notification", Plural: "Notifications", Path: "events/notifications", Param: "uuid", Key: "pk",
		Schema: "Notification", Tag: "events", Calls: AllCalls &^ Create, Filters: []Filter{{Name: "body"}, {Name: "created", Format: "date-time"},
			{Name: "event", Format: "uuid"}, {Name: "seen", Type: "boolean"}, filterOf(field.Describe(new(notificationMembers)), "severity"), {Name: "user", Type: "integer"}}}
}

// own is the scope of the reader's own notifications.
func own(v View) access.Scope {
	if v.Reader == nil {
		return access.Scope{All: true}
	}
	return access.Scope{Owner: v.Reader.ID}
}

// Find implements Objects.
func (k *notification) Find(ctx context.Context, v View, match map[string]any) (*Ref, error) {
	match, ok, err := lookup(notificationModel, match, map[string]matchType{"pk": matchUUID, "uuid": matchUUID})
	if err != nil || !ok {
		return nil, err
	}
	s := &statement{dialect: v.Dialect}
	k.rows.always(s)
	k.rows.scope(s, own(v))
	for _, want := range match {
		s.where("n.id = ?", uuid.MustParse(fmt.Sprint(want))) // lookup has seen that it is one
	}
	found, err := store.Select(ctx, v.DB, k.rows.scan, "select "+k.rows.columns+" from "+k.rows.from+s.condition()+" order by "+k.rows.fallback+" limit 1", s.args...)
	if err != nil {
		return nil, fmt.Errorf("find notification: %w", err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return notificationRef(&found[0]), nil
}

// List implements Objects.
func (k *notification) List(ctx context.Context, v View, q *Query) ([]*Ref, int, error) {
	mine := *q
	mine.Scope = own(v)
	rows, total, err := k.rows.list(ctx, v, &mine)
	refs := make([]*Ref, len(rows))
	for i := range rows {
		refs[i] = notificationRef(&rows[i])
	}
	return refs, total, err
}

func (k *notification) load(ctx context.Context, v View, ref *Ref) (*notificationRow, error) {
	now, err := k.Find(ctx, v, map[string]any{"pk": ref.ID()})
	if err == nil && now == nil {
		err = fmt.Errorf("notification %s: %w", ref.ID(), ErrGone)
	}
	if err != nil {
		return nil, err
	}
	return now.loaded.(*notificationRow), nil
}

// Read implements Objects.
func (k *notification) Read(ctx context.Context, v View, refs ...*Ref) ([]map[string]any, error) {
	rows := make([]*notificationRow, len(refs))
	var ids []uuid.UUID
	for i, ref := range refs {
		row, ok := ref.loaded.(*notificationRow)
		if !ok {
			var err error
			if row, err = k.load(ctx, v, ref); err != nil {
				return nil, err
			}
		}
		rows[i] = row
		if row.event != nil {
			ids = append(ids, *row.event)
		}
	}
	events, err := k.eventsByID(ctx, v, ids)
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, len(refs))
	for i, row := range rows {
		out[i] = field.Encode(&row.members, field.Public)
		maps.Copy(out[i], field.Encode(&row.data, field.Public))
		if row.event == nil {
			continue
		}
		if e, ok := events[row.event.String()]; ok {
			out[i]["event"] = e
		}
	}
	return out, nil
}

// eventsByID reads events as the API shows them, by id. Those that are gone are
// missing.
func (k *notification) eventsByID(ctx context.Context, v View, ids []uuid.UUID) (map[string]any, error) {
	out := map[string]any{}
	if len(ids) == 0 {
		return out, nil
	}
	var args store.Args
	found, err := store.Select(ctx, v.DB, event.Scan, "select "+event.Columns+" from events e where e.id in "+store.In(&args, ids), args...)
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	refs := make([]*Ref, len(found))
	for i := range found {
		refs[i] = eventRef(&found[i])
	}
	read, err := k.events.Read(ctx, v, refs...)
	if err != nil {
		return nil, err
	}
	for i, ref := range refs {
		out[ref.ID()] = read[i]
	}
	return out, nil
}

// Create implements Objects.
func (k *notification) Create(context.Context, *Write, string, map[string]any) (*Ref, []string, error) {
	return nil, nil, never(notificationModel)
}

// Update marks a notification as seen, or as new again.
func (k *notification) Update(ctx context.Context, w *Write, ref *Ref, data map[string]any, mode field.Mode) (changed, unknown []string, err error) {
	row, err := k.load(ctx, w.View(), ref)
	if err != nil {
		return nil, nil, err
	}
	before := row.data
	unknown, errs := field.Decode(&row.data, data, mode)
	if errs != nil {
		return nil, unknown, errs
	}
	*ref = *notificationRef(row)
	unknown = strangeTo(k.Fields(), unknown)
	if row.data == before {
		return nil, unknown, nil
	}
	if _, err := w.Store().Exec(ctx, "update notifications set seen = $1 where id = $2", row.data.Seen, ref.ID()); err != nil {
		return nil, unknown, fmt.Errorf("mark notification %s: %w", ref.ID(), err)
	}
	return []string{"seen"}, unknown, nil
}

// Check implements Objects.
func (k *notification) Check(_ context.Context, _ *Write, _ *Ref, data map[string]any) error {
	_, errs := field.Decode(new(notificationData), data, field.Update)
	return errs.Err()
}

// Delete implements Objects.
func (k *notification) Delete(ctx context.Context, w *Write, ref *Ref) error {
	if _, err := k.load(ctx, w.View(), ref); err != nil {
		return err
	}
	n, err := w.Store().Exec(ctx, "delete from notifications where id = $1", ref.ID())
	if err == nil && n == 0 {
		err = ErrGone
	}
	if err != nil {
		return fmt.Errorf("delete notification %s: %w", ref.ID(), err)
	}
	return nil
}

// UsedBy implements Objects.
func (k *notification) UsedBy(context.Context, View, *Ref) ([]Use, error) { return []Use{}, nil }

// MarkAllSeen marks all notifications of the author of a write as seen.
func (r *Registry) MarkAllSeen(ctx context.Context, w *Write) error {
	if w.By.Person == nil {
		return errors.New("mark notifications as seen: nobody's")
	}
	if _, err := w.Store().Exec(ctx, "update notifications set seen = true where user_id = $1 and not seen", w.By.Person.ID); err != nil {
		return fmt.Errorf("mark notifications as seen: %w", err)
	}
	return nil
}
