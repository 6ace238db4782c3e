package weir

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/expression"
)

// expressionPeople finds people and groups for expressions. The directory is
// asked for what it can match itself; a search that would have to look at
// everybody is refused.
type expressionPeople struct{ in *Installation }

// Limits of a search for people: how many are compared one by one, and how many
// values of a list are looked up.
const (
	maxCompared = 5000
	maxValues   = 100
)

var (
	errBroadSearch = errors.New("compare username, email, name, pk or a group too, so that not everybody has to be looked at")
	errManyPeople  = fmt.Errorf("more than %d people have to be compared; narrow the search down", maxCompared)
	errManyValues  = fmt.Errorf("a list of more than %d values", maxValues)
)

// keyFields are those that few people have in common.
var keyFields = []string{"pk", "uuid", "username", "email", "name"}

// FindUsers implements expression.Users.
func (p expressionPeople) FindUsers(ctx context.Context, q expression.Query) ([]*identity.Person, error) {
	users, rest, err := p.candidates(ctx, q)
	if errors.Is(err, directory.ErrField) {
		return nil, nil // a value that no such field can have
	}
	if err != nil {
		return nil, err
	}
	if len(users) > maxCompared {
		return nil, errManyPeople
	}
	var out []*identity.Person
	for _, u := range users {
		person := p.in.people.NewPerson(u)
		ok, err := holds(ctx, person, rest)
		if err != nil {
			return nil, err
		}
		if ok && (q.Limit == 0 || len(out) < q.Limit) {
			out = append(out, person)
		}
	}
	return out, nil
}

// candidates are the people that a search can mean, by what is asked of the
// directory, and the lookups that are still to be compared.
func (p expressionPeople) candidates(ctx context.Context, q expression.Query) ([]identity.User, []expression.Lookup, error) {
	match, rest := split(q)
	limit := maxCompared + 1
	if len(rest) == 0 && q.Limit > 0 {
		limit = min(limit, q.Limit)
	}
	for _, key := range keyFields {
		_, exact := match[key]
		if _, folded := match[key+"__iexact"]; exact || folded {
			users, err := p.in.people.FirstUsers(ctx, p.in.db, match, limit)
			return users, rest, err
		}
	}
	for _, l := range rest {
		if !l.Not && l.Op == "in" && slices.Contains(keyFields, l.Field) {
			users, err := p.listed(ctx, match, l)
			return users, rest, err
		}
	}
	for _, l := range rest {
		if !l.Not && l.Op == "exact" && l.Field == "groups" {
			users, err := p.members(ctx, l)
			return users, q.Where, err
		}
	}
	return nil, nil, errBroadSearch
}

// listed are the people who match and have one of the values of a list.
func (p expressionPeople) listed(ctx context.Context, match map[string]any, l expression.Lookup) ([]identity.User, error) {
	values, _ := l.Value.([]any)
	if len(values) > maxValues {
		return nil, errManyValues
	}
	found := map[int64]identity.User{}
	for _, v := range values {
		one := maps.Clone(match)
		one[l.Field] = v
		users, err := p.in.people.FirstUsers(ctx, p.in.db, one, maxCompared+1)
		if err != nil && !errors.Is(err, directory.ErrField) {
			return nil, err
		}
		for _, u := range users {
			found[u.ID] = u
		}
	}
	var out []identity.User
	for _, id := range slices.Sorted(maps.Keys(found)) {
		out = append(out, found[id])
	}
	return out, nil
}

// members are the people in the groups that a lookup names, those of groups
// below them not included.
func (p expressionPeople) members(ctx context.Context, l expression.Lookup) ([]identity.User, error) {
	groups, err := p.FindGroups(ctx, expression.Query{Where: []expression.Lookup{ofGroup(l)}})
	if err != nil {
		return nil, err
	}
	var ids []int64
	for _, g := range groups {
		members, err := p.in.people.Members(ctx, p.in.db, g.ID)
		if err != nil {
			return nil, err
		}
		if ids = append(ids, members...); len(ids) > maxCompared {
			return nil, errManyPeople
		}
	}
	slices.Sort(ids)
	var out []identity.User
	for part := range slices.Chunk(slices.Compact(ids), 500) {
		users, err := p.in.people.UsersByID(ctx, p.in.db, part)
		if err != nil {
			return nil, err
		}
		out = append(out, users...)
	}
	return out, nil
}

// ofGroup is what a lookup of the groups of a person says about one group.
func ofGroup(l expression.Lookup) expression.Lookup {
	return expression.Lookup{Field: l.Path[0], Path: l.Path[1:], Op: l.Op, Value: l.Value}
}

// FindGroups implements expression.Users. Groups are few, so all are compared.
func (p expressionPeople) FindGroups(ctx context.Context, q expression.Query) ([]identity.Group, error) {
	groups, err := p.in.people.FindGroups(ctx, p.in.db, nil)
	if err != nil {
		return nil, err
	}
	var out []identity.Group
	for _, g := range groups {
		if expression.MatchGroup(g, q.Where) && (q.Limit == 0 || len(out) < q.Limit) {
			out = append(out, g)
		}
	}
	return out, nil
}

// Authenticators implements expression.Users.
func (p expressionPeople) Authenticators(ctx context.Context, user int64) ([]identity.Authenticator, error) {
	devices, err := p.in.authenticators.Confirmed(ctx, user)
	out := make([]identity.Authenticator, len(devices))
	for i := range devices {
		out[i] = devices[i].Identity()
	}
	return out, err
}

// split separates what the directory matches from what is compared here.
func split(q expression.Query) (map[string]any, []expression.Lookup) {
	match := map[string]any{}
	var rest []expression.Lookup
	for _, l := range q.Where {
		key := l.Field
		folded := l.Op == "iexact" && slices.Contains([]string{"username", "email"}, l.Field)
		if folded {
			key += "__iexact"
		}
		_, taken := match[key]
		matched := slices.Contains(keyFields, l.Field) || slices.Contains([]string{"is_active", "type", "path"}, l.Field)
		if l.Not || taken || l.Value == nil || !matched || l.Op != "exact" && !folded {
			rest = append(rest, l)
			continue
		}
		match[key] = l.Value
	}
	return match, rest
}

func userField(u *identity.User, name string) any {
	switch name {
	case "pk":
		return u.ID
	case "uuid":
		return u.UUID.String()
	case "username":
		return u.Username
	case "name":
		return u.Name
	case "email":
		return u.Email
	case "is_active":
		return u.Active
	case "type":
		return string(u.Type)
	case "path":
		return u.Path
	case "attributes":
		return u.Attributes
	case "last_login":
		if u.LastLogin == nil {
			return nil
		}
		return *u.LastLogin
	case "date_joined":
		return u.JoinedAt
	case "password_change_date":
		return u.PasswordChangedAt
	}
	return nil
}

// holds tells whether all lookups hold for a person.
func holds(ctx context.Context, person *identity.Person, lookups []expression.Lookup) (bool, error) {
	for _, l := range lookups {
		if l.Field == "groups" {
			groups, err := person.Groups(ctx)
			if err != nil {
				return false, err
			}
			in := slices.ContainsFunc(groups, func(g identity.Group) bool { return expression.MatchGroup(g, []expression.Lookup{ofGroup(l)}) })
			if in == l.Not {
				return false, nil
			}
			continue
		}
		have := userField(&person.User, l.Field)
		for _, step := range l.Path {
			m, _ := have.(map[string]any)
			have = m[step]
		}
		if l.Match(have) == l.Not {
			return false, nil
		}
	}
	return true, nil
}
