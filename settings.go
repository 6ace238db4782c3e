package weir

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/api"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/flowhttp"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/web"
)

// reauthentication is the flow in which people sign in again.
const reauthentication = "default-reauthentication-flow"

// The models of what people look after themselves.
const (
	tokenModel   = "authentik_core.token"
	consentModel = "authentik_stages_consent.userconsent"
)

// maxOwn is how many things of one person a page lists.
const maxOwn = 1000

// account is what people look after themselves, for the pages. It reads and
// writes through the kinds, as the API does.
type account struct {
	*Installation
	runner *flowhttp.Runner
}

var _ web.Account = (*account)(nil)

// visit is the session of whoever is signed in, and as nobody else.
func (a *account) visit(w http.ResponseWriter, r *http.Request) (*flowhttp.Visit, error) {
	v, err := a.runner.Visit(w, r, uuid.Nil, false)
	if err == nil && (!v.Person.Saved() || v.Person.Impersonator != nil) {
		err = web.ErrNotYours
	}
	return v, err
}

// Recent implements web.Account.
func (a *account) Recent(w http.ResponseWriter, r *http.Request) (bool, error) {
	v, err := a.visit(w, r)
	return err == nil && v.Recent(a.now()), err
}

// SignInAgain implements web.Account.
func (a *account) SignInAgain(w http.ResponseWriter, r *http.Request, next string) (string, error) {
	query := url.Values{"next": {next}}.Encode()
	ok, err := a.runner.Startable(w, r, flowhttp.Call{Slug: reauthentication, RawQuery: query})
	if errors.Is(err, flow.ErrNoFlow) {
		return "", nil
	}
	if err != nil || !ok {
		return "", err
	}
	return "/if/flow/" + reauthentication + "/?" + query, nil
}

// own lists what a person owns of a kind.
func (a *account) own(ctx context.Context, v resource.View, k *resource.Kind, person int64) ([]*resource.Ref, error) {
	refs, _, err := k.List(ctx, v, &resource.Query{Page: 1, Size: maxOwn, Scope: access.Scope{Owner: person}})
	return refs, err
}

// view is how whoever is signed in sees what there is.
func (a *account) view(w http.ResponseWriter, r *http.Request) (*flowhttp.Visit, resource.View, error) {
	visit, err := a.visit(w, r)
	if err == nil {
		err = a.catalog.Refresh(r.Context())
	}
	if err != nil {
		return nil, resource.View{}, err
	}
	return visit, resource.View{Config: a.catalog.Snapshot(), DB: a.db, Dialect: a.db.Dialect(), Reader: visit.Person}, nil
}

// read returns what somebody owns of a kind.
func (a *account) read(w http.ResponseWriter, r *http.Request, model string) ([]map[string]any, error) {
	visit, v, err := a.view(w, r)
	if err != nil {
		return nil, err
	}
	k := a.kinds.Model(model)
	refs, err := a.own(r.Context(), v, k, visit.Person.ID)
	if err != nil || len(refs) == 0 {
		return nil, err
	}
	return k.Read(r.Context(), v, refs...)
}

// write runs fn as a write of whoever is signed in.
func (a *account) write(w http.ResponseWriter, r *http.Request, fn func(ctx context.Context, w *resource.Write) error) error {
	v, err := a.visit(w, r)
	if err != nil {
		return err
	}
	return a.writeFor(r, v, fn)
}

// writeFor runs fn in one transaction, as a write of whoever makes a visit.
func (in *Installation) writeFor(r *http.Request, v *flowhttp.Visit, fn func(ctx context.Context, w *resource.Write) error) error {
	// The groups are read before the transaction, in which nothing else is.
	if _, err := v.User.Groups(r.Context()); err != nil {
		return err
	}
	by := api.Author(r, v, "page", in.now())
	_, err := in.catalog.Update(r.Context(), by, func(ctx context.Context, tx *catalog.Tx) error {
		return fn(ctx, &resource.Write{Tx: tx, By: by, Access: in.access})
	})
	return err
}

