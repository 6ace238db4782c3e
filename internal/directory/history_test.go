package directory_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/directory/password"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
	"github.com/weir-id/weir/policy"
)

// set gives a user passwords, one after the other.
func (h *house) set(user int64, plain ...string) {
	h.Helper()
	for _, p := range plain {
		h.must(func(ctx context.Context, tx store.Tx) error { return h.SetPassword(ctx, tx, user, p) })
	}
}

// chosen asks whether a password was used, each time as another account, so that
// no limit is met.
func (h *house) chosen(ctx context.Context, user int64, plain string, newest int) (bool, error) {
	h.asked++
	return h.PasswordUsed(ctx, guard.Guess{Account: fmt.Sprint("asked", h.asked), Choice: true}, identity.NewPerson(identity.User{ID: user}, nil), plain, newest)
}

// used are those of the passwords that count as used.
func (h *house) used(user int64, newest int, plain ...string) (out []string) {
	h.Helper()
	for _, p := range plain {
		is, err := h.chosen(h.Context(), user, p, newest)
		if err != nil {
			h.Fatal(err)
		}
		if is {
			out = append(out, p)
		}
	}
	return out
}

func (h *house) rows(user int64) (n int) {
	h.Helper()
	if err := h.db.QueryRow(h.Context(), "select count(*) from password_history where user_id = $1", user).Scan(&n); err != nil {
		h.Fatal(err)
	}
	return n
}

func TestPasswordHistory(t *testing.T) {
	all := []string{"one", "two", "three", "four", "five"}
	rows := []struct {
		name string
		// keep is how many are wanted while the passwords are set.
		keep   int
		set    []string
		newest int
		want   []string
	}{
		{"nobody wants one: only the present password is known", 0, all, 3, []string{"five"}},
		{"no password at all", 3, nil, 3, nil},
		{"the present password counts before there is any history", 3, all[:1], 3, []string{"one"}},
		{"the newest ones and the present one", 3, all, 2, []string{"three", "four", "five"}},
		{"all that is kept", 3, all, 50, []string{"two", "three", "four", "five"}},
		{"more are wanted than there are", 50, all[:3], 50, []string{"one", "two", "three"}},
		{"the same password again is another entry", 3, []string{"one", "one", "one", "two"}, 2, []string{"one", "two"}},
	}
	storetest.Each(t, func(t *testing.T, db store.DB) {
		for i, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				h := newHouse(t, db)
				h.history = row.keep
				u := h.create(identity.User{Username: fmt.Sprintf("u%d", i), Active: true})
				other := h.create(identity.User{Username: fmt.Sprintf("other%d", i), Active: true})
				h.set(other.ID, "theirs", "theirs too")
				h.set(u.ID, row.set...)
				if got := h.used(u.ID, row.newest, append(all, "theirs", "theirs too")...); !slices.Equal(got, row.want) {
					t.Errorf("used are %q, want %q", got, row.want)
				}
				if n := h.rows(u.ID); n > row.keep {
					t.Errorf("%d are kept", n)
				}
			})
		}
	})
}

// Changes at the same time lose no password: each that was replaced is there.
func TestRule32ParallelChangesLoseNoPassword(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h := newHouse(t, db)
		h.history = 50
		u := h.create(identity.User{Username: "ada", Active: true})
		hash, err := h.HashPassword(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		set := map[string]bool{}
		var all errgroup.Group
		for i := range 20 {
			own := hash[:len(hash)-2] + fmt.Sprintf("%02d", i)
			set[own] = true
			all.Go(func() error {
				return h.write(func(ctx context.Context, tx store.Tx) error { return h.SetPasswordHash(ctx, tx, u.ID, own) })
			})
		}
		if err := all.Wait(); err != nil {
			t.Fatal(err)
		}
		earlier, err := store.Select(t.Context(), db, store.Column[string], "select hash from password_history where user_id = $1", u.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range append(earlier, h.read(u.ID).PasswordHash) {
			if !set[h] {
				t.Errorf("%q is there twice, or was never set", h)
			}
			delete(set, h)
		}
		if len(set) > 0 {
			t.Errorf("%d passwords are lost", len(set))
		}
	})
}

