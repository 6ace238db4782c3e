package resource

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
)

// ResetPassword is the permission to give other people a password.
const ResetPassword access.Verb = "reset_user_password"

// user is authentik_core.user.
type user struct {
	people
	roles roleSets
	rows  *table[identity.User]
}

const userModel = "authentik_core.user"

// userData is what a user takes. The last three are for blueprints only.
type userData struct {
	Username  string      `json:"username" field:"required,max=150"`
	Name      string      `json:"name" field:"required,blank"`
	IsActive  bool        `json:"is_active"`
	LastLogin *time.Time  `json:"last_login" field:"null"`
	Groups    []uuid.UUID `json:"groups"`
	Roles     []uuid.UUID `json:"roles"`
	Email     string      `json:"email" field:"blank,max=254,format=email"`
	// Attributes hold anything; some keys mean something, such as "upn" and
	// "settings".
	Attributes map[string]any    `json:"attributes"`
	Path       string            `json:"path"`
	Type       identity.UserType `json:"type"`
	// Password is plain text; null means no change.
	Password *string `json:"password" field:"null,secret,notrim,file"`
	// PasswordHash is an encoded hash.
	PasswordHash *string `json:"password_hash" field:"null,secret,file"`
	// Permissions are "<app>.<codename>", added to what the user has.
	Permissions []string `json:"permissions" field:"file"`
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

// userMembers are the read-only members of a user.
type userMembers struct {
	PK          int64           `json:"pk"`
	DateJoined  time.Time       `json:"date_joined"`
	IsSuperuser bool            `json:"is_superuser"`
	GroupsObj   *[]groupSummary `json:"groups_obj" field:"null"`
	RolesObj    *[]roleSummary  `json:"roles_obj" field:"null"`
	Avatar      string          `json:"avatar"`
	UID         string          `json:"uid"`
	UUID        uuid.UUID       `json:"uuid"`
	PasswordAt  time.Time       `json:"password_change_date"`
	LastUpdated time.Time       `json:"last_updated"`
}

// Fields implements Objects.
func (k *user) Fields() []field.Spec {
	d := newUserData()
	return append(readOnly(new(userMembers)), field.Describe(&d)...)
}

// readOnly describes members that are never written.
func readOnly(members any) []field.Spec {
	specs := field.Describe(members)
	for i := range specs {
		specs[i].ReadOnly, specs[i].Default = true, nil
	}
	return specs
}

// Find implements Objects.
func (k *user) Find(ctx context.Context, v View, match map[string]any) (*Ref, error) {
	match, ok, err := lookup(userModel, match, parts(map[string]matchType{"pk": matchNumber, "id": matchNumber, "uuid": matchUUID, "username": matchText,
		"username__iexact": matchText, "name": matchText, "email": matchText, "email__iexact": matchText, "is_active": matchBool, "type": matchText, "path": matchText,
		"attributes": matchObject}, "username", "name", "email", "path"))
	if err != nil || !ok {
		return nil, err
	}
	found, err := k.directory.FindUsers(ctx, v.DB, match)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return userRef(&found[0]), nil
}

func userRef(u *identity.User) *Ref {
	return &Ref{Model: userModel, Key: u.ID, Name: u.Username, loaded: u}
}

// Create implements Objects.
func (k *user) Create(ctx context.Context, w *Write, _ string, data map[string]any) (*Ref, []string, error) {
	// Integer keys are never chosen: an exported one is mapped to the new one.
	d := newUserData()
	unknown, errs := field.Decode(&d, data, field.Create)
	if errs != nil {
		return nil, unknown, errs
	}
	if err := mayType(ctx, w, "", d.Type); err != nil {
		return nil, unknown, err
	}
	u := &identity.User{}
	d.apply(u)
	var err error
	if u.PasswordHash, err = k.hash(ctx, &d); err != nil {
		return nil, unknown, err
	}
	if err := k.directory.CreateUser(ctx, w.Store(), u); err != nil {
		return nil, unknown, err
	}
	if err := k.setLastLogin(ctx, w, u, &d); err != nil {
		return nil, unknown, err
	}
	ref := userRef(u)
	if err := k.relations(ctx, w, u.ID, &userData{}, &d); err != nil {
		return nil, unknown, err
	}
	return ref, k.strange(unknown), k.record(ctx, w, event.ModelCreated, ref)
}

// strange leaves out the keys of the representation that are never written.
func (k *user) strange(unknown []string) []string { return strangeTo(k.Fields(), unknown) }

func strangeTo(fields []field.Spec, unknown []string) []string {
	return slices.DeleteFunc(unknown, func(name string) bool {
		return slices.Contains(alwaysReadOnly, name) || slices.ContainsFunc(fields, func(s field.Spec) bool { return s.Name == name })
	})
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

func (k *user) setLastLogin(ctx context.Context, w *Write, u *identity.User, d *userData) error {
	if sameTime(u.LastLogin, d.LastLogin) {
		return nil
	}
	u.LastLogin = d.LastLogin
	if _, err := w.Store().Exec(ctx, "update users set last_login = $2 where id = $1", u.ID, d.LastLogin); err != nil {
		return fmt.Errorf("set last login of user %d: %w", u.ID, err)
	}
	return nil
}

func sameTime(a, b *time.Time) bool { return a == b || a != nil && b != nil && a.Equal(*b) }

// relations stores what stands in other tables, where it differs.
func (k *user) relations(ctx context.Context, w *Write, id int64, before, after *userData) error {
	if !sameSet(before.Groups, after.Groups) {
		// Groups that do not exist are refused in the words of a field.
		if err := k.directory.SetGroups(ctx, w.Store(), id, after.Groups); err != nil {
			return err
		}
		if err := mayJoin(ctx, w, difference(before.Groups, after.Groups)...); err != nil {
			return err
		}
	}
	if !sameSet(before.Roles, after.Roles) {
		if err := k.mayGive(ctx, w, difference(before.Roles, after.Roles)...); err != nil {
			return err
		}
		if err := k.roles.setUser(ctx, w.Store(), id, after.Roles); err != nil {
			return err
		}
	}
	return k.roles.grantGlobal(ctx, w, id, after.Permissions)
}

// load reads a user as data.
func (k *user) load(ctx context.Context, q store.Querier, ref *Ref) (identity.User, userData, error) {
	key, _ := ref.Key.(int64)
	u, err := k.directory.User(ctx, q, key)
	if err != nil {
		return u, userData{}, gone(err)
	}
	d := userDataOf(&u)
	if d.Groups, err = k.directory.DirectGroups(ctx, q, u.ID); err != nil {
		return u, d, err
	}
	d.Roles, err = k.roles.ofUser(ctx, q, u.ID)
	return u, d, err
}

func userDataOf(u *identity.User) userData {
	d := newUserData()
	d.Username, d.Name, d.Email, d.IsActive, d.LastLogin = u.Username, u.Name, u.Email, u.Active, u.LastLogin
	d.Type, d.Path, d.Attributes = u.Type, u.Path, u.Attributes
	return d
}

// Update implements Objects.
func (k *user) Update(ctx context.Context, w *Write, ref *Ref, data map[string]any, mode field.Mode) (changed, unknown []string, err error) {
	u, before, err := k.load(ctx, w.Store(), ref)
	if err != nil {
		return nil, nil, err
	}
	after := before
	unknown, errs := field.Decode(&after, data, mode)
	if errs != nil {
		return nil, unknown, errs
	}
	if err := mayType(ctx, w, before.Type, after.Type); err != nil {
		return nil, unknown, err
	}
	if err := k.mayActOn(ctx, w, u.ID); err != nil {
		return nil, unknown, err
	}
	changed = differing(encodeSets(&before), encodeSets(&after))
	changed = slices.DeleteFunc(changed, func(name string) bool { return name == "password" || name == "password_hash" || name == "permissions" })
	if slices.ContainsFunc(changed, func(name string) bool { return name != "groups" && name != "roles" && name != "last_login" }) {
		after.apply(&u)
		if err := k.directory.UpdateUser(ctx, w.Store(), &u); err != nil {
			return nil, unknown, err
		}
	}
	if err := k.setLastLogin(ctx, w, &u, &after); err != nil {
		return nil, unknown, err
	}
	if err := k.relations(ctx, w, u.ID, &before, &after); err != nil {
		return nil, unknown, err
	}
	set, err := k.newPassword(ctx, w, &u, &after)
	if err != nil {
		return nil, unknown, err
	}
	if set != "" {
		changed = append(changed, set)
		slices.Sort(changed)
	}
	if set != "" || before.Username != after.Username || before.Email != after.Email {
		if err := w.proven(u.ID); err != nil {
			return nil, unknown, err
		}
	}
	*ref = *userRef(&u)
	return changed, k.strange(unknown), k.changedNote(ctx, w, ref, changed)
}

// newPassword stores a password that is not the present one, and returns the
// name of the field it came from.
func (k *user) newPassword(ctx context.Context, w *Write, u *identity.User, d *userData) (string, error) {
	switch {
	case d.PasswordHash != nil:
		if *d.PasswordHash == u.PasswordHash {
			return "", nil
		}
		return "password_hash", k.directory.SetPasswordHash(ctx, w.Store(), u.ID, *d.PasswordHash)
	case d.Password != nil:
		// A blueprint that is applied again must change nothing.
		same, err := k.hasher.Verify(ctx, u.PasswordHash, *d.Password)
		if err != nil || same {
			return "", err
		}
		return "password", k.directory.SetPassword(ctx, w.Store(), u.ID, *d.Password)
	}
	return "", nil
}

// Check implements Objects.
func (k *user) Check(ctx context.Context, w *Write, ref *Ref, data map[string]any) error {
	_, d, err := k.load(ctx, w.Store(), ref)
	if err != nil {
		return err
	}
	_, errs := field.Decode(&d, data, field.Update)
	return errs.Err()
}

// Delete implements Objects.
func (k *user) Delete(ctx context.Context, w *Write, ref *Ref) error {
	key, _ := ref.Key.(int64)
	if err := k.mayActOn(ctx, w, key); err != nil {
		return err
	}
	if err := w.DropReferences("user", ref.ID()); err != nil {
		return err
	}
	if err := k.roles.dropOwn(ctx, w.Store(), key); err != nil {
		return err
	}
	if err := k.directory.DeleteUser(ctx, w.Store(), key); err != nil {
		return gone(err)
	}
	if err := k.record(ctx, w, event.ModelDeleted, ref); err != nil || !w.Snapshot().Settings().GDPR {
		return err
	}
	// Last, for it may be their own deed.
	return k.events.Forget(ctx, w.Store(), key)
}

// SetPassword gives a person a password for somebody else, records it and ends
// their sessions: whoever is signed in may be why the password is changed. hash
// was made before the transaction began: hashing takes long. keep is the key of
// the author's own session, which goes on.
func (r *Registry) SetPassword(ctx context.Context, w *Write, ref *Ref, hash, keep string) error {
	k := r.user
	key, _ := ref.Key.(int64)
	if err := w.proven(key); err != nil {
		return err
	}
	if err := k.mayActOn(ctx, w, key); err != nil {
		return err
	}
	u, err := k.directory.User(ctx, w.Store(), key)
	if err != nil {
		return gone(err)
	}
	if err := k.directory.SetPasswordHash(ctx, w.Store(), key, hash); err != nil {
		return err
	}
	if _, err := w.Store().Exec(ctx, "delete from sessions where user_id = $1 and key <> $2", key, keep); err != nil {
		return fmt.Errorf("end sessions of user %d: %w", key, err)
	}
	return k.events.Record(ctx, w.Store(), event.Event{Action: event.PasswordSet, User: identity.NewPerson(u, nil),
		AuthenticatedAs: w.By.Person, HTTP: w.By.HTTP, Brand: w.By.Brand})
}

// NoteRecovery records that somebody was given a way into a person's account, which
// they may only be by those who may act on that person (rule 46).
func (r *Registry) NoteRecovery(ctx context.Context, w *Write, ref *Ref) error {
	key, _ := ref.Key.(int64)
	if err := w.proven(key); err != nil {
		return err
	}
	if err := r.user.mayActOn(ctx, w, key); err != nil {
		return err
	}
	return r.user.events.Record(ctx, w.Store(), event.Event{Action: event.SecretView, User: w.By.Person, HTTP: w.By.HTTP, Brand: w.By.Brand,
		Context: map[string]any{"secret": event.Model{App: "authentik_core", Model: "user", PK: ref.ID(), Name: ref.Name}, "message": "A recovery link was made."}})
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
