package resource

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/directory"
)

// group is authentik_core.group.
type group struct {
	directory *directory.Directory
	roles     roleSets
}

type groupData struct {
	Name        string         `json:"name" field:"required"`
	IsSuperuser bool           `json:"is_superuser"`
	Parents     []uuid.UUID    `json:"parents"`
	Users       []int64        `json:"users"`
	Attributes  map[string]any `json:"attributes"`
	Roles       []uuid.UUID    `json:"roles"`
}

func (k *group) Model() string { return "authentik_core.group" }

func (k *group) Find(ctx context.Context, tx *catalog.Tx, match map[string]any) (*Ref, error) {
	match, ok, err := lookup(k.Model(), match, map[string]matchType{"pk": matchUUID, "id": matchUUID, "name": matchText, "name__iexact": matchText,
		"is_superuser": matchBool, "attributes": matchObject})
	if err != nil || !ok {
		return nil, err
	}
	found, err := k.directory.FindGroups(ctx, tx.Store(), match)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return k.ref(&found[0]), nil
}

func (k *group) ref(g *identity.Group) *Ref {
	return &Ref{Model: k.Model(), Key: g.ID.String(), Name: g.Name}
}

// oldParent accepts the single "parent" that groups had before they could have
// several.
func oldParent(data map[string]any) map[string]any {
	parent, given := data["parent"]
	if !given {
		return data
	}
	data = maps.Clone(data)
	delete(data, "parent")
	if _, both := data["parents"]; !both {
		data["parents"] = []any{}
		if parent != nil {
			data["parents"] = []any{parent}
		}
	}
	return data
}

func (k *group) Create(ctx context.Context, tx *catalog.Tx, pk string, data map[string]any) (*Ref, []string, error) {
	d := groupData{Attributes: map[string]any{}}
	unknown, errs := field.Decode(&d, oldParent(data), field.Create)
	if errs != nil {
		return nil, unknown, errs
	}
	g := &identity.Group{Name: d.Name, Superuser: d.IsSuperuser, Attributes: d.Attributes, Parents: d.Parents}
	if pk != "" {
		var err error
		if g.ID, err = uuid.Parse(pk); err != nil {
			return nil, unknown, field.Errorf("pk", field.CodeInvalid, "Give the key as a UUID; %q is none.", pk)
		}
		// Asking first keeps the transaction usable.
		if _, err := k.directory.Group(ctx, tx.Store(), g.ID); err == nil {
			return nil, unknown, field.Errorf("pk", field.CodeUnique, "Choose another key; this one is taken.")
		} else if !errors.Is(err, directory.ErrNoGroup) {
			return nil, unknown, err
		}
	}
	if err := k.directory.CreateGroup(ctx, tx.Store(), g); err != nil {
		return nil, unknown, err
	}
	return k.ref(g), writable(unknown), k.relations(ctx, tx, g.ID, &groupData{}, &d)
}

func (k *group) relations(ctx context.Context, tx *catalog.Tx, id uuid.UUID, before, after *groupData) error {
	if !sameSet(before.Users, after.Users) {
		if err := k.directory.SetMembers(ctx, tx.Store(), id, after.Users); err != nil {
			return err
		}
	}
	if !sameSet(before.Roles, after.Roles) {
		return k.roles.setGroup(ctx, tx.Store(), id, after.Roles)
	}
	return nil
}

func (k *group) load(ctx context.Context, tx *catalog.Tx, ref *Ref) (identity.Group, groupData, error) {
	id, err := uuid.Parse(fmt.Sprint(ref.Key))
	if err != nil {
		return identity.Group{}, groupData{}, fmt.Errorf("read group %v: %w", ref.Key, err)
	}
	g, err := k.directory.Group(ctx, tx.Store(), id)
	if err != nil {
		return g, groupData{}, err
	}
	d := groupData{Name: g.Name, IsSuperuser: g.Superuser, Parents: g.Parents, Attributes: g.Attributes}
	if d.Users, err = k.directory.Members(ctx, tx.Store(), g.ID); err != nil {
		return g, d, err
	}
	d.Roles, err = k.roles.ofGroup(ctx, tx.Store(), g.ID)
	return g, d, err
}

func (k *group) Update(ctx context.Context, tx *catalog.Tx, ref *Ref, data map[string]any) (changed, unknown []string, err error) {
	g, before, err := k.load(ctx, tx, ref)
	if err != nil {
		return nil, nil, err
	}
	after := before
	unknown, errs := field.Decode(&after, oldParent(data), field.Update)
	if errs != nil {
		return nil, unknown, errs
	}
	changed = differing(encodeSets(&before), encodeSets(&after))
	if slices.ContainsFunc(changed, func(name string) bool { return name != "users" && name != "roles" }) {
		g.Name, g.Superuser, g.Attributes, g.Parents = after.Name, after.IsSuperuser, after.Attributes, after.Parents
		if err := k.directory.UpdateGroup(ctx, tx.Store(), &g); err != nil {
			return nil, unknown, err
		}
	}
	if err := k.relations(ctx, tx, g.ID, &before, &after); err != nil {
		return nil, unknown, err
	}
	*ref = *k.ref(&g)
	return changed, writable(unknown), nil
}

func (k *group) Check(ctx context.Context, tx *catalog.Tx, ref *Ref, data map[string]any) error {
	_, d, err := k.load(ctx, tx, ref)
	if err != nil {
		return err
	}
	_, errs := field.Decode(&d, oldParent(data), field.Update)
	return errs.Err()
}

func (k *group) Delete(ctx context.Context, tx *catalog.Tx, ref *Ref) error {
	g, _, err := k.load(ctx, tx, ref)
	if err != nil {
		return err
	}
	if err := tx.DropReferences("group", g.ID.String()); err != nil {
		return err
	}
	return k.directory.DeleteGroup(ctx, tx.Store(), g.ID)
}

func (k *group) Read(ctx context.Context, tx *catalog.Tx, ref *Ref) (map[string]any, error) {
	_, d, err := k.load(ctx, tx, ref)
	if err != nil {
		return nil, err
	}
	out := field.Encode(&d, field.Public)
	out["pk"] = ref.Key
	return out, nil
}
