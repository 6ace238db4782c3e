package directory_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

func TestLookup(t *testing.T) {
	all := []string{"email", "username", "upn"}
	tests := []struct {
		name   string
		fields []string
		typed  string
		exact  bool
		want   string
	}{
		{"by user name", all, "alice", false, "Alice"},
		{"by user name, to the letter", all, "alice", true, ""},
		{"by user name, to the letter, as it is", all, "Alice", true, "Alice"},
		{"by e-mail address", all, "SHARED@example.com", false, "Alice"},
		{"the second of two with one address, to the letter", all, "shared@example.com", true, "bob"},
		{"by upn", []string{"upn"}, "BOB@corp", false, "bob"},
		{"by upn, to the letter", []string{"upn"}, "BOB@corp", true, ""},
		{"the first by id when several fields match", all, "bob", false, "Alice"},
		{"an inactive user", all, "idle", false, "idle"},
		{"by a field that is not asked for", []string{"username"}, "shared@example.com", false, ""},
		{"blanks around the name", all, "  alice ", false, "Alice"},
		{"full-width letters", all, "ａｌｉｃｅ", false, "Alice"},
		{"nobody", all, "mallory", false, ""},
		{"nothing typed", all, "", false, ""},
		{"only blanks", all, "  ", false, ""},
		{"no field", nil, "alice", false, ""},
		{"a NUL", all, "ali\x00ce", false, ""},
		{"an invisible character", all, "ali\u200bce", false, ""},
		{"SQL", all, "' or 1=1 --", false, ""},
	}
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h := newHouse(t, db)
		h.create(identity.User{Username: "Alice", Email: "Shared@example.com", Active: true, Attributes: map[string]any{"upn": "bob"}})
		h.create(identity.User{Username: "bob", Email: "shared@example.com", Active: true, Attributes: map[string]any{"upn": "bob@corp"}})
		h.create(identity.User{Username: "idle"})
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				p, err := h.Lookup(t.Context(), tt.fields, tt.typed, !tt.exact)
				if err != nil {
					t.Fatal(err)
				}
				got := ""
				if p != nil {
					got = p.Username
				}
				if got != tt.want {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		}
		if _, err := h.Lookup(t.Context(), []string{"password_hash"}, "!", false); !errors.Is(err, directory.ErrField) {
			t.Error("an unknown field is accepted")
		}
	})
}

func TestFind(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h := newHouse(t, db)
		id := h.create(identity.User{Username: "Alice", Email: "a@example.com", Active: true, Attributes: map[string]any{"team": map[string]any{"id": 1, "tags": []any{"a", "b"}}}}).ID
		h.create(identity.User{Username: "bob", Attributes: map[string]any{"team": map[string]any{"id": 2}}})
		tests := []struct {
			name  string
			match map[string]any
			want  []string
		}{
			{"everybody", nil, []string{"Alice", "bob"}},
			{"by name", map[string]any{"username": "Alice"}, []string{"Alice"}},
			{"by name in another case", map[string]any{"username": "alice"}, nil},
			{"by name without case", map[string]any{"username__iexact": "ALICE"}, []string{"Alice"}},
			{"by id as a number", map[string]any{"pk": id}, []string{"Alice"}},
			{"by id as text", map[string]any{"id": fmt.Sprint(id)}, []string{"Alice"}},
			{"by a flag", map[string]any{"is_active": false}, []string{"bob"}},
			{"by two fields", map[string]any{"is_active": true, "username": "bob"}, nil},
			{"by how a name begins", map[string]any{"username__startswith": "Al"}, []string{"Alice"}},
			{"in another case", map[string]any{"username__startswith": "al"}, nil},
			{"by how a name ends", map[string]any{"username__endswith": "ob"}, []string{"bob"}},
			{"by more than there is", map[string]any{"username__endswith": "bobob"}, nil},
			{"by a part", map[string]any{"email__contains": "@ex", "username__contains": "lic"}, []string{"Alice"}},
			{"by a sign that means something elsewhere", map[string]any{"username__contains": "%"}, nil},
			{"by nothing", map[string]any{"username__contains": "", "username__startswith": "", "username__endswith": ""}, []string{"Alice", "bob"}},
			{"by an attribute", map[string]any{"attributes": map[string]any{"team": map[string]any{"id": 1.0}}}, []string{"Alice"}},
			{"by a member of a list", map[string]any{"attributes": map[string]any{"team": map[string]any{"tags": []any{"b"}}}}, []string{"Alice"}},
			{"by an attribute that nobody has", map[string]any{"attributes": map[string]any{"x": nil}}, nil},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				users, err := h.FindUsers(t.Context(), db, tt.match)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, u := range users {
					got = append(got, u.Username)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
		for _, match := range []map[string]any{{"password_hash": "!"}, {"pk": "x"}, {"is_active": "maybe"}, {"name__iexact": "a"}, {"uuid": "x"}, {"name": "\x00"},
			{"name__contains": "\x00"}, {"name__contains": 5}, {"pk__contains": "1"}, {"username__regex": "a"}, {"username__": "a"}} {
			if _, err := h.FindUsers(t.Context(), db, match); !errors.Is(err, directory.ErrField) {
				t.Errorf("%v accepted", match)
			}
		}
		h.group("Staff")
		if g, err := h.FindGroups(t.Context(), db, map[string]any{"name__iexact": "STAFF"}); err != nil || len(g) != 1 {
			t.Errorf("find group: %v, %v", g, err)
		}
	})
}

