package directory_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/directory/password"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// appPasswords maps keys to the users who own them.
type appPasswords map[string]int64

func (a appPasswords) AppPassword(_ context.Context, user int64, key string) (string, bool, error) {
	return "laptop", a[key] == user && user != 0, nil
}

// house is a directory with a clock and a count of the hashes computed.
type house struct {
	*testing.T
	*directory.Directory
	db     store.DB
	now    time.Time
	hashes int
	tokens appPasswords
	config directory.Config
	// history is how many earlier passwords are kept.
	history int
	// asked counts the questions for earlier passwords.
	asked int
}

func newHouse(t *testing.T, db store.DB) *house {
	t.Helper()
	h := &house{T: t, db: db, now: noon, tokens: appPasswords{}}
	queue := password.NewQueue(password.QueueConfig{Workers: 1, Hashed: func(time.Duration) { h.hashes++ }})
	hasher, err := password.NewHasher(password.Params{MemoryKiB: 7 * 1024, Passes: 1, Lanes: 1}, queue)
	if err != nil {
		t.Fatal(err)
	}
	h.config = directory.Config{DB: db, Hasher: hasher, AppPasswords: h.tokens, History: func() int { return h.history }, Now: func() time.Time { return h.now }}
	h.Directory = directory.New(h.config)
	return h
}

// rebuild makes the directory anew with another configuration.
func (h *house) rebuild(change func(c *directory.Config)) {
	change(&h.config)
	h.Directory = directory.New(h.config)
}

func (h *house) write(fn func(ctx context.Context, tx store.Tx) error) error {
	return h.db.Write(h.Context(), fn)
}

func (h *house) must(fn func(ctx context.Context, tx store.Tx) error) {
	h.Helper()
	if err := h.write(fn); err != nil {
		h.Fatal(err)
	}
}

func (h *house) create(u identity.User) identity.User {
	h.Helper()
	h.must(func(ctx context.Context, tx store.Tx) error { return h.CreateUser(ctx, tx, &u) })
	return u
}

func (h *house) group(name string, parents ...identity.Group) identity.Group {
	h.Helper()
	g := identity.Group{Name: name}
	for _, p := range parents {
		g.Parents = append(g.Parents, p.ID)
	}
	h.must(func(ctx context.Context, tx store.Tx) error { return h.CreateGroup(ctx, tx, &g) })
	return g
}

func (h *house) read(id int64) identity.User {
	h.Helper()
	u, err := h.User(h.Context(), h.db, id)
	if err != nil {
		h.Fatal(err)
	}
	return u
}

// codes returns the codes of field errors by field, nil for no error.
func codes(t *testing.T, err error) map[string]string {
	t.Helper()
	if err == nil {
		return nil
	}
	var errs field.Errors
	if !errors.As(err, &errs) {
		t.Fatalf("no field errors: %v", err)
	}
	out := map[string]string{}
	for name, list := range errs {
		out[name] = list[0].Code
	}
	return out
}

