package directory_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

// elsewhere is a user store whose people all have the password "theirs". It says
// yes to nobody, too, as a careless program would.
type elsewhere struct {
	mu     sync.Mutex
	people map[string]identity.StoreUser
	err    error
	panics bool
	// found and asked are what it was asked about.
	found, asked []string
}

func (e *elsewhere) Find(_ context.Context, typed string) (*identity.StoreUser, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.found = append(e.found, typed)
	if e.panics {
		panic("on purpose")
	}
	if u, ok := e.people[typed]; ok && e.err == nil {
		return &u, nil
	}
	return nil, e.err
}

func (e *elsewhere) CheckPassword(_ context.Context, id, plain string) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, id)
	if e.panics {
		panic("on purpose")
	}
	return plain == "theirs" || plain == "", e.err
}

// withStore is a house with a user store; made counts the rows that it led to.
func withStore(t *testing.T, db store.DB) (h *house, e *elsewhere, made *int) {
	e = &elsewhere{people: map[string]identity.StoreUser{}}
	h, made = newHouse(t, db), new(int)
	h.rebuild(func(c *directory.Config) {
		c.Store = e
		c.Adopted = func(context.Context, store.Tx, identity.User) error { *made++; return nil }
	})
	return h, e, made
}

// identify is whom a name means at a login page.
func (h *house) identify(name string) *identity.Person {
	h.Helper()
	p, err := h.Identify(h.Context(), []string{"username", "email"}, name, true)
	if err != nil {
		h.Fatal(err)
	}
	return p
}

func TestUsersOfAUserStoreGetARow(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h, e, made := withStore(t, db)
		e.people["grace"] = identity.StoreUser{ID: "17", Username: "grace", Name: "Grace", Email: "grace@example.com"}
		first := h.identify(" grace ")
		if first == nil || !first.Active || first.Username != "grace" || first.Name != "Grace" || first.Email != "grace@example.com" || *made != 1 {
			t.Fatalf("got %+v, %d rows", first, *made)
		}
		if again := h.identify("grace"); again.ID != first.ID || *made != 1 {
			t.Errorf("the second time it is %d, %d rows", again.ID, *made)
		}

		// Whoever is called otherwise is the same person.
		e.people["hopper"] = identity.StoreUser{ID: "17", Username: "hopper", Name: "Rear Admiral"}
		delete(e.people, "grace")
		if p := h.identify("hopper"); p == nil || p.ID != first.ID || p.Username != "hopper" || p.Email != "" {
			t.Errorf("after a change of name: %+v", p)
		}
		if p := h.identify("grace"); p != nil {
			t.Errorf("the former name means %+v", p)
		}

		// What an administrator says about the row stays.
		h.must(func(ctx context.Context, tx store.Tx) error {
			u := h.read(first.ID)
			u.Active, u.Attributes["desk"] = false, "7"
			return h.UpdateUser(ctx, tx, &u)
		})
		e.people["hopper"] = identity.StoreUser{ID: "17", Username: "hopper", Name: "Grace"}
		if p := h.identify("hopper"); p == nil || p.Active || p.Attributes["desk"] != "7" || p.Name != "Grace" {
			t.Errorf("after the administrator's change: %+v", p)
		}

		// Whom the store knows no more is nobody, also where the row is still there.
		delete(e.people, "hopper")
		if p := h.identify("hopper"); p != nil {
			t.Errorf("who is gone is %+v", p)
		}
		// Others are found as always, and the store is asked about all of them.
		h.create(identity.User{Username: "local", Active: true})
		e.found = nil
		if p := h.identify("local"); p == nil || p.Username != "local" || h.identify("nobody") != nil || strings.Join(e.found, " ") != "local nobody" {
			t.Errorf("somebody local is %+v; asked for %q", p, e.found)
		}
	})
}

