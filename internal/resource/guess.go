package resource

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/store"
)

// guess is weir_guard.guesslimit: how many wrong guesses stand against an
// account, an address of the network or a browser. People make them; here they
// are seen, and forgotten for those who wait without guilt.
type guess struct {
	people
	rows *table[guessRow]
}

const guessModel = "weir_guard.guesslimit"

// guessRow is a count, and what the API shows of it.
type guessRow struct {
	PK uuid.UUID `json:"pk"`
	// Kind says what Subject is: a name as it was typed, the address of a
	// network, or the fingerprint of a browser's cookie.
	Kind        guard.Kind `json:"kind" field:"readonly"`
	Subject     string     `json:"subject" field:"readonly"`
	Failures    int        `json:"failures" field:"readonly"`
	LastFailure time.Time  `json:"last_failure" field:"readonly"`
	// BlockedUntil is when the next guess is looked at; null for at once.
	BlockedUntil *time.Time `json:"blocked_until" field:"readonly,null"`
	// Expires is when the count is forgotten.
	Expires time.Time `json:"expires" field:"readonly"`
}

// Fields implements Objects.
func (k *guess) Fields() []field.Spec { return field.Describe(new(guessRow)) }

func guessRef(r *guessRow) *Ref {
	return &Ref{Model: guessModel, Key: r.PK.String(), Name: string(r.Kind) + " " + r.Subject, loaded: r}
}

func guessesTable(now func() time.Time) *table[guessRow] {
	return &table[guessRow]{
		from: "guesses g", columns: "g.id, g.kind, g.subject, g.failures, g.last_failure, g.blocked_until, g.expires", key: "g.id",
		scan: func(row store.Row) (guessRow, error) {
			var r guessRow
			var until time.Time
			err := row.Scan(&r.PK, &r.Kind, &r.Subject, &r.Failures, &r.LastFailure, &until, &r.Expires)
			if until.After(now()) {
				r.BlockedUntil = &until
			}
			return r, err
		},
		always: func(s *statement) { s.where("g.expires > ? and g.failures > 0", now()) },
		order: map[string]string{"pk": "g.id", "kind": "g.kind", "subject": "g.subject", "failures": "g.failures", "last_failure": "g.last_failure",
			"blocked_until": "g.blocked_until", "expires": "g.expires"},
		fallback: "g.last_failure desc, g.id",
		search:   mentions("g.subject"),
		filters: map[string]func(*statement, any){
			"kind": equals("g.kind"), "subject": equals("g.subject"),
			"blocked": func(s *statement, want any) {
				op := "<="
				if want == true {
					op = ">"
				}
				s.where("g.blocked_until "+op+" ?", now())
			},
		},
	}
}

func guessFilters() []Filter {
	return []Filter{{Name: "blocked", Type: "boolean"}, filterOf(field.Describe(new(guessRow)), "kind"), {Name: "subject"}}
}

// Find implements Objects.
func (k *guess) Find(ctx context.Context, v View, match map[string]any) (*Ref, error) {
	match, ok, err := lookup(guessModel, match, map[string]matchType{"pk": matchUUID})
	if err != nil || !ok {
		return nil, err
	}
	s := &statement{dialect: v.Dialect}
	k.rows.always(s)
	s.where("g.id = ?", fmt.Sprint(match["pk"]))
	found, err := store.Select(ctx, v.DB, k.rows.scan, "select "+k.rows.columns+" from "+k.rows.from+s.condition(), s.args...)
	if err != nil {
		return nil, fmt.Errorf("find guess limit: %w", err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return guessRef(&found[0]), nil
}

// List implements Objects.
func (k *guess) List(ctx context.Context, v View, q *Query) ([]*Ref, int, error) {
	rows, total, err := k.rows.list(ctx, v, q)
	refs := make([]*Ref, len(rows))
	for i := range rows {
		refs[i] = guessRef(&rows[i])
	}
	return refs, total, err
}

// Read implements Objects.
func (k *guess) Read(ctx context.Context, v View, refs ...*Ref) ([]map[string]any, error) {
	out := make([]map[string]any, len(refs))
	for i, ref := range refs {
		row, ok := ref.loaded.(*guessRow)
		if !ok {
			now, err := k.Find(ctx, v, map[string]any{"pk": ref.ID()})
			if err != nil {
				return nil, err
			}
			if now == nil {
				return nil, fmt.Errorf("read guess limit %s: %w", ref.ID(), ErrGone)
			}
			row = now.loaded.(*guessRow)
		}
		out[i] = field.Encode(row, field.Public)
	}
	return out, nil
}

// Create implements Objects.
func (k *guess) Create(context.Context, *Write, string, map[string]any) (*Ref, []string, error) {
	return nil, nil, never(guessModel)
}

// Update implements Objects.
func (k *guess) Update(context.Context, *Write, *Ref, map[string]any, field.Mode) (changed, unknown []string, err error) {
	return nil, nil, never(guessModel)
}

// Check implements Objects.
func (k *guess) Check(context.Context, *Write, *Ref, map[string]any) error { return never(guessModel) }

// Delete forgets the wrong guesses.
func (k *guess) Delete(ctx context.Context, w *Write, ref *Ref) error {
	n, err := w.Store().Exec(ctx, "delete from guesses where id = $1", ref.ID())
	if err == nil && n == 0 {
		err = ErrGone
	}
	if err != nil {
		return fmt.Errorf("forget guesses %s: %w", ref.ID(), err)
	}
	return k.record(ctx, w, event.ModelDeleted, ref)
}

// UsedBy implements Objects.
func (k *guess) UsedBy(context.Context, View, *Ref) ([]Use, error) { return []Use{}, nil }