func TestUserRoundTrip(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h := newHouse(t, db)
		made := h.create(identity.User{Username: "Ålice", Name: "Alice 👩‍💻", Email: "Alice@Example.com", Active: true, Type: identity.External,
			Path: "a/b", Attributes: map[string]any{"upn": "ALICE@corp", "n": 1.5, "list": []any{"x"}}})
		if made.ID == 0 || made.UUID == uuid.Nil || made.PasswordHash != "!" || made.LastLogin != nil {
			t.Errorf("made: %+v", made)
		}
		if diff := cmp.Diff(made, h.read(made.ID)); diff != "" {
			t.Error(diff)
		}
		plain := h.create(identity.User{Username: "bob"})
		if plain.Path != "users" || plain.Type != identity.Internal || plain.Active {
			t.Errorf("defaults: %+v", plain)
		}

		h.now = noon.Add(time.Hour)
		made.Name, made.Email, made.Active = "A", "", false
		made.PasswordHash, made.LastLogin = "ignored", &h.now
		h.must(func(ctx context.Context, tx store.Tx) error { return h.UpdateUser(ctx, tx, &made) })
		got := h.read(made.ID)
		if got.Name != "A" || got.Email != "" || got.Active || !got.UpdatedAt.Equal(h.now) || !got.JoinedAt.Equal(noon) {
			t.Errorf("updated: %+v", got)
		}
		if got.PasswordHash != "!" || got.LastLogin != nil || !got.PasswordChangedAt.Equal(noon) {
			t.Errorf("an update changed the password: %+v", got)
		}

		for name, fn := range map[string]func(context.Context, store.Tx) error{
			"delete":       func(ctx context.Context, tx store.Tx) error { return h.DeleteUser(ctx, tx, made.ID) },
			"delete again": func(ctx context.Context, tx store.Tx) error { return h.DeleteUser(ctx, tx, -1) },
			"update the gone": func(ctx context.Context, tx store.Tx) error {
				g := made
				g.ID = -1
				g.Username = "gone"
				return h.UpdateUser(ctx, tx, &g)
			},
			"set password": func(ctx context.Context, tx store.Tx) error { return h.SetPasswordHash(ctx, tx, -1, "!") },
		} {
			if err := h.write(fn); (name == "delete") != (err == nil) || err != nil && !errors.Is(err, flow.ErrNoPerson) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		if _, err := h.Person(t.Context(), made.ID); !errors.Is(err, flow.ErrNoPerson) {
			t.Errorf("read the deleted: %v", err)
		}
		if again := h.create(identity.User{Username: "carol"}); again.ID <= plain.ID {
			t.Error("an id was used again")
		}
	})
}

func TestUserFields(t *testing.T) {
	tests := []struct {
		name string
		user identity.User
		want map[string]string
	}{
		{"a plain name", identity.User{Username: "alice"}, nil},
		{"all that the pattern allows", identity.User{Username: "a_B.1@x+y-z"}, nil},
		{"letters of other alphabets", identity.User{Username: "жанна"}, nil},
		{"no name", identity.User{}, map[string]string{"username": "blank"}},
		{"150 characters", identity.User{Username: strings.Repeat("é", 150)}, nil},
		{"151 characters", identity.User{Username: strings.Repeat("a", 151)}, map[string]string{"username": "max_length"}},
		{"a blank in it", identity.User{Username: "a b"}, map[string]string{"username": "invalid"}},
		{"a slash", identity.User{Username: "a/b"}, map[string]string{"username": "invalid"}},
		{"broken UTF-8", identity.User{Username: "a\xff"}, map[string]string{"username": "invalid"}},
		{"an address without domain", identity.User{Username: "a", Email: "a@b"}, map[string]string{"email": "invalid"}},
		{"an address with two people", identity.User{Username: "a", Email: "a@b.c,d@e.f"}, map[string]string{"email": "invalid"}},
		{"an address with a display name", identity.User{Username: "a", Email: "A <a@b.c>"}, map[string]string{"email": "invalid"}},
		{"an address with a line break", identity.User{Username: "a", Email: "a@b.c\r\nBcc: d@e.f"}, map[string]string{"email": "invalid"}},
		{"an invisible character in the address", identity.User{Username: "a", Email: "a\u200b@b.cc"}, map[string]string{"email": "invalid"}},
		{"an address on localhost", identity.User{Username: "root", Email: "root@localhost"}, nil},
		{"an address with plus and umlaut", identity.User{Username: "u", Email: "ü+x@bücher.example"}, nil},
		{"too long an address", identity.User{Username: "a", Email: "a@" + strings.Repeat("b.", 130) + "cc"}, map[string]string{"email": "invalid"}},
		{"a control character in the display name", identity.User{Username: "a", Name: "A\x07"}, map[string]string{"name": "invalid"}},
		{"a display name that turns the text around", identity.User{Username: "a", Name: "A\u202eb"}, map[string]string{"name": "invalid"}},
		{"an unknown type", identity.User{Username: "a", Type: "robot"}, map[string]string{"type": "invalid_choice"}},
		{"a NUL in an attribute", identity.User{Username: "a", Attributes: map[string]any{"x": []any{"\x00"}}}, map[string]string{"attributes": "invalid"}},
		{"several problems at once", identity.User{Username: "a b", Email: "x"}, map[string]string{"username": "invalid", "email": "invalid"}},
		{"a hash that is no hash", identity.User{Username: "a", PasswordHash: "hunter2"}, map[string]string{"password": "invalid"}},
	}
	storetest.Each(t, func(t *testing.T, db store.DB) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				h := newHouse(t, db)
				err := h.write(func(ctx context.Context, tx store.Tx) error { u := tt.user; return h.CreateUser(ctx, tx, &u) })
				if diff := cmp.Diff(tt.want, codes(t, err)); diff != "" {
					t.Error(diff)
				}
			})
		}
	})
}

