package session

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/store"
)

// Executions is the manager as the executor's store.
func (m *Manager) Executions() flow.Store { return executions{m} }

type executions struct{ *Manager }

// Load implements flow.Store.
func (m executions) Load(ctx context.Context, s flow.Session, flowID uuid.UUID) (*flow.Execution, error) {
	e, err := m.load(ctx, m.db, s.Key, flowID, m.now())
	if err != nil {
		return nil, fmt.Errorf("read execution: %w", err)
	}
	return e, nil
}

func (m *Manager) load(ctx context.Context, q store.Querier, key string, flowID uuid.UUID, now time.Time) (*flow.Execution, error) {
	var x executionRow
	err := q.QueryRow(ctx, `select e.id, e.version, e.plan from executions e join sessions s on s.key = e.session_key
		where e.session_key = $1 and e.flow_id = $2 and e.expires > $3 and s.expires > $3`, key, flowID, now).Scan(&x.id, &x.version, &x.plan)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return m.execution(ctx, x), nil
}

// executionRow is a stored execution, all nil where an outer join found none.
type executionRow struct {
	id      *string
	version *int
	plan    []byte
}

// execution opens a stored plan. One that cannot be read, such as a plan of an
// older format, counts as none: the flow starts again.
func (m *Manager) execution(ctx context.Context, x executionRow) *flow.Execution {
	if x.id == nil || x.version == nil {
		return nil
	}
	e, err := m.readPlan(*x.id, x.plan)
	if err != nil {
		m.log.InfoContext(ctx, "stored execution starts again", slog.String("execution", *x.id), slog.Any("error", err))
		return nil
	}
	e.Version = *x.version
	return e
}

var errFormat = errors.New("plan has another format")

func (m *Manager) readPlan(id string, sealed []byte) (*flow.Execution, error) {
	e := &flow.Execution{Plan: &flow.Plan{}}
	var err error
	if e.ID, err = uuid.Parse(id); err != nil {
		return nil, err
	}
	plain, err := m.plans.Open(sealed, planPlace(e.ID))
	if err != nil {
		return nil, err
	}
	var head struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(plain, &head); err != nil {
		return nil, err
	}
	if head.Format != flow.PlanFormat {
		return nil, errFormat
	}
	if err := json.Unmarshal(plain, e.Plan); err != nil {
		return nil, err
	}
	if e.Plan.Context == nil {
		e.Plan.Context = flow.NewContext(nil)
	}
	return e, nil
}

// planPlace binds a sealed plan to its execution.
func planPlace(id uuid.UUID) string { return "execution " + id.String() }

// Forget drops an execution of the session, all of them when the id is zero.
// Nothing to drop is no error.
func (m *Manager) Forget(ctx context.Context, s flow.Session, execution uuid.UUID) error {
	if !s.Stored {
		return nil
	}
	args := store.Args{s.Key}
	sql := "delete from executions where session_key = $1"
	if execution != uuid.Nil {
		sql += " and id = " + args.Add(execution)
	}
	if _, err := m.db.Exec(ctx, sql, args...); err != nil {
		return fmt.Errorf("drop execution: %w", err)
	}
	return nil
}

// AtStage returns the newest plan of the session that stands at a stage; nil for none.
func (m *Manager) AtStage(ctx context.Context, s flow.Session, stage uuid.UUID) (*flow.Plan, error) {
	if !s.Stored {
		return nil, nil
	}
	now := m.now()
	rows, err := store.Select(ctx, m.db, func(r store.Row) (x executionRow, err error) { return x, r.Scan(&x.id, &x.version, &x.plan) },
		`select e.id, e.version, e.plan from executions e join sessions s on s.key = e.session_key
		where e.session_key = $1 and e.expires > $2 and s.expires > $2 order by e.expires desc, e.id`, s.Key, now)
	if err != nil {
		return nil, fmt.Errorf("read executions: %w", err)
	}
	for _, x := range rows {
		if e := m.execution(ctx, x); e != nil && len(e.Plan.Entries) > 0 && e.Plan.Entries[0].Stage == stage {
			return e.Plan, nil
		}
	}
	return nil, nil
}
