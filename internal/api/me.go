package api

import (
	"net/http"

	"github.com/weir-id/weir/internal/flowhttp"
)

// settingsAttribute is where users, groups and brands keep settings of the
// user interface.
const settingsAttribute = "settings"

type named struct {
	Name string `json:"name"`
	PK   string `json:"pk"`
}

// self is what people may know about themselves.
type self struct {
	PK                int64          `json:"pk"`
	Username          string         `json:"username"`
	Name              string         `json:"name"`
	Email             string         `json:"email"`
	Avatar            string         `json:"avatar"`
	UID               string         `json:"uid"`
	Type              string         `json:"type"`
	IsActive          bool           `json:"is_active"`
	IsSuperuser       bool           `json:"is_superuser"`
	IsCurrent         bool           `json:"is_current"`
	Groups            []named        `json:"groups"`
	Roles             []named        `json:"roles"`
	Settings          map[string]any `json:"settings"`
	SystemPermissions []string       `json:"system_permissions"`
}

// me answers who is calling. users lists everybody signed in in this browser:
// one person, since a session never has two.
func (a *API) me(w http.ResponseWriter, r *http.Request, v *flowhttp.Visit) error {
	ctx, p := r.Context(), v.User
	super, err := p.Superuser(ctx)
	if err != nil {
		return err
	}
	groups, err := p.Groups(ctx)
	if err != nil {
		return err
	}
	roles, err := a.Roles(ctx, p.ID)
	if err != nil {
		return err
	}
	me := self{
		PK: p.ID, Username: p.Username, Name: p.Name, Email: p.Email, Avatar: a.Avatar(p.Username), UID: p.UID(a.InstallID),
		Type: string(p.Type), IsActive: p.Active, IsSuperuser: super, IsCurrent: p.ID == v.Session.UserID,
		Groups: []named{}, Roles: []named{}, Settings: map[string]any{},
		// No permission here is one of the system as a whole.
		SystemPermissions: []string{},
	}
	merge(me.Settings, v.Brand.Attributes[settingsAttribute])
	for _, g := range groups {
		me.Groups = append(me.Groups, named{g.Name, g.ID.String()})
		merge(me.Settings, g.Attributes[settingsAttribute])
	}
	merge(me.Settings, p.Attributes[settingsAttribute])
	for _, role := range roles {
		me.Roles = append(me.Roles, named{role.Name, role.ID.String()})
	}
	write(w, http.StatusOK, struct {
		User  self   `json:"user"`
		Users []self `json:"users"`
	}{me, []self{me}})
	return nil
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
