package session

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/store"
)

// ErrInactive refuses a login; a flow ends as with any other surprise.
var ErrInactive = errors.New("the account is gone or not active")

// move carries the browser into a new session when somebody signs in or out,
// also when the same person signs in again.
func (s *step) move(ctx context.Context) error {
	switch {
	case s.Login != nil:
		return s.login(ctx)
	case s.Logout:
		return s.logout(ctx)
	}
	return nil
}

func (s *step) login(ctx context.Context) error {
	user := s.Login.User.ID
	// The account's state is checked last, by the statement that counts
	// (rule 24); last_login is no change of the account.
	n, err := s.tx.Exec(ctx, "update users set last_login = $2 where id = $1 and is_active", user, s.now)
	if err == nil && n == 0 {
		err = ErrInactive
	}
	if err != nil {
		return fmt.Errorf("log in user %d: %w", user, err)
	}
	token := s.m.mint(member)
	s.key = keyOf(token)
	if err := s.insertSession(ctx, s.key, s.Login); err != nil {
		return err
	}
	if err := s.leave(ctx); err != nil {
		return err
	}
	if s.Login.TerminateOthers {
		if _, err := s.tx.Exec(ctx, "delete from sessions where user_id = $1 and key <> $2", user, s.key); err != nil {
			return fmt.Errorf("end other sessions of user %d: %w", user, err)
		}
	}
	s.done.Session = &flow.SessionChange{Token: token, Expires: s.Login.Expires, Login: true}
	return nil
}

func (s *step) logout(ctx context.Context) error {
	token := s.m.mint(visitor)
	s.key = keyOf(token)
	if s.After != nil {
		if err := s.insertSession(ctx, s.key, nil); err != nil {
			return err
		}
	}
	if err := s.leave(ctx); err != nil {
		return err
	}
	s.done.Session = &flow.SessionChange{Token: token}
	return nil
}

// leave takes this execution and the counters along to the session key and ends
// the old session with all that is left in it.
func (s *step) leave(ctx context.Context) error {
	if s.After != nil {
		if _, err := s.tx.Exec(ctx, "update executions set session_key = $2 where id = $1", s.id, s.key); err != nil {
			return fmt.Errorf("move execution: %w", err)
		}
	}
	if s.Session.UserID != 0 {
		if _, err := s.tx.Exec(ctx, "update execution_steps set session_key = $2 where session_key = $1", s.Session.Key, s.key); err != nil {
			return fmt.Errorf("move trace: %w", err)
		}
	}
	if _, err := s.tx.Exec(ctx, "update session_counters set session_key = $2 where session_key = $1", s.Session.Key, s.key); err != nil {
		return fmt.Errorf("move counters: %w", err)
	}
	if _, err := s.tx.Exec(ctx, "delete from sessions where key = $1", s.Session.Key); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	return nil
}

// insertSession stores a session: of a visitor when login is nil. A visitor's
// may be there already, made by a parallel request.
func (s *step) insertSession(ctx context.Context, key string, login *flow.Login) error {
	row := Row{UUID: uuid.New(), Expires: s.now.Add(idleLimit), BrowserLength: true}
	var user *int64
	unless := " on conflict (key) do nothing"
	if login != nil {
		user, unless = &login.User.ID, ""
		row.AuthBackend, row.AuthMethod, row.AuthMethodArgs = login.Backend, login.Method, login.MethodArgs
		row.NetworkBinding, row.GeoIPBinding, row.Proofs = login.NetworkBinding, login.GeoIPBinding, s.Proofs
		if !login.Expires.IsZero() {
			row.Expires, row.BrowserLength = login.Expires, false
		}
	}
	if row.Proofs == nil {
		row.Proofs = []flow.Proof{}
	}
	if row.AuthMethodArgs == nil {
		row.AuthMethodArgs = map[string]any{}
	}
	from := origin(s.HTTP)
	_, err := s.tx.Exec(ctx, `insert into sessions (key, uuid, user_id, created, expires, last_used, last_ip, last_user_agent, browser_length, data,
			auth_backend, auth_method, auth_method_args, network_binding, geoip_binding, proofs)
		values ($1, $2, $3, $4, $5, $4, $6, $7, $8, '{}', $9, $10, $11, $12, $13, $14)`+unless,
		key, row.UUID, user, s.now, row.Expires, from.ip, from.agent, row.BrowserLength,
		row.AuthBackend, row.AuthMethod, store.JSON(row.AuthMethodArgs), row.NetworkBinding, row.GeoIPBinding, store.JSON(row.Proofs))
	if err != nil {
		return fmt.Errorf("create session: %w", err)
	}
	return nil
}
