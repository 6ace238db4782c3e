package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/store"
)

// Commit carries out a step, as flow.Store describes it. One transaction swaps the execution, carries
// out the effects, then logs in or out, then records events, mails and trace. Effects
// come before the login, so that a user whom they create can be logged in, and
// after the logout, so that the execution outlives a user whom they delete.
func (m *Manager) Commit(ctx context.Context, c *flow.Commit) (*flow.Committed, error) {
	s := &step{m: m, Commit: c, now: m.now()}
	if err := s.seal(); err != nil {
		return nil, err
	}
	if err := m.db.Write(ctx, s.run); err != nil {
		return nil, fmt.Errorf("commit step of flow %q: %w", c.Flow.Slug, err)
	}
	return &s.done, nil
}

// step is one Commit under way. run may be called again after a rollback, so it
// sets everything it uses.
type step struct {
	*flow.Commit
	m   *Manager
	now time.Time

	// id is the execution's, plan its sealed form; id is zero when the step
	// touches no execution.
	id   uuid.UUID
	plan []byte

	tx store.Tx
	// key is the session that the execution ends up in.
	key  string
	done flow.Committed
	// caused are the events of the effects.
	caused []flow.Event
}

func (s *step) seal() error {
	switch {
	case s.Before != nil:
		s.id = s.Before.ID
	case s.After != nil:
		s.id = uuid.New()
	}
	if s.After == nil {
		return nil
	}
	plain, err := json.Marshal(s.After)
	if err != nil {
		return fmt.Errorf("encode plan of flow %q: %w", s.Flow.Slug, err)
	}
	s.plan = s.m.plans.Seal(plain, planPlace(s.id))
	return nil
}

func (s *step) run(ctx context.Context, tx store.Tx) error {
	s.tx, s.key, s.done, s.caused = tx, s.Session.Key, flow.Committed{}, nil
	effects := []func(context.Context) error{s.apply, s.move}
	if s.Logout {
		slices.Reverse(effects)
	}
	for _, part := range slices.Concat([]func(context.Context) error{s.lock, s.swap}, effects, []func(context.Context) error{s.record, s.mail, s.trace}) {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// lock makes sure of the session: it is there, it is still whose it was, and
// nobody else changes it meanwhile. A visitor gets a row when there is a plan
// to keep.
func (s *step) lock(ctx context.Context) error {
	if !s.Session.Stored {
		if s.After == nil {
			return nil
		}
		if err := s.insertSession(ctx, s.Session.Key, nil); err != nil {
			return err
		}
	}
	var user, actsAs *int64
	var lastUsed time.Time
	var browserLength bool
	var network, place string
	err := s.tx.QueryRow(ctx, `select user_id, acts_as, last_used, browser_length, network_binding, geoip_binding from sessions
		where key = $1 and expires > $2`+s.tx.Dialect().ForUpdate(), s.Session.Key, s.now).Scan(&user, &actsAs, &lastUsed, &browserLength, &network, &place)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("the session is over: %w", flow.ErrStale)
	}
	if err != nil {
		return fmt.Errorf("lock session: %w", err)
	}
	if value(user) != s.Session.UserID || value(actsAs) != s.Session.ActsAs {
		return fmt.Errorf("the session is somebody else's: %w", flow.ErrStale)
	}
	if s.Login != nil || s.Logout {
		return nil
	}
	if s.Proofs != nil {
		if _, err := s.tx.Exec(ctx, "update sessions set proofs = $2 where key = $1", s.Session.Key, store.JSON(s.Proofs)); err != nil {
			return fmt.Errorf("keep proofs of session: %w", err)
		}
	}
	if s.now.Sub(lastUsed) < touchEvery {
		return nil
	}
	t := use{key: s.Session.Key, now: s.now, from: origin(s.HTTP), browserLength: browserLength, bound: bound(network, place)}
	return t.write(ctx, s.tx)
}

// value is what a column holds, 0 for null.
func value(id *int64) int64 {
	if id == nil {
		return 0
	}
	return *id
}

// swap moves the execution from the version that was read to the next one.
func (s *step) swap(ctx context.Context) error {
	switch {
	case s.Before == nil && s.After == nil:
		return nil
	case s.Before == nil:
		return s.create(ctx)
	}
	var n int64
	var err error
	if s.After == nil {
		n, err = s.tx.Exec(ctx, "delete from executions where id = $1 and session_key = $2 and version = $3 and expires > $4",
			s.id, s.Session.Key, s.Before.Version, s.now)
	} else {
		n, err = s.tx.Exec(ctx, `update executions set version = version + 1, plan = $5, updated = $4, expires = $6
			where id = $1 and session_key = $2 and version = $3 and expires > $4`,
			s.id, s.Session.Key, s.Before.Version, s.now, s.plan, s.expires())
	}
	if err != nil {
		return fmt.Errorf("swap execution: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("another request took the step: %w", flow.ErrStale)
	}
	s.stored(s.Before.Version + 1)
	return nil
}

// create stores a new execution. A row of the same flow that nobody can read
// any more gives way.
func (s *step) create(ctx context.Context) error {
	there, err := s.m.load(ctx, s.tx, s.Session.Key, s.Flow.ID, s.now)
	if err != nil {
		return fmt.Errorf("look for execution: %w", err)
	}
	if there != nil {
		return fmt.Errorf("another request began the flow: %w", flow.ErrStale)
	}
	if _, err := s.tx.Exec(ctx, "delete from executions where session_key = $1 and flow_id = $2", s.Session.Key, s.Flow.ID); err != nil {
		return fmt.Errorf("replace execution: %w", err)
	}
	_, err = s.tx.Exec(ctx, `insert into executions (id, session_key, flow_id, version, plan, created, updated, expires)
		values ($1, $2, $3, 1, $4, $5, $5, $6)`, s.id, s.Session.Key, s.Flow.ID, s.plan, s.now, s.expires())
	if err != nil {
		return fmt.Errorf("create execution: %w", err)
	}
	_, err = s.tx.Exec(ctx, `delete from executions where session_key = $1 and id not in (
		select id from executions where session_key = $1 order by case when id = $2 then 0 else 1 end, updated desc, id limit $3)`,
		s.Session.Key, s.id, maxExecutions)
	if err != nil {
		return fmt.Errorf("drop oldest execution: %w", err)
	}
	s.stored(1)
	return nil
}

func (s *step) stored(version int) {
	if s.After != nil {
		s.done.Execution = &flow.Execution{ID: s.id, Version: version, Plan: s.After}
	}
}

// expires ends an execution after an hour of silence or a day.
func (s *step) expires() time.Time {
	idle, limit := s.now.Add(executionIdle), s.After.Started.Add(executionLimit)
	if s.After.Started.IsZero() || idle.Before(limit) {
		return idle
	}
	return limit
}

func (s *step) apply(ctx context.Context) error {
	for _, fn := range s.Apply {
		if err := fn(ctx, s.tx); err != nil {
			return fmt.Errorf("apply: %w", err)
		}
	}
	for _, e := range s.Effects {
		changed, err := s.m.people.CarryOut(ctx, s.tx, e)
		if err != nil {
			return fmt.Errorf("carry out what a policy asked for: %w", err)
		}
		if changed {
			s.caused = append(s.caused, flow.Event{Action: e.Event.Action, App: e.Event.App, Context: e.Event.Context, User: e.Person})
		}
	}
	return nil
}