func TestWhatDoesNotGetIntoTheHistory(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h := newHouse(t, db)
		h.history = 5
		hash, err := h.HashPassword(t.Context(), "first")
		if err != nil {
			t.Fatal(err)
		}
		u := h.create(identity.User{Username: "ada", Active: true, PasswordHash: hash})
		put := func(encoded string) {
			h.must(func(ctx context.Context, tx store.Tx) error { return h.SetPasswordHash(ctx, tx, u.ID, encoded) })
		}
		put(hash) // as when somebody is made: no change
		if n := h.rows(u.ID); n != 0 {
			t.Errorf("the hash that stayed is there %d times", n)
		}
		put(password.Unusable)
		if n := h.rows(u.ID); n != 1 {
			t.Errorf("%d entries after the first change", n)
		}
		put(hash) // from none to one
		if n := h.rows(u.ID); n != 1 {
			t.Errorf("having no password is there as well: %d", n)
		}
		h.set(u.ID, "second")
		h.must(func(ctx context.Context, tx store.Tx) error { return h.DeleteUser(ctx, tx, u.ID) })
		if n := h.rows(u.ID); n != 0 {
			t.Errorf("%d entries outlive the person", n)
		}
	})
}

// A hash of an import is compared within the bounds of every other one; what
// cannot be verified costs nothing and refuses nobody.
func TestRule44EarlierPasswordsAreComparedWithinBounds(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h := newHouse(t, db)
		h.history = 5
		u := h.create(identity.User{Username: "ada", Active: true})
		h.set(u.ID, "first", "second")
		for _, hash := range []string{"", "md5$x$y", password.Unusable, "pbkdf2_sha256$2000000000$salt$aGFzaA==", "$argon2id$v=19$m=4194304,t=99,p=4$c2FsdHNhbHQ$aGFzaGhhc2g"} {
			if _, err := db.Exec(t.Context(), "insert into password_history (user_id, hash, created) values ($1, $2, $3)", u.ID, hash, h.now); err != nil {
				t.Fatal(err)
			}
		}
		h.hashes = 0
		if used, err := h.chosen(t.Context(), u.ID, "first", 50); err != nil || !used {
			t.Errorf("behind hashes that cannot be verified: %v, %v", used, err)
		}
		if h.hashes != 2 {
			t.Errorf("%d hashes were computed, want those of the two passwords", h.hashes)
		}
		h.hashes = 0
		if used, err := h.chosen(t.Context(), u.ID, string(make([]byte, password.MaxPlainBytes+1)), 50); err != nil || used || h.hashes != 0 {
			t.Errorf("an overlong password: %v, %v, %d hashes", used, err, h.hashes)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := h.chosen(gone, u.ID, "first", 50); !errors.Is(err, context.Canceled) {
			t.Errorf("for somebody who has gone: %v", err)
		}
	})
}

