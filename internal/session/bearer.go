package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/session/token"
)

// Bearer returns whose API token a key is; false when the key is unknown or
// expired, of another intent, or its user is inactive. That the token was used
// is noted in the background.
func (m *Manager) Bearer(ctx context.Context, key string) (*identity.Person, bool, error) {
	tok, err := m.tokens.ByKey(ctx, key, token.API)
	if errors.Is(err, token.ErrNone) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("check API token: %w", err)
	}
	p, err := m.people.Person(ctx, tok.UserID)
	if errors.Is(err, flow.ErrNoPerson) || err == nil && !p.Active {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("check API token: %w", err)
	}
	if m.tokens.Due(tok) {
		m.background(ctx, "note use of token", func(ctx context.Context) error { return m.tokens.Used(ctx, tok) })
	}
	return p, true, nil
}

// Outpost tells whether a key is the API token of an outpost, which is what
// makes the headers of its requests believed (internal service accounts only).
// A token that cannot be checked is none.
func (m *Manager) Outpost(ctx context.Context, key string) (*identity.Person, bool) {
	p, ok, err := m.Bearer(ctx, key)
	if err != nil {
		m.log.WarnContext(ctx, "check outpost token", slog.Any("error", err))
	}
	if err != nil || !ok || p.Type != identity.InternalServiceAccount {
		return nil, false
	}
	return p, true
}
