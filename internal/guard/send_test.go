package guard_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

// mail counts a mail, as another process does each time; it returns what refuses it
// and for how long.
func (g *gate) mail(s guard.Send) (guard.Kind, time.Duration) {
	g.Helper()
	var limited *guard.LimitedError
	err := g.db.Write(g.Context(), func(ctx context.Context, tx store.Tx) error {
		limited = nil
		err := g.guard().Send(ctx, tx, s)
		if errors.As(err, &limited) {
			return nil
		}
		return err
	})
	if err != nil {
		g.Fatal(err)
	}
	if limited == nil {
		return "", 0
	}
	return limited.Kind, limited.Wait
}

func TestMailsToAnAddressComeSlowerAndSlower(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		g := newGate(t, db)
		addr := home
		send := func(to string) (guard.Kind, time.Duration) {
			addr = addr.Next()
			return g.mail(guard.Send{Recipients: []string{to}, Client: addr})
		}
		begin := g.now
		for i, want := range []time.Duration{0, 0, 30 * time.Second, time.Minute, 2 * time.Minute} {
			if want > 0 {
				if kind, wait := send("Ann@example.com"); kind != guard.MailAddress || wait != want {
					t.Fatalf("mail %d at once: %q for %s, want %s", i+1, kind, wait, want)
				}
				g.now = g.now.Add(want)
			}
			if kind, _ := send("ann@example.com"); kind != "" {
				t.Fatalf("mail %d is refused", i+1)
			}
		}
		left := begin.Add(time.Hour).Sub(g.now)
		for _, spelling := range []string{"ann@example.com", "ANN@EXAMPLE.COM", "ann+more@example.com", "ann@example.com."} {
			if kind, wait := send(spelling); kind != guard.MailAddress || wait != left {
				t.Errorf("the sixth, to %s: %q for %s, want the rest of the hour, %s", spelling, kind, wait, left)
			}
		}
		if kind, _ := send("bob@example.com"); kind != "" {
			t.Error("another address has to wait, too")
		}
		if n := g.refused[guard.MailAddress]; n != 7 {
			t.Errorf("%d refusals were reported", n)
		}
		g.now = begin.Add(time.Hour)
		if kind, _ := send("ann@example.com"); kind != "" {
			t.Error("an hour later it is still refused")
		}
	})
}

func TestMailsOfAnAccountAndOfAClient(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		g := newGate(t, db)
		addr := home
		for i := range 10 {
			addr = addr.Next()
			if kind, _ := g.mail(guard.Send{Account: 7, Recipients: []string{fmt.Sprintf("a%d@example.com", i)}, Client: addr}); kind != "" {
				t.Fatalf("mail %d about the account is refused by %q", i+1, kind)
			}
		}
		if kind, _ := g.mail(guard.Send{Account: 7, Recipients: []string{"new@example.com"}, Client: home}); kind != guard.MailAccount {
			t.Errorf("the eleventh is refused by %q", kind)
		}
		if n := g.failures(guard.MailAddress, "new@example.com"); n != 0 {
			t.Errorf("a mail that was not sent counts %d for its address", n)
		}
		if n := g.failures(guard.MailClient, home.String()); n != 1 {
			t.Errorf("a mail that was not sent counts %d for who asked", n)
		}
		six := netip.MustParseAddr("2001:db8:1:2::1")
		for i := range 20 {
			six = six.Next()
			if kind, _ := g.mail(guard.Send{Recipients: []string{fmt.Sprintf("b%d@example.com", i)}, Client: six}); kind != "" {
				t.Fatalf("mail %d of the client is refused by %q", i+1, kind)
			}
		}
		if kind, wait := g.mail(guard.Send{Recipients: []string{"c@example.com"}, Client: six.Next()}); kind != guard.MailClient || wait != 10*time.Minute {
			t.Errorf("the next one is refused by %q for %s", kind, wait)
		}
		if n := g.failures(guard.MailAddress, "c@example.com"); n != 0 {
			t.Errorf("it counts %d for its address", n)
		}
		// What the installation sends by itself strangers do not use up.
		for i := range 60 {
			if kind, _ := g.mail(guard.Send{Account: 7, Recipients: []string{"b0@example.com"}, Client: six, Notice: true}); kind != "" {
				t.Fatalf("notice %d is refused by %q", i+1, kind)
			}
		}
		if kind, _ := g.mail(guard.Send{Recipients: []string{"b0@example.com"}, Notice: true}); kind != guard.MailNotice {
			t.Errorf("the next notice is refused by %q", kind)
		}
	})
}

// TestRule18WhoAsksForAnAccountThatExistsMayAskAsOften: what a client is told does
// not depend on whether there is a mailbox that has had its mails.
func TestRule18WhoAsksForAnAccountThatExistsMayAskAsOften(t *testing.T) {
	g := newGate(t, storetest.SQLite(t))
	there, nobody := home, home.Next()
	for i := range 25 {
		kind, wait := g.mail(guard.Send{Account: 7, Recipients: []string{"ann@example.com"}, Client: there})
		if !(&guard.LimitedError{Kind: kind}).Tell() {
			kind, wait = "", 0 // answered as if it had been sent
		}
		pretended, also := g.mail(guard.Send{Client: nobody})
		if kind != pretended || wait != also {
			t.Errorf("mail %d: %q for %s where there is an account, %q for %s where there is none", i+1, kind, wait, pretended, also)
		}
	}
}

// TestRule32FiftyParallelMailsCountFifty: none is lost, and not one more than the
// limit is sent; two recipients in either order wait for nobody in a circle.
func TestRule32FiftyParallelMailsCountFifty(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		for _, limit := range []int{100, 10} {
			g := newGate(t, db)
			sends := guard.SendLimits{Address: limit, Account: 1000, Window: time.Hour, Client: 1000, ClientWindow: time.Hour, Notices: 1}
			to := []string{fmt.Sprintf("a%d@example.com", limit), fmt.Sprintf("b%d@example.com", limit)}
			var sent atomic.Int32
			var all sync.WaitGroup
			shared := guard.New(guard.Config{DB: db, Key: func(s string) string { return s }, Now: func() time.Time { return g.now }, Sends: sends})
			for i := range 50 {
				all.Go(func() {
					recipients := []string{to[i%2], to[1-i%2]}
					err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
						return shared.Send(ctx, tx, guard.Send{Account: 7, Recipients: recipients, Client: home})
					})
					var limited *guard.LimitedError
					if err == nil {
						sent.Add(1)
					} else if !errors.As(err, &limited) {
						t.Error(err)
					}
				})
			}
			all.Wait()
			want := min(50, limit)
			if n := g.failures(guard.MailAddress, to[0]); n != want || int(sent.Load()) != want {
				t.Errorf("limit %d: counted %d, sent %d of 50, want %d", limit, n, sent.Load(), want)
			}
		}
	})
}

// What was wanted is no nuisance: it takes nothing of the limits.
func TestTakingBack(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		g := newGate(t, db)
		s := guard.Send{Account: 7, Recipients: []string{"duo DU1"}, Client: home}
		for i := range 30 {
			if kind, wait := g.mail(s); kind != "" {
				t.Fatalf("message %d is refused by %s for %s", i+1, kind, wait)
			}
			if err := g.db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error { return g.guard().TakeBack(ctx, tx, s) }); err != nil {
				t.Fatal(err)
			}
		}
		g.mail(s)
		g.mail(s)
		if kind, wait := g.mail(s); kind != guard.MailAddress || wait != 30*time.Second {
			t.Errorf("the third that nobody wanted: %q for %s", kind, wait)
		}
	})
}
