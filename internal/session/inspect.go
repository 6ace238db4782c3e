package session

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
)

// maxRuns bounds how many of the newest steps a list of runs looks at, so that it takes
// the same time however many there are.
const maxRuns = 2_000

// Step is one step of an execution, as it was recorded.
type Step struct {
	Execution uuid.UUID
	// N counts the steps of the execution from 1.
	N       int
	Created time.Time
	Flow    uuid.UUID
	// User is whom the step was about; 0 for nobody known.
	User  int64
	Trace flow.Trace
}

// Run is what is known of an execution as a whole.
type Run struct {
	Execution   uuid.UUID
	Flow        uuid.UUID
	User        int64
	Began, Last time.Time
	Steps       int
	Outcome     string
}

// trace stores what the step did, for those who may inspect the flow.
func (s *step) trace(ctx context.Context) error {
	if s.id == uuid.Nil {
		return nil
	}
	n := 1
	if s.Before != nil {
		n = s.Before.Version + 1
	}
	var user *int64
	if about, _ := s.about(flow.Event{}); about.Saved() {
		user = &about.ID
	}
	key := ""
	if s.Trace.Seen != nil {
		key = s.key
	}
	_, err := s.tx.Exec(ctx, `insert into execution_steps (execution_id, n, created, expires, step, session_key, flow_id, user_id)
		values ($1, $2, $3, $4, $5, $6, $7, $8)`,
		s.id, n, s.now, s.now.Add(traceRetention), store.JSON(storable(s.Trace)), key, s.Flow.ID, user)
	if err != nil {
		return fmt.Errorf("store trace: %w", err)
	}
	return nil
}

// storable returns the trace without what PostgreSQL cannot store in JSON, since
// messages come from policies, which may repeat what a person typed; and without what is
// secret, as events are.
func storable(t flow.Trace) flow.Trace {
	t.Stage, t.Message = clean(t.Stage), clean(t.Message)
	if t.Seen != nil {
		seen := *t.Seen
		seen.Context = event.Sanitise(seen.Context)
		t.Seen = &seen
	}
	t.Policies = slices.Clone(t.Policies)
	for i := range t.Policies {
		p := &t.Policies[i]
		p.Target, p.Error, p.Messages = clean(p.Target), clean(p.Error), cleanAll(p.Messages)
		p.Policies = slices.Clone(p.Policies)
		for j := range p.Policies {
			v := &p.Policies[j]
			v.Name, v.Error, v.Messages = clean(v.Name), clean(v.Error), cleanAll(v.Messages)
		}
		if p.Saw != nil {
			saw := *p.Saw
			saw.Context = event.Sanitise(saw.Context)
			if saw.HTTP != nil {
				h := *saw.HTTP
				h.Method, h.Path, h.Host = clean(h.Method), clean(h.Path), clean(h.Host)
				h.Query, h.Header = cleanValues(h.Query), cleanValues(h.Header)
				saw.HTTP = &h
			}
			p.Saw = &saw
		}
	}
	return t
}

func cleanAll(texts []string) []string {
	out := slices.Clone(texts)
	for i := range out {
		out[i] = clean(out[i])
	}
	return out
}

// cleanValues are parameters or header fields; those that look secret are masked.
func cleanValues(values map[string][]string) map[string][]string {
	plain := make(map[string]any, len(values))
	for name, list := range values {
		plain[name] = strings.Join(list, "\n")
	}
	out := map[string][]string{}
	for name, v := range event.Sanitise(plain) {
		text, _ := v.(string)
		out[clean(name)] = strings.Split(text, "\n")
	}
	return out
}

func clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "")
}

const stepColumns = "execution_id, n, created, flow_id, user_id, step"

func scanStep(r store.Row) (Step, error) {
	var s Step
	var id, flowID string
	var user *int64
	var raw json.RawMessage
	err := r.Scan(&id, &s.N, &s.Created, &flowID, &user, store.JSON(&raw))
	if err != nil {
		return s, err
	}
	s.User = value(user)
	if s.Execution, err = uuid.Parse(id); err != nil {
		return s, err
	}
	s.Flow, _ = uuid.Parse(flowID) // empty in steps from before they had it
	return s, json.Unmarshal(raw, &s.Trace)
}

// Inspect returns the newest run of a flow that was inspected in a session: its steps, in
// order, and its plan; nil for a plan that is done or gone.
func (m *Manager) Inspect(ctx context.Context, s flow.Session, flowID uuid.UUID) ([]Step, *flow.Execution, error) {
	e, err := m.load(ctx, m.db, s.Key, flowID, m.now())
	if err != nil {
		return nil, nil, fmt.Errorf("inspect flow: %w", err)
	}
	var id uuid.UUID
	if e != nil {
		id = e.ID
	} else {
		newest, err := store.Select(ctx, m.db, store.Column[string], `select execution_id from execution_steps
			where session_key = $1 and session_key <> '' and flow_id = $2 and expires > $3 order by created desc, n desc limit 1`, s.Key, flowID, m.now())
		if err != nil {
			return nil, nil, fmt.Errorf("inspect flow: %w", err)
		}
		if len(newest) == 0 {
			return nil, nil, nil
		}
		if id, err = uuid.Parse(newest[0]); err != nil {
			return nil, nil, fmt.Errorf("inspect flow: %w", err)
		}
	}
	steps, err := m.Steps(ctx, id)
	return steps, e, err
}

// Steps returns the steps of an execution that are still kept, in order.
func (m *Manager) Steps(ctx context.Context, execution uuid.UUID) ([]Step, error) {
	steps, err := store.Select(ctx, m.db, scanStep, "select "+stepColumns+" from execution_steps where execution_id = $1 and expires > $2 order by n", execution, m.now())
	if err != nil {
		return nil, fmt.Errorf("read steps of execution %s: %w", execution, err)
	}
	return steps, nil
}

// Runs lists executions, the newest first, of one flow and about one user where they are
// given. Only the newest 2,000 steps are looked at.
func (m *Manager) Runs(ctx context.Context, flowID uuid.UUID, user int64, limit int) ([]Run, error) {
	args := store.Args{m.now()}
	where := "expires > $1"
	if flowID != uuid.Nil {
		where += " and flow_id = " + args.Add(flowID)
	}
	if user != 0 {
		where += " and user_id = " + args.Add(user)
	}
	steps, err := store.Select(ctx, m.db, scanStep, "select "+stepColumns+" from execution_steps where "+where+" order by expires desc, n desc limit "+args.Add(maxRuns), args...)
	if err != nil {
		return nil, fmt.Errorf("list executions: %w", err)
	}
	byID := map[uuid.UUID]*Run{}
	for _, s := range steps {
		r := byID[s.Execution]
		if r == nil {
			r = &Run{Execution: s.Execution, Flow: s.Flow, Last: s.Created, Outcome: s.Trace.Outcome}
			byID[s.Execution] = r
		}
		r.Began, r.Steps = s.Created, r.Steps+1
		if r.User == 0 {
			r.User = s.User
		}
	}
	runs := slices.SortedFunc(maps.Values(byID), func(a, b *Run) int { return b.Last.Compare(a.Last) })
	out := make([]Run, min(len(runs), limit))
	for i := range out {
		out[i] = *runs[i]
	}
	return out, nil
}
