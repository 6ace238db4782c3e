package guard_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/device"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

var home = netip.MustParseAddr("192.0.2.7")

// gate is a guard with a clock.
type gate struct {
	*testing.T
	db      store.DB
	limits  guard.Limits
	now     time.Time
	mu      sync.Mutex
	refused map[guard.Kind]int
}

// open seals nothing.
type open struct{}

func (open) Seal(plain []byte, place string) []byte { return append([]byte(place), plain...) }
func (open) Open(sealed []byte, place string) ([]byte, error) {
	if plain, ok := strings.CutPrefix(string(sealed), place); ok {
		return []byte(plain), nil
	}
	return nil, errors.New("not sealed")
}

func newGate(t *testing.T, db store.DB) *gate {
	return &gate{T: t, db: db, limits: guard.DefaultLimits(), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), refused: map[guard.Kind]int{}}
}

// guard is a new one each time, as another process has.
func (g *gate) guard() *guard.Guard {
	return guard.New(guard.Config{DB: g.db, Limits: g.limits, Key: strings.ToLower, Devices: open{}, Now: func() time.Time { return g.now },
		Refused: func(k guard.Kind) { g.mu.Lock(); defer g.mu.Unlock(); g.refused[k]++ }})
}

// guess is a wrong guess; it returns what the guesser is told to wait.
func (g *gate) guess(guess guard.Guess, user *identity.Person) time.Duration {
	g.Helper()
	_, err := g.guard().Begin(g.Context(), guess, user)
	var limited *guard.LimitedError
	if errors.As(err, &limited) {
		return limited.Wait
	}
	if err != nil {
		g.Fatal(err)
	}
	return 0
}

func (g *gate) right(guess guard.Guess, user *identity.Person) {
	g.Helper()
	trial, err := g.guard().Begin(g.Context(), guess, user)
	if err == nil {
		err = g.db.Write(g.Context(), trial.Right)
	}
	if err != nil {
		g.Fatal(err)
	}
}

func (g *gate) failures(kind guard.Kind, subject string) int {
	g.Helper()
	n, err := store.Select(g.Context(), g.db, store.Column[int], "select failures from guesses where kind = $1 and subject = $2", kind, subject)
	if err != nil {
		g.Fatal(err)
	}
	if len(n) == 0 {
		return 0
	}
	return n[0]
}

func ann() *identity.Person {
	return identity.NewPerson(identity.User{ID: 7, UUID: uuid.MustParse("11111111-1111-4111-8111-111111111111"), Username: "ann"}, nil)
}

func TestAccountWaitsLongerAndLonger(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		g := newGate(t, db)
		// Someone with a network of their own guesses from ever new addresses.
		addr := home
		guess := func() time.Duration {
			addr = addr.Next()
			return g.guess(guard.Guess{Account: "Ann", Client: addr}, ann())
		}
		for i := range 10 {
			if wait := guess(); wait != 0 {
				t.Fatalf("guess %d has to wait %s", i+1, wait)
			}
		}
		for i, want := range []time.Duration{5, 10, 20, 40, 80, 160, 300, 300} {
			want *= time.Second
			if wait := guess(); wait != want {
				t.Errorf("step %d: wait %s, want %s", i, wait, want)
			}
			g.now = g.now.Add(want - time.Second)
			if wait := guess(); wait != time.Second {
				t.Errorf("step %d: a refused guess changed the wait to %s", i, wait)
			}
			g.now = g.now.Add(time.Second)
			if wait := guess(); wait != 0 {
				t.Errorf("step %d: still to wait %s", i, wait)
			}
		}
		if n := g.refused[guard.Account]; n != 16 {
			t.Errorf("%d refusals were reported", n)
		}
		if g.guess(guard.Guess{Account: "ann", Client: home}, nil) == 0 {
			t.Error("another spelling, or a flow that does not know the person, has a count of its own")
		}
		if g.guess(guard.Guess{Account: "bob", Client: home}, nil) != 0 {
			t.Error("another account has to wait, too")
		}
		g.now = g.now.Add(24 * time.Hour)
		for i := range 10 {
			if wait := guess(); wait != 0 {
				t.Fatalf("a day later guess %d has to wait %s", i+1, wait)
			}
		}
	})
}

