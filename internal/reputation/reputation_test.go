package reputation_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/reputation"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
	"github.com/weir-id/weir/policy"
)

var home, away = netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("198.51.100.9")

// book is the scores with a clock.
type book struct {
	*testing.T
	db     store.DB
	config reputation.Config
	scores *reputation.Scores
	now    time.Time
}

func newBook(t *testing.T, db store.DB, change func(*reputation.Config)) *book {
	b := &book{T: t, db: db, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	b.config = reputation.Config{DB: db, Limits: func() (lower, upper int64) { return -5, 5 }, Now: func() time.Time { return b.now }}
	if change != nil {
		change(&b.config)
	}
	b.scores = reputation.New(b.config)
	return b
}

func (b *book) unknown(name string, from netip.Addr) {
	b.Helper()
	if err := b.db.Write(b.Context(), func(ctx context.Context, tx store.Tx) error { return b.scores.Unknown(name, from)(ctx, tx) }); err != nil {
		b.Fatal(err)
	}
}

func (b *book) score(from *netip.Addr, name string) int64 {
	b.Helper()
	var whose *string
	if name != "" {
		whose = &name
	}
	n, err := b.scores.Score(b.Context(), from, whose)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// rows lists what is stored, by name.
func (b *book) rows() []string {
	b.Helper()
	rows, err := store.Select(b.Context(), b.db, func(row store.Row) (string, error) {
		var name, ip string
		var score int64
		err := row.Scan(&name, &ip, &score)
		return fmt.Sprintf("%s %s %d", name, ip, score), err
	}, "select identifier, ip, score from reputation order by identifier, ip")
	if err != nil {
		b.Fatal(err)
	}
	return rows
}

func TestScores(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		b := newBook(t, db, nil)
		for range 3 {
			b.unknown("Bob", home)
		}
		b.unknown("bob", away)
		b.unknown("eve", home)
		for _, row := range []struct {
			what string
			from *netip.Addr
			name string
			want int64
		}{
			{"nothing is looked at", nil, "", 0},
			{"an address", &home, "", -4},
			{"a name, however it is written", nil, "BOB", -4},
			{"either, each row once", &home, "bob", -5},
			{"an address nobody knows", &netip.Addr{}, "", 0},
			{"a name nobody typed", nil, "ann", 0},
		} {
			if got := b.score(row.from, row.name); got != row.want {
				t.Errorf("%s: %d, want %d", row.what, got, row.want)
			}
		}
		for range 9 {
			b.unknown("bob", home)
		}
		if got := b.rows(); !cmp.Equal(got, []string{"bob 192.0.2.7 -5", "bob 198.51.100.9 -1", "eve 192.0.2.7 -1"}) {
			t.Errorf("beyond the limit: %q", got)
		}
		// The end is counted from the first change, and nobody waits for a cleaner.
		b.now = b.now.Add(24 * time.Hour)
		if got := b.score(&home, "bob"); got != 0 {
			t.Errorf("after a day: %d", got)
		}
		b.unknown("bob", home)
		if got := b.score(&home, "bob"); got != -1 {
			t.Errorf("one that has ended begins anew: %d", got)
		}
		b.now = b.now.Add(23 * time.Hour)
		b.unknown("bob", home)
		b.now = b.now.Add(time.Hour)
		if got := b.score(nil, "bob"); got != 0 {
			t.Errorf("a later change makes it last longer: %d", got)
		}
	})
}

func TestANetworkOfItsOwnIsOneAddress(t *testing.T) {
	b := newBook(t, storetest.SQLite(t), nil)
	six := netip.MustParseAddr("2001:db8:1:2::1")
	for i := range 3 {
		b.unknown(fmt.Sprint("user", i), six)
		six = six.Next()
	}
	if got := b.score(&six, ""); got != -3 {
		t.Errorf("the network has %d", got)
	}
	neighbour := netip.MustParseAddr("2001:db8:1:3::1")
	if got := b.score(&neighbour, ""); got != 0 {
		t.Errorf("the neighbour has %d", got)
	}
	b.unknown("mapped", netip.MustParseAddr("::ffff:192.0.2.7"))
	if got := b.score(&home, ""); got != -1 {
		t.Errorf("an IPv4 address written as IPv6 has a score of its own: %d", got)
	}
	b.unknown("nowhere", netip.Addr{})
	if got := b.rows(); !cmp.Equal(got[1], "nowhere 255.255.255.255 -1") {
		t.Errorf("without an address: %q", got)
	}
}

