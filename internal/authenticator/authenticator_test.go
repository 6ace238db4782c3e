package authenticator_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/seal"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

// bench has a user and a clock.
type bench struct {
	*testing.T
	*authenticator.Devices
	user int64
	now  time.Time
}

func newBench(t *testing.T, db store.DB) *bench {
	box, err := seal.NewBox(bytes.Repeat([]byte{7}, seal.KeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{T: t, now: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}
	b.Devices = &authenticator.Devices{DB: db, Box: box, Now: func() time.Time { return b.now }}
	b.user = b.person(uuid.NewString())
	return b
}

func (b *bench) person(name string) int64 {
	b.Helper()
	var id int64
	err := b.DB.Write(b.Context(), func(ctx context.Context, tx store.Tx) error {
		return tx.QueryRow(ctx, `insert into users (uuid, username, username_key, name, email, email_key, upn_key, is_active, type, path, password_hash, attributes, date_joined, password_changed_at, last_updated)
			values ($1, $2, $2, '', '', '', '', $3, 'internal', 'users', '', '{}', $4, $4, $4) returning id`, uuid.New(), name, true, b.now).Scan(&id)
	})
	if err != nil {
		b.Fatal(err)
	}
	return id
}

// secret is what the devices of these tests keep.
type secret struct{ Word string }

func (b *bench) add(change func(*authenticator.Device)) int64 {
	b.Helper()
	d := &authenticator.Device{User: b.user, Class: "word", Name: "mine", Confirmed: true}
	err := d.Write(secret{"abracadabra"})
	if change != nil {
		change(d)
	}
	if err == nil {
		err = b.DB.Write(b.Context(), func(ctx context.Context, tx store.Tx) error { return b.Add(ctx, tx, d) })
	}
	if err != nil {
		b.Fatal(err)
	}
	return d.ID
}

// say tries a word, which each device accepts once.
func (b *bench) say(factor float64, word string, ids ...int64) authenticator.Judgement {
	b.Helper()
	j, err := b.try(b.Context(), factor, word, ids...)
	if err != nil {
		b.Fatal(err)
	}
	return j
}

func (b *bench) try(ctx context.Context, factor float64, word string, ids ...int64) (authenticator.Judgement, error) {
	return b.Judge(ctx, ids, func(string) float64 { return factor }, func(d *authenticator.Device, _ time.Time) (bool, error) {
		var s secret
		if err := d.Read(&s); err != nil || s.Word != word || d.Counter > 0 {
			return false, err
		}
		d.Counter++
		return true, d.Write(s)
	})
}

func (b *bench) failures(id int64) int {
	b.Helper()
	var n int
	if err := b.DB.QueryRow(b.Context(), "select failures from authenticators where id = $1", id).Scan(&n); err != nil {
		b.Fatal(err)
	}
	return n
}

func TestADeviceIsKeptAndItsSecretIsSealed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		b := newBench(t, db)
		stage := uuid.New()
		id := b.add(func(d *authenticator.Device) { d.Handle, d.Stage = "credential", stage })
		b.add(func(d *authenticator.Device) { d.Confirmed = false })
		found, err := b.Confirmed(t.Context(), b.user)
		if err != nil || len(found) != 1 || found[0].ID != id || found[0].Stage != stage || found[0].Name != "mine" || !found[0].Created.Equal(b.now) {
			t.Fatalf("%+v, %v", found, err)
		}
		one, err := b.ByHandle(t.Context(), "word", "credential")
		if err != nil || one == nil || one.ID != id {
			t.Fatalf("%+v, %v", one, err)
		}
		if none, err := b.ByHandle(t.Context(), "other", "credential"); err != nil || none != nil {
			t.Errorf("%+v, %v", none, err)
		}
		other := &authenticator.Device{User: b.person("bob"), Class: "word", Handle: "credential"}
		if err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
			if err := b.Add(ctx, tx, other); !errors.Is(err, authenticator.ErrTaken) {
				return fmt.Errorf("the same handle again: %w", err)
			}
			other.Handle = ""
			return b.Add(ctx, tx, other)
		}); err != nil {
			t.Error(err)
		}
		var data []byte
		if err := db.QueryRow(t.Context(), "select data from authenticators where id = $1", id).Scan(&data); err != nil || strings.Contains(string(data), "abracadabra") {
			t.Errorf("%q, %v", data, err)
		}
		// What belongs to one person does not open for another.
		if _, err := db.Exec(t.Context(), "update authenticators set user_id = $1 where id = $2", other.User, id); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Confirmed(t.Context(), other.User); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("a moved device: %v", err)
		}
	})
}