func TestRightGuessBeginsAnew(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		g := newGate(t, db)
		guess := guard.Guess{Account: "ann", Client: home}
		for range 9 {
			g.guess(guess, ann())
		}
		g.right(guess, ann())
		if n := g.failures(guard.Account, "ann"); n != 0 {
			t.Errorf("%d wrong guesses are left", n)
		}
		if n := g.failures(guard.Address, home.String()); n != 9 {
			t.Errorf("the address has %d wrong guesses, want 9", n)
		}
		// The tenth, which closes the door behind it, opens it again.
		for range 9 {
			g.guess(guess, ann())
		}
		trial, err := g.guard().Begin(t.Context(), guess, ann())
		if err != nil {
			t.Fatal(err)
		}
		if g.guess(guess, ann()) == 0 {
			t.Error("an eleventh guess was let in while the tenth was being judged")
		}
		if err := db.Write(t.Context(), trial.Undo); err != nil {
			t.Fatal(err)
		}
		if wait := g.guess(guess, ann()); wait != 0 {
			t.Errorf("a guess that nobody judged counts: wait %s", wait)
		}
	})
}

func TestAddressHasItsWindow(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		g := newGate(t, db)
		six := netip.MustParseAddr("2001:db8:1:2::1")
		for i := range 100 {
			if wait := g.guess(guard.Guess{Account: fmt.Sprint("user", i), Client: six}, nil); wait != 0 {
				t.Fatalf("guess %d has to wait %s", i+1, wait)
			}
			six = six.Next()
			g.now = g.now.Add(time.Second)
		}
		if wait := g.guess(guard.Guess{Account: "x", Client: six}, nil); wait != 500*time.Second {
			t.Errorf("wait %s, want the rest of ten minutes", wait)
		}
		if n := g.failures(guard.Account, "x"); n != 0 {
			t.Error("a guess that nobody looked at was counted for the account")
		}
		if wait := g.guess(guard.Guess{Account: "x", Client: netip.MustParseAddr("2001:db8:1:3::1")}, nil); wait != 0 {
			t.Error("the neighbour's network has to wait, too")
		}
		g.now = g.now.Add(500 * time.Second)
		if wait := g.guess(guard.Guess{Account: "x", Client: six}, nil); wait != 0 {
			t.Errorf("after the window: wait %s", wait)
		}
		mapped := netip.MustParseAddr("::ffff:192.0.2.7")
		g.guess(guard.Guess{Account: "y", Client: mapped}, nil)
		if g.failures(guard.Address, "192.0.2.7") != 1 {
			t.Error("an IPv4 address written as IPv6 has a count of its own")
		}
		g.guess(guard.Guess{Account: "y"}, nil)
		if g.failures(guard.Address, "unknown") != 1 {
			t.Error("guesses from nowhere are not counted")
		}
	})
}

func TestKnownBrowserIsNotLockedOut(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		g := newGate(t, db)
		cookie := func(d device.Device) string {
			value, err := device.Encode(open{}, d)
			if err != nil {
				t.Fatal(err)
			}
			return value
		}
		known := cookie(device.Device{Subject: ann().UUID, Expires: g.now.Add(time.Hour)})
		for range 20 {
			g.guess(guard.Guess{Account: "ann", Client: home}, ann())
		}
		for name, c := range map[string]string{"no cookie": "", "an invented cookie": "AAAA",
			"somebody else's": cookie(device.Device{Subject: uuid.New(), Expires: g.now.Add(time.Hour)}),
			"an old one":      cookie(device.Device{Subject: ann().UUID, Expires: g.now})} {
			if g.guess(guard.Guess{Account: "ann", Client: home, Device: c}, ann()) == 0 {
				t.Errorf("%s opens the door", name)
			}
		}
		at := guard.Guess{Account: "ann", Client: home, Device: known}
		for i := range 10 {
			if wait := g.guess(at, ann()); wait != 0 {
				t.Fatalf("guess %d in a known browser has to wait %s", i+1, wait)
			}
		}
		if g.guess(at, ann()) == 0 {
			t.Error("a known browser has no limit of its own")
		}
		if g.guess(guard.Guess{Account: "bob", Client: home, Device: known}, nil) != 0 {
			t.Error("a device cookie of ann counts for another name")
		}
	})
}

