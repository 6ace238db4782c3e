package resource

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/directory"
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
	match, ok, err := lookup(userModel, match, map[string]matchType{"pk": matchNumber, "id": matchNumber, "uuid": matchUUID, "username": matchText,
		"username__iexact": matchText, "name": matchText, "email": matchText, "email__iexact": matchText, "is_active": matchBool, "type": matchText, "path": matchText,
		"attributes": matchObject})
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

// List implements Objects.
func (k *user) List(ctx context.Context, v View, q *Query) ([]*Ref, int, error) {
	users, total, err := k.rows.list(ctx, v, q)
	refs := make([]*Ref, len(users))
	for i := range users {
		refs[i] = userRef(&users[i])
	}
	return refs, total, err
}

func usersTable() *table[identity.User] {
	return &table[identity.User]{
		from: "users u", columns: directory.UserColumns("u"), scan: directory.ScanUser, key: "u.id", numeric: true,
		order: map[string]string{"pk": "u.id", "id": "u.id", "uuid": "u.uuid", "username": "u.username_key", "name": "u.name", "email": "u.email_key",
			"is_active": "u.is_active", "last_login": "u.last_login", "date_joined": "u.date_joined", "path": "u.path", "type": "u.type",
			"last_updated": "u.last_updated", "password_change_date": "u.password_changed_at"},
		fallback: "u.username_key, u.id",
		search:   searchUsers,
		filters: map[string]func(*statement, any){
			"username": func(s *statement, want any) {
				s.where("u.username_key = ? and u.username = ?", directory.UsernameKey(want.(string)), want)
			},
			"email": func(s *statement, want any) {
				s.where("u.email_key = ? and u.email = ?", directory.Key(want.(string)), want)
			},
			"attributes": func(s *statement, want any) { containsAttributes(s, "u.attributes", want.(map[string]any)) },
			"name":       equals("u.name"), "uuid": equals("u.uuid"), "is_active": equals("u.is_active"), "path": equals("u.path"), "type": oneOf("u.type"),
			"path_startswith": startsWith("u.path"),
			"is_superuser": func(s *statement, want any) {
				in := "in"
				if want != true {
					in = "not in"
				}
				s.where("u.id " + in + " (select gm.user_id from group_members gm where gm.group_id in (" + superGroups + "))")
			},
			"groups_by_name": func(s *statement, want any) {
				s.terms = append(s.terms, "u.id in (select gm.user_id from group_members gm join groups g on g.id = gm.group_id where g.name in "+s.in(want.([]any))+")")
			},
			"groups_by_pk": func(s *statement, want any) {
				s.terms = append(s.terms, "u.id in (select gm.user_id from group_members gm where gm.group_id in "+s.in(want.([]any))+")")
			},
			"roles_by_name": func(s *statement, want any) {
				s.terms = append(s.terms, "u.id in (select ru.user_id from role_users ru join roles r on r.id = ru.role_id where r.name in "+s.in(want.([]any))+")")
			},
			"roles_by_pk": func(s *statement, want any) {
				s.terms = append(s.terms, "u.id in (select ru.user_id from role_users ru where ru.role_id in "+s.in(want.([]any))+")")
			},
			"date_joined": equals("u.date_joined"), "date_joined__gt": compares("u.date_joined", ">"), "date_joined__lt": compares("u.date_joined", "<"),
			"last_updated": equals("u.last_updated"), "last_updated__gt": compares("u.last_updated", ">"), "last_updated__lt": compares("u.last_updated", "<"),
			"last_login": equals("u.last_login"), "last_login__gt": compares("u.last_login", ">"), "last_login__lt": compares("u.last_login", "<"),
			"last_login__isnull": missing("u.last_login"),
		},
	}
}

// superGroups are the groups that make superusers, those below them included.
const superGroups = `with recursive supers (id) as (
		select id from groups where is_superuser
		union
		select gp.group_id from group_parents gp join supers on gp.parent_id = supers.id)
	select id from supers`

func userFilters() []Filter {
	types := filterOf(field.Describe(new(userData)), "type")
	types.Many = true
	out := []Filter{{Name: "attributes", Object: true}, {Name: "email"}, {Name: "groups_by_name", Many: true}, {Name: "groups_by_pk", Format: "uuid", Many: true},
		{Name: "is_active", Type: "boolean"}, {Name: "is_superuser", Type: "boolean"}, {Name: "last_login__isnull", Type: "boolean"}, {Name: "name"},
		{Name: "path"}, {Name: "path_startswith"}, {Name: "roles_by_name", Many: true}, {Name: "roles_by_pk", Format: "uuid", Many: true},
		types, {Name: "username"}, {Name: "uuid", Format: "uuid"}}
	for _, name := range []string{"date_joined", "last_login", "last_updated"} {
		for _, op := range []string{"", "__gt", "__lt"} {
			out = append(out, Filter{Name: name + op, Format: "date-time"})
		}
	}
	return out
}

