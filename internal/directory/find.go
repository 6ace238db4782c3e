package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/store"
)

// Lookup finds whom somebody means who typed a name into a login page: the
// first user by id of whom one of the fields ("email", "username", "upn")
// equals what was typed, folded or to the letter. It returns nil for nobody and
// does not look at whether the user is active. One query.
func (d *Directory) Lookup(ctx context.Context, fields []string, typed string, caseInsensitive bool) (*identity.Person, error) {
	typed = strings.TrimSpace(typed)
	if typed == "" || len(typed) > maxUPN || strings.ContainsFunc(typed, hidden) {
		return nil, nil // nobody has such a name
	}
	var args store.Args
	var either []string
	for _, f := range fields {
		switch f {
		case "username":
			either = append(either, "u.username_key = "+args.Add(UsernameKey(typed)))
		case "email":
			either = append(either, "u.email_key = "+args.Add(Key(typed))+" and u.email_key <> ''")
		case "upn":
			either = append(either, "u.upn_key = "+args.Add(Key(typed))+" and u.upn_key <> ''")
		default:
			return nil, fmt.Errorf("look up user by %q: %w", f, ErrField)
		}
	}
	if len(either) == 0 {
		return nil, nil
	}
	sql := "select " + UserColumns("u") + " from users u where (" + strings.Join(either, ") or (") + ") order by u.id limit 100"
	users, err := store.Select(ctx, d.db, scanUser, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("look up user: %w", err)
	}
	for i := range users {
		if u := &users[i]; caseInsensitive || hasExactly(u, fields, typed) {
			return d.NewPerson(*u), nil
		}
	}
	return nil, nil
}

func hasExactly(u *identity.User, fields []string, typed string) bool {
	return slices.Contains(fields, "username") && u.Username == typed ||
		slices.Contains(fields, "email") && u.Email == typed ||
		slices.Contains(fields, "upn") && upnOf(u) == typed
}

// Named returns the one user of whom a field ("username", "email") is value, to
// the letter. It returns nil for nobody, and where somebody else has a value that
// counts as the same: then it names neither (rule 40).
func (d *Directory) Named(ctx context.Context, field, value string) (*identity.Person, error) {
	if value == "" || len(value) > maxUPN || strings.ContainsFunc(value, hidden) {
		return nil, nil // nobody has such a name
	}
	users, err := d.FirstUsers(ctx, d.db, map[string]any{field + "__iexact": value}, 2)
	if err != nil || len(users) != 1 || !hasExactly(&users[0], []string{field}, value) {
		return nil, err
	}
	return d.NewPerson(users[0]), nil
}

// Exists tells whether there is a "user" or "group" with the id as text.
func (d *Directory) Exists(ctx context.Context, q store.Querier, kind, id string) (bool, error) {
	sql, arg := "", any(nil)
	switch kind {
	case "user":
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil {
			return false, nil
		}
		sql, arg = "select count(*) from users where id = $1", n
	case "group":
		g, err := uuid.Parse(id)
		if err != nil {
			return false, nil
		}
		sql, arg = "select count(*) from groups where id = $1", g
	default:
		return false, fmt.Errorf("look for %s %s: the directory holds users and groups", kind, id)
	}
	var n int
	if err := q.QueryRow(ctx, sql, arg).Scan(&n); err != nil {
		return false, fmt.Errorf("look for %s %s: %w", kind, id, err)
	}
	return n > 0, nil
}

// The fields that may be matched, with their columns; "id" goes by pk and id.
var (
	userMatches = map[string]string{"pk": "u.id", "id": "u.id", "uuid": "u.uuid", "username": "u.username", "name": "u.name",
		"email": "u.email", "is_active": "u.is_active", "type": "u.type", "path": "u.path"}
	groupMatches = map[string]string{"pk": "g.id", "id": "g.id", "name": "g.name", "is_superuser": "g.is_superuser"}
)

