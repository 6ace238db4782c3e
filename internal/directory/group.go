package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/store"
)

// ErrNoGroup means that a group does not exist (any more).
var ErrNoGroup = errors.New("no such group")

const maxGroupName = 150 // characters

func checkGroup(g *identity.Group) error {
	if g.Attributes == nil {
		g.Attributes = map[string]any{}
	}
	if badText(g.Attributes) {
		return field.Errors{"attributes": {attributesProblem}}
	}
	switch {
	case strings.TrimSpace(g.Name) == "":
		return field.Errors{"name": {{Code: field.CodeBlank, Message: "group.name.blank", String: "Enter a name."}}}
	case utf8.RuneCountInString(g.Name) > maxGroupName || strings.ContainsFunc(g.Name, hidden):
		return field.Errors{"name": {{Code: field.CodeInvalid, Message: "group.name.invalid",
			String: "Enter a name of at most 150 characters, without invisible ones."}}}
	}
	return nil
}

// CreateGroup stores a new group with its parents and fills a zero ID. Problems
// are field.Errors.
func (d *Directory) CreateGroup(ctx context.Context, tx store.Tx, g *identity.Group) error {
	if err := d.checkNewName(ctx, tx, g); err != nil {
		return err
	}
	if g.ID == uuid.Nil {
		g.ID = uuid.New()
	}
	now := d.now()
	_, err := tx.Exec(ctx, `insert into groups (id, name, name_key, is_superuser, attributes, created, updated)
		values ($1, $2, $3, $4, $5, $6, $6)`, g.ID, g.Name, Key(g.Name), g.Superuser, store.JSON(g.Attributes), now)
	if err != nil {
		return groupTaken(err, "create group")
	}
	return d.setParents(ctx, tx, g)
}

// UpdateGroup stores all fields and the parents. The error wraps ErrNoGroup
// when the group is gone.
func (d *Directory) UpdateGroup(ctx context.Context, tx store.Tx, g *identity.Group) error {
	if err := d.checkNewName(ctx, tx, g); err != nil {
		return err
	}
	n, err := tx.Exec(ctx, `update groups set name = $2, name_key = $3, is_superuser = $4, attributes = $5, updated = $6 where id = $1`,
		g.ID, g.Name, Key(g.Name), g.Superuser, store.JSON(g.Attributes), d.now())
	if err != nil {
		return groupTaken(err, fmt.Sprintf("update group %s", g.ID))
	}
	if n == 0 {
		return fmt.Errorf("update group %s: %w", g.ID, ErrNoGroup)
	}
	return d.setParents(ctx, tx, g)
}

// DeleteGroup removes a group; its members and children stay. The error wraps
// ErrNoGroup when there is none.
func (d *Directory) DeleteGroup(ctx context.Context, tx store.Tx, id uuid.UUID) error {
	n, err := tx.Exec(ctx, "delete from groups where id = $1", id)
	if err == nil && n == 0 {
		err = ErrNoGroup
	}
	if err != nil {
		return fmt.Errorf("delete group %s: %w", id, err)
	}
	return nil
}

func (d *Directory) checkNewName(ctx context.Context, tx store.Tx, g *identity.Group) error {
	if err := checkGroup(g); err != nil {
		return err
	}
	ids, err := store.Select(ctx, tx, store.Column[uuid.UUID], "select id from groups where name_key = $1 and id <> $2", Key(g.Name), g.ID)
	if err != nil {
		return fmt.Errorf("look for group name: %w", err)
	}
	if len(ids) > 0 {
		return groupNameTaken()
	}
	return nil
}

func groupNameTaken() field.Errors {
	return field.Errors{"name": {{Code: field.CodeUnique, Message: "group.name.taken", String: "Choose another name; this one is taken."}}}
}

func groupTaken(err error, doing string) error {
	if store.ConflictOn(err, "groups", "name_key") {
		return groupNameTaken()
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// setParents replaces the parents of a group. A parent that does not exist, is
// the group itself or is below it is a field error.
func (d *Directory) setParents(ctx context.Context, tx store.Tx, g *identity.Group) error {
	// Two transactions could each add one half of a cycle, so they take turns.
	// SQLite has one writer anyway.
	if len(g.Parents) > 0 && tx.Dialect() == store.Postgres {
		if _, err := tx.Exec(ctx, "lock table group_parents in share row exclusive mode"); err != nil {
			return fmt.Errorf("lock group parents: %w", err)
		}
	}
	if _, err := tx.Exec(ctx, "delete from group_parents where group_id = $1", g.ID); err != nil {
		return fmt.Errorf("set parents of group %s: %w", g.ID, err)
	}
	for _, parent := range g.Parents {
		if err := d.checkParent(ctx, tx, g.ID, parent); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, "insert into group_parents (group_id, parent_id) values ($1, $2) on conflict do nothing", g.ID, parent)
		if err != nil {
			return fmt.Errorf("set parents of group %s: %w", g.ID, err)
		}
	}
	return nil
}

func (d *Directory) checkParent(ctx context.Context, tx store.Tx, id, parent uuid.UUID) error {
	above, err := d.Ancestors(ctx, tx, parent)
	if errors.Is(err, ErrNoGroup) {
		return field.Errors{"parents": {{Code: field.CodeDoesNotExist, Message: "group.parent.missing", String: "Choose a parent group that exists."}}}
	}
	if err != nil {
		return err
	}
	for _, g := range above {
		if g.ID == id {
			return field.Errors{"parents": {{Code: field.CodeInvalid, Message: "group.parent.cycle",
				String: "Choose a parent that is not the group itself or below it."}}}
		}
	}
	return nil
}