func TestADeviceWaitsLongerAndLonger(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		b := newBench(t, db)
		id := b.add(nil)
		for n, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second} {
			if j := b.say(1, "wrong", id); j.Device != nil || j.Wait != 0 {
				t.Fatalf("%d: %+v", n, j)
			}
			// Even the right word waits, and is not used up; nothing is counted.
			if j := b.say(1, "abracadabra", id); j.Device != nil || j.Wait != want {
				t.Errorf("%d: %+v, want to wait %s", n, j, want)
			}
			if got := b.failures(id); got != n+1 {
				t.Errorf("%d failures, want %d", got, n+1)
			}
			b.now = b.now.Add(want)
		}
		if j := b.say(1, "abracadabra", id); j.Device == nil || !j.Device.LastUsed.Equal(b.now) || b.failures(id) != 0 {
			t.Fatalf("the right word: %+v", j)
		}
		if j := b.say(1, "abracadabra", id); j.Device != nil {
			t.Error("the same word twice")
		}
	})
}

func TestLimitsOfDevices(t *testing.T) {
	for _, row := range []struct {
		name     string
		factor   float64
		failures int
		want     time.Duration
	}{
		{"factor 3, one failure", 3, 1, 3 * time.Second},
		{"factor 3, three failures", 3, 3, 12 * time.Second},
		{"factor 0, ten failures", 0, 10, 0},
		{"factor 0, eleven failures", 0, 11, 5 * time.Second},
		{"factor 0, thirteen failures", 0, 13, 20 * time.Second},
		{"factor 0, very many failures", 0, 5000, 5 * time.Minute},
		{"factor 1, very many failures", 1, 5000, time.Hour},
		{"a factor of two hours", 7200, 2, 2 * time.Hour},
		{"answers that cannot be guessed", authenticator.Unlimited, 0, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := newBench(t, storetest.SQLite(t))
			id := b.add(nil)
			if _, err := b.DB.Exec(t.Context(), "update authenticators set failures = $1, failed = $2 where id = $3", row.failures, b.now, id); err != nil {
				t.Fatal(err)
			}
			if j := b.say(row.factor, "abracadabra", id); j.Wait != row.want || (j.Device != nil) != (row.want == 0) {
				t.Errorf("%+v, want to wait %s", j, row.want)
			}
		})
	}
}

func TestOneOfSeveralDevicesAccepts(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	other := b.add(func(d *authenticator.Device) {
		if err := d.Write(secret{"sesame"}); err != nil {
			t.Fatal(err)
		}
	})
	id, unconfirmed := b.add(nil), b.add(func(d *authenticator.Device) { d.Confirmed = false })
	if j := b.say(1, "abracadabra", unconfirmed); j.Device != nil {
		t.Error("a device that was not set up to the end accepts")
	}
	if j := b.say(1, "abracadabra", other, id); j.Device == nil || j.Device.ID != id || b.failures(other) != 0 {
		t.Errorf("%+v, %d failures of the other", j, b.failures(other))
	}
	if b.say(1, "wrong", other, id); b.failures(other) != 1 || b.failures(id) != 1 {
		t.Error("a wrong word is not counted at both")
	}
}

func TestRule32FiftyParallelGuessesAtADevice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		for _, row := range []struct {
			name, word         string
			factor             float64
			accepted, failures int
		}{
			{"wrong ones are counted one by one", "wrong", 0, 0, 11},
			{"and wait for each other", "wrong", 1, 0, 1},
			{"a right one counts once", "abracadabra", authenticator.Unlimited, 1, 0},
			{"a right one counts once, and is a wrong one then", "abracadabra", 1, 1, 1},
		} {
			t.Run(row.name, func(t *testing.T) {
				b := newBench(t, db)
				id := b.add(nil)
				var mu sync.Mutex
				accepted := 0
				g, ctx := errgroup.WithContext(t.Context())
				for range 50 {
					g.Go(func() error {
						j, err := b.try(ctx, row.factor, row.word, id)
						mu.Lock()
						defer mu.Unlock()
						if j.Device != nil {
							accepted++
						}
						return err
					})
				}
				if err := g.Wait(); err != nil {
					t.Fatal(err)
				}
				if got := b.failures(id); accepted != row.accepted || got != row.failures {
					t.Errorf("%d accepted, %d failures; want %d and %d", accepted, got, row.accepted, row.failures)
				}
			})
		}
	})
}

func TestChangingADevice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		b := newBench(t, db)
		id := b.add(nil)
		change := func(id int64, word string) error {
			return db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
				return b.Change(ctx, tx, id, func(d *authenticator.Device) error { return d.Write(secret{word}) })
			})
		}
		if err := change(id, "sesame"); err != nil {
			t.Fatal(err)
		}
		if j := b.say(1, "sesame", id); j.Device == nil {
			t.Error("the new word is refused")
		}
		if err := change(id+1, "sesame"); !errors.Is(err, authenticator.ErrGone) {
			t.Errorf("no device: %v", err)
		}
	})
}
