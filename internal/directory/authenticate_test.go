package directory_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

// TestRule18AuthenticateCostsOneHash: whoever asks, right or wrong, pays for
// exactly one hash.
func TestRule18AuthenticateCostsOneHash(t *testing.T) {
	const inbuilt, tokens, ldap = directory.InbuiltBackend, directory.TokenBackend, "authentik.sources.ldap.auth.LDAPBackend"
	tests := []struct {
		name     string
		who      string
		backends []string
		password string
		backend  string
		method   string
		args     map[string]any
	}{
		{"the right password", "alice", []string{inbuilt}, "secret", inbuilt, "password", nil},
		{"the wrong password", "alice", []string{inbuilt}, "Secret", "", "", nil},
		{"a blank around the right password", "alice", []string{inbuilt}, "secret ", "", "", nil},
		{"an empty password", "alice", []string{inbuilt}, "", "", "", nil},
		{"an endless password", "alice", []string{inbuilt}, strings.Repeat("x", 1<<20), "", "", nil},
		{"an app password", "alice", []string{tokens}, "app-key", tokens, "token", map[string]any{"token": "laptop"}},
		{"somebody else's app password", "alice", []string{tokens}, "bob-key", "", "", nil},
		{"an app password where only passwords count", "alice", []string{inbuilt}, "app-key", "", "", nil},
		{"a password where only app passwords count", "alice", []string{tokens}, "secret", "", "", nil},
		{"the second back end accepts", "alice", []string{inbuilt, tokens}, "app-key", tokens, "token", map[string]any{"token": "laptop"}},
		{"the first back end accepts", "alice", []string{tokens, inbuilt}, "app-key", tokens, "token", map[string]any{"token": "laptop"}},
		{"the last of all", "alice", []string{ldap, tokens, inbuilt}, "secret", inbuilt, "password", nil},
		{"a back end that is not here", "alice", []string{ldap, "nonsense"}, "secret", "", "", nil},
		{"no back end", "alice", nil, "secret", "", "", nil},
		{"a back end named twice", "alice", []string{inbuilt, inbuilt}, "wrong", "", "", nil},
		{"an inactive user", "inactive", []string{inbuilt, tokens}, "secret", "", "", nil},
		{"an inactive user's app password", "inactive", []string{tokens}, "inactive-key", "", "", nil},
		{"a user without a password", "unusable", []string{inbuilt}, "", "", "", nil},
		{"a user with a broken hash", "broken", []string{inbuilt}, "x", "", "", nil},
		{"a user who was only typed", "typed", []string{inbuilt, tokens}, "secret", "", "", nil},
		{"nobody", "", []string{inbuilt, tokens}, "secret", "", "", nil},
	}
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h := newHouse(t, db)
		hash, err := h.HashPassword(t.Context(), "secret")
		if err != nil {
			t.Fatal(err)
		}
		people := map[string]*identity.Person{"typed": identity.NewPerson(identity.User{Username: "alice", Active: true}, nil)}
		for name, u := range map[string]identity.User{"alice": {Active: true, PasswordHash: hash}, "inactive": {PasswordHash: hash},
			"unusable": {Active: true}, "broken": {Active: true}} {
			u.Username = name
			u = h.create(u)
			if name == "broken" {
				u.PasswordHash = "$1$broken"
			}
			people[name] = h.NewPerson(u)
		}
		h.tokens["app-key"], h.tokens["bob-key"], h.tokens["inactive-key"] = people["alice"].ID, people["broken"].ID, people["inactive"].ID
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				h.hashes = 0
				v, err := h.Authenticate(t.Context(), guard.Guess{Account: tt.name}, tt.backends, people[tt.who], tt.password)
				if err != nil {
					t.Fatal(err)
				}
				if v.OK != (tt.backend != "") || v.OK && (v.Backend != tt.backend || v.Method != tt.method || !cmp.Equal(v.Args, tt.args)) {
					t.Errorf("got %+v", v)
				}
				if v.OK != (v.Settle != nil) {
					t.Error("only an accepted password can be settled")
				}
				if h.hashes != 1 {
					t.Errorf("computed %d hashes, want 1", h.hashes)
				}
			})
		}
	})
}

func TestLoginRehashes(t *testing.T) {
	const foreign = "pbkdf2_sha256$1000$saltsaltsalt$F7o7+5VTVzFAO998X6s3AHrDsJVdMiIlgndIMe19NvY="
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h := newHouse(t, db)
		u := h.create(identity.User{Username: "a", Active: true, PasswordHash: foreign})
		try := func(password string) bool {
			h.now = h.now.Add(time.Hour)
			v, err := h.Authenticate(t.Context(), guard.Guess{Account: "a"}, []string{directory.InbuiltBackend}, h.NewPerson(h.read(u.ID)), password)
			if err != nil {
				t.Fatal(err)
			}
			return v.OK
		}
		if try("wrong") || h.read(u.ID).PasswordHash != foreign {
			t.Error("a wrong password was accepted or stored")
		}
		if !try("correct horse") {
			t.Fatal("the right password is refused")
		}
		got := h.read(u.ID)
		if !strings.HasPrefix(got.PasswordHash, "$argon2id$") || !got.PasswordChangedAt.Equal(noon) || !got.UpdatedAt.Equal(noon) {
			t.Errorf("after a login: %+v", got)
		}
		if !try("correct horse") || h.read(u.ID).PasswordHash != got.PasswordHash {
			t.Error("hashed again without need")
		}

		// A password set while the old one was being hashed anew stays.
		stale := h.NewPerson(u)
		h.must(func(ctx context.Context, tx store.Tx) error { return h.SetPassword(ctx, tx, u.ID, "new") })
		set := h.read(u.ID)
		if !set.PasswordChangedAt.Equal(h.now) || !set.UpdatedAt.Equal(h.now) {
			t.Errorf("set password: %+v", set)
		}
		if v, err := h.Authenticate(t.Context(), guard.Guess{Account: "a"}, []string{directory.InbuiltBackend}, stale, "correct horse"); !v.OK || err != nil {
			t.Fatal(v.OK, err)
		}
		if h.read(u.ID).PasswordHash != set.PasswordHash {
			t.Error("the old password came back")
		}
	})
}

func TestPasswordsThatCannotBeSet(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h := newHouse(t, db)
		for plain, want := range map[string]string{"": "blank", strings.Repeat("x", 4097): "max_length"} {
			_, err := h.HashPassword(t.Context(), plain)
			if diff := cmp.Diff(map[string]string{"password": want}, codes(t, err)); diff != "" {
				t.Error(diff)
			}
		}
	})
}
