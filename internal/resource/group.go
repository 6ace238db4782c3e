package resource

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/directory"
)

// groupDoc are the fields of a group that can be written.
type groupDoc struct {
	Name        string         `json:"name" field:"required"`
	IsSuperuser bool           `json:"is_superuser"`
	Parents     []uuid.UUID    `json:"parents" field:"ref=group"`
	Users       []int64        `json:"users" field:"ref=user"`
	Attributes  map[string]any `json:"attributes"`
	// Parent is the only parent that older files can name; null is none.
	Parent *uuid.UUID `json:"parent" field:"null,ref=group"`
}

type groupKind struct{ people *directory.Directory }

// Model implements Kind, as do the methods below.
func (k *groupKind) Model() string { return "authentik_core.group" }

func (k *groupKind) Find(ctx context.Context, tx *catalog.Tx, match map[string]any) (*Ref, error) {
	groups, err := k.people.FindGroups(ctx, tx.Store(), match)
	if err != nil || len(groups) == 0 {
		return nil, err
	}
	return groupRef(&groups[0]), nil
}

func groupRef(g *identity.Group) *Ref {
	return &Ref{Key: g.ID.String(), Model: "authentik_core.group", Name: g.Name}
}

// decode fills the document; a single parent stands for the list.
func (d *groupDoc) decode(data map[string]any, mode field.Mode) ([]string, field.Errors) {
	unknown, errs := field.Decode(d, data, mode)
	if _, given := data["parent"]; given && errs == nil {
		d.Parents = []uuid.UUID{}
		if d.Parent != nil {
			d.Parents = []uuid.UUID{*d.Parent}
		}
		d.Parent = nil
	}
	return unknown, errs
}

func (d *groupDoc) into(g *identity.Group) {
	g.Name, g.Superuser, g.Parents, g.Attributes = d.Name, d.IsSuperuser, d.Parents, d.Attributes
}

func (k *groupKind) Create(ctx context.Context, tx *catalog.Tx, key string, data map[string]any) (*Ref, []string, error) {
	id, err := newKey(key)
	if err != nil {
		return nil, nil, err
	}
	g := &identity.Group{ID: id}
	doc := &groupDoc{Parents: []uuid.UUID{}, Users: []int64{}, Attributes: map[string]any{}}
	unknown, errs := doc.decode(data, field.Create)
	if errs != nil {
		return nil, nil, errs
	}
	doc.into(g)
	if err := k.people.CreateGroup(ctx, tx.Store(), g); err != nil {
		return nil, nil, err
	}
	if err := k.people.SetMembers(ctx, tx.Store(), g.ID, doc.Users); err != nil {
		return nil, nil, err
	}
	return groupRef(g), unknown, nil
}

func (k *groupKind) load(ctx context.Context, tx *catalog.Tx, ref *Ref) (identity.Group, *groupDoc, error) {
	id, err := uuid.Parse(fmt.Sprint(ref.Key))
	if err != nil {
		return identity.Group{}, nil, fmt.Errorf("group %v: %w", ref.Key, catalog.ErrNotFound)
	}
	g, err := k.people.Group(ctx, tx.Store(), id)
	if err != nil {
		return g, nil, err
	}
	users, err := k.people.Members(ctx, tx.Store(), id)
	if err != nil {
		return g, nil, err
	}
	return g, &groupDoc{Name: g.Name, IsSuperuser: g.Superuser, Parents: append([]uuid.UUID{}, g.Parents...),
		Users: append([]int64{}, users...), Attributes: g.Attributes}, nil
}

func (k *groupKind) Update(ctx context.Context, tx *catalog.Tx, ref *Ref, data map[string]any) (changed, unknown []string, err error) {
	g, doc, err := k.load(ctx, tx, ref)
	if err != nil {
		return nil, nil, err
	}
	before := field.Encode(doc, field.Public)
	unknown, errs := doc.decode(data, field.Update)
	if errs != nil {
		return nil, nil, errs
	}
	changed = differing(before, field.Encode(doc, field.Public))
	if len(changed) > 0 {
		doc.into(&g)
		if err := k.people.UpdateGroup(ctx, tx.Store(), &g); err != nil {
			return nil, nil, err
		}
	}
	if slices.Contains(changed, "users") {
		if err := k.people.SetMembers(ctx, tx.Store(), g.ID, doc.Users); err != nil {
			return nil, nil, err
		}
	}
	return changed, unknown, nil
}

func (k *groupKind) Check(ctx context.Context, tx *catalog.Tx, ref *Ref, data map[string]any) error {
	_, doc, err := k.load(ctx, tx, ref)
	if err != nil {
		return err
	}
	_, errs := doc.decode(data, field.Update)
	return errs.Err()
}

func (k *groupKind) Delete(ctx context.Context, tx *catalog.Tx, ref *Ref) error {
	g, _, err := k.load(ctx, tx, ref)
	if err != nil {
		return err
	}
	if err := tx.DropReferences("group", g.ID.String()); err != nil {
		return err
	}
	return k.people.DeleteGroup(ctx, tx.Store(), g.ID)
}

func (k *groupKind) Read(ctx context.Context, tx *catalog.Tx, ref *Ref) (map[string]any, error) {
	g, doc, err := k.load(ctx, tx, ref)
	if err != nil {
		return nil, err
	}
	out := field.Encode(doc, field.Public)
	delete(out, "parent")
	out["pk"] = g.ID.String()
	return out, nil
}
