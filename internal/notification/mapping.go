package notification

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/notification/rule"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// mappingTimeout bounds an expression.
const mappingTimeout = 5 * time.Second

// Scope is what a mapping sees when it shapes a notification.
func Scope(n *Notification) expression.Scope {
	return expression.Scope{Request: &policy.Request{User: n.User}, Variables: map[string]any{"notification": n, "user": n.User}}
}

// mapped is what a mapping makes of a notification: nil, or a value that JSON
// has. A mapping that fails is recorded, and nothing is sent: half a message
// could be worse than none.
func (e *Engine) mapped(ctx context.Context, s Source, id uuid.UUID, n *Notification) (any, error) {
	m, ok := s.WebhookMapping(id)
	if !ok {
		return nil, permanent("the mapping of the webhook is gone")
	}
	v, err := e.Run(ctx, m, Scope(n))
	if skipped(err) {
		return nil, errSkipped
	}
	if err != nil {
		e.recordException(ctx, m, err)
		// The exception may hold data of people.
		return nil, permanent("the mapping %q has failed", m.Name)
	}
	if len(v.Events)+len(v.Mails) > 0 {
		err = e.DB.Write(silence(ctx), func(ctx context.Context, tx store.Tx) error { return e.grant(ctx, tx, n.User, v.Events, v.Mails) })
	}
	return v.Raw, err
}

// Run evaluates a mapping. The result is nil or a value that JSON has: a person,
// say, is none, for nobody should send all of one by mistake.
func (e *Engine) Run(ctx context.Context, m *rule.Mapping, scope expression.Scope) (v expression.Value, err error) {
	program, err := e.Compile(m.Name, m.Expression)
	if err != nil {
		return v, fmt.Errorf("compile mapping: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, mappingTimeout)
	defer cancel()
	if v, err = program.Run(ctx, scope); err != nil {
		return v, err
	}
	return v, plain(v.Raw)
}

// plain refuses values that JSON does not have.
func plain(v any) error {
	switch v := v.(type) {
	case nil, bool, int64, float64, string, json.Number:
		return nil
	case []any:
		for _, item := range v {
			if err := plain(item); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		for _, item := range v {
			if err := plain(item); err != nil {
				return err
			}
		}
		return nil
	}
	return errors.New("return texts, numbers, lists and dicts only, such as user.username instead of user")
}

// recordException tells administrators of a mapping that has failed. That must
// not make the mapping run again.
func (e *Engine) recordException(ctx context.Context, m *rule.Mapping, failed error) {
	err := e.DB.Write(silence(ctx), func(ctx context.Context, tx store.Tx) error {
		return e.Events.Record(ctx, tx, event.Event{Action: event.PropertyMappingException, App: m.Name,
			Context: map[string]any{"message": failed.Error(), "expression": m.Expression,
				"mapping": event.Model{App: "authentik_events", Model: "notificationwebhookmapping", PK: fmt.Sprintf("%x", m.ID[:]), Name: m.Name}}})
	})
	if err != nil {
		e.Log.ErrorContext(ctx, "the failure of a mapping was not recorded", slog.String("mapping", m.Name), slog.Any("error", err))
	}
}
