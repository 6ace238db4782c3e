package resource

import (
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/store"
)

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

// guesses is weir_guard.guesslimit: how many wrong guesses stand against an
// account, an address of the network or a browser. People make them; here they
// are seen, and forgotten for those who wait without guilt.
func guesses(p people) *made[guessRow] {
	return &made[guessRow]{people: p, model: guessModel, what: "guess limit", rows: guessesTable(p.now), keys: []string{"pk"},
		remove: "delete from guesses where id = $1", members: new(guessRow), show: func(_ View, r *guessRow) map[string]any { return field.Encode(r, field.Public) },
		ref: func(r *guessRow) *Ref { return &Ref{Key: r.PK.String(), Name: string(r.Kind) + " " + r.Subject} }}
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