// Create implements Objects.
func (k *user) Create(ctx context.Context, w *Write, _ string, data map[string]any) (*Ref, []string, error) {
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
		if err := k.mayJoin(ctx, w, difference(before.Groups, after.Groups)...); err != nil {
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
	if err := k.mayActOn(ctx, w, u.ID); err != nil {
		return nil, nil, err
	}
	after := before
	unknown, errs := field.Decode(&after, data, mode)
	if errs != nil {
		return nil, unknown, errs
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
	if w.Snapshot().Settings().GDPR {
		if err := k.events.Forget(ctx, w.Store(), key); err != nil {
			return err
		}
	}
	return k.record(ctx, w, event.ModelDeleted, ref)
}

// Read implements Objects.
func (k *user) Read(ctx context.Context, v View, refs ...*Ref) ([]map[string]any, error) {
	ids := make([]int64, len(refs))
	for i, ref := range refs {
		ids[i], _ = ref.Key.(int64)
	}
	users, err := k.usersByID(ctx, v.DB, ids)
	if err != nil {
		return nil, err
	}
	groups, err := pairs[int64, uuid.UUID](ctx, v.DB, "select user_id, group_id from group_members where user_id in %s order by user_id, group_id", ids)
	if err != nil {
		return nil, err
	}
	roles, err := k.roles.ofUsers(ctx, v.DB, ids)
	if err != nil {
		return nil, err
	}
	supers, err := k.supers(ctx, v.DB, ids)
	if err != nil {
		return nil, err
	}
	var groupIDs []uuid.UUID
	for _, g := range groups {
		groupIDs = append(groupIDs, g.b)
	}
	byID := map[uuid.UUID]*identity.Group{}
	withGroups, withRoles := v.wants("include_groups", true), v.wants("include_roles", true)
	if withGroups {
		if byID, err = k.groupsByID(ctx, v.DB, groupIDs); err != nil {
			return nil, err
		}
	}
	out := make([]map[string]any, len(refs))
	for i, id := range ids {
		u, ok := users[id]
		if !ok {
			return nil, fmt.Errorf("read user %d: %w", id, ErrGone)
		}
		d := userDataOf(u)
		m := userMembers{PK: u.ID, DateJoined: u.JoinedAt, IsSuperuser: supers[id], Avatar: k.avatar(u.Username), UID: u.UID(k.installID), UUID: u.UUID,
			PasswordAt: u.PasswordChangedAt, LastUpdated: u.UpdatedAt}
		if withGroups {
			m.GroupsObj = &[]groupSummary{}
		}
		for _, g := range groups {
			if g.a != id {
				continue
			}
			d.Groups = append(d.Groups, g.b)
			if withGroups && byID[g.b] != nil {
				*m.GroupsObj = append(*m.GroupsObj, summarizeGroup(byID[g.b]))
			}
		}
		if withRoles {
			m.RolesObj = &[]roleSummary{}
		}
		for _, r := range roles[id] {
			d.Roles = append(d.Roles, r.PK)
			if withRoles {
				*m.RolesObj = append(*m.RolesObj, r)
			}
		}
		out[i] = field.Encode(&d, field.Public)
		delete(out[i], "permissions")
		maps.Copy(out[i], field.Encode(&m, field.Public))
	}
	return out, nil
}

// supers tells which users are superusers by one of their groups.
func (k *user) supers(ctx context.Context, q store.Querier, ids []int64) (map[int64]bool, error) {
	var args store.Args
	found, err := store.Select(ctx, q, store.Column[int64], `select distinct gm.user_id from group_members gm
		where gm.group_id in (`+superGroups+`) and gm.user_id in `+store.In(&args, ids), args...)
	if err != nil {
		return nil, fmt.Errorf("look for superusers: %w", err)
	}
	out := map[int64]bool{}
	for _, id := range found {
		out[id] = true
	}
	return out, nil
}

// UsedBy implements Objects.
func (k *user) UsedBy(ctx context.Context, v View, ref *Ref) ([]Use, error) {
	out := uses(k.catalog, v.Config, v.Config.UsersOf("user", ref.ID()), ref.ID())
	for _, t := range []struct{ model, sql string }{
		{tokenModel, "select id, identifier from tokens where user_id = $1 order by identifier"},
		{sessionModel, "select uuid, last_ip from sessions where user_id = $1 order by uuid"},
	} {
		found, err := store.Select(ctx, v.DB, func(row store.Row) (Use, error) {
			use := Use{Model: t.model, Action: field.Cascade}
			err := row.Scan(&use.Key, &use.Name)
			return use, err
		}, t.sql, ref.Key)
		if err != nil {
			return nil, fmt.Errorf("read what user %s has: %w", ref.ID(), err)
		}
		out = append(out, found...)
	}
	return out, nil
}

// SetPassword gives a person a password for somebody else, records it and ends
// their sessions: whoever is signed in may be why the password is changed. hash
// was made before the transaction began: hashing takes long. keep is the key of
// the author's own session, which goes on.
func (r *Registry) SetPassword(ctx context.Context, w *Write, ref *Ref, hash, keep string) error {
	k := r.user
	key, _ := ref.Key.(int64)
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
	return k.events.Record(ctx, w.Store(), event.Event{Action: event.PasswordSet, App: "weir.core", User: identity.NewPerson(u, nil),
		AuthenticatedAs: w.By.Person, HTTP: w.By.HTTP, Brand: w.By.Brand})
}

// Paths returns the folders of users, those above them included, that begin
// with one that holds the term.
func (r *Registry) Paths(ctx context.Context, v View, term string) ([]string, error) {
	// One step of the index for each path, however many people are in it.
	found, err := store.Select(ctx, v.DB, store.Column[string], `with recursive paths (path) as (
			select min(path) from users
			union all
			select (select min(u.path) from users u where u.path > paths.path) from paths where paths.path is not null)
		select path from paths where path is not null limit 10000`)
	if err != nil {
		return nil, fmt.Errorf("read paths of users: %w", err)
	}
	seen := map[string]bool{}
	for _, path := range found {
		for i, c := range path + "/" {
			if c == '/' && i > 0 {
				seen[path[:i]] = true
			}
		}
	}
	out := slices.Sorted(maps.Keys(seen))
	if term = strings.ToLower(term); term != "" {
		out = slices.DeleteFunc(out, func(path string) bool { return !strings.Contains(strings.ToLower(path), term) })
	}
	if out == nil {
		out = []string{}
	}
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
