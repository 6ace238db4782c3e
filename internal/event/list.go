package event

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/store"
)

// Recorded is a stored event.
type Recorded struct {
	ID       uuid.UUID      `json:"pk"`
	User     map[string]any `json:"user"`
	Action   Action         `json:"action"`
	App      string         `json:"app"`
	Context  map[string]any `json:"context"`
	ClientIP string         `json:"client_ip"`
	Created  time.Time      `json:"created"`
	Expires  time.Time      `json:"expires"`
	Brand    map[string]any `json:"brand"`
}

// Filter chooses events; its zero value chooses the latest 100 of all.
type Filter struct {
	Actions []Action
	// Before chooses events older than a time; zero means no bound.
	Before time.Time
	// Limit is the most events to return; 100 when 0.
	Limit int
}

// List returns the unexpired events that the filter chooses, latest first.
func (r *Recorder) List(ctx context.Context, q store.Querier, f Filter) ([]Recorded, error) {
	var args store.Args
	where := []string{"expires > " + args.Add(r.now())}
	if len(f.Actions) > 0 {
		where = append(where, "action in "+store.In(&args, texts(f.Actions)))
	}
	if !f.Before.IsZero() {
		where = append(where, "created < "+args.Add(f.Before))
	}
	if f.Limit <= 0 {
		f.Limit = 100
	}
	events, err := store.Select(ctx, q, Scan, "select "+Columns+" from events e where "+
		strings.Join(where, " and ")+" order by created desc, id limit "+args.Add(f.Limit), args...)
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	return events, nil
}

func texts(actions []Action) []string {
	out := make([]string, len(actions))
	for i, a := range actions {
		out[i] = string(a)
	}
	return out
}
