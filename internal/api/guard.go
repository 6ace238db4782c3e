package api

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/resource"
)

// Level is how a guard decides. The zero value admits nobody.
type Level int

// The levels.
const (
	// Public routes answer everybody.
	Public Level = iota + 1
	// SignedIn routes answer whoever has a session or an API token.
	SignedIn
	// Superuser routes answer superusers.
	Superuser
	// OnAll routes answer who holds the permission for all objects of the
	// kind.
	OnAll
	// OnSome routes answer who holds it for some object, and are about those
	// objects only.
	OnSome
	// OnOne routes answer who holds it for the object in the address.
	OnOne
)

// Guard says who may call a route.
type Guard struct {
	Level Level
	// Kind and Verb name the permission of the levels that ask for one.
	Kind *resource.Kind
	Verb access.Verb
	// Own lets everybody who is signed in create objects of their own.
	Own bool
	// More tells in words what the handler asks for besides.
	More string
}

// and tells what else the handler asks for; see call.demand.
func (g Guard) and(more string) Guard { g.More = more; return g }

// String names the permission that the guard asks for.
func (g Guard) String() string {
	if g.More != "" {
		more := g.More
		g.More = ""
		return g.String() + ", and " + more
	}
	switch g.Level {
	case Public:
		return "public"
	case SignedIn:
		return "signed in"
	case Superuser:
		return "superuser"
	case OnAll, OnSome, OnOne:
		s := g.permission()
		switch {
		case g.Own:
			return s + " or own"
		case g.Level == OnSome:
			return s + " (objects)"
		case g.Level == OnOne:
			return s + " (object)"
		}
		return s
	}
	return "nobody"
}

// permission is the permission of the last three levels, with its app.
func (g Guard) permission() string {
	return g.Kind.App() + "." + access.Permission(g.Verb, g.Kind.Name())
}

var (
	public    = Guard{Level: Public}
	signedIn  = Guard{Level: SignedIn}
	superuser = Guard{Level: Superuser}
)

func onAll(k *resource.Kind, v access.Verb) Guard  { return Guard{Level: OnAll, Kind: k, Verb: v} }
func onSome(k *resource.Kind, v access.Verb) Guard { return Guard{Level: OnSome, Kind: k, Verb: v} }
func onOne(k *resource.Kind, v access.Verb) Guard  { return Guard{Level: OnOne, Kind: k, Verb: v} }

// The texts of refusals, in one place.
const (
	textSignIn        = "Sign in or send an API token."
	textDenied        = "You do not have permission to perform this action."
	textImpersonating = "You cannot do this while you act as somebody else."
	textMissing       = "There is no such object, or you may not see it."
)

// credentials tells whether the routes behind the guard give somebody a way to
// sign in, or show one. Who acts as somebody else would keep it afterwards.
func (g Guard) credentials() bool {
	return g.Verb == resource.ResetPassword || g.Verb == resource.ViewPrivateKey || g.Kind != nil && g.Kind.Name() == "token" && g.Verb != access.View
}

// demand refuses a caller who lacks a permission that a handler needs besides
// that of its guard.
func (c *call) demand(verb access.Verb, k *resource.Kind, id string) error {
	ok, err := c.api.Access.Can(c.ctx, c.visit.User, verb, k.Name(), id)
	if err == nil && !ok {
		err = &resource.ForbiddenError{Message: "For this you need the permission " + k.App() + "." + access.Permission(verb, k.Name()) + "."}
	}
	return err
}

// serve lets a call through to its handler if the guard admits it.
func (a *API) serve(w http.ResponseWriter, r *http.Request, route *Route) error {
	c := &call{api: a, w: w, r: r, ctx: r.Context(), kind: route.Guard.Kind}
	if route.Guard.Level == Public {
		return route.serve(c)
	}
	var err error
	if c.visit, err = a.Runner.Visit(w, r, uuid.Nil, true); err != nil {
		return err
	}
	if !c.visit.User.Saved() || !c.visit.User.Active {
		refuse(w, http.StatusForbidden, textSignIn)
		return nil
	}
	if c.visit.User.Impersonator != nil && route.Guard.credentials() {
		refuse(w, http.StatusForbidden, textImpersonating)
		return nil
	}
	switch route.Guard.Level {
	case SignedIn:
	case Superuser:
		super, err := access.Superuser(c.ctx, c.visit.User)
		if err != nil {
			return err
		}
		if !super {
			refuse(w, http.StatusForbidden, textDenied)
			return nil
		}
	case OnAll:
		ok := route.Guard.Own
		if !ok {
			if ok, err = a.Access.Can(c.ctx, c.visit.User, route.Guard.Verb, c.kind.Name(), ""); err != nil {
				return err
			}
		}
		if !ok {
			refuse(w, http.StatusForbidden, textDenied)
			return nil
		}
	case OnSome:
		if c.scope, err = a.Access.Scope(c.ctx, c.visit.User, route.Guard.Verb, c.kind.Name()); err != nil {
			return err
		}
		// Outposts, the only ones of their type, expect an empty list.
		if c.scope.Empty() && c.visit.User.Type != identity.InternalServiceAccount {
			refuse(w, http.StatusForbidden, textDenied)
			return nil
		}
	case OnOne:
		if ok, err := c.admitOne(route.Guard.Verb); err != nil || !ok {
			return err
		}
	default:
		refuse(w, http.StatusForbidden, "Nobody may call this address.")
		return nil
	}
	return route.serve(c)
}

// admitOne finds the object in the address and asks for the permissions to view
// it and to do verb with it. It has answered when it returns false: with 403
// also where there is no object, to those who may see none of the kind.
func (c *call) admitOne(verb access.Verb) (bool, error) {
	user, name := c.visit.User, c.kind.Name()
	v, err := c.view()
	if err != nil {
		return false, err
	}
	key := c.r.PathValue(c.kind.Param)
	if !strings.ContainsRune(key, 0) && utf8.ValidString(key) {
		if c.ref, err = c.kind.Find(c.ctx, v, map[string]any{c.kind.Key: key}); err != nil {
			return false, err
		}
	}
	visible := false
	if c.ref != nil {
		if visible, err = c.api.Access.Can(c.ctx, user, access.View, name, c.ref.ID()); err != nil {
			return false, err
		}
	}
	if !visible {
		scope, err := c.api.Access.Scope(c.ctx, user, access.View, name)
		if err != nil {
			return false, err
		}
		if scope.Empty() {
			refuse(c.w, http.StatusForbidden, textDenied)
			return false, nil
		}
		refuse(c.w, http.StatusNotFound, textMissing)
		return false, nil
	}
	if verb == access.View {
		return true, nil
	}
	ok, err := c.api.Access.Can(c.ctx, user, verb, name, c.ref.ID())
	if err == nil && !ok {
		refuse(c.w, http.StatusForbidden, textDenied)
	}
	return ok, err
}
