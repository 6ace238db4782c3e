package token_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/seal"
	"github.com/weir-id/weir/internal/session/token"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

type fixture struct {
	*testing.T
	*token.Tokens
	db   store.DB
	now  time.Time
	user int64
}

func newFixture(t *testing.T, db store.DB) *fixture {
	t.Helper()
	keys, err := seal.NewKeys(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{T: t, db: db, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	f.Tokens = token.New(db, keys.Box("token"), func() time.Time { return f.now })
	name := uuid.NewString()
	f.must(func(ctx context.Context, tx store.Tx) error {
		return tx.QueryRow(ctx, `insert into users (uuid, username, username_key, name, email, email_key, upn_key, is_active, type, path,
			attributes, password_hash, password_changed_at, date_joined, last_updated)
			values ($1, $1, $1, '', '', '', '', true, 'internal', 'users', '{}', '!', $2, $2, $2) returning id`, name, f.now).Scan(&f.user)
	})
	return f
}

func (f *fixture) must(fn func(ctx context.Context, tx store.Tx) error) {
	f.Helper()
	if err := f.db.Write(f.Context(), fn); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) create(tok token.Token, key string) (token.Token, string) {
	f.Helper()
	tok.UserID = f.user
	f.must(func(ctx context.Context, tx store.Tx) (err error) {
		key, err = f.Create(ctx, tx, &tok, key)
		return err
	})
	return tok, key
}

func (f *fixture) found(key string, intent token.Intent) bool {
	f.Helper()
	_, err := f.ByKey(f.Context(), key, intent)
	if err != nil && !errors.Is(err, token.ErrNone) {
		f.Fatal(err)
	}
	return err == nil
}

func TestTokenLife(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db)
		tok, key := f.create(token.Token{Identifier: "ci", Intent: token.API}, "")
		if len(key) < 60 || !f.found(key, token.API) {
			t.Errorf("a random key of %d characters is not found", len(key))
		}
		for _, intent := range []token.Intent{token.AppPassword, token.Recovery, token.Verification} {
			if f.found(key, intent) {
				t.Errorf("found with intent %s", intent)
			}
		}
		if got, err := f.Key(t.Context(), db, tok.ID); got != key || err != nil {
			t.Errorf("the owner sees %q, %v", got, err)
		}
		var again string
		f.must(func(ctx context.Context, tx store.Tx) (err error) {
			again, err = f.SetKey(ctx, tx, tok.ID, "chosen-by-the-owner")
			return err
		})
		if again != "chosen-by-the-owner" || f.found(key, token.API) || !f.found(again, token.API) {
			t.Error("after a change the old key counts or the new one does not")
		}
		if list, err := f.Of(t.Context(), db, f.user); err != nil || len(list) != 1 || list[0].Identifier != "ci" {
			t.Errorf("list: %v, %v", list, err)
		}
		f.must(func(ctx context.Context, tx store.Tx) error { return f.Delete(ctx, tx, tok.ID) })
		if f.found(again, token.API) {
			t.Error("a deleted token is found")
		}
		err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error { return f.Delete(ctx, tx, tok.ID) })
		if !errors.Is(err, token.ErrNone) {
			t.Errorf("delete again: %v", err)
		}
	})
}

func TestTokenProblems(t *testing.T) {
	tests := []struct {
		name  string
		token token.Token
		key   string
		field string
		code  string
	}{
		{"an identifier with a blank", token.Token{Identifier: "a b"}, "", "identifier", "invalid"},
		{"no identifier", token.Token{}, "", "identifier", "invalid"},
		{"a taken identifier", token.Token{Identifier: "taken"}, "", "identifier", "unique"},
		{"a taken key", token.Token{Identifier: "other"}, "taken-taken-taken", "identifier", "unique"},
		{"a short key", token.Token{Identifier: "other"}, "short", "key", "invalid"},
		{"an endless key", token.Token{Identifier: "other"}, strings.Repeat("x", 5000), "key", "invalid"},
		{"a key of two lines", token.Token{Identifier: "other"}, "aaaaaaaaaaaaaaaa\nb", "key", "invalid"},
	}
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db)
		f.create(token.Token{Identifier: "taken"}, "taken-taken-taken")
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
					tok := tt.token
					tok.UserID = f.user
					_, err := f.Create(ctx, tx, &tok, tt.key)
					return err
				})
				var errs field.Errors
				if !errors.As(err, &errs) || len(errs[tt.field]) != 1 || errs[tt.field][0].Code != tt.code {
					t.Errorf("got %v", err)
				}
			})
		}
	})
}