// remove deletes something that the person owns; what they do not own is gone.
func (a *account) remove(w http.ResponseWriter, r *http.Request, model, id string) error {
	return a.onOwn(w, r, model, id, func(ctx context.Context, w *resource.Write, k *resource.Kind, ref *resource.Ref) error {
		return k.Delete(ctx, w, ref)
	})
}

// onOwn runs fn on something that the person owns, as a write of theirs; what they
// do not own is gone.
func (a *account) onOwn(w http.ResponseWriter, r *http.Request, model, id string, fn func(context.Context, *resource.Write, *resource.Kind, *resource.Ref) error) error {
	k := a.kinds.Model(model)
	err := a.write(w, r, func(ctx context.Context, w *resource.Write) error {
		refs, err := a.own(ctx, w.View(), k, w.By.Person.ID)
		if err != nil {
			return err
		}
		for _, ref := range refs {
			if ref.ID() == id {
				return fn(ctx, w, k, ref)
			}
		}
		return resource.ErrGone
	})
	if errors.Is(err, resource.ErrGone) {
		return web.ErrNotYours
	}
	return err
}

// Tokens implements web.Account.
func (a *account) Tokens(w http.ResponseWriter, r *http.Request) ([]web.Token, error) {
	found, err := a.read(w, r, tokenModel)
	var out []web.Token
	for _, m := range found {
		t := web.Token{ID: text(m, "pk"), Identifier: text(m, "identifier"), Description: text(m, "description"), Intent: text(m, "intent")}
		if m["expiring"] == true {
			t.Expires = moment(m, "expires")
			t.Expired = t.Expires != nil && !a.now().Before(*t.Expires)
		}
		if t.Intent == "api" || t.Intent == "app_password" {
			out = append(out, t)
		}
	}
	return out, err
}

// CreateToken implements web.Account.
func (a *account) CreateToken(w http.ResponseWriter, r *http.Request, n web.NewToken) (*web.Token, string, error) {
	data := map[string]any{"identifier": strings.ToLower("own-" + rand.Text()[:16]), "intent": n.Intent, "description": n.Description, "expiring": n.Days > 0}
	made := &web.Token{Identifier: data["identifier"].(string), Description: n.Description, Intent: n.Intent}
	if n.Days > 0 {
		end := a.now().UTC().AddDate(0, 0, n.Days).Truncate(time.Minute)
		data["expires"], made.Expires = end.Format(time.RFC3339), &end
	}
	k := a.kinds.Model(tokenModel)
	var key string
	err := a.write(w, r, func(ctx context.Context, w *resource.Write) error {
		ref, _, err := k.Create(ctx, w, "", data)
		if err != nil {
			return err
		}
		key, err = a.kinds.TokenKey(ctx, w, ref)
		return err
	})
	if errors.Is(err, resource.ErrSignInAgain) {
		err = web.ErrSignInAgain
	}
	if err != nil {
		return nil, "", err
	}
	return made, key, nil
}

// DeleteToken implements web.Account.
func (a *account) DeleteToken(w http.ResponseWriter, r *http.Request, id string) error {
	return a.remove(w, r, tokenModel, id)
}

// Consents implements web.Account.
func (a *account) Consents(w http.ResponseWriter, r *http.Request) ([]web.Consent, error) {
	found, err := a.read(w, r, consentModel)
	out := make([]web.Consent, len(found))
	for i, m := range found {
		app, _ := m["application"].(map[string]any)
		out[i] = web.Consent{ID: text(m, "pk"), Application: text(app, "name"), Permissions: strings.Fields(text(m, "permissions")), Expires: moment(m, "expires")}
	}
	return out, err
}

// Withdraw implements web.Account.
func (a *account) Withdraw(w http.ResponseWriter, r *http.Request, id string) error {
	return a.remove(w, r, consentModel, id)
}

// text is a member of an object, as text.
func text(object map[string]any, name string) string {
	if object[name] == nil {
		return ""
	}
	return fmt.Sprint(object[name])
}

// moment is a time among the members of an object; nil for none.
func moment(object map[string]any, name string) *time.Time {
	t, err := field.ParseTime(text(object, name))
	if err != nil {
		return nil
	}
	return &t
}
