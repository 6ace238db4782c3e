package resource

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/directory/password"
)

// user is authentik_core.user.
type user struct {
	directory *directory.Directory
	hasher    *password.Hasher
	roles     roleSets
}

// userData is what a user takes. The last three are for blueprints only.
type userData struct {
	Username   string            `json:"username" field:"required,max=150"`
	Name       string            `json:"name" field:"required,blank"`
	Email      string            `json:"email" field:"blank,max=254"`
	IsActive   bool              `json:"is_active"`
	Type       identity.UserType `json:"type"`
	Path       string            `json:"path"`
	Attributes map[string]any    `json:"attributes"`
	Groups     []uuid.UUID       `json:"groups"`
	Roles      []uuid.UUID       `json:"roles"`
	// Password is plain text; null means no change.
	Password *string `json:"password" field:"null,secret,notrim"`
	// PasswordHash is an encoded hash.
	PasswordHash *string `json:"password_hash" field:"null,secret"`
	// Permissions are "<app>.<codename>", added to what the user has.
	Permissions []string `json:"permissions"`
}

func newUserData() userData {
	return userData{IsActive: true, Type: identity.Internal, Path: "users", Attributes: map[string]any{}}
}

// Validate refuses two passwords at once.
func (d *userData) Validate() field.Errors {
	if d.Password != nil && d.PasswordHash != nil {
		return field.Errorf(field.NonField, field.CodeInvalid, "Give either password or password_hash, not both.")
	}
	return nil
}

func (k *user) Model() string { return "authentik_core.user" }

func (k *user) Find(ctx context.Context, tx *catalog.Tx, match map[string]any) (*Ref, error) {
	match, ok, err := lookup(k.Model(), match, map[string]matchType{"pk": matchNumber, "id": matchNumber, "uuid": matchUUID, "username": matchText,
		"username__iexact": matchText, "name": matchText, "email": matchText, "email__iexact": matchText, "is_active": matchBool, "type": matchText, "path": matchText,
		"attributes": matchObject})
	if err != nil || !ok {
		return nil, err
	}
	found, err := k.directory.FindUsers(ctx, tx.Store(), match)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return k.ref(&found[0]), nil
}

func (k *user) ref(u *identity.User) *Ref { return &Ref{Model: k.Model(), Key: u.ID, Name: u.Username} }

func (k *user) Create(ctx context.Context, tx *catalog.Tx, pk string, data map[string]any) (*Ref, []string, error) {
	// Integer keys are never chosen: an exported one is mapped to the new one.
	d := newUserData()
	unknown, errs := field.Decode(&d, data, field.Create)
	if errs != nil {
		return nil, unknown, errs
	}
	u := &identity.User{}
	d.apply(u)
	var err error
	if u.PasswordHash, err = k.hash(ctx, &d); err != nil {
		return nil, unknown, err
	}
	if err := k.directory.CreateUser(ctx, tx.Store(), u); err != nil {
		return nil, unknown, err
	}
	ref := k.ref(u)
	return ref, writable(unknown), k.relations(ctx, tx, u.ID, &userData{}, &d)
}

// hash returns the encoded form of a given password, "" when there is none.
func (k *user) hash(ctx context.Context, d *userData) (string, error) {
	switch {
	case d.PasswordHash != nil:
		return *d.PasswordHash, nil
	case d.Password != nil:
		return k.directory.HashPassword(ctx, *d.Password)
	}
	return "", nil
}

// apply copies the fields that stand in the user's row.
func (d *userData) apply(u *identity.User) {
	u.Username, u.Name, u.Email, u.Active = d.Username, d.Name, d.Email, d.IsActive
	u.Type, u.Path, u.Attributes = d.Type, d.Path, d.Attributes
}

// relations stores what stands in other tables, where it differs.
func (k *user) relations(ctx context.Context, tx *catalog.Tx, id int64, before, after *userData) error {
	if !sameSet(before.Groups, after.Groups) {
		if err := k.directory.SetGroups(ctx, tx.Store(), id, after.Groups); err != nil {
			return err
		}
	}
	if !sameSet(before.Roles, after.Roles) {
		if err := k.roles.setUser(ctx, tx.Store(), id, after.Roles); err != nil {
			return err
		}
	}
	return k.roles.grantGlobal(ctx, tx.Store(), id, after.Permissions)
}

