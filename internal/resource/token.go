package resource

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/session/token"
)

// apiToken is authentik_core.token.
type apiToken struct {
	tokens    *token.Tokens
	directory *directory.Directory
	now       func() time.Time
}

// tokenLife is how long a new token lives that expires but does not say when.
const tokenLife = 24 * time.Hour

type tokenData struct {
	Identifier  string       `json:"identifier" field:"required,slug,max=255"`
	Intent      token.Intent `json:"intent" field:"required"`
	User        int64        `json:"user" field:"required"`
	Description string       `json:"description" field:"blank"`
	// Expires counts while Expiring is set. A new token without it lives for
	// tokenLife; null on a change means never.
	Expires  *time.Time `json:"expires" field:"null"`
	Expiring bool       `json:"expiring"`
	// Key is for blueprints only: the secret. Missing or null means a random
	// one for a new token, and no change for an old one.
	Key *string `json:"key" field:"null,secret"`
}

// Validate refuses the intents that only the program itself makes.
func (d *tokenData) Validate() field.Errors {
	if d.Intent != token.API && d.Intent != token.AppPassword {
		return field.Errorf("intent", field.CodeInvalid, "Choose api or app_password; other tokens are made by flows.")
	}
	return nil
}

func (k *apiToken) Model() string { return "authentik_core.token" }

