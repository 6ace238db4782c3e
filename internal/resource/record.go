package resource

import (
	"context"
	"strings"

	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
)

// NoteExecution records that somebody has started a flow by name.
func (r *Registry) NoteExecution(ctx context.Context, w *Write, ref *Ref) error {
	app, model, _ := strings.Cut(ref.Model, ".")
	return r.event.people.events.Record(ctx, w.Store(), event.Event{Action: event.FlowExecution, User: w.By.Person, HTTP: w.By.HTTP, Brand: w.By.Brand,
		Context: map[string]any{"flow": event.Model{App: app, Model: model, PK: ref.ID(), Name: ref.Name}}})
}

// Warn records what a file says in vain, once in a while.
func (r *Registry) Warn(ctx context.Context, w *Write, file, message string) error {
	return r.event.people.events.Warn(ctx, w.Store(), file+": "+message, message, file, event.By{User: w.By.Person, HTTP: w.By.HTTP, Brand: w.By.Brand})
}

// RecordChanges returns what the catalog calls with each revision: it makes an
// audit event of every object that was changed. c is asked when there is one.
func RecordChanges(events *event.Recorder, c func() *catalog.Catalog) func(context.Context, store.Tx, catalog.Meta, []catalog.Change) error {
	actions := map[catalog.Op]event.Action{catalog.Created: event.ModelCreated, catalog.Changed: event.ModelUpdated, catalog.Deleted: event.ModelDeleted}
	return func(ctx context.Context, tx store.Tx, meta catalog.Meta, changes []catalog.Change) error {
		for _, ch := range changes {
			app, model, _ := strings.Cut(c().Model(ch.Kind, ch.Type), ".")
			m := event.Model{App: app, Model: strings.ToLower(model), PK: ch.ID.String(), Name: ch.Name}
			if err := events.RecordModel(ctx, tx, actions[ch.Op], m, event.By{User: meta.Person, HTTP: meta.HTTP, Brand: meta.Brand, Reason: meta.Reason}); err != nil {
				return err
			}
		}
		return nil
	}
}