// TestRule42LookAlikes: every row must be refused beside the user "paypal", or
// for itself.
func TestRule42LookAlikes(t *testing.T) {
	tests := []struct{ name, username, code string }{
		{"the same name", "paypal", "unique"},
		{"another case", "PayPal", "unique"},
		{"full-width letters", "ｐａｙｐａｌ", "unique"},
		{"mathematical letters", "𝐩𝐚𝐲𝐩𝐚𝐥", "unique"},
		{"a Cyrillic letter in it", "pаypal", "invalid"},
		{"a Greek letter in it", "ραypal", "invalid"},
		{"Cyrillic letters only", "раураӏ", "unique"},
		{"Cyrillic capitals only", "РАУРАӀ", "unique"},
		{"a zero-width space", "pay\u200bpal", "invalid"},
		{"a zero-width joiner", "pay\u200dpal", "invalid"},
		{"a soft hyphen", "pay\u00adpal", "invalid"},
		{"a combining grapheme joiner", "pay\u034fpal", "invalid"},
		{"a Hangul filler", "pay\u3164pal", "invalid"},
		{"a half-width Hangul filler", "paypal\uffa0", "invalid"},
		{"a right-to-left override", "\u202epaypal", "invalid"},
		{"a byte order mark", "\ufeffpaypal", "invalid"},
		{"a variation selector", "paypal\ufe0f", "invalid"},
		{"a tag character", "paypal\U000e0061", "invalid"},
	}
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h := newHouse(t, db)
		h.create(identity.User{Username: "paypal"})
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				err := h.write(func(ctx context.Context, tx store.Tx) error {
					return h.CreateUser(ctx, tx, &identity.User{Username: tt.username})
				})
				if diff := cmp.Diff(map[string]string{"username": tt.code}, codes(t, err)); diff != "" {
					t.Error(diff)
				}
			})
		}
		h.create(identity.User{Username: "café"})
		for _, twin := range []string{"cafe\u0301", "CAFÉ"} {
			err := h.write(func(ctx context.Context, tx store.Tx) error {
				return h.CreateUser(ctx, tx, &identity.User{Username: twin})
			})
			if diff := cmp.Diff(map[string]string{"username": "unique"}, codes(t, err)); diff != "" {
				t.Errorf("%q: %s", twin, diff)
			}
		}
		other := h.create(identity.User{Username: "other"})
		other.Username = "PAYPAL"
		err := h.write(func(ctx context.Context, tx store.Tx) error { return h.UpdateUser(ctx, tx, &other) })
		if diff := cmp.Diff(map[string]string{"username": "unique"}, codes(t, err)); diff != "" {
			t.Errorf("rename: %s", diff)
		}
	})
}

func TestRule44ImportedHashIsBounded(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h := newHouse(t, db)
		u := h.create(identity.User{Username: "a"})
		for hash, want := range map[string]map[string]string{
			"pbkdf2_sha256$1000$saltsaltsalt$F7o7+5VTVzFAO998X6s3AHrDsJVdMiIlgndIMe19NvY=":       nil,
			"pbkdf2_sha256$1000000000$saltsaltsalt$F7o7+5VTVzFAO998X6s3AHrDsJVdMiIlgndIMe19NvY=": {"password": "invalid"},
			"$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8Ar": {"password": "invalid"},
		} {
			err := h.write(func(ctx context.Context, tx store.Tx) error { return h.SetPasswordHash(ctx, tx, u.ID, hash) })
			if diff := cmp.Diff(want, codes(t, err)); diff != "" {
				t.Errorf("%.40s: %s", hash, diff)
			}
		}
	})
}
