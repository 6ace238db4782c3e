package access_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

// house is a database with people in it.
type house struct {
	t  *testing.T
	db store.DB
	a  *access.Access
	n  int64
}

func newHouse(t *testing.T, db store.DB, owners map[string]access.Owner) *house {
	return &house{t: t, db: db, a: access.New(db, owners)}
}

func (h *house) write(fn func(ctx context.Context, tx store.Tx) error) {
	h.t.Helper()
	if err := h.db.Write(h.t.Context(), fn); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) person(active bool, groups ...identity.Group) *identity.Person {
	h.t.Helper()
	h.n++
	name := fmt.Sprintf("person-%d", h.n)
	u := identity.User{Username: name, Active: active}
	h.write(func(ctx context.Context, tx store.Tx) error {
		now := time.Now()
		return tx.QueryRow(ctx, `insert into users (uuid, username, username_key, name, email, email_key, upn_key, is_active, type, path, attributes,
			password_hash, password_changed_at, date_joined, last_updated)
			values ($1, $2, $2, '', '', '', '', $3, 'internal', 'users', '{}', '!', $4, $4, $4) returning id`, uuid.New(), name, active, now).Scan(&u.ID)
	})
	return identity.NewPerson(u, func(context.Context) ([]identity.Group, error) { return groups, nil })
}

func (h *house) group(super bool, parents ...identity.Group) identity.Group {
	h.t.Helper()
	h.n++
	g := identity.Group{ID: uuid.New(), Name: fmt.Sprintf("group-%d", h.n), Superuser: super}
	h.write(func(ctx context.Context, tx store.Tx) error {
		if _, err := tx.Exec(ctx, `insert into groups (id, name, name_key, is_superuser, attributes, created, updated) values ($1, $2, $2, $3, '{}', $4, $4)`,
			g.ID, g.Name, super, time.Now()); err != nil {
			return err
		}
		for _, p := range parents {
			if _, err := tx.Exec(ctx, `insert into group_parents (group_id, parent_id) values ($1, $2)`, g.ID, p.ID); err != nil {
				return err
			}
		}
		return nil
	})
	return g
}

// role makes a role with grants and hands it to a user or a group.
func (h *house) role(give func(ctx context.Context, tx store.Tx, role uuid.UUID) error, grants ...access.Grant) uuid.UUID {
	h.t.Helper()
	h.n++
	var id uuid.UUID
	h.write(func(ctx context.Context, tx store.Tx) error {
		var err error
		if id, err = h.a.CreateRole(ctx, tx, fmt.Sprintf("role-%d", h.n)); err != nil {
			return err
		}
		for _, g := range grants {
			g.Role = id
			if err := h.a.Grant(ctx, tx, g); err != nil {
				return err
			}
		}
		if give == nil {
			return nil
		}
		return give(ctx, tx, id)
	})
	return id
}

func (h *house) toUser(p *identity.Person) func(context.Context, store.Tx, uuid.UUID) error {
	return func(ctx context.Context, tx store.Tx, role uuid.UUID) error { return h.a.AddUser(ctx, tx, role, p.ID) }
}

func (h *house) toGroup(g identity.Group) func(context.Context, store.Tx, uuid.UUID) error {
	return func(ctx context.Context, tx store.Tx, role uuid.UUID) error { return h.a.AddGroup(ctx, tx, role, g.ID) }
}