// Comparisons wait in the same queue as every other hash.
func TestEarlierPasswordsWaitForACore(t *testing.T) {
	db := storetest.SQLite(t)
	queue := password.NewQueue(password.QueueConfig{Workers: 1, MaxWaiting: 1, MaxWait: time.Millisecond})
	hasher, err := password.NewHasher(password.Params{MemoryKiB: 7 * 1024, Passes: 1, Lanes: 1}, queue)
	if err != nil {
		t.Fatal(err)
	}
	h := newHouse(t, db)
	u := h.create(identity.User{Username: "ada", Active: true})
	h.set(u.ID, "first")
	busy := directory.New(directory.Config{DB: db, Hasher: hasher})
	var counted int
	err = queue.Do(t.Context(), func() {
		if _, err := busy.PasswordUsed(t.Context(), guard.Guess{Account: "ada", Choice: true}, h.NewPerson(u), "x", 1); !errors.Is(err, flow.ErrOverloaded) {
			t.Errorf("while all cores are busy: %v", err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.QueryRow(t.Context(), "select failures from guesses").Scan(&counted); err != nil || counted != 0 {
		t.Errorf("%d guesses are counted that nobody judged, %v", counted, err)
	}
}

// Asking for an earlier password is guessing one: it counts before the hashes are
// looked at, stops like every guess, and leaves the addresses of an office alone.
func TestRule31ChoosingAPasswordIsCounted(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h := newHouse(t, db)
		u := h.create(identity.User{Username: "ada", Active: true})
		h.set(u.ID, "secret")
		p := h.NewPerson(h.read(u.ID))
		guess := guard.Guess{Account: "ada", Choice: true, Client: netip.MustParseAddr("192.0.2.1")}
		ask := func(plain string) (bool, error) { return h.PasswordUsed(t.Context(), guess, p, plain, 3) }
		nobody := h.create(identity.User{Username: "none", Active: true})
		for range 20 { // nothing to compare with is no guess
			if _, err := h.PasswordUsed(t.Context(), guess, h.NewPerson(nobody), "x", 3); err != nil {
				t.Fatal(err)
			}
		}
		free := guard.DefaultLimits().Account
		for i := range free {
			if used, err := ask("secret"); err != nil || !used {
				t.Fatalf("question %d: %v, %v", i+1, used, err)
			}
		}
		h.hashes = 0
		var limited *guard.LimitedError
		if used, err := ask("secret"); used || !errors.As(err, &limited) || limited.Kind != guard.Account || h.hashes != 0 {
			t.Errorf("one more: %v, %v, %d hashes", used, err, h.hashes)
		}
		if _, err := h.Authenticate(t.Context(), guard.Guess{Account: "ada"}, []string{directory.InbuiltBackend}, p, "secret"); !errors.As(err, &limited) {
			t.Errorf("signing in then: %v", err)
		}
		var rows int
		if err := db.QueryRow(t.Context(), "select count(*) from guesses where kind = 'address'").Scan(&rows); err != nil || rows != 0 {
			t.Errorf("%d addresses are counted, %v", rows, err)
		}
		h.set(u.ID, "another")
		if used, err := ask("another"); !used || err != nil {
			t.Errorf("after a new password: %v, %v", used, err)
		}
	})
}

func TestTrimHistory(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h := newHouse(t, db)
		h.history = 50
		a, b := h.create(identity.User{Username: "a", Active: true}), h.create(identity.User{Username: "b", Active: true})
		h.set(a.ID, "1", "2", "3", "4")
		h.set(b.ID, "1", "2")
		for _, step := range []struct {
			keep          int
			deleted       int64
			ofA, ofB      int
			rememberedOfA []string
		}{
			{50, 0, 3, 1, []string{"1", "2", "3", "4"}},
			{2, 1, 2, 1, []string{"2", "3", "4"}},
			{2, 0, 2, 1, []string{"2", "3", "4"}},
			{0, 3, 0, 0, []string{"4"}},
		} {
			h.history = step.keep
			n, err := h.TrimHistory(t.Context())
			if err != nil || n != step.deleted || h.rows(a.ID) != step.ofA || h.rows(b.ID) != step.ofB {
				t.Errorf("keeping %d: %d deleted, %d and %d left, %v", step.keep, n, h.rows(a.ID), h.rows(b.ID), err)
			}
			if got := h.used(a.ID, 50, "1", "2", "3", "4"); !slices.Equal(got, step.rememberedOfA) {
				t.Errorf("keeping %d: %q are known", step.keep, got)
			}
		}
	})
}

func TestCarryOutEndsAPassword(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h := newHouse(t, db)
		h.history = 5
		u := h.create(identity.User{Username: "ada", Active: true})
		h.set(u.ID, "old")
		person := func() *identity.Person {
			t.Helper()
			p, err := h.Person(t.Context(), u.ID)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		end := func(p *identity.Person) (changed bool) {
			t.Helper()
			h.must(func(ctx context.Context, tx store.Tx) (err error) {
				changed, err = h.CarryOut(ctx, tx, policy.Effect{Act: policy.EndPassword, Person: p})
				return err
			})
			return changed
		}
		seen := person()
		h.now = h.now.Add(time.Hour)
		if !end(seen) {
			t.Fatal("nothing changed")
		}
		after := person()
		if after.PasswordHash != password.Unusable || !after.PasswordChangedAt.Equal(seen.PasswordChangedAt) || !after.UpdatedAt.Equal(h.now) {
			t.Errorf("afterwards %+v", after.User)
		}
		if got := h.used(u.ID, 1, "old"); len(got) != 1 {
			t.Error("the password that ended can be set again")
		}
		if end(seen) || end(after) {
			t.Error("a password that is unusable was ended again")
		}
		h.set(u.ID, "new")
		if end(seen) {
			t.Error("a password set since the policy judged was ended")
		}
		// A hash that is made anew is no other password.
		seen = person()
		if _, err := db.Exec(t.Context(), "update users set password_hash = $1 where id = $2", seen.PasswordHash+"x", u.ID); err != nil {
			t.Fatal(err)
		}
		if !end(seen) {
			t.Error("a hash that was made anew kept the password")
		}
		if end(identity.NewPerson(identity.User{ID: 4711, PasswordChangedAt: h.now}, nil)) || end(identity.Anonymous()) {
			t.Error("a password of nobody was ended")
		}
		err := h.write(func(ctx context.Context, tx store.Tx) error {
			_, err := h.CarryOut(ctx, tx, policy.Effect{Act: "dance", Person: seen})
			return err
		})
		if err == nil {
			t.Error("an unknown effect was taken")
		}
	})
}