func TestNestedGroups(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h := newHouse(t, db)
		top := identity.Group{Name: "top", Superuser: true, Attributes: map[string]any{"a": "b"}}
		h.must(func(ctx context.Context, tx store.Tx) error { return h.CreateGroup(ctx, tx, &top) })
		left, right := h.group("left", top), h.group("right", top)
		bottom := h.group("bottom", left, right)
		h.group("elsewhere")
		u := h.create(identity.User{Username: "a", Active: true})
		outsider := h.create(identity.User{Username: "b", Active: true})
		h.must(func(ctx context.Context, tx store.Tx) error {
			return h.SetGroups(ctx, tx, u.ID, []uuid.UUID{bottom.ID, bottom.ID})
		})
		p, err := h.Person(t.Context(), u.ID)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Groups(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := []identity.Group{bottom, left, right, top}
		sortIDs := cmp.Transformer("sort", func(ids []uuid.UUID) map[uuid.UUID]bool {
			set := map[uuid.UUID]bool{}
			for _, id := range ids {
				set[id] = true
			}
			return set
		})
		if diff := cmp.Diff(want, got, sortIDs); diff != "" {
			t.Error(diff)
		}
		if super, err := p.Superuser(t.Context()); !super || err != nil {
			t.Errorf("superuser by inheritance: %v, %v", super, err)
		}
		if super, err := h.NewPerson(outsider).Superuser(t.Context()); super || err != nil {
			t.Errorf("outsider: %v, %v", super, err)
		}

		for name, parents := range map[string][]uuid.UUID{"below it": {bottom.ID}, "itself": {top.ID}} {
			g := top
			g.Parents = parents
			err := h.write(func(ctx context.Context, tx store.Tx) error { return h.UpdateGroup(ctx, tx, &g) })
			if diff := cmp.Diff(map[string]string{"parents": "invalid"}, codes(t, err)); diff != "" {
				t.Errorf("a parent that is %s: %s", name, diff)
			}
		}
		g := top
		g.Parents = []uuid.UUID{uuid.New()}
		err = h.write(func(ctx context.Context, tx store.Tx) error { return h.UpdateGroup(ctx, tx, &g) })
		if diff := cmp.Diff(map[string]string{"parents": "does_not_exist"}, codes(t, err)); diff != "" {
			t.Error(diff)
		}
		twin := identity.Group{Name: "TOP"}
		err = h.write(func(ctx context.Context, tx store.Tx) error { return h.CreateGroup(ctx, tx, &twin) })
		if diff := cmp.Diff(map[string]string{"name": "unique"}, codes(t, err)); diff != "" {
			t.Error(diff)
		}

		h.must(func(ctx context.Context, tx store.Tx) error { return h.DeleteGroup(ctx, tx, left.ID) })
		if ids, err := h.DirectGroups(t.Context(), db, u.ID); err != nil || len(ids) != 1 {
			t.Errorf("direct groups: %v, %v", ids, err)
		}
		h.must(func(ctx context.Context, tx store.Tx) error {
			return h.SetMembers(ctx, tx, right.ID, []int64{outsider.ID})
		})
		if ids, err := h.Members(t.Context(), db, right.ID); err != nil || !cmp.Equal(ids, []int64{outsider.ID}) {
			t.Errorf("members: %v, %v", ids, err)
		}
		err = h.write(func(ctx context.Context, tx store.Tx) error { return h.SetMembers(ctx, tx, right.ID, []int64{-1}) })
		if diff := cmp.Diff(map[string]string{"users": "does_not_exist"}, codes(t, err)); diff != "" {
			t.Error(diff)
		}
		err = h.write(func(ctx context.Context, tx store.Tx) error { return h.SetGroups(ctx, tx, u.ID, []uuid.UUID{left.ID}) })
		if diff := cmp.Diff(map[string]string{"groups": "does_not_exist"}, codes(t, err)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestExistsAndActive(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h := newHouse(t, db)
		u, idle, g := h.create(identity.User{Username: "a", Active: true}), h.create(identity.User{Username: "b"}), h.group("g")
		for _, tt := range []struct {
			kind, id string
			want     bool
		}{{"user", fmt.Sprint(u.ID), true}, {"user", "0", false}, {"user", "x", false}, {"group", g.ID.String(), true}, {"group", uuid.NewString(), false}, {"group", "x", false}} {
			if got, err := h.Exists(t.Context(), db, tt.kind, tt.id); got != tt.want || err != nil {
				t.Errorf("%s %s: got %v, %v", tt.kind, tt.id, got, err)
			}
		}
		if _, err := h.Exists(t.Context(), db, "flow", "1"); err == nil {
			t.Error("an unknown kind is accepted")
		}
		h.must(func(ctx context.Context, tx store.Tx) error {
			for id, want := range map[int64]bool{u.ID: true, idle.ID: false, 0: false} {
				if got, err := h.Active(ctx, tx, id); got != want || err != nil {
					t.Errorf("active %d: got %v, %v", id, got, err)
				}
			}
			return nil
		})
	})
}

// What a certificate names is a user's whole name or address and nothing like
// it (rule 40).
func TestRule40CertificatesNameUsersToTheLetter(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h := newHouse(t, db)
		h.create(identity.User{Username: "Alice", Email: "alice@example.com", Active: true, Attributes: map[string]any{"upn": "carol"}})
		h.create(identity.User{Username: "bob", Email: "shared@example.com", Active: true})
		h.create(identity.User{Username: "carol@host", Email: "Shared@example.com"})
		for _, row := range []struct{ field, value, want string }{
			{"username", "Alice", "Alice"}, {"email", "alice@example.com", "Alice"}, {"username", "carol@host", "carol@host"},
			{"username", "alice", ""}, {"username", " Alice", ""}, {"username", "Alice ", ""}, {"username", "Ａlice", ""}, {"username", "Αlice", ""},
			{"username", "Alice\x00.evil.example", ""}, {"username", "Alic", ""}, {"username", "Alice,O=Example", ""}, {"username", "alice@example.com", ""},
			{"username", "carol", ""}, {"username", "CN=Alice", ""}, {"username", "%", ""}, {"username", "", ""}, {"username", "' or 1=1 --", ""},
			{"email", "ALICE@example.com", ""}, {"email", "alice@example.com.evil.example", ""}, {"email", "", ""},
			{"email", "shared@example.com", ""}, {"email", "Shared@example.com", ""},
		} {
			p, err := h.Named(t.Context(), row.field, row.value)
			got := ""
			if p != nil {
				got = p.Username
			}
			if err != nil || got != row.want {
				t.Errorf("%s %q: %q %v, want %q", row.field, row.value, got, err, row.want)
			}
		}
		if _, err := h.Named(t.Context(), "password", "x"); err == nil {
			t.Error("a field that names nobody was taken")
		}
	})
}