func TestCan(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		owners := map[string]access.Owner{"session": func(_ context.Context, _ store.Querier, p *identity.Person, verb access.Verb, id string) (bool, error) {
			return id == fmt.Sprint(p.ID) && verb != access.Change, nil
		}}
		h := newHouse(t, db, owners)
		staff := h.group(false)
		super := h.person(true, identity.Group{Superuser: true})
		asleep := h.person(false, identity.Group{Superuser: true})
		viewer, member, keeper, nobody := h.person(true), h.person(true, staff), h.person(true), h.person(true)
		h.role(h.toUser(viewer), access.Grant{Permission: "view_flow"})
		h.role(h.toGroup(staff), access.Grant{Permission: "change_flow"})
		h.role(h.toUser(keeper), access.Grant{Permission: "delete_flow", Kind: "flow", ID: "one"})
		rows := []struct {
			name string
			who  *identity.Person
			verb access.Verb
			kind string
			id   string
			want bool
		}{
			{"a superuser may everything", super, access.Delete, "flow", "one", true},
			{"an inactive superuser may nothing", asleep, access.View, "flow", "one", false},
			{"a visitor may nothing", identity.Anonymous(), access.View, "flow", "one", false},
			{"nobody may nothing", nil, access.View, "flow", "one", false},
			{"a global grant covers every object", viewer, access.View, "flow", "one", true},
			{"a global grant covers the kind", viewer, access.View, "flow", "", true},
			{"a grant covers its verb only", viewer, access.Change, "flow", "one", false},
			{"a grant covers its kind only", viewer, access.View, "user", "one", false},
			{"a role of a group counts for its members", member, access.Change, "flow", "one", true},
			{"an object grant covers the object", keeper, access.Delete, "flow", "one", true},
			{"an object grant covers no other object", keeper, access.Delete, "flow", "two", false},
			{"an object grant does not cover the kind", keeper, access.Delete, "flow", "", false},
			{"no grant", nobody, access.View, "flow", "one", false},
			{"an owner", nobody, access.Delete, "session", fmt.Sprint(nobody.ID), true},
			{"an owner, another verb", nobody, access.Change, "session", fmt.Sprint(nobody.ID), false},
			{"not the owner", nobody, access.Delete, "session", fmt.Sprint(keeper.ID), false},
		}
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				got, err := h.a.Can(t.Context(), row.who, row.verb, row.kind, row.id)
				if err != nil || got != row.want {
					t.Errorf("Can = %v, %v; want %v", got, err, row.want)
				}
			})
		}
	})
}

// Nobody can grant what they do not hold, counted over the hierarchy.
func TestRule46NobodyGrantsWhatTheyDoNotHold(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		h := newHouse(t, db, nil)
		top := h.group(true)
		child := h.group(false, h.group(false, top))
		plain, powerful := h.group(false), h.group(false)
		h.role(h.toGroup(powerful), access.Grant{Permission: "delete_user"})
		manager, super := h.person(true), h.person(true, top)
		h.role(h.toUser(manager), access.Grant{Permission: "view_flow"}, access.Grant{Permission: "change_group"})

		for _, row := range []struct {
			name string
			who  *identity.Person
			verb access.Verb
			kind string
			ok   bool
		}{
			{"what they hold", manager, access.View, "flow", true},
			{"what they do not hold", manager, access.Delete, "flow", false},
			{"a superuser holds everything", super, access.Delete, "flow", true},
			{"a visitor holds nothing", identity.Anonymous(), access.View, "flow", false},
		} {
			t.Run("grant "+row.name, func(t *testing.T) {
				got, err := h.a.MayGrant(t.Context(), row.who, row.verb, row.kind, "")
				if err != nil || got != row.ok {
					t.Errorf("MayGrant = %v, %v; want %v", got, err, row.ok)
				}
			})
		}
		for _, row := range []struct {
			name  string
			who   *identity.Person
			group identity.Group
			want  bool
		}{
			{"a group without power", manager, plain, true},
			{"a superuser group", manager, top, false},
			{"a group below a superuser group", manager, child, false},
			{"a group whose role can more", manager, powerful, false},
			{"a superuser, any group", super, child, true},
		} {
			t.Run("join "+row.name, func(t *testing.T) {
				got, err := h.a.MayJoin(t.Context(), row.who, row.group.ID)
				if err != nil || got != row.want {
					t.Errorf("MayJoin = %v, %v; want %v", got, err, row.want)
				}
			})
		}
	})
}
