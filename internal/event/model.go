package event

import (
	"context"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// By is who caused an event, for writes that come from a request.
type By struct {
	User  *identity.Person
	HTTP  *policy.HTTPRequest
	Brand *flow.Brand
	// Reason is why; empty where that goes without saying.
	Reason string
}

// RecordModel records that an object was created, updated or deleted; action is
// one of ModelCreated, ModelUpdated and ModelDeleted.
func (r *Recorder) RecordModel(ctx context.Context, tx store.Tx, action Action, m Model, by By) error {
	about := map[string]any{"model": m}
	if by.Reason != "" {
		about["reason"] = by.Reason
	}
	return r.Record(ctx, tx, Event{Action: action, Context: about,
		User: by.User, HTTP: by.HTTP, Brand: by.Brand})
}