// load reads a user as data.
func (k *user) load(ctx context.Context, tx *catalog.Tx, ref *Ref) (identity.User, userData, error) {
	key, _ := ref.Key.(int64)
	u, err := k.directory.User(ctx, tx.Store(), key)
	if err != nil {
		return u, userData{}, err
	}
	d := newUserData()
	d.Username, d.Name, d.Email, d.IsActive = u.Username, u.Name, u.Email, u.Active
	d.Type, d.Path, d.Attributes = u.Type, u.Path, u.Attributes
	if d.Groups, err = k.directory.DirectGroups(ctx, tx.Store(), u.ID); err != nil {
		return u, d, err
	}
	d.Roles, err = k.roles.ofUser(ctx, tx.Store(), u.ID)
	return u, d, err
}

func (k *user) Update(ctx context.Context, tx *catalog.Tx, ref *Ref, data map[string]any) (changed, unknown []string, err error) {
	u, before, err := k.load(ctx, tx, ref)
	if err != nil {
		return nil, nil, err
	}
	after := before
	unknown, errs := field.Decode(&after, data, field.Update)
	if errs != nil {
		return nil, unknown, errs
	}
	changed = differing(encodeSets(&before), encodeSets(&after))
	changed = slices.DeleteFunc(changed, func(name string) bool { return name == "password" || name == "password_hash" || name == "permissions" })
	if slices.ContainsFunc(changed, func(name string) bool { return name != "groups" && name != "roles" }) {
		after.apply(&u)
		if err := k.directory.UpdateUser(ctx, tx.Store(), &u); err != nil {
			return nil, unknown, err
		}
	}
	if err := k.relations(ctx, tx, u.ID, &before, &after); err != nil {
		return nil, unknown, err
	}
	set, err := k.newPassword(ctx, tx, &u, &after)
	if err != nil {
		return nil, unknown, err
	}
	if set != "" {
		changed = append(changed, set)
		slices.Sort(changed)
	}
	*ref = *k.ref(&u)
	return changed, writable(unknown), nil
}

// newPassword stores a password that is not the present one, and returns the
// name of the field it came from.
func (k *user) newPassword(ctx context.Context, tx *catalog.Tx, u *identity.User, d *userData) (string, error) {
	switch {
	case d.PasswordHash != nil:
		if *d.PasswordHash == u.PasswordHash {
			return "", nil
		}
		return "password_hash", k.directory.SetPasswordHash(ctx, tx.Store(), u.ID, *d.PasswordHash)
	case d.Password != nil:
		// A blueprint that is applied again must change nothing.
		same, err := k.hasher.Verify(ctx, u.PasswordHash, *d.Password)
		if err != nil || same {
			return "", err
		}
		return "password", k.directory.SetPassword(ctx, tx.Store(), u.ID, *d.Password)
	}
	return "", nil
}

func (k *user) Check(ctx context.Context, tx *catalog.Tx, ref *Ref, data map[string]any) error {
	_, d, err := k.load(ctx, tx, ref)
	if err != nil {
		return err
	}
	_, errs := field.Decode(&d, data, field.Update)
	return errs.Err()
}

func (k *user) Delete(ctx context.Context, tx *catalog.Tx, ref *Ref) error {
	if err := tx.DropReferences("user", fmt.Sprint(ref.Key)); err != nil {
		return err
	}
	key, _ := ref.Key.(int64)
	return k.directory.DeleteUser(ctx, tx.Store(), key)
}

func (k *user) Read(ctx context.Context, tx *catalog.Tx, ref *Ref) (map[string]any, error) {
	u, d, err := k.load(ctx, tx, ref)
	if err != nil {
		return nil, err
	}
	out := field.Encode(&d, field.Public)
	delete(out, "permissions")
	out["pk"], out["uuid"] = u.ID, u.UUID.String()
	return out, nil
}

// sameSet compares lists in which order means nothing.
func sameSet[T comparable](a, b []T) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(v T) bool { return !slices.Contains(b, v) })
}

// encodeSets encodes data to compare it: lists of keys in a fixed order, and
// attributes as encoding/json decodes them, since they come from files as well
// as from the database.
func encodeSets(d any) map[string]any {
	out := field.Encode(d, field.WithSecrets)
	for _, name := range []string{"groups", "roles", "parents", "users"} {
		if l, ok := out[name].([]any); ok {
			slices.SortFunc(l, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		}
	}
	if attributes, ok := out["attributes"]; ok {
		var plain any
		if data, err := json.Marshal(attributes); err == nil && json.Unmarshal(data, &plain) == nil {
			out["attributes"] = plain
		}
	}
	return out
}