// ErrField means that a search names a field that cannot be matched, or a value
// that the field cannot have.
var ErrField = errors.New("cannot be matched")

// FindUsers returns the users that match all of match, by id: a field equals
// its value, "field__iexact" compares folded, "__startswith", "__endswith" and
// "__contains" compare a part of a text, and "attributes" is contained in the
// user's attributes. An unknown field is an error.
func (d *Directory) FindUsers(ctx context.Context, q store.Querier, match map[string]any) ([]identity.User, error) {
	return d.FirstUsers(ctx, q, match, 0)
}

// FirstUsers is FindUsers for at most limit users, counted before attributes
// are compared; 0 means all.
func (d *Directory) FirstUsers(ctx context.Context, q store.Querier, match map[string]any, limit int) ([]identity.User, error) {
	f, err := newFilter("user", userMatches, match)
	if err != nil {
		return nil, err
	}
	sql := "select " + UserColumns("u") + " from users u" + f.where() + " order by u.id"
	if limit > 0 {
		sql += " limit " + f.args.Add(limit)
	}
	users, err := store.Select(ctx, q, scanUser, sql, f.args...)
	if err != nil {
		return nil, fmt.Errorf("find users: %w", err)
	}
	return slices.DeleteFunc(users, func(u identity.User) bool { return !f.contained(u.Attributes) }), nil
}

// FindGroups does the same for groups, by name.
func (d *Directory) FindGroups(ctx context.Context, q store.Querier, match map[string]any) ([]identity.Group, error) {
	f, err := newFilter("group", groupMatches, match)
	if err != nil {
		return nil, err
	}
	groups, err := selectGroups(ctx, q, "select "+groupColumns+" from groups g left join group_parents gp on gp.group_id = g.id"+
		f.where()+" order by g.name_key, g.id, gp.parent_id", f.args...)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(groups, func(g identity.Group) bool { return !f.contained(g.Attributes) }), nil
}

// filter is a match as SQL. Attributes are compared in Go: the two databases
// differ there, and matches by attributes alone are rare and come from files.
type filter struct {
	terms      []string
	args       store.Args
	attributes any
}

func newFilter(kind string, columns map[string]string, match map[string]any) (filter, error) {
	var f filter
	for _, name := range slices.Sorted(maps.Keys(match)) {
		value := match[name]
		if name == "attributes" {
			f.attributes = plain(value)
			continue
		}
		base, how, compared := strings.Cut(name, "__")
		column, ok := columns[base]
		if !ok {
			return f, fmt.Errorf("find %s: %w: %q", kind, ErrField, name)
		}
		folded := how == "iexact"
		text, isText := value.(string)
		switch {
		case slices.Contains(TextParts, how):
			if !isText || !slices.Contains(textColumns, column) {
				return f, fmt.Errorf("find %s: %w by a part: %q", kind, ErrField, name)
			}
			v, err := bindable(column, text)
			if err != nil {
				return f, fmt.Errorf("find %s: %w so: %q: %w", kind, ErrField, name, err)
			}
			f.terms = append(f.terms, partOf(column, how, f.args.Add(v)))
		case compared && !folded:
			return f, fmt.Errorf("find %s: %w: %q", kind, ErrField, name)
		case column == "u.username" && folded && isText:
			f.terms = append(f.terms, "u.username_key = "+f.args.Add(UsernameKey(text)))
		case column == "u.email" && folded && isText:
			f.terms = append(f.terms, "u.email_key = "+f.args.Add(Key(text)))
		case column == "g.name" && folded && isText:
			f.terms = append(f.terms, "g.name_key = "+f.args.Add(Key(text)))
		case folded:
			return f, fmt.Errorf("find %s: %w without case: %q", kind, ErrField, name)
		default:
			v, err := bindable(column, value)
			if err != nil {
				return f, fmt.Errorf("find %s: %w so: %q: %w", kind, ErrField, name, err)
			}
			f.terms = append(f.terms, column+" = "+f.args.Add(v))
		}
	}
	return f, nil
}

