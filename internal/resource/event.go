package resource

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
)

// events is authentik_events.event: the audit trail. The program writes it;
// whoever has the permission may add events of their own, change and delete
// events, which is itself an event.
type events struct {
	people
	rows *table[event.Recorded]
}

const eventModel = "authentik_events.event"

type eventData struct {
	// User is an object with pk, username and email; whoever makes the event,
	// where it is missing or empty.
	User    map[string]any `json:"user"`
	Action  event.Action   `json:"action" field:"required"`
	App     string         `json:"app" field:"required"`
	Context map[string]any `json:"context"`
	// ClientIP is the address of the request, where a new event has none.
	ClientIP *string        `json:"client_ip" field:"null"`
	Expires  time.Time      `json:"expires"`
	Brand    map[string]any `json:"brand"`
}

// Validate refuses addresses that are none: lists are filtered by them.
func (d *eventData) Validate() field.Errors {
	if d.ClientIP == nil {
		return nil
	}
	ip, err := netip.ParseAddr(*d.ClientIP)
	if err != nil {
		return field.Errorf("client_ip", field.CodeInvalid, "Enter an IP address, such as 192.0.2.1 or 2001:db8::1.")
	}
	*d.ClientIP = ip.Unmap().String()
	return nil
}

// eventMembers are the read-only members of an event.
type eventMembers struct {
	PK      uuid.UUID `json:"pk"`
	Created time.Time `json:"created"`
}

// Fields implements Objects.
func (k *events) Fields() []field.Spec {
	return append(readOnly(new(eventMembers)), field.Describe(new(eventData))...)
}

func eventRef(e *event.Recorded) *Ref {
	return &Ref{Model: eventModel, Key: e.ID.String(), Name: e.String(), loaded: e}
}

// Find implements Objects.
func (k *events) Find(ctx context.Context, v View, match map[string]any) (*Ref, error) {
	match, ok, err := lookup(eventModel, match, map[string]matchType{"pk": matchUUID, "event_uuid": matchUUID})
	if err != nil || !ok {
		return nil, err
	}
	s := &statement{dialect: v.Dialect}
	k.rows.always(s)
	for _, want := range match {
		s.where("e.id = ?", uuid.MustParse(fmt.Sprint(want))) // lookup has seen that it is one
	}
	found, err := store.Select(ctx, v.DB, k.rows.scan, "select "+k.rows.columns+" from "+k.rows.from+s.condition()+" order by "+k.rows.fallback+" limit 1", s.args...)
	if err != nil {
		return nil, fmt.Errorf("find event: %w", err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return eventRef(&found[0]), nil
}

// Read implements Objects.
func (k *events) Read(ctx context.Context, v View, refs ...*Ref) ([]map[string]any, error) {
	out := make([]map[string]any, len(refs))
	for i, ref := range refs {
		e, err := k.load(ctx, v, ref)
		if err != nil {
			return nil, err
		}
		d, m := eventDataOf(e), eventMembers{PK: e.ID, Created: e.Created}
		out[i] = field.Encode(&d, field.Public)
		for name, value := range field.Encode(&m, field.Public) {
			out[i][name] = value
		}
	}
	return out, nil
}

func (k *events) load(ctx context.Context, v View, ref *Ref) (*event.Recorded, error) {
	if e, ok := ref.loaded.(*event.Recorded); ok {
		return e, nil
	}
	now, err := k.Find(ctx, v, map[string]any{"pk": ref.ID()})
	if err == nil && now == nil {
		err = fmt.Errorf("event %s: %w", ref.ID(), ErrGone)
	}
	if err != nil {
		return nil, err
	}
	return now.loaded.(*event.Recorded), nil
}

func eventDataOf(e *event.Recorded) eventData {
	d := eventData{User: e.User, Action: e.Action, App: e.App, Context: e.Context, ClientIP: &e.ClientIP, Expires: e.Expires, Brand: e.Brand}
	if e.ClientIP == "" {
		d.ClientIP = nil
	}
	return d
}

// onto decodes data and puts it onto the event.
func (d *eventData) onto(e *event.Recorded, now time.Time, data map[string]any, mode field.Mode) (unknown []string, err error) {
	unknown, errs := field.Decode(d, data, mode)
	if _, given := data["expires"]; given && errs["expires"] == nil && !d.Expires.After(now) {
		errs = errs.Merge(field.Errorf("expires", field.CodeInvalid, "Enter a time to come."))
	}
	e.User, e.Action, e.App, e.Context, e.Expires, e.Brand, e.ClientIP = d.User, d.Action, d.App, d.Context, d.Expires, d.Brand, ""
	if d.ClientIP != nil {
		e.ClientIP = *d.ClientIP
	}
	return unknown, errs.Err()
}

// Create implements Objects.
func (k *events) Create(ctx context.Context, w *Write, _ string, data map[string]any) (*Ref, []string, error) {
	e := &event.Recorded{}
	unknown, err := new(eventData).onto(e, k.now(), data, field.Create)
	if err != nil {
		return nil, unknown, err
	}
	err = k.people.events.Add(ctx, w.Store(), e, event.By{User: w.By.Person, HTTP: w.By.HTTP, Brand: w.By.Brand})
	return eventRef(e), strangeTo(k.Fields(), unknown), err
}

// Update implements Objects.
func (k *events) Update(ctx context.Context, w *Write, ref *Ref, data map[string]any, mode field.Mode) (changed, unknown []string, err error) {
	before, err := k.load(ctx, w.View(), &Ref{Model: eventModel, Key: ref.Key})
	if err != nil {
		return nil, nil, err
	}
	after, d := *before, eventDataOf(before)
	old := eventDataOf(before)
	if unknown, err = d.onto(&after, k.now(), data, mode); err != nil {
		return nil, unknown, err
	}
	if changed = differing(encodeSets(&old), encodeSets(&d)); len(changed) > 0 {
		if err := k.people.events.Change(ctx, w.Store(), &after, before); err != nil {
			return nil, unknown, gone(err)
		}
	}
	*ref = *eventRef(&after)
	return changed, strangeTo(k.Fields(), unknown), k.changedNote(ctx, w, ref, changed)
}

// Check implements Objects.
func (k *events) Check(ctx context.Context, w *Write, ref *Ref, data map[string]any) error {
	e, err := k.load(ctx, w.View(), &Ref{Model: eventModel, Key: ref.Key})
	if err != nil {
		return err
	}
	now, d := *e, eventDataOf(e)
	_, err = d.onto(&now, k.now(), data, field.Update)
	return err
}

// Delete implements Objects.
func (k *events) Delete(ctx context.Context, w *Write, ref *Ref) error {
	n, err := w.Store().Exec(ctx, "delete from events where id = $1", ref.ID())
	if err == nil && n == 0 {
		err = ErrGone
	}
	if err != nil {
		return fmt.Errorf("delete event %s: %w", ref.ID(), err)
	}
	return k.record(ctx, w, event.ModelDeleted, ref)
}

// UsedBy implements Objects.
func (k *events) UsedBy(context.Context, View, *Ref) ([]Use, error) { return []Use{}, nil }