func (k *apiToken) Find(ctx context.Context, tx *catalog.Tx, match map[string]any) (*Ref, error) {
	match, ok, err := lookup(k.Model(), match, map[string]matchType{"pk": matchUUID, "identifier": matchText, "intent": matchText, "user": matchNumber,
		"description": matchText})
	if err != nil || !ok {
		return nil, err
	}
	_, byName := match["identifier"]
	_, byPK := match["pk"]
	if !byName && !byPK {
		return nil, &MatchError{"a token is found by its identifier"}
	}
	t, err := k.one(ctx, tx, match)
	if errors.Is(err, token.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for name, have := range map[string]string{"pk": t.ID.String(), "intent": string(t.Intent), "user": strconv.FormatInt(t.UserID, 10), "description": t.Description} {
		if want, given := match[name]; given && fmt.Sprint(want) != have {
			return nil, nil
		}
	}
	return k.ref(&t), nil
}

func (k *apiToken) one(ctx context.Context, tx *catalog.Tx, match map[string]any) (token.Token, error) {
	if name, ok := match["identifier"].(string); ok {
		return k.tokens.ByIdentifier(ctx, tx.Store(), name)
	}
	var name string
	pk, _ := uuid.Parse(fmt.Sprint(match["pk"])) // lookup has seen that it is one
	if err := tx.Store().QueryRow(ctx, "select coalesce(min(identifier), '') from tokens where id = $1", pk).Scan(&name); err != nil {
		return token.Token{}, fmt.Errorf("find token %s: %w", pk, err)
	}
	return k.tokens.ByIdentifier(ctx, tx.Store(), name)
}

func (k *apiToken) ref(t *token.Token) *Ref {
	return &Ref{Model: k.Model(), Key: t.ID.String(), Name: t.Identifier}
}

func (k *apiToken) Create(ctx context.Context, tx *catalog.Tx, pk string, data map[string]any) (*Ref, []string, error) {
	d := tokenData{Expiring: true}
	unknown, errs := field.Decode(&d, data, field.Create)
	if errs != nil {
		return nil, unknown, errs
	}
	if err := k.owner(ctx, tx, d.User); err != nil {
		return nil, unknown, err
	}
	if d.Expiring && d.Expires == nil {
		end := k.now().UTC().Add(tokenLife)
		d.Expires = &end
	}
	t := &token.Token{Identifier: d.Identifier, Intent: d.Intent, UserID: d.User, Description: d.Description, Expires: d.Expires, Expiring: d.Expiring}
	if pk != "" {
		var err error
		if t.ID, err = uuid.Parse(pk); err != nil {
			return nil, unknown, field.Errorf("pk", field.CodeInvalid, "Give the key as a UUID; %q is none.", pk)
		}
	}
	if _, err := k.tokens.Create(ctx, tx.Store(), t, given(d.Key)); err != nil {
		return nil, unknown, err
	}
	return k.ref(t), writable(unknown), nil
}

func given(key *string) string {
	if key == nil {
		return ""
	}
	return *key
}

func (k *apiToken) owner(ctx context.Context, tx *catalog.Tx, user int64) error {
	ok, err := k.directory.Exists(ctx, tx.Store(), "user", strconv.FormatInt(user, 10))
	if err == nil && !ok {
		err = field.Errorf("user", field.CodeDoesNotExist, "Choose a user that exists; %d does not.", user)
	}
	return err
}

func (k *apiToken) load(ctx context.Context, tx *catalog.Tx, ref *Ref) (token.Token, tokenData, error) {
	t, err := k.one(ctx, tx, map[string]any{"pk": ref.Key})
	if err != nil {
		return t, tokenData{}, err
	}
	return t, tokenData{Identifier: t.Identifier, Intent: t.Intent, User: t.UserID, Description: t.Description, Expires: t.Expires, Expiring: t.Expiring}, nil
}

// decode checks what a change asks for.
func (d *tokenData) decode(data map[string]any) (unknown []string, err error) {
	before := *d
	unknown, errs := field.Decode(d, data, field.Update)
	for _, fixed := range []struct {
		name string
		same bool
	}{{"user", d.User == before.User}, {"intent", d.Intent == before.Intent}, {"identifier", d.Identifier == before.Identifier}} {
		if !fixed.same && errs[fixed.name] == nil {
			errs = errs.Merge(field.Errorf(fixed.name, field.CodeInvalid, "Delete the token and make a new one; this cannot be changed."))
		}
	}
	return unknown, errs.Err()
}

func (k *apiToken) Update(ctx context.Context, tx *catalog.Tx, ref *Ref, data map[string]any) (changed, unknown []string, err error) {
	t, before, err := k.load(ctx, tx, ref)
	if err != nil {
		return nil, nil, err
	}
	after := before
	if unknown, err = after.decode(data); err != nil {
		return nil, unknown, err
	}
	changed = slices.DeleteFunc(differing(encodeSets(&before), encodeSets(&after)), func(name string) bool { return name == "key" })
	if len(changed) > 0 {
		t.Description, t.Expires, t.Expiring = after.Description, after.Expires, after.Expiring
		if err := k.tokens.Update(ctx, tx.Store(), t); err != nil {
			return nil, unknown, err
		}
	}
	if key := given(after.Key); key != "" {
		old, err := k.tokens.Key(ctx, tx.Store(), t.ID)
		if err != nil {
			return nil, unknown, err
		}
		if old != key {
			if _, err := k.tokens.SetKey(ctx, tx.Store(), t.ID, key); err != nil {
				return nil, unknown, err
			}
			changed = append(changed, "key")
		}
	}
	return changed, writable(unknown), nil
}

func (k *apiToken) Check(ctx context.Context, tx *catalog.Tx, ref *Ref, data map[string]any) error {
	_, d, err := k.load(ctx, tx, ref)
	if err != nil {
		return err
	}
	_, err = d.decode(data)
	return err
}

func (k *apiToken) Delete(ctx context.Context, tx *catalog.Tx, ref *Ref) error {
	t, _, err := k.load(ctx, tx, ref)
	if err != nil {
		return err
	}
	return k.tokens.Delete(ctx, tx.Store(), t.ID)
}

func (k *apiToken) Read(ctx context.Context, tx *catalog.Tx, ref *Ref) (map[string]any, error) {
	_, d, err := k.load(ctx, tx, ref)
	if err != nil {
		return nil, err
	}
	out := field.Encode(&d, field.Public)
	out["pk"] = ref.Key
	return out, nil
}
