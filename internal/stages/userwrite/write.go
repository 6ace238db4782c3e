package userwrite

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/event"
)

// What policies and other stages put into the context for this one.
const (
	keyPath   = flow.Key[string]("user_path")
	keyType   = flow.Key[string]("user_type")
	keyGroups = flow.Key[[]any]("groups")
)

// What people are told; which account it is about stays open.
const (
	msgNothing = "There is nothing to save. Start again from the beginning."
	msgCannot  = "Your details could not be saved. Go back and check them; the user name may be taken."
	msgNobody  = "There is no account to change. Sign in first."
)

type stage struct {
	config   Config
	accounts Accounts
	sessions Sessions
}

// write stores what was collected. Whether the account may be made or only
// changed is the configuration's to say (rule 16); a name that was merely typed
// is no account.
func (s *stage) write(ctx context.Context, x *flow.Exec) (flow.Outcome, error) {
	data, ok := flow.KeyPromptData.Get(x.Context)
	if !ok {
		return flow.Deny(msgNothing), nil
	}
	p, err := s.subject(ctx, x)
	if err != nil {
		return flow.Outcome{}, err
	}
	if p == nil {
		return flow.Deny(msgNobody), nil
	}
	created := !p.Saved()
	c := directory.Change{Edit: func(u *identity.User) { edit(u, data) }, Groups: s.groups(x)}
	probe := p.User
	probe.Attributes = maps.Clone(probe.Attributes)
	if c.Edit(&probe); probe.Username == "" {
		return flow.Deny(msgCannot), nil
	}
	if plain, given := data["password"]; given {
		c.Hash, err = s.accounts.HashPassword(ctx, text(plain))
		if problems := (field.Errors)(nil); errors.As(err, &problems) {
			return flow.Deny(msgCannot), nil
		}
		if err != nil {
			return flow.Outcome{}, fmt.Errorf("hash password: %w", err)
		}
	}
	if created {
		flow.KeyUserBackend.Set(x.Context, directory.InbuiltBackend)
	}
	x.SetPendingUser(p)
	keep := x.SessionKey()
	out := flow.Done().Prove(flow.Proof{Fact: flow.FactUser, User: p.ID, At: x.Now}).Record(events(p, data, created, c.Hash != "")...)
	out.Apply = func(ctx context.Context, tx flow.Tx) error {
		saved, err := s.accounts.WriteUser(ctx, tx, p.User, c)
		if err != nil {
			return err
		}
		if c.Hash != "" && !created {
			// Whoever is signed in elsewhere may be why the password is changed.
			if err := s.sessions.EndOthers(ctx, tx, saved.ID, keep); err != nil {
				return err
			}
		}
		x.Made(saved)
		return nil
	}
	return out, nil
}

// subject is the account to write: the pending one, the caller's own, or a new
// one; nil where none may be made.
func (s *stage) subject(ctx context.Context, x *flow.Exec) (*identity.Person, error) {
	p, err := x.PendingUser(ctx)
	if err != nil {
		return nil, err
	}
	if p.Saved() && s.config.UserCreationMode != AlwaysCreate {
		return p, nil
	}
	if s.config.UserCreationMode == NeverCreate {
		return nil, nil
	}
	u := identity.User{UUID: uuid.New(), Active: !s.config.CreateUsersAsInactive, Type: s.userType(x), Path: s.config.UserPathTemplate}
	if path, ok := keyPath.Get(x.Context); ok && path != "" {
		u.Path = path
	}
	return identity.NewPerson(u, nil), nil
}

// userType is the type of new accounts. No flow makes accounts of outposts
// (rules 37, 46).
func (s *stage) userType(x *flow.Exec) identity.UserType {
	t := s.config.UserType
	if named, ok := keyType.Get(x.Context); ok && slices.Contains(t.Choices(), named) {
		t = identity.UserType(named)
	}
	if t == identity.InternalServiceAccount {
		return identity.ServiceAccount
	}
	return t
}

// groups are those that the account is put into: the stage's, and those that
// policies have chosen.
func (s *stage) groups(x *flow.Exec) []uuid.UUID {
	var out []uuid.UUID
	if s.config.CreateUsersGroup != nil {
		out = append(out, *s.config.CreateUsersGroup)
	}
	chosen, _ := keyGroups.Get(x.Context)
	for _, v := range chosen {
		if ref, ok := v.(*flow.Ref); ok && ref.Kind == "group" && !slices.Contains(out, ref.ID) {
			out = append(out, ref.ID)
		}
	}
	return out
}

// events tell what was written. The values of fields with telling names are
// masked before they are stored, and so is what the person typed into fields that
// are none of a user: nobody knows what those ask for.
func events(p *identity.Person, data map[string]any, created, password bool) []flow.Event {
	written := map[string]any{}
	for key, v := range data {
		_, attribute := attributePath(key)
		switch {
		case key == "component":
		case attribute, slices.Contains(userFields, key):
			written[key] = v
		default:
			written[key] = event.Secret{Value: v}
		}
	}
	written["created"] = created
	out := []flow.Event{{Action: string(event.UserWrite), Context: written, User: p}}
	if password {
		out = append(out, flow.Event{Action: string(event.PasswordSet), User: p})
	}
	return out
}

// userFields are the fields that edit knows, besides parts of attributes.
var userFields = []string{"attributes", "email", "is_active", "name", "path", "type", "username"}

// edit applies the collected values to a user. Keys that are no field of a user
// are left out.
func edit(u *identity.User, data map[string]any) {
	attributes := maps.Clone(u.Attributes)
	if attributes == nil {
		attributes = map[string]any{}
	}
	// In a fixed order, so that parts of attributes come after the whole.
	for _, key := range slices.Sorted(maps.Keys(data)) {
		v := data[key]
		switch key {
		case "username":
			u.Username = strings.TrimSpace(text(v))
		case "name":
			u.Name = text(v)
		case "email":
			u.Email = strings.TrimSpace(text(v))
		case "path":
			u.Path = text(v)
		case "is_active":
			if on, ok := v.(bool); ok {
				u.Active = on
			}
		case "type":
			t := identity.UserType(text(v))
			if slices.Contains(t.Choices(), string(t)) && t != identity.InternalServiceAccount && u.Type != identity.InternalServiceAccount {
				u.Type = t
			}
		case "attributes":
			if m, ok := v.(map[string]any); ok {
				maps.Copy(attributes, m)
			}
		default:
			if path, ok := attributePath(key); ok {
				set(attributes, path, v)
			}
		}
	}
	u.Attributes = attributes
}

// attributePath reads "attributes.a.b" and "attributes_a_b".
func attributePath(key string) ([]string, bool) {
	rest, ok := strings.CutPrefix(strings.ReplaceAll(key, "_", "."), "attributes.")
	if !ok || rest == "" {
		return nil, false
	}
	return strings.Split(rest, "."), true
}

// set puts a value into nested objects, which it copies, and makes those that
// are missing; what stands in the way gives way.
func set(into map[string]any, path []string, v any) {
	for _, step := range path[:len(path)-1] {
		inner, _ := into[step].(map[string]any)
		inner = maps.Clone(inner)
		if inner == nil {
			inner = map[string]any{}
		}
		into[step] = inner
		into = inner
	}
	into[path[len(path)-1]] = v
}

// text is a value as a text.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	}
	return fmt.Sprint(v)
}
