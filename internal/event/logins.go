package event

import (
	"context"
	"fmt"
	"time"

	"github.com/weir-id/weir/internal/store"
)

// PlacedLogin is a login from a place that is known.
type PlacedLogin struct {
	At time.Time
	// Lat and Long are in degrees.
	Lat, Long float64
}

const selectPlacedLogins = `select created, context -> 'geo' from events
	where user_id = $1 and action = $2 and expires > $3
		and context -> 'geo' ->> 'lat' is not null and context -> 'geo' ->> 'long' is not null
	order by created desc, id limit $4`

// PlacedLogins returns the latest logins of a user from places that are known,
// newest first, at most limit of them.
func (r *Recorder) PlacedLogins(ctx context.Context, q store.Querier, user int64, limit int) ([]PlacedLogin, error) {
	logins, err := store.Select(ctx, q, func(row store.Row) (l PlacedLogin, err error) {
		var geo struct{ Lat, Long float64 }
		err = row.Scan(&l.At, store.JSON(&geo))
		l.Lat, l.Long = geo.Lat, geo.Long
		return l, err
	}, selectPlacedLogins, user, string(Login), r.now(), limit)
	if err != nil {
		return nil, fmt.Errorf("list logins of user %d: %w", user, err)
	}
	return logins, nil
}
