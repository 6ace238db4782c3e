package weir

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/flowhttp"
	"github.com/weir-id/weir/internal/lru"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/session"
	"github.com/weir-id/weir/internal/web"
)

// inspectors remembers for a minute who may inspect which flow. It decides only what is
// recorded of their steps; whoever looks at that is asked again.
type inspectors struct {
	*Installation
	known *lru.Cache[inspects, remembered]
}

type inspects struct {
	user int64
	flow uuid.UUID
}

type remembered struct {
	may   bool
	until time.Time
}

func (in *Installation) inspectors() *inspectors {
	return &inspectors{in, lru.New[inspects, remembered](1000)}
}

// Record implements flow.Config.Inspect.
func (i *inspectors) Record(ctx context.Context, p *identity.Person, f *flow.Flow) bool {
	key, now := inspects{p.ID, f.ID}, i.now()
	if r, ok := i.known.Get(key); ok && now.Before(r.until) {
		return r.may
	}
	may, err := i.may(ctx, p, f.ID)
	if err != nil {
		return false // the step goes on, unrecorded
	}
	i.known.Put(key, remembered{may, now.Add(time.Minute)})
	return may
}

func (i *inspectors) may(ctx context.Context, p *identity.Person, flowID uuid.UUID) (bool, error) {
	return i.access.Can(ctx, p, resource.Inspect, "flow", flowID.String())
}

// inspectorPages are the runs of flows for pages.
type inspectorPages struct {
	*inspectors
	runner *flowhttp.Runner
}

var _ web.Inspector = (*inspectorPages)(nil)

// Inspect implements web.Inspector.
func (i *inspectorPages) Inspect(w http.ResponseWriter, r *http.Request, slug, run string) (*web.Inspection, error) {
	current, err := i.runner.Current(w, r)
	if err != nil {
		return nil, err
	}
	f, ok := i.view().FlowBySlug(slug)
	if !ok {
		return nil, web.ErrForbidden
	}
	if ok, err := i.may(r.Context(), current.Person, f.ID); err != nil || !ok {
		return nil, errOr(err, web.ErrForbidden)
	}
	out := &web.Inspection{Flow: f.Slug, Title: f.Name, Over: true}
	var steps []session.Step
	var e *flow.Execution
	if run == "" {
		steps, e, err = i.sessions.Inspect(r.Context(), current.Session, f.ID)
	} else {
		id, bad := uuid.Parse(run)
		if bad != nil {
			return nil, web.ErrForbidden
		}
		if steps, err = i.sessions.Steps(r.Context(), id); err == nil && (len(steps) == 0 || steps[0].Flow != f.ID) {
			err = web.ErrForbidden
		}
	}
	if err != nil {
		return nil, err
	}
	if e != nil {
		out.Over = false
		for _, entry := range e.Plan.Entries {
			out.Ahead = append(out.Ahead, i.stageName(&entry))
		}
	}
	for _, s := range steps {
		step, err := inspectedStep(&s)
		if err != nil {
			return nil, err
		}
		out.Steps = append(out.Steps, step)
		out.Download = "/api/v3/weir/executions/" + s.Execution.String() + "/"
	}
	return out, nil
}

func errOr(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}

func (i *inspectorPages) stageName(e *flow.Entry) string {
	if e.Inline != nil {
		return e.Inline.Name
	}
	if s, ok := i.view().Stage(e.Stage); ok {
		return s.Name
	}
	return e.Stage.String()
}

func inspectedStep(s *session.Step) (web.InspectedStep, error) {
	t := &s.Trace
	out := web.InspectedStep{N: s.N, At: s.Created, Stage: t.Stage, Type: t.Type, Outcome: t.Outcome, Message: t.Message, Answer: t.Answer}
	if t.Seen != nil {
		text, err := json.MarshalIndent(t.Seen.Context, "", "  ")
		if err != nil {
			return out, fmt.Errorf("show context of step %d: %w", s.N, err)
		}
		out.Context = string(text)
	}
	for _, target := range t.Policies {
		for _, p := range target.Policies {
			v := web.InspectedPolicy{Target: target.Target, Name: p.Name, Verdict: p.Verdict, Messages: p.Messages, Error: p.Error}
			if p.Took > 0 {
				v.Took = p.Took.Round(time.Microsecond).String()
			}
			out.Policies = append(out.Policies, v)
		}
	}
	return out, nil
}
