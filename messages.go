package weir

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// messages is the rest of the program, for codes by text message and for pushes.
type messages struct{ in *Installation }

// CountMessage implements authenticatorsms.House and authenticatorduo.House. A refusal is committed: the attempt
// counts for the client.
func (m messages) CountMessage(ctx context.Context, s guard.Send) error {
	var limited *guard.LimitedError
	err := m.in.db.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		limited = nil
		if err := m.in.limits.Send(ctx, tx, s); !errors.As(err, &limited) {
			return err
		}
		return nil
	})
	if err == nil && limited != nil {
		return limited
	}
	return err
}

// UncountMessage implements authenticatorduo.House.
func (m messages) UncountMessage(ctx context.Context, s guard.Send) error {
	return m.in.db.Write(ctx, func(ctx context.Context, tx store.Tx) error { return m.in.limits.TakeBack(ctx, tx, s) })
}

// CodeText implements authenticatorsms.House.
func (m messages) CodeText(language, code string) (string, error) {
	return m.in.mails.Text(language, "phone.message", "Brand", m.in.brandName(), "Code", code)
}

// MapMessage implements authenticatorsms.House.
func (m messages) MapMessage(ctx context.Context, id uuid.UUID, p *identity.Person, variables map[string]any) (any, error) {
	mapping, ok := m.in.catalog.Snapshot().WebhookMapping(id)
	if !ok {
		return nil, errors.New("there is no such mapping")
	}
	all := map[string]any{"user": p}
	for name, v := range variables {
		if members, ok := v.(map[string]any); ok {
			v = attributes(members)
		}
		all[name] = v
	}
	v, err := m.in.notifications.Run(ctx, mapping, expression.Scope{Request: &policy.Request{User: p}, Variables: all})
	return v.Raw, err
}

// attributes are what expressions see of an object: device.phone_number.
type attributes map[string]any

// Attr implements expression.Object.
func (a attributes) Attr(name string) (any, bool) { v, ok := a[name]; return v, ok }
