// Package reputation remembers how names and addresses of the network have
// behaved: a score for each pair of them, which a failed login lowers and a
// login raises. Policies ask for it, so that flows can be harder for those who
// fail often. It limits nothing itself; that is package guard.
//
// A score changes in the transaction of what it is about, by one statement, so
// that parallel failures all count. It ends a day after its first change, and
// one that has ended counts nowhere, whether or not its row is still there.
//
// Strangers can make up names without end. So rows are bounded, for each address
// and in all; those that say least go first: scores near zero, then old ones.
package reputation

import (
	"context"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/store"
)

// Bounds on the rows.
const (
	// DefaultAddressRows is how many names an address has a score with.
	DefaultAddressRows = 100
	// DefaultRows is how many scores there are in all.
	DefaultRows = 200_000
	// lookEvery is how many new rows a node makes between two looks at the
	// total, which may be exceeded by so many.
	lookEvery = 256
)

// DefaultExpiry is how long a score is remembered.
const DefaultExpiry = 24 * time.Hour

// unknown stands for the client where there is no request, as in events.
var unknown = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// Config is what Scores need. All fields without a stated default are required.
type Config struct {
	DB store.DB
	// Limits are the lowest and the highest score of a row.
	Limits func() (lower, upper int64)
	// Expiry is how long a score is remembered, DefaultExpiry when 0.
	Expiry time.Duration
	// Places tells where an address is and whose network it belongs to. Nil
	// knows nothing.
	Places func(netip.Addr) (geo, asn map[string]any)
	// Rows and AddressRows bound the rows, in all and for each address;
	// DefaultRows and DefaultAddressRows when 0.
	Rows, AddressRows int
	// Now is the clock; time.Now when nil.
	Now func() time.Time
}

// Scores keeps the scores. It is safe for concurrent use.
type Scores struct {
	c     Config
	fresh atomic.Int64
}

// New returns the scores of an installation.
func New(c Config) *Scores {
	if c.Expiry == 0 {
		c.Expiry = DefaultExpiry
	}
	if c.Rows == 0 {
		c.Rows = DefaultRows
	}
	if c.AddressRows == 0 {
		c.AddressRows = DefaultAddressRows
	}
	if c.Places == nil {
		c.Places = func(netip.Addr) (geo, asn map[string]any) { return nil, nil }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Scores{c: c}
}

func (s *Scores) now() time.Time { return s.c.Now().UTC().Truncate(time.Microsecond) }

// Identifier is the form in which a name is stored and compared.
func Identifier(name string) string { return guard.Short(directory.UsernameKey(name)) }

// Address is the form in which an address is stored and compared: itself, or
// the first one of its network where a client has a whole network to choose
// from.
func Address(addr netip.Addr) string {
	p := request.Network(addr)
	if !p.IsValid() {
		return unknown.String()
	}
	return p.Addr().String()
}

// Score is the sum of the scores of an address and of a name, as far as they
// are asked for: a nil one is not looked at, and of nothing the score is 0.
func (s *Scores) Score(ctx context.Context, from *netip.Addr, name *string) (int64, error) {
	var either string
	args := store.Args{s.now()}
	if from != nil {
		either = "ip = " + args.Add(Address(*from))
	}
	if name != nil {
		if either != "" {
			either += " or "
		}
		either += "identifier = " + args.Add(Identifier(*name))
	}
	if either == "" {
		return 0, nil
	}
	var sum int64
	err := s.c.DB.QueryRow(ctx, "select cast(coalesce(sum(score), 0) as bigint) from reputation where expires > $1 and ("+either+")", args...).Scan(&sum)
	if err != nil {
		return 0, fmt.Errorf("read reputation: %w", err)
	}
	return sum, nil
}

// Observe changes scores for what an event tells: a login raises the score, a
// failed one lowers it, also that of a name which nobody has.
func (s *Scores) Observe(ctx context.Context, tx store.Tx, e *event.Recorded) error {
	var name any
	var by int64
	switch e.Action {
	case event.Login:
		name, by = e.User["username"], 1
	case event.LoginFailed:
		name, by = e.Context["username"], -1
	}
	if name, ok := name.(string); ok && name != "" {
		from, _ := netip.ParseAddr(e.ClientIP)
		return s.change(ctx, tx, name, from, by)
	}
	return nil
}

// Unknown lowers the score of a name that was typed and that nobody has. The
// change belongs into the transaction of the step that says so.
func (s *Scores) Unknown(typed string, from netip.Addr) func(context.Context, flow.Tx) error {
	return func(ctx context.Context, tx flow.Tx) error {
		q, ok := tx.(store.Tx)
		if !ok {
			return fmt.Errorf("lower reputation: %T is no store transaction", tx)
		}
		return s.change(ctx, q, typed, from, -1)
	}
}

// change adds to a score within the limits. One that has ended begins anew.
func (s *Scores) change(ctx context.Context, tx store.Tx, name string, from netip.Addr, by int64) error {
	now, id, ip := s.now(), uuid.New(), Address(from)
	lower, upper := s.c.Limits()
	geo, asn := s.c.Places(from)
	var stored uuid.UUID
	err := tx.QueryRow(ctx, `insert into reputation (id, identifier, ip, ip_geo_data, ip_asn_data, score, updated, expires)
		values ($1, $2, $3, $4, $5, $6, $7, $8)
		on conflict (identifier, ip) do update set ip_geo_data = excluded.ip_geo_data, ip_asn_data = excluded.ip_asn_data, updated = excluded.updated,
			score = case when reputation.expires <= $7 then excluded.score
				when reputation.score + $9 < $10 then $10
				when reputation.score + $9 > $11 then $11
				else reputation.score + $9 end,
			expires = case when reputation.expires <= $7 then excluded.expires else reputation.expires end
		returning id`, id, Identifier(name), ip, store.JSON(known(geo)), store.JSON(known(asn)), min(max(by, lower), upper), now, now.Add(s.c.Expiry),
		by, lower, upper).Scan(&stored)
	if err != nil {
		return fmt.Errorf("change reputation: %w", err)
	}
	if stored != id {
		return nil
	}
	return s.bound(ctx, tx, id, ip)
}

func known(place map[string]any) map[string]any {
	if place == nil {
		return map[string]any{}
	}
	return place
}

// bound makes room for a new row.
func (s *Scores) bound(ctx context.Context, tx store.Tx, id uuid.UUID, ip string) error {
	if err := s.evict(ctx, tx, id, s.c.AddressRows, ip); err != nil {
		return err
	}
	if s.fresh.Add(1)%lookEvery != 0 {
		return nil
	}
	return s.evict(ctx, tx, id, s.c.Rows, "")
}

// evict deletes the rows that say least, but not the new one, until no more than
// most are left: of an address, or of all where that is empty.
func (s *Scores) evict(ctx context.Context, tx store.Tx, id uuid.UUID, most int, ip string) error {
	var args store.Args
	others := "id <> " + args.Add(id)
	if ip != "" {
		others += " and ip = " + args.Add(ip)
	}
	var n int
	if err := tx.QueryRow(ctx, "select count(*) from reputation where "+others, args...).Scan(&n); err != nil {
		return fmt.Errorf("count reputation: %w", err)
	}
	if n < most {
		return nil
	}
	_, err := tx.Exec(ctx, "delete from reputation where id in (select id from reputation where "+others+
		" order by abs(score), expires limit "+args.Add(n+1-most)+")", args...)
	if err != nil {
		return fmt.Errorf("bound reputation: %w", err)
	}
	return nil
}
