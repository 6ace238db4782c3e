package resource

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/session/token"
	"github.com/weir-id/weir/internal/store"
)

// The permissions of tokens that other kinds do not have.
const (
	ViewTokenKey access.Verb = "view_token_key"
	SetTokenKey  access.Verb = "set_token_key"
)

// apiToken is authentik_core.token. An expired token is found here, so that it
// can be prolonged or deleted; it opens nothing.
type apiToken struct {
	people
	tokens *token.Tokens
	users  *user
	rows   *table[token.Token]
}

const tokenModel = "authentik_core.token"

type tokenData struct {
	// Managed is for objects of the program itself, which nobody makes by hand.
	Managed    *string      `json:"managed" field:"null"`
	Identifier string       `json:"identifier" field:"required,slug,max=255"`
	Intent     token.Intent `json:"intent"`
	// User is the owner: whoever creates the token, unless they may create
	// tokens for others.
	User        int64  `json:"user"`
	Description string `json:"description" field:"blank"`
	// Expires counts while Expiring is set. A new token without it lives as
	// long as the settings say; null on a change means never.
	Expires  *time.Time `json:"expires" field:"null"`
	Expiring bool       `json:"expiring"`
	// Key is for blueprints only: the secret. Missing or null means a random
	// one for a new token, and no change for an old one.
	Key *string `json:"key" field:"null,secret,file"`
}

// tokenMembers are the read-only members of a token.
type tokenMembers struct {
	PK uuid.UUID `json:"pk"`
}

// Validate refuses what only the program itself makes.
func (d *tokenData) Validate() field.Errors {
	var errs field.Errors
	if d.Intent != token.API && d.Intent != token.AppPassword {
		errs = errs.Add("intent", field.Error{Code: field.CodeInvalid, String: "Choose api or app_password; other tokens are made by flows."})
	}
	if d.Managed != nil {
		errs = errs.Add("managed", field.Error{Code: field.CodeInvalid, String: "Leave this empty; it marks objects of the program itself."})
	}
	return errs
}

// Fields implements Objects.
func (k *apiToken) Fields() []field.Spec {
	out := append(readOnly(new(tokenMembers)), field.Spec{Name: "user_obj", Type: "object", ReadOnly: true, Go: userSchema, Fields: k.users.Fields()})
	return append(out, field.Describe(&tokenData{Intent: token.API, Expiring: true})...)
}