// TextParts are the comparisons with a part of a text.
var TextParts = []string{"startswith", "endswith", "contains"}

// textColumns are the columns that have parts.
var textColumns = []string{"u.username", "u.name", "u.email", "u.path", "u.type", "g.name"}

// partOf compares a part of a column, letter by letter on both databases, which
// their like does not.
func partOf(column, how, arg string) string {
	arg = "cast(" + arg + " as text)"
	switch how {
	case "startswith":
		return "substr(" + column + ", 1, length(" + arg + ")) = " + arg
	case "endswith":
		return "length(" + column + ") >= length(" + arg + ") and substr(" + column + ", length(" + column + ") - length(" + arg + ") + 1) = " + arg
	}
	return "(" + arg + " = '' or replace(" + column + ", " + arg + ", '') <> " + column + ")"
}

func (f *filter) where() string {
	if len(f.terms) == 0 {
		return ""
	}
	return " where " + strings.Join(f.terms, " and ")
}

func (f *filter) contained(attributes map[string]any) bool {
	return f.attributes == nil || contains(plain(attributes), f.attributes)
}

// bindable turns a value from a file into the type of its column.
func bindable(column string, value any) (any, error) {
	text := fmt.Sprint(value)
	switch column {
	case "u.id":
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no user id", text)
		}
		return n, nil
	case "u.uuid", "g.id":
		id, err := uuid.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%q is no uuid", text)
		}
		return id, nil
	case "u.is_active", "g.is_superuser":
		b, err := strconv.ParseBool(text)
		if err != nil {
			return nil, fmt.Errorf("%q is neither true nor false", text)
		}
		return b, nil
	}
	if strings.ContainsRune(text, 0) {
		return nil, fmt.Errorf("it holds a NUL character")
	}
	return text, nil
}

// plain returns a value as encoding/json decodes it, so that 1 equals 1.0
// whichever decoder it came from; a value without a JSON form matches nothing.
func plain(v any) any {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var out any
	if err := json.Unmarshal(data, &out); err != nil {
		return err
	}
	return out
}

// contains is JSON containment as PostgreSQL's operator @> defines it: objects
// by key, lists by member, everything else by equality.
func contains(whole, part any) bool {
	switch part := part.(type) {
	case map[string]any:
		w, ok := whole.(map[string]any)
		if !ok {
			return false
		}
		for k, v := range part {
			if inner, ok := w[k]; !ok || !contains(inner, v) {
				return false
			}
		}
		return true
	case []any:
		w, ok := whole.([]any)
		if !ok {
			return false
		}
		for _, v := range part {
			if !slices.ContainsFunc(w, func(member any) bool { return contains(member, v) }) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(whole, part)
}

// UsersByID reads the users with these ids, in the order of their ids; those
// that do not exist are left out.
func (d *Directory) UsersByID(ctx context.Context, q store.Querier, ids []int64) ([]identity.User, error) {
	var args store.Args
	users, err := store.Select(ctx, q, scanUser, "select "+UserColumns("u")+" from users u where u.id in "+store.In(&args, ids)+" order by u.id", args...)
	if err != nil {
		return nil, fmt.Errorf("read users: %w", err)
	}
	return users, nil
}

// GroupsByID reads the groups with these ids, by name; those that do not exist
// are left out.
func (d *Directory) GroupsByID(ctx context.Context, q store.Querier, ids []uuid.UUID) ([]identity.Group, error) {
	var args store.Args
	return selectGroups(ctx, q, "select "+groupColumns+" from groups g left join group_parents gp on gp.group_id = g.id where g.id in "+
		store.In(&args, ids)+" order by g.name_key, g.id, gp.parent_id", args...)
}

// ScanUser reads a row of UserColumns.
func ScanUser(row store.Row) (identity.User, error) { return scanUser(row) }
