package flowtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
)

// Store keeps executions in memory, in their stored form.
type Store struct {
	mu         sync.Mutex
	sessions   map[string]int64 // key -> user, 0 for nobody
	executions map[slot]*stored
	counts     map[string]int
	// Commits are all steps that were written, in order.
	Commits []*flow.Commit
	// BeforeCommit runs ahead of each commit; for provoking races.
	BeforeCommit func()
	next         int
}

type slot struct {
	session string
	flow    uuid.UUID
}

type stored struct {
	id      uuid.UUID
	version int
	plan    []byte
}

// NewStore returns an empty store.
func NewStore() *Store {
	return &Store{sessions: map[string]int64{}, executions: map[slot]*stored{}, counts: map[string]int{}}
}

// tx is the transaction handle of a store without transactions.
type tx struct{}

func (tx) FlowTx() {}

// UserOf returns the user of a session, and whether it has a row.
func (s *Store) UserOf(key string) (int64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, ok := s.sessions[key]
	return id, ok
}

// SignIn attaches a user to a session without a flow.
func (s *Store) SignIn(key string, user int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[key] = user
}

// Load implements flow.Store.
func (s *Store) Load(_ context.Context, session flow.Session, flowID uuid.UUID) (*flow.Execution, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.load(slot{session.Key, flowID})
}

func (s *Store) load(at slot) (*flow.Execution, error) {
	row, ok := s.executions[at]
	if !ok {
		return nil, nil
	}
	plan := &flow.Plan{}
	if err := json.Unmarshal(row.plan, plan); err != nil {
		return nil, fmt.Errorf("decode plan: %w", err)
	}
	return &flow.Execution{ID: row.id, Version: row.version, Plan: plan}, nil
}

// Commit implements flow.Store.
func (s *Store) Commit(ctx context.Context, c *flow.Commit) (*flow.Committed, error) {
	if hook := s.BeforeCommit; hook != nil {
		s.BeforeCommit = nil
		hook()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slot{c.Session.Key, c.Flow.ID}
	row := s.executions[at]
	if (c.Before != nil || c.After != nil) && !same(row, c.Before) {
		return nil, fmt.Errorf("version has moved: %w", flow.ErrStale)
	}
	for _, apply := range c.Apply {
		if err := apply(ctx, tx{}); err != nil {
			return nil, err
		}
	}
	out := &flow.Committed{}
	if c.Before != nil {
		delete(s.executions, at)
	}
	if c.Login != nil || c.Logout {
		s.drop(c.Session.Key)
		s.next++
		out.Session = &flow.SessionChange{Token: fmt.Sprintf("token-%d", s.next), Login: c.Login != nil}
		at.session = SessionKey(out.Session.Token)
		if c.Login != nil {
			if c.Login.TerminateOthers {
				s.dropUser(c.Login.User.ID)
			}
			out.Session.Expires = c.Login.Expires
			s.sessions[at.session] = c.Login.User.ID
		}
	}
	if c.After != nil {
		plan, err := json.Marshal(c.After)
		if err != nil {
			return nil, fmt.Errorf("encode plan: %w", err)
		}
		next := &stored{id: uuid.New(), version: 1, plan: plan}
		if row != nil && c.Before != nil {
			next.id, next.version = row.id, row.version+1
		}
		s.executions[at] = next
		if _, ok := s.sessions[at.session]; !ok {
			s.sessions[at.session] = 0
		}
		execution, err := s.load(at)
		if err != nil {
			return nil, err
		}
		out.Execution = execution
	}
	s.Commits = append(s.Commits, c)
	return out, nil
}

func same(row *stored, before *flow.Execution) bool {
	if row == nil || before == nil {
		return row == nil && before == nil
	}
	return row.id == before.ID && row.version == before.Version
}

func (s *Store) drop(key string) {
	delete(s.sessions, key)
	for at := range s.executions {
		if at.session == key {
			delete(s.executions, at)
		}
	}
}

func (s *Store) dropUser(id int64) {
	for key, user := range s.sessions {
		if user == id {
			s.drop(key)
		}
	}
}

// Count implements flow.Counter.
func (s *Store) Count(_ context.Context, key, name string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[key+" "+name]++
	return s.counts[key+" "+name], nil
}

// Reset implements flow.Counter.
func (s *Store) Reset(_ context.Context, key, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.counts, key+" "+name)
	return nil
}

// Events returns the actions of all recorded events, in order.
func (s *Store) Events() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, c := range s.Commits {
		for _, e := range c.Events {
			out = append(out, e.Action)
		}
	}
	return out
}

// Touch bumps the version of an execution, as a parallel request would.
func (s *Store) Touch(key string, flowID uuid.UUID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if row, ok := s.executions[slot{key, flowID}]; ok {
		row.version++
	}
}

// SessionKey is how a session token is known to the store.
func SessionKey(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