func TestNewPasswordEndsTheWait(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		g := newGate(t, db)
		long := strings.Repeat("x", 500)
		for _, name := range []string{"ann", "ann@example.com", long} {
			for range 11 {
				g.guess(guard.Guess{Account: name, Client: home}, ann())
			}
		}
		err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
			return g.guard().Forget(ctx, tx, "ANN", "ann@example.com", "")
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]bool{"ann": false, "ann@example.com": false, long: true} {
			if waits := g.guess(guard.Guess{Account: name, Client: home}, ann()) > 0; waits != want {
				t.Errorf("%.20s: waits %v", name, waits)
			}
		}
	})
}

// TestRule32FiftyParallelGuessesCountFifty: none is lost, and not one more than
// the limit is looked at.
func TestRule32FiftyParallelGuessesCountFifty(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		for _, limit := range []int{100, 10} {
			g := newGate(t, db)
			g.limits.Account, g.limits.Address = limit, 1000
			account := fmt.Sprint("ann", limit)
			var looked atomic.Int32
			var all sync.WaitGroup
			shared := g.guard()
			for range 50 {
				all.Go(func() {
					trial, err := shared.Begin(t.Context(), guard.Guess{Account: account, Client: home}, ann())
					var limited *guard.LimitedError
					switch {
					case err == nil:
						looked.Add(1)
						trial.End()
					case !errors.As(err, &limited):
						t.Error(err)
					}
				})
			}
			all.Wait()
			want := min(50, limit)
			if n := g.failures(guard.Account, account); n != want || int(looked.Load()) != want {
				t.Errorf("limit %d: counted %d, looked at %d of 50 guesses, want %d", limit, n, looked.Load(), want)
			}
		}
	})
}

// TestManyRightGuessesAtOnceHaveNoLimit: what is not judged yet is no wrong guess.
func TestManyRightGuessesAtOnceHaveNoLimit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		g := newGate(t, db)
		shared := g.guard()
		guess := guard.Guess{Account: "ann", Client: home}
		for range 8 {
			g.guess(guess, ann())
		}
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				trial, err := shared.Begin(t.Context(), guess, ann())
				if err != nil {
					t.Error(err)
					return
				}
				if err := db.Write(t.Context(), trial.Right); err != nil {
					t.Error(err)
				}
				trial.End()
			})
		}
		all.Wait()
		if n := g.failures(guard.Account, "ann"); n != 0 {
			t.Errorf("%d wrong guesses are left", n)
		}
		if n := g.failures(guard.Address, home.String()); n != 8 {
			t.Errorf("the address has %d wrong guesses, want 8", n)
		}
	})
}

func TestRefusalSaysHowLong(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		time.Millisecond: "Wait 1 second,", 4200 * time.Millisecond: "Wait 5 seconds,", time.Minute: "Wait 60 seconds,",
		61 * time.Second: "Wait 2 minutes,", 5 * time.Minute: "Wait 5 minutes,",
	} {
		errs := guard.Refusal(fmt.Errorf("check: %w", &guard.LimitedError{Kind: guard.Account, Wait: wait}))
		if got := errs["non_field_errors"]; len(got) != 1 || got[0].Code != "throttled" || !strings.Contains(got[0].String, want) {
			t.Errorf("%s: %v", wait, errs)
		}
	}
	if guard.Refusal(errors.New("x")) != nil || guard.Refusal(nil) != nil {
		t.Error("another error is taken for a refusal")
	}
}

// On PostgreSQL, guesses from one address stand in line for its count with the
// times that they came at.
func TestAGuessThatStoodInLineIsNotRefused(t *testing.T) {
	g := newGate(t, storetest.SQLite(t))
	guess := guard.Guess{Account: "ada", Client: home}
	g.right(guess, nil)
	for range 3 {
		g.now = g.now.Add(-time.Millisecond)
		if wait := g.guess(guess, nil); wait != 0 {
			t.Fatalf("a free guess has to wait %s", wait)
		}
	}
}
