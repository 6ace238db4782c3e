package resource

import (
	"context"
	"fmt"
	"math/big"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/directory/password"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
)

// people is what the kinds about people share.
type people struct {
	directory *directory.Directory
	hasher    *password.Hasher
	access    *access.Access
	events    *event.Recorder
	catalog   *catalog.Catalog
	avatar    func(username string) string
	installID string
	now       func() time.Time
}

// record notes that an object was written. Objects of the catalog are noted
// when their revision is stored.
func (p people) record(ctx context.Context, w *Write, action event.Action, ref *Ref) error {
	k := Kind{Model: ref.Model}
	m := event.Model{App: k.App(), Model: k.Name(), PK: ref.ID(), Name: ref.Name}
	return p.events.RecordModel(ctx, w.Store(), action, m, event.By{User: w.By.Person, HTTP: w.By.HTTP, Brand: w.By.Brand})
}

// changedNote records an update that changed something.
func (p people) changedNote(ctx context.Context, w *Write, ref *Ref, changed []string) error {
	if len(changed) == 0 {
		return nil
	}
	return p.record(ctx, w, event.ModelUpdated, ref)
}

// mayJoin refuses to put people into groups that may more than the author of
// the write (rule 46).
func mayJoin(ctx context.Context, w *Write, groups ...uuid.UUID) error {
	for _, g := range groups {
		ok, err := w.may(func(a *access.Access, p *identity.Person) (bool, error) { return a.MayJoin(ctx, p, g) })
		if err != nil {
			return err
		}
		if !ok {
			return &ForbiddenError{"You cannot change who belongs to a group that may do more than you may."}
		}
	}
	return nil
}

// mayGive refuses to hand out roles that may more than the author of the write.
func (p people) mayGive(ctx context.Context, w *Write, roles ...uuid.UUID) error {
	for _, r := range roles {
		ok, err := w.may(func(a *access.Access, p *identity.Person) (bool, error) { return a.MayGiveRole(ctx, p, r) })
		if err != nil {
			return err
		}
		if !ok {
			return &ForbiddenError{"You cannot change who has a role that may do more than you may."}
		}
	}
	return nil
}

// MayActOn refuses to change the account of somebody who may do more than the
// author of the write: who can change an account can take it over.
func (p people) mayActOn(ctx context.Context, w *Write, user int64) error {
	ok, err := w.may(func(a *access.Access, p *identity.Person) (bool, error) { return a.MayActOn(ctx, p, user) })
	if err == nil && !ok {
		err = &ForbiddenError{"You cannot change an account that may do more than you may."}
	}
	return err
}

// mayType refuses to make an account that of an outpost, or to end that, unless
// a superuser does: the server believes the client addresses that come with
// the tokens of such an account.
func mayType(ctx context.Context, w *Write, before, after identity.UserType) error {
	if before == after || before != identity.InternalServiceAccount && after != identity.InternalServiceAccount {
		return nil
	}
	ok, err := w.may(func(_ *access.Access, p *identity.Person) (bool, error) { return access.Superuser(ctx, p) })
	if err == nil && !ok {
		err = field.Errorf("type", field.CodeInvalid, "Only a superuser can make an internal service account, or something else of one.")
	}
	return err
}

// added are the members of after that are not in before, and the other way
// round.
func difference[T comparable](before, after []T) []T {
	have := map[T]int{}
	for _, v := range before {
		have[v] |= 1
	}
	for _, v := range after {
		have[v] |= 2
	}
	var out []T
	for v, where := range have {
		if where != 3 {
			out = append(out, v)
		}
	}
	return out
}

// userSummary is a user inside of another object.
type userSummary struct {
	PK         int64          `json:"pk" field:"readonly"`
	Username   string         `json:"username" field:"required,max=150"`
	Name       string         `json:"name" field:"required"`
	IsActive   bool           `json:"is_active"`
	LastLogin  *time.Time     `json:"last_login" field:"null"`
	Email      string         `json:"email" field:"blank,max=254,format=email"`
	Attributes map[string]any `json:"attributes"`
	UID        string         `json:"uid" field:"readonly"`
}

func (p people) summarizeUser(u *identity.User) userSummary {
	return userSummary{PK: u.ID, Username: u.Username, Name: u.Name, IsActive: u.Active, LastLogin: u.LastLogin, Email: u.Email,
		Attributes: u.Attributes, UID: u.UID(p.installID)}
}

// groupSummary is a group inside of another object.
type groupSummary struct {
	PK          uuid.UUID      `json:"pk" field:"readonly"`
	NumPK       int64          `json:"num_pk" field:"readonly"`
	Name        string         `json:"name" field:"required"`
	IsSuperuser bool           `json:"is_superuser"`
	Attributes  map[string]any `json:"attributes"`
}

func summarizeGroup(g *identity.Group) groupSummary {
	return groupSummary{PK: g.ID, NumPK: numPK(g.ID), Name: g.Name, IsSuperuser: g.Superuser, Attributes: g.Attributes}
}

// numPK is a small number made of a key, for systems that want numbers: the
// first five decimal digits of the UUID.
func numPK(id uuid.UUID) int64 {
	n, _ := strconv.ParseInt(decimal(id)[:5], 10, 64)
	return n
}

// usersByID reads users, by id.
func (p people) usersByID(ctx context.Context, q store.Querier, ids []int64) (map[int64]*identity.User, error) {
	out := map[int64]*identity.User{}
	if len(ids) == 0 {
		return out, nil
	}
	users, err := p.directory.UsersByID(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	for i := range users {
		out[users[i].ID] = &users[i]
	}
	return out, nil
}

// groupsByID reads groups, by id.
func (p people) groupsByID(ctx context.Context, q store.Querier, ids []uuid.UUID) (map[uuid.UUID]*identity.Group, error) {
	out := map[uuid.UUID]*identity.Group{}
	if len(ids) == 0 {
		return out, nil
	}
	groups, err := p.directory.GroupsByID(ctx, q, ids)
	if err != nil {
		return nil, err
	}
	for i := range groups {
		out[groups[i].ID] = &groups[i]
	}
	return out, nil
}

// pair is one row of a table that joins two others.
type pair[A, B any] struct {
	a A
	b B
}

// pairs reads which objects belong to which.
func pairs[A, B any](ctx context.Context, q store.Querier, sql string, ids []A) ([]pair[A, B], error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var args store.Args
	out, err := store.Select(ctx, q, func(row store.Row) (pair[A, B], error) {
		var p pair[A, B]
		err := row.Scan(&p.a, &p.b)
		return p, err
	}, fmt.Sprintf(sql, store.In(&args, ids)), args...)
	if err != nil {
		return nil, fmt.Errorf("read memberships: %w", err)
	}
	return out, nil
}

// decimal is a UUID as a decimal number, padded so that it has digits to take.
func decimal(id uuid.UUID) string {
	return fmt.Sprintf("%05s", new(big.Int).SetBytes(id[:]).String())
}
