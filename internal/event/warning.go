package event

import (
	"context"
	"fmt"
	"time"

	"github.com/weir-id/weir/internal/store"
)

// warningLife is how long a warning is kept; a problem that stands is told again
// then. maxWarnings is how many are looked through for an equal one.
const (
	warningLife = 30 * 24 * time.Hour
	maxWarnings = 200
)

// Warn records something about the configuration that should be changed, and
// where it comes from; only once for an identifier until the event expires.
func (r *Recorder) Warn(ctx context.Context, tx store.Tx, identifier, message, cause string, by By) error {
	type told struct{ Deprecation string }
	earlier, err := store.Select(ctx, tx, func(row store.Row) (told, error) {
		var t told
		err := row.Scan(store.JSON(&t))
		return t, err
	},
		"select context from events where action = $1 and expires > $2 order by created desc limit $3", string(ConfigurationWarning), r.now(), maxWarnings)
	if err != nil {
		return fmt.Errorf("read warnings: %w", err)
	}
	identifier = clean(identifier)
	for _, t := range earlier {
		if t.Deprecation == identifier {
			return nil
		}
	}
	return r.Record(ctx, tx, Event{Action: ConfigurationWarning, User: by.User, HTTP: by.HTTP, Brand: by.Brand, Lives: warningLife,
		Context: map[string]any{"deprecation": identifier, "message": message, "cause": cause}})
}
