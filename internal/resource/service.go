package resource

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/session/token"
)

// servicePath is the folder of service accounts, as clients look for it.
const servicePath = "goauthentik.io/service-accounts"

// serviceLife is how long the app password of a service account is good for
// where nobody says.
const serviceLife = 360 * 24 * time.Hour

// NewService describes a service account to make.
type NewService struct {
	// Name is the user name and the name for people.
	Name string
	// Group makes a group of the same name with the account in it.
	Group bool
	// Expires counts while Expiring is set; nil means after 360 days.
	Expiring bool
	Expires  *time.Time
}

// Service is a service account that was made. Key is its app password, which
// nobody is told again without the permission to see keys.
type Service struct {
	User  *identity.User
	UID   string
	Key   string
	Group string
}

// CreateService makes a user for a program with an app password, and a group if
// asked. The author needs the permissions to add each of them.
func (r *Registry) CreateService(ctx context.Context, w *Write, n NewService) (*Service, error) {
	userRef, _, err := r.Model(userModel).Create(ctx, w, "", map[string]any{"username": n.Name, "name": n.Name, "type": string(identity.ServiceAccount), "path": servicePath})
	if err != nil {
		return nil, ofName(err)
	}
	u := userRef.loaded.(*identity.User)
	out := &Service{User: u, UID: u.UID(r.user.installID)}
	if n.Group {
		if err := mayAdd(ctx, w, "group"); err != nil {
			return nil, err
		}
		group, _, err := r.Model(groupModel).Create(ctx, w, "", map[string]any{"name": n.Name, "users": []any{u.ID}})
		if err != nil {
			return nil, ofName(err)
		}
		out.Group = group.ID()
	}
	if n.Expiring && n.Expires == nil {
		end := r.user.now().UTC().Add(serviceLife)
		n.Expires = &end
	}
	out.Key = token.NewKey(int(w.Snapshot().Settings().TokenLength))
	data := map[string]any{"identifier": serviceToken(u), "intent": string(token.AppPassword), "user": u.ID, "expiring": n.Expiring, "key": out.Key}
	if n.Expires != nil {
		data["expires"] = n.Expires.Format(time.RFC3339Nano)
	}
	_, _, err = r.Model(tokenModel).Create(ctx, w, "", data)
	return out, ofName(err)
}

// mayAdd refuses what the author of the write may not add.
func mayAdd(ctx context.Context, w *Write, kind string) error {
	ok, err := w.may(func(a *access.Access, p *identity.Person) (bool, error) { return a.Can(ctx, p, access.Add, kind, "") })
	if err == nil && !ok {
		err = &ForbiddenError{"You need the permission add_" + kind + " for this."}
	}
	return err
}

var notSlug = regexp.MustCompile(`[^-a-z0-9_]+`)

// serviceToken is the identifier of the app password: it holds the name, and
// the number of the user where the name alone would not be unique.
func serviceToken(u *identity.User) string {
	name := strings.ToLower(u.Username)
	slug := notSlug.ReplaceAllString(name, "-")
	if slug != name {
		slug += fmt.Sprintf("-%d", u.ID)
	}
	return "service-account-" + slug + "-password"
}

// ofName tells problems with the parts of a service account as problems with
// its name, which is all that its author has chosen.
func ofName(err error) error {
	var problems field.Errors
	if !errors.As(err, &problems) {
		return err
	}
	var out field.Errors
	for name, list := range problems {
		if name == "username" || name == "identifier" {
			name = "name"
		}
		out = out.Add(name, list...)
	}
	return out
}
