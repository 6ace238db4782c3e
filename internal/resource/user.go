package resource

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/directory"
)

// userDoc are the fields of a user that can be written.
type userDoc struct {
	Username   string            `json:"username" field:"required,max=150"`
	Name       string            `json:"name" field:"blank"`
	Email      string            `json:"email" field:"blank,max=254"`
	IsActive   bool              `json:"is_active"`
	Path       string            `json:"path"`
	Type       identity.UserType `json:"type"`
	Attributes map[string]any    `json:"attributes"`
	Groups     []uuid.UUID       `json:"groups" field:"ref=group"`
	// Password is hashed when the user is saved; null changes nothing.
	Password *string `json:"password" field:"null,notrim,secret"`
	// PasswordHash is a ready hash, instead of Password.
	PasswordHash *string `json:"password_hash" field:"null,secret"`
}

// Validate refuses two passwords.
func (d *userDoc) Validate() field.Errors {
	if d.Password != nil && d.PasswordHash != nil {
		return field.Errorf(field.NonField, field.CodeInvalid, "Give password or password_hash, not both.")
	}
	return nil
}

type userKind struct{ people *directory.Directory }

// Model implements Kind, as do the methods below.
func (k *userKind) Model() string { return "authentik_core.user" }

func (k *userKind) Find(ctx context.Context, tx *catalog.Tx, match map[string]any) (*Ref, error) {
	users, err := k.people.FindUsers(ctx, tx.Store(), match)
	if err != nil || len(users) == 0 {
		return nil, err
	}
	return userRef(&users[0]), nil
}

func userRef(u *identity.User) *Ref {
	return &Ref{Key: u.ID, Model: "authentik_core.user", Name: u.Username}
}

func (k *userKind) Create(ctx context.Context, tx *catalog.Tx, key string, data map[string]any) (*Ref, []string, error) {
	if key != "" {
		return nil, nil, field.Errorf("pk", field.CodeInvalid, "Leave pk out; the ids of users are chosen here.")
	}
	doc := &userDoc{IsActive: true, Path: "users", Type: identity.Internal, Attributes: map[string]any{}, Groups: []uuid.UUID{}}
	unknown, errs := field.Decode(doc, data, field.Create)
	if errs != nil {
		return nil, nil, errs
	}
	u := &identity.User{}
	doc.into(u)
	if err := k.people.CreateUser(ctx, tx.Store(), u); err != nil {
		return nil, nil, err
	}
	if err := k.people.SetGroups(ctx, tx.Store(), u.ID, doc.Groups); err != nil {
		return nil, nil, err
	}
	if err := k.setPassword(ctx, tx, u.ID, doc); err != nil {
		return nil, nil, err
	}
	return userRef(u), unknown, nil
}

func (d *userDoc) into(u *identity.User) {
	u.Username, u.Name, u.Email, u.Active, u.Path, u.Type, u.Attributes = d.Username, d.Name, d.Email, d.IsActive, d.Path, d.Type, d.Attributes
}

func (k *userKind) setPassword(ctx context.Context, tx *catalog.Tx, id int64, doc *userDoc) error {
	switch {
	case doc.Password != nil:
		return k.people.SetPassword(ctx, tx.Store(), id, *doc.Password)
	case doc.PasswordHash != nil:
		return k.people.SetPasswordHash(ctx, tx.Store(), id, *doc.PasswordHash)
	}
	return nil
}

// load reads a user as a document.
func (k *userKind) load(ctx context.Context, tx *catalog.Tx, ref *Ref) (identity.User, *userDoc, error) {
	id, err := strconv.ParseInt(fmt.Sprint(ref.Key), 10, 64)
	if err != nil {
		return identity.User{}, nil, fmt.Errorf("user %v: %w", ref.Key, catalog.ErrNotFound)
	}
	u, err := k.people.User(ctx, tx.Store(), id)
	if err != nil {
		return u, nil, err
	}
	groups, err := k.people.DirectGroups(ctx, tx.Store(), id)
	if err != nil {
		return u, nil, err
	}
	if groups == nil {
		groups = []uuid.UUID{}
	}
	return u, &userDoc{Username: u.Username, Name: u.Name, Email: u.Email, IsActive: u.Active, Path: u.Path, Type: u.Type,
		Attributes: u.Attributes, Groups: groups}, nil
}

func (k *userKind) Update(ctx context.Context, tx *catalog.Tx, ref *Ref, data map[string]any) (changed, unknown []string, err error) {
	u, doc, err := k.load(ctx, tx, ref)
	if err != nil {
		return nil, nil, err
	}
	before := field.Encode(doc, field.Public)
	unknown, errs := field.Decode(doc, data, field.Update)
	if errs != nil {
		return nil, nil, errs
	}
	changed = differing(before, field.Encode(doc, field.Public))
	if len(changed) > 0 {
		doc.into(&u)
		if err := k.people.UpdateUser(ctx, tx.Store(), &u); err != nil {
			return nil, nil, err
		}
	}
	if slices.Contains(changed, "groups") {
		if err := k.people.SetGroups(ctx, tx.Store(), u.ID, doc.Groups); err != nil {
			return nil, nil, err
		}
	}
	if err := k.setPassword(ctx, tx, u.ID, doc); err != nil {
		return nil, nil, err
	}
	if doc.Password != nil || doc.PasswordHash != nil {
		changed = append(changed, "password")
	}
	return changed, unknown, nil
}

func (k *userKind) Check(ctx context.Context, tx *catalog.Tx, ref *Ref, data map[string]any) error {
	_, doc, err := k.load(ctx, tx, ref)
	if err != nil {
		return err
	}
	_, errs := field.Decode(doc, data, field.Update)
	return errs.Err()
}

func (k *userKind) Delete(ctx context.Context, tx *catalog.Tx, ref *Ref) error {
	u, _, err := k.load(ctx, tx, ref)
	if err != nil {
		return err
	}
	if err := tx.DropReferences("user", strconv.FormatInt(u.ID, 10)); err != nil {
		return err
	}
	return k.people.DeleteUser(ctx, tx.Store(), u.ID)
}

func (k *userKind) Read(ctx context.Context, tx *catalog.Tx, ref *Ref) (map[string]any, error) {
	u, doc, err := k.load(ctx, tx, ref)
	if err != nil {
		return nil, err
	}
	out := field.Encode(doc, field.Public)
	out["pk"], out["uuid"] = u.ID, u.UUID.String()
	return out, nil
}