func TestRule14ExpiredTokenDoesNotExist(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db)
		end := f.now.Add(time.Hour).In(time.FixedZone("", -5*3600))
		tok, key := f.create(token.Token{Identifier: "app", Intent: token.AppPassword, Expires: &end, Expiring: true}, "")
		look := func() []bool {
			_, app, err := f.AppPassword(t.Context(), f.user, key)
			if err != nil {
				t.Fatal(err)
			}
			_, byName := f.ByIdentifier(t.Context(), db, "app")
			_, sealed := f.Key(t.Context(), db, tok.ID)
			list, err := f.Of(t.Context(), db, f.user)
			if err != nil {
				t.Fatal(err)
			}
			return []bool{app, f.found(key, token.AppPassword), byName == nil, sealed == nil, len(list) == 1}
		}
		for _, tt := range []struct {
			pass time.Duration
			want bool
		}{{0, true}, {time.Hour - time.Second, true}, {time.Second, false}} {
			f.now = f.now.Add(tt.pass)
			for i, got := range look() {
				if got != tt.want {
					t.Errorf("at %v look-up %d: got %v", f.now, i, got)
				}
			}
		}
	})
}

func TestAppPasswordBelongsToItsUser(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db)
		_, key := f.create(token.Token{Identifier: "app", Intent: token.AppPassword}, "")
		if _, ok, err := f.AppPassword(t.Context(), f.user+1, key); ok || err != nil {
			t.Errorf("another user: %v, %v", ok, err)
		}
		if name, ok, err := f.AppPassword(t.Context(), f.user, key); !ok || name != "app" || err != nil {
			t.Errorf("its user: %q, %v, %v", name, ok, err)
		}
		used := func() time.Time {
			tok, err := f.ByIdentifier(t.Context(), db, "app")
			if err != nil || tok.LastUsed == nil {
				t.Fatal(tok, err)
			}
			return *tok.LastUsed
		}
		first := used()
		f.now = first.Add(59 * time.Second)
		if _, _, err := f.AppPassword(t.Context(), f.user, key); err != nil || !used().Equal(first) {
			t.Errorf("within a minute: used %v, %v", used(), err)
		}
		f.now = first.Add(time.Minute)
		if _, _, err := f.AppPassword(t.Context(), f.user, key); err != nil || !used().Equal(f.now) {
			t.Errorf("after a minute: used %v, %v", used(), err)
		}
	})
}

func TestKeysAreNotStoredInClear(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db)
		const key = "a-key-that-is-easy-to-find"
		tok, _ := f.create(token.Token{Identifier: "a"}, key)
		other, _ := f.create(token.Token{Identifier: "b"}, "")
		var hash string
		var sealed []byte
		if err := db.QueryRow(t.Context(), "select key_hash, key_sealed from tokens where id = $1", tok.ID).Scan(&hash, &sealed); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(hash, key) || bytes.Contains(sealed, []byte(key)) {
			t.Error("the key is readable in its row")
		}
		// A sealed key moved to another row is not opened there.
		if _, err := db.Exec(t.Context(), "update tokens set key_sealed = $2 where id = $1", other.ID, sealed); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Key(t.Context(), db, other.ID); err == nil {
			t.Error("the key opens in another token")
		}
	})
}