// Find implements Objects.
func (k *apiToken) Find(ctx context.Context, v View, match map[string]any) (*Ref, error) {
	match, ok, err := lookup(tokenModel, match, map[string]matchType{"pk": matchUUID, "identifier": matchText, "intent": matchText, "user": matchNumber,
		"description": matchText})
	if err != nil || !ok {
		return nil, err
	}
	s := &statement{dialect: v.Dialect}
	for name, want := range match {
		switch name {
		case "pk":
			s.where("t.id = ?", uuid.MustParse(fmt.Sprint(want))) // lookup has seen that it is one
		case "user":
			n, _ := strconv.ParseInt(fmt.Sprint(want), 10, 64)
			s.where("t.user_id = ?", n)
		default:
			s.where("t."+name+" = ?", want)
		}
	}
	found, err := store.Select(ctx, v.DB, token.Scan, "select "+token.Columns+" from tokens t"+s.condition()+" order by t.identifier limit 1", s.args...)
	if err != nil {
		return nil, fmt.Errorf("find token: %w", err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return tokenRef(&found[0]), nil
}

func tokenRef(t *token.Token) *Ref {
	return &Ref{Model: tokenModel, Key: t.ID.String(), Name: t.Identifier, loaded: t}
}

// List implements Objects.
func (k *apiToken) List(ctx context.Context, v View, q *Query) ([]*Ref, int, error) {
	tokens, total, err := k.rows.list(ctx, v, q)
	refs := make([]*Ref, len(tokens))
	for i := range tokens {
		refs[i] = tokenRef(&tokens[i])
	}
	return refs, total, err
}

func tokensTable() *table[token.Token] {
	return &table[token.Token]{
		from: "tokens t join users u on u.id = t.user_id", columns: token.Columns, scan: token.Scan, key: "t.id", owner: "t.user_id",
		order: map[string]string{"pk": "t.id", "identifier": "t.identifier", "intent": "t.intent", "user": "t.user_id", "user__username": "u.username_key",
			"description": "t.description", "expires": "t.expires", "expiring": "t.expiring"},
		fallback: "t.identifier, t.id",
		search:   mentions("t.identifier", "t.intent", "u.username", "t.description"),
		filters: map[string]func(*statement, any){
			"identifier": equals("t.identifier"), "intent": equals("t.intent"), "user__username": equals("u.username"), "description": equals("t.description"),
			"expires": equals("t.expires"), "expiring": equals("t.expiring"), "managed": func(s *statement, _ any) { s.where("1 = 0") },
		},
	}
}

func tokenFilters() []Filter {
	return []Filter{{Name: "description"}, {Name: "expires", Format: "date-time"}, {Name: "expiring", Type: "boolean"}, {Name: "identifier"},
		filterOf(field.Describe(new(tokenData)), "intent"), {Name: "managed"}, {Name: "user__username"}}
}

// Create implements Objects.
func (k *apiToken) Create(ctx context.Context, w *Write, pk string, data map[string]any) (*Ref, []string, error) {
	d := tokenData{Expiring: true, Intent: token.API}
	if w.By.Person != nil {
		d.User = w.By.Person.ID
	} else if errs := requireGiven(data, "user", "intent"); errs != nil {
		// A file has no author whose token it could be.
		return nil, nil, errs
	}
	unknown, errs := field.Decode(&d, data, field.Create)
	if errs != nil {
		return nil, unknown, errs
	}
	if err := w.proven(d.User); err != nil {
		return nil, unknown, err
	}
	if err := k.owner(ctx, w, d.User); err != nil {
		return nil, unknown, err
	}
	settings := w.Snapshot().Settings()
	if d.Expiring && d.Expires == nil {
		end := k.now().UTC().Add(settings.TokenDuration.Duration())
		d.Expires = &end
	}
	t := &token.Token{Identifier: d.Identifier, Intent: d.Intent, UserID: d.User, Description: d.Description, Expires: d.Expires, Expiring: d.Expiring}
	if pk != "" {
		var err error
		if t.ID, err = uuid.Parse(pk); err != nil {
			return nil, unknown, field.Errorf("pk", field.CodeInvalid, "Give the key as a UUID; %q is none.", pk)
		}
	}
	key := given(d.Key)
	if key == "" {
		key = token.NewKey(int(settings.TokenLength))
	}
	if _, err := k.tokens.Create(ctx, w.Store(), t, key); err != nil {
		return nil, unknown, err
	}
	ref := tokenRef(t)
	return ref, strangeTo(k.Fields(), unknown), k.record(ctx, w, event.ModelCreated, ref)
}

// requireGiven demands fields that have a default only for some.
func requireGiven(data map[string]any, names ...string) (errs field.Errors) {
	for _, name := range names {
		if _, ok := data[name]; !ok {
			errs = errs.Add(name, field.Error{Code: field.CodeRequired, Message: "field.required", String: "Fill in this field."})
		}
	}
	return errs
}

func given(key *string) string {
	if key == nil {
		return ""
	}
	return *key
}

// owner refuses tokens of users that do not exist, and those of others to
// people who may not make them: a token is a way to be that user (rule 46).
func (k *apiToken) owner(ctx context.Context, w *Write, user int64) error {
	ok, err := k.directory.Exists(ctx, w.Store(), "user", strconv.FormatInt(user, 10))
	if err != nil {
		return err
	}
	if !ok {
		return field.Errorf("user", field.CodeDoesNotExist, "Choose a user that exists; %d does not.", user)
	}
	if !slices.ContainsFunc(w.Authorities(), func(p *identity.Person) bool { return p.ID != user }) {
		return nil
	}
	ok, err = w.may(func(a *access.Access, p *identity.Person) (bool, error) {
		if p.ID == user {
			return true, nil
		}
		return a.Can(ctx, p, access.Add, "token", "")
	})
	if err != nil {
		return err
	}
	if !ok {
		return &ForbiddenError{"You can only create tokens of your own."}
	}
	return k.mayActOn(ctx, w, user)
}

func (k *apiToken) load(ctx context.Context, v View, ref *Ref) (token.Token, tokenData, error) {
	now, err := k.Find(ctx, v, map[string]any{"pk": ref.ID()})
	if err == nil && now == nil {
		err = fmt.Errorf("token %s: %w", ref.ID(), ErrGone)
	}
	if err != nil {
		return token.Token{}, tokenData{}, err
	}
	t := *now.loaded.(*token.Token)
	return t, tokenDataOf(&t), nil
}

func tokenDataOf(t *token.Token) tokenData {
	return tokenData{Identifier: t.Identifier, Intent: t.Intent, User: t.UserID, Description: t.Description, Expires: t.Expires, Expiring: t.Expiring}
}

// decode checks what a change asks for.
func (d *tokenData) decode(data map[string]any, mode field.Mode) (unknown []string, err error) {
	before := *d
	unknown, errs := field.Decode(d, data, mode)
	for _, fixed := range []struct {
		name string
		same bool
	}{{"user", d.User == before.User}, {"intent", d.Intent == before.Intent}} {
		if !fixed.same && errs[fixed.name] == nil {
			errs = errs.Merge(field.Errorf(fixed.name, field.CodeInvalid, "Delete the token and make a new one; this cannot be changed."))
		}
	}
	return unknown, errs.Err()
}

// Update implements Objects.
func (k *apiToken) Update(ctx context.Context, w *Write, ref *Ref, data map[string]any, mode field.Mode) (changed, unknown []string, err error) {
	t, before, err := k.load(ctx, w.View(), ref)
	if err != nil {
		return nil, nil, err
	}
	after := before
	if unknown, err = after.decode(data, mode); err != nil {
		return nil, unknown, err
	}
	if err := k.mayActOn(ctx, w, t.UserID); err != nil {
		return nil, unknown, err
	}
	changed = slices.DeleteFunc(differing(encodeSets(&before), encodeSets(&after)), func(name string) bool { return name == "key" })
	if slices.Contains(changed, "expires") || slices.Contains(changed, "expiring") {
		if err := w.proven(t.UserID); err != nil {
			return nil, unknown, err
		}
	}
	if len(changed) > 0 {
		t.Identifier, t.Description, t.Expires, t.Expiring = after.Identifier, after.Description, after.Expires, after.Expiring
		if err := k.tokens.Update(ctx, w.Store(), t); err != nil {
			return nil, unknown, gone(err)
		}
	}
	if key := given(after.Key); key != "" {
		old, err := k.tokens.Key(ctx, w.Store(), t.ID)
		if err != nil {
			return nil, unknown, gone(err)
		}
		if old != key {
			if _, err := k.tokens.SetKey(ctx, w.Store(), t.ID, key); err != nil {
				return nil, unknown, err
			}
			changed = append(changed, "key")
		}
	}
	*ref = *tokenRef(&t)
	return changed, strangeTo(k.Fields(), unknown), k.changedNote(ctx, w, ref, changed)
}

// Check implements Objects.
func (k *apiToken) Check(ctx context.Context, w *Write, ref *Ref, data map[string]any) error {
	_, d, err := k.load(ctx, w.View(), ref)
	if err != nil {
		return err
	}
	_, err = d.decode(data, field.Update)
	return err
}

// Delete implements Objects.
func (k *apiToken) Delete(ctx context.Context, w *Write, ref *Ref) error {
	t, _, err := k.load(ctx, w.View(), ref)
	if err != nil {
		return err
	}
	if err := k.tokens.Delete(ctx, w.Store(), t.ID); err != nil {
		return gone(err)
	}
	return k.record(ctx, w, event.ModelDeleted, ref)
}

// Read implements Objects.
func (k *apiToken) Read(ctx context.Context, v View, refs ...*Ref) ([]map[string]any, error) {
	tokens := make([]token.Token, len(refs))
	owners := make([]*Ref, len(refs))
	for i, ref := range refs {
		t, ok := ref.loaded.(*token.Token)
		if !ok {
			loaded, _, err := k.load(ctx, v, ref)
			if err != nil {
				return nil, err
			}
			t = &loaded
		}
		tokens[i], owners[i] = *t, &Ref{Model: userModel, Key: t.UserID}
	}
	users, err := k.users.Read(ctx, View{Config: v.Config, DB: v.DB, Dialect: v.Dialect}, owners...)
	if err != nil {
		return nil, err
	}
	out := make([]map[string]any, len(refs))
	for i := range tokens {
		d := tokenDataOf(&tokens[i])
		out[i] = field.Encode(&d, field.Public)
		maps.Copy(out[i], map[string]any{"pk": tokens[i].ID.String(), "user_obj": users[i]})
	}
	return out, nil
}

// UsedBy implements Objects.
func (k *apiToken) UsedBy(context.Context, View, *Ref) ([]Use, error) { return []Use{}, nil }

// mayUseKey refuses to show or to set the key of a token of user.
func (k *apiToken) mayUseKey(ctx context.Context, w *Write, user int64) error {
	if err := w.proven(user); err != nil {
		return err
	}
	return k.mayActOn(ctx, w, user)
}

// TokenKey returns the key of a token and records that somebody has seen it.
func (r *Registry) TokenKey(ctx context.Context, w *Write, ref *Ref) (string, error) {
	t, _, err := r.token.load(ctx, w.View(), ref)
	if err != nil {
		return "", err
	}
	if err := r.token.mayUseKey(ctx, w, t.UserID); err != nil {
		return "", err
	}
	key, err := r.token.tokens.Key(ctx, w.Store(), t.ID)
	if err != nil {
		return "", gone(err)
	}
	return key, r.token.secret(ctx, w, event.SecretView, ref)
}

// SetTokenKey gives a token another key.
func (r *Registry) SetTokenKey(ctx context.Context, w *Write, ref *Ref, key string) error {
	t, _, err := r.token.load(ctx, w.View(), ref)
	if err != nil {
		return err
	}
	if err := r.token.mayUseKey(ctx, w, t.UserID); err != nil {
		return err
	}
	if key == "" {
		return field.Errorf("key", field.CodeBlank, "Fill in this field; it may not be empty.")
	}
	if _, err := r.token.tokens.SetKey(ctx, w.Store(), t.ID, key); err != nil {
		return gone(err)
	}
	return r.token.record(ctx, w, event.ModelUpdated, ref)
}

func (k *apiToken) secret(ctx context.Context, w *Write, action event.Action, ref *Ref) error {
	return k.events.Record(ctx, w.Store(), event.Event{Action: action, User: w.By.Person, HTTP: w.By.HTTP, Brand: w.By.Brand,
		Context: map[string]any{"secret": event.Model{App: "authentik_core", Model: "token", PK: ref.ID(), Name: ref.Name}}})
}
