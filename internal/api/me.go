package api

import (
	"cmp"
	"net/http"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/resource"
)

// settingsAttribute is where users, groups and brands keep settings of the
// user interface.
const settingsAttribute = "settings"

type named struct {
	Name string `json:"name" field:"readonly"`
	PK   string `json:"pk" field:"readonly"`
}

// selfGroup and selfRole are groups and roles of the caller.
type (
	selfGroup named
	selfRole  named
)

// sessionUser is who is calling. Original is for impersonation.
type sessionUser struct {
	User     self   `json:"user" field:"required"`
	Original *self  `json:"original,omitempty"`
	Users    []self `json:"users" field:"required"`
}

// self is what people may know about themselves.
type self struct {
	PK                int64             `json:"pk" field:"readonly"`
	Username          string            `json:"username" field:"required,max=150"`
	Name              string            `json:"name" field:"required"`
	Email             string            `json:"email" field:"blank,max=254,format=email"`
	Avatar            string            `json:"avatar" field:"readonly"`
	UID               string            `json:"uid" field:"readonly"`
	Type              identity.UserType `json:"type"`
	IsActive          bool              `json:"is_active" field:"readonly"`
	IsSuperuser       bool              `json:"is_superuser" field:"readonly"`
	IsCurrent         bool              `json:"is_current" field:"readonly"`
	Groups            []selfGroup       `json:"groups" field:"readonly"`
	Roles             []selfRole        `json:"roles" field:"readonly"`
	Settings          map[string]any    `json:"settings" field:"readonly"`
	SystemPermissions []string          `json:"system_permissions" field:"readonly"`
}

// systemPermissions are the codenames of the permissions about the installation.
var systemPermissions = func() []string {
	out := make([]string, len(resource.System.Verbs))
	for i, v := range resource.System.Verbs {
		out[i] = access.Permission(v, resource.System.Name())
	}
	return out
}()

// me answers who is calling. users lists everybody signed in in this browser:
// one person, since a session never has two.
func me(c *call) error {
	user, err := c.self(c.visit.User)
	if err != nil {
		return err
	}
	answer := sessionUser{User: *user, Users: []self{*user}}
	if by := c.visit.User.Impersonator; by != nil {
		if answer.Original, err = c.self(by); err != nil {
			return err
		}
	}
	return c.answer(http.StatusOK, answer)
}

// self describes the caller, or who acts as the caller.
func (c *call) self(p *identity.Person) (*self, error) {
	ctx, v, a := c.ctx, c.visit, c.api
	super, err := p.Superuser(ctx)
	if err != nil {
		return nil, err
	}
	groups, err := p.Groups(ctx)
	if err != nil {
		return nil, err
	}
	roles, err := a.Roles(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	held, err := a.Access.Held(ctx, p, systemPermissions...)
	if err != nil {
		return nil, err
	}
	me := &self{
		PK: p.ID, Username: p.Username, Name: p.Name, Email: p.Email, Avatar: a.Avatar(p.Username), UID: p.UID(a.InstallID),
		Type: p.Type, IsActive: p.Active, IsSuperuser: super, IsCurrent: p.ID == cmp.Or(v.Session.ActsAs, v.Session.UserID),
		Groups: []selfGroup{}, Roles: []selfRole{}, Settings: map[string]any{},
		SystemPermissions: held,
	}
	merge(me.Settings, v.Brand.Attributes[settingsAttribute])
	for _, g := range groups {
		me.Groups = append(me.Groups, selfGroup{g.Name, g.ID.String()})
		merge(me.Settings, g.Attributes[settingsAttribute])
	}
	merge(me.Settings, p.Attributes[settingsAttribute])
	for _, role := range roles {
		me.Roles = append(me.Roles, selfRole{role.Name, role.ID.String()})
	}
	return me, nil
}

// merge puts settings over others, objects key by key. Nested objects of dst
// are replaced, never edited: they belong to somebody else.
func merge(dst map[string]any, over any) {
	settings, _ := over.(map[string]any)
	for key, value := range settings {
		below, isObject := dst[key].(map[string]any)
		if _, both := value.(map[string]any); !isObject || !both {
			dst[key] = value
			continue
		}
		merged := map[string]any{}
		merge(merged, below)
		merge(merged, value)
		dst[key] = merged
	}
}