// Nobody becomes another person by what the store or an attribute says.
func TestAUserStoreCannotTakeAnAccount(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h, e, made := withStore(t, db)
		admin := h.create(identity.User{Username: "akadmin", Active: true})
		e.people["akadmin"] = identity.StoreUser{ID: "1", Username: "akadmin"}
		e.people["mallory"] = identity.StoreUser{ID: "1", Username: "AKADMIN"}
		if p := h.identify("akadmin"); p == nil || p.ID != admin.ID {
			t.Errorf("the administrator's name means %+v", p)
		}
		if p := h.identify("mallory"); p != nil || *made != 0 {
			t.Errorf("a user with the administrator's name is %+v, %d rows", p, *made)
		}
		check := func(p *identity.Person) bool {
			t.Helper()
			v, err := h.Authenticate(t.Context(), guard.Guess{Account: "akadmin"}, []string{directory.StoreBackend}, p, "theirs")
			if err != nil {
				t.Fatal(err)
			}
			return v.OK
		}
		if check(h.NewPerson(admin)) {
			t.Error("the store vouches for the administrator")
		}

		e.people["a"], e.people["b"] = identity.StoreUser{ID: "a", Username: "a"}, identity.StoreUser{ID: "b", Username: "b"}
		a := h.identify("a")
		// Somebody writes b's id, and then b's name, to a's row.
		a.Attributes["weir.id/user-store"] = "b"
		if check(a) {
			t.Error("an attribute decides whose password is asked for")
		}
		h.must(func(ctx context.Context, tx store.Tx) error {
			u := h.read(a.ID)
			u.Username = "b"
			return h.UpdateUser(ctx, tx, &u)
		})
		if p := h.identify("b"); p != nil {
			t.Errorf("b is %+v, the row of a", p)
		}
		if p := h.identify("a"); p == nil || p.Username != "a" || !check(p) {
			t.Errorf("a is %+v", p)
		}
		if p := h.identify("b"); p == nil || p.ID == a.ID || !check(p) {
			t.Errorf("b is %+v", p)
		}
	})
}

// TestRule18AUserStoreIsAskedOnceForAnybody: for nobody and for somebody whose
// password is wrong the same is done, and a yes about nobody does not count.
func TestRule18AUserStoreIsAskedOnceForAnybody(t *testing.T) {
	const own, inbuilt = directory.StoreBackend, directory.InbuiltBackend
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h, e, _ := withStore(t, db)
		hash, err := h.HashPassword(t.Context(), "secret")
		if err != nil {
			t.Fatal(err)
		}
		e.people["grace"], e.people["off"] = identity.StoreUser{ID: "17", Username: "grace"}, identity.StoreUser{ID: "18", Username: "off"}
		people := map[string]*identity.Person{"grace": h.identify("grace"), "off": h.identify("off"), "local": h.NewPerson(h.create(identity.User{Username: "local", Active: true, PasswordHash: hash})),
			"typed": identity.NewPerson(identity.User{Username: "grace", Active: true, UUID: uuid.New()}, nil)}
		people["off"].Active = false
		people["grace"].PasswordHash = hash // as a recovery would set it
		for _, tt := range []struct {
			name, who, password string
			backends            []string
			// backend is the one that accepts.
			backend string
			hashes  int
			asked   string
		}{
			{"the right password", "grace", "theirs", []string{own}, own, 0, "17"},
			{"the right password, inbuilt first", "grace", "theirs", []string{inbuilt, own}, own, 1, "17"},
			{"a wrong password", "grace", "wrong", []string{own}, "", 1, "17"},
			{"a wrong password, inbuilt first", "grace", "wrong", []string{inbuilt, own}, "", 1, "17"},
			{"a password that was set here", "grace", "secret", []string{inbuilt, own}, "", 1, "17"},
			{"a back end named twice", "grace", "wrong", []string{own, own}, "", 1, "17"},
			{"an empty password", "grace", "", []string{own}, "", 1, ""},
			{"an endless password", "grace", strings.Repeat("x", 1<<20), []string{own}, "", 1, ""},
			{"somebody deactivated here", "off", "theirs", []string{own}, "", 1, ""},
			{"somebody local", "local", "theirs", []string{own}, "", 1, ""},
			{"somebody local, inbuilt first", "local", "wrong", []string{inbuilt, own}, "", 1, ""},
			{"somebody who was only typed", "typed", "theirs", []string{own}, "", 1, ""},
			{"nobody", "", "theirs", []string{own}, "", 1, ""},
			{"nobody, inbuilt first", "", "theirs", []string{inbuilt, own}, "", 1, ""},
		} {
			t.Run(tt.name, func(t *testing.T) {
				h.hashes, e.asked = 0, nil
				v, err := h.Authenticate(t.Context(), guard.Guess{Account: tt.name}, tt.backends, people[tt.who], tt.password)
				if err != nil {
					t.Fatal(err)
				}
				if v.OK != (tt.backend != "") || v.Backend != tt.backend {
					t.Errorf("got %+v", v)
				}
				if h.hashes != tt.hashes || len(e.asked) != 1 || e.asked[0] != tt.asked {
					t.Errorf("%d hashes, asked about %q; want %d and once about %q", h.hashes, e.asked, tt.hashes, tt.asked)
				}
			})
		}
	})
}