func TestEventsChangeScores(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		lower, upper := int64(-2), int64(1)
		b := newBook(t, db, func(c *reputation.Config) {
			c.Limits = func() (int64, int64) { return lower, upper }
			c.Places = func(netip.Addr) (geo, asn map[string]any) { return map[string]any{"country": "NL"}, nil }
		})
		events := event.Recorder{Now: b.config.Now, Observers: []event.Observer{b.scores.Observe}}
		ann := identity.NewPerson(identity.User{ID: 7, Username: "Ann"}, nil)
		record := func(e event.Event) {
			t.Helper()
			e.HTTP = &policy.HTTPRequest{ClientIP: home}
			if err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error { return events.Record(ctx, tx, e) }); err != nil {
				t.Fatal(err)
			}
		}
		failed := event.Event{Action: event.LoginFailed, User: ann, Context: map[string]any{"username": "ann"}}
		login := event.Event{Action: event.Login, User: ann}
		for i, step := range []struct {
			e    event.Event
			want int64
		}{
			{failed, -1}, {failed, -2}, {failed, -2}, {login, -1}, {login, 0}, {login, 1}, {login, 1}, {failed, 0},
			{event.Event{Action: event.Logout, User: ann}, 0},
			{event.Event{Action: event.LoginFailed, User: ann}, 0},
			{event.Event{Action: event.LoginFailed, Context: map[string]any{"username": 7}}, 0},
		} {
			record(step.e)
			if got := b.score(&home, ""); got != step.want {
				t.Errorf("step %d: %d, want %d", i, got, step.want)
			}
		}
		record(event.Event{Action: event.LoginFailed, Context: map[string]any{"username": "nobody"}})
		if got := b.score(nil, "nobody"); got != -1 {
			t.Errorf("a name that nobody has: %d", got)
		}
		upper = 0
		record(event.Event{Action: event.Login, User: identity.NewPerson(identity.User{ID: 8, Username: "eve"}, nil)})
		if got := b.score(nil, "eve"); got != 0 {
			t.Errorf("the first change is beyond the limit: %d", got)
		}
		var geo, asn map[string]any
		if err := db.QueryRow(t.Context(), "select ip_geo_data, ip_asn_data from reputation where identifier = 'ann'").Scan(store.JSON(&geo), store.JSON(&asn)); err != nil {
			t.Fatal(err)
		}
		if geo["country"] != "NL" || asn == nil || len(asn) != 0 {
			t.Errorf("the place is %v, %v", geo, asn)
		}
	})
}

// TestRule32FiftyParallelFailuresCountFifty: none is lost, for one name and for fifty.
func TestRule32FiftyParallelFailuresCountFifty(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		b := newBook(t, db, func(c *reputation.Config) { c.Limits = func() (lower, upper int64) { return -1000, 1000 } })
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				for _, name := range []string{"ann", fmt.Sprint("user", i)} {
					if err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error { return b.scores.Unknown(name, home)(ctx, tx) }); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if got := b.score(nil, "ann"); got != -50 {
			t.Errorf("one name: %d", got)
		}
		if got := b.score(&home, ""); got != -100 {
			t.Errorf("one address: %d", got)
		}
	})
}

func TestRowsAreBounded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		b := newBook(t, db, func(c *reputation.Config) { c.AddressRows = 3 })
		for range 2 {
			b.unknown("b-told", home)
		}
		for _, name := range []string{"a-old", "c-new", "d-new", "e-new"} {
			b.now = b.now.Add(time.Second)
			b.unknown(name, home)
		}
		b.unknown("a-old", away)
		want := []string{"a-old 198.51.100.9 -1", "b-told 192.0.2.7 -2", "d-new 192.0.2.7 -1", "e-new 192.0.2.7 -1"}
		if got := b.rows(); !cmp.Equal(got, want) {
			t.Errorf("rows %q, want %q", got, want)
		}

		b = newBook(t, db, func(c *reputation.Config) { c.Rows, c.AddressRows = 100, 2 })
		from := home
		for range 256 {
			b.unknown("somebody", from)
			from = from.Next()
		}
		if got := b.rows(); len(got) != 100 || !strings.Contains(strings.Join(got, ","), "b-told") {
			t.Errorf("%d rows are left of all: %q", len(got), got)
		}
		long := strings.Repeat("x", 2000)
		b.unknown(long, home)
		if got := b.score(nil, long); got != -1 {
			t.Errorf("a long name: %d", got)
		}
		for _, row := range b.rows() {
			if len(row) > 300 {
				t.Errorf("a name of %d bytes is stored", len(row))
			}
		}
	})
}