// TestRule31GuessesOfAUserStoreAreLimited: by the limits of all other passwords,
// before the store is asked. A store that cannot tell refuses, and nothing counts.
func TestRule31GuessesOfAUserStoreAreLimited(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h, e, _ := withStore(t, db)
		e.people["grace"] = identity.StoreUser{ID: "17", Username: "grace"}
		grace := h.identify("grace")
		guess := func(plain string) error {
			v, err := h.Authenticate(t.Context(), guard.Guess{Account: "grace"}, []string{directory.StoreBackend}, grace, plain)
			if v.OK {
				t.Errorf("%q is accepted", plain)
			}
			return err
		}
		e.err = errors.New("away")
		for range 2 * guard.DefaultLimits().Account {
			if err := guess("theirs"); !errors.Is(err, e.err) {
				t.Fatalf("a store that is away: %v", err)
			}
		}
		if _, err := h.Identify(t.Context(), []string{"username"}, "grace", true); !errors.Is(err, e.err) {
			t.Errorf("a store that is away finds: %v", err)
		}
		e.panics, e.err = true, nil
		for range 2 * guard.DefaultLimits().Account {
			if err := guess("theirs"); err == nil || !strings.Contains(err.Error(), "on purpose") {
				t.Fatalf("a store that panics: %v", err)
			}
		}
		if _, err := h.Identify(t.Context(), []string{"username"}, "grace", true); err == nil {
			t.Error("a store that panics finds")
		}

		e.panics = false
		for range guard.DefaultLimits().Account {
			if err := guess("wrong"); err != nil {
				t.Fatal(err)
			}
		}
		e.asked = nil
		var limited *guard.LimitedError
		if err := guess("theirs"); !errors.As(err, &limited) || len(e.asked) > 0 {
			t.Errorf("after too many: %v, and the store was asked %d times", err, len(e.asked))
		}
	})
}

// Sign-ins at once make one row.
func TestAUserOfAUserStoreIsMadeOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h, e, _ := withStore(t, db)
		e.people["grace"] = identity.StoreUser{ID: "17", Username: "grace"}
		var group sync.WaitGroup
		ids := make([]int64, 8)
		for i := range ids {
			group.Go(func() {
				p, err := h.Identify(t.Context(), []string{"username"}, "grace", true)
				if err != nil || p == nil {
					t.Errorf("got %v, %v", p, err)
					return
				}
				ids[i] = p.ID
			})
		}
		group.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Errorf("users %v", ids)
			}
		}
	})
}

func TestAUserStoreThatNamesNobodyIsAnError(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h, e, made := withStore(t, db)
		e.people["grace"] = identity.StoreUser{Username: "grace"}
		if p, err := h.Identify(t.Context(), []string{"username"}, "grace", true); err == nil {
			t.Errorf("without an id it is %+v", p)
		}
		e.people["odd"] = identity.StoreUser{ID: "19", Username: "a name with blanks"}
		if p := h.identify("odd"); p != nil || *made != 0 {
			t.Errorf("a name that cannot be is %+v", p)
		}
		var problems field.Errors
		if errors.As(h.write(func(ctx context.Context, tx store.Tx) error {
			return h.CreateUser(ctx, tx, &identity.User{Username: "grace", Active: true})
		}), &problems) {
			t.Errorf("the name is taken: %v", problems)
		}
	})
}
