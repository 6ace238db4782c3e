package resource

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/session/token"
	"github.com/weir-id/weir/internal/store"
)

// Tokens keeps keys; *token.Tokens is one.
type Tokens interface {
	ByIdentifier(ctx context.Context, q store.Querier, identifier string) (token.Token, error)
	Create(ctx context.Context, tx store.Tx, t *token.Token, key string) (string, error)
	Update(ctx context.Context, tx store.Tx, t token.Token) error
	SetKey(ctx context.Context, tx store.Tx, id uuid.UUID, key string) (string, error)
	Delete(ctx context.Context, tx store.Tx, id uuid.UUID) error
}

// tokenDoc are the fields of a token that can be written. In files user and
// intent are required, since there is no request to take them from.
type tokenDoc struct {
	Identifier  string       `json:"identifier" field:"required,slug,max=255"`
	Intent      token.Intent `json:"intent" field:"required"`
	User        int64        `json:"user" field:"required,ref=user"`
	Description string       `json:"description" field:"blank"`
	Expires     *time.Time   `json:"expires" field:"null"`
	Expiring    bool         `json:"expiring"`
	// Key sets the secret; null leaves or makes a random one.
	Key *string `json:"key" field:"null,secret"`
}

type tokenKind struct {
	tokens Tokens
	people *directory.Directory
}

// Model implements Kind, as do the methods below.
func (k *tokenKind) Model() string { return "authentik_core.token" }

// Find matches by identifier; whatever else is given must agree with it.
func (k *tokenKind) Find(ctx context.Context, tx *catalog.Tx, match map[string]any) (*Ref, error) {
	for name := range match {
		if _, ok := field.Lookup(&tokenDoc{}, name); !ok || name == "key" {
			return nil, errData{fmt.Sprintf("tokens cannot be matched by %q", name)}
		}
	}
	identifier, ok := match["identifier"].(string)
	if !ok {
		return nil, errData{"name the identifier of the token"}
	}
	t, err := k.tokens.ByIdentifier(ctx, tx.Store(), identifier)
	if errors.Is(err, token.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	doc := docOf(t)
	for name, want := range match {
		have, _ := field.Get(doc, name)
		if normal, ok := field.Normalize(doc, name, want); !ok || fmt.Sprint(normal) != fmt.Sprint(have) {
			return nil, nil
		}
	}
	return tokenRef(t), nil
}

// tokenRef names a token by its identifier, which is how the wire addresses it.
func tokenRef(t token.Token) *Ref {
	return &Ref{Key: t.ID.String(), Model: "authentik_core.token", Name: t.Identifier}
}

func docOf(t token.Token) *tokenDoc {
	return &tokenDoc{Identifier: t.Identifier, Intent: t.Intent, User: t.UserID, Description: t.Description, Expires: t.Expires, Expiring: t.Expiring}
}

// defaultLife is how long a token lives that names no end.
const defaultLife = 30 * time.Minute

func (k *tokenKind) Create(ctx context.Context, tx *catalog.Tx, key string, data map[string]any) (*Ref, []string, error) {
	doc := &tokenDoc{Expiring: true}
	unknown, errs := field.Decode(doc, data, field.Create)
	if errs != nil {
		return nil, nil, errs
	}
	if ok, err := k.people.Exists(ctx, tx.Store(), "user", fmt.Sprint(doc.User)); err != nil {
		return nil, nil, err
	} else if !ok {
		return nil, nil, field.Errorf("user", field.CodeDoesNotExist, "There is no user with the id %d.", doc.User)
	}
	t := token.Token{Identifier: doc.Identifier, Intent: doc.Intent, UserID: doc.User, Description: doc.Description, Expires: doc.Expires, Expiring: doc.Expiring}
	if t.Expiring && t.Expires == nil {
		end := time.Now().UTC().Add(defaultLife)
		t.Expires = &end
	}
	id, err := newKey(key)
	if err != nil {
		return nil, nil, err
	}
	t.ID = id
	secret := ""
	if doc.Key != nil {
		secret = *doc.Key
	}
	if _, err := k.tokens.Create(ctx, tx.Store(), &t, secret); err != nil {
		return nil, nil, err
	}
	return tokenRef(t), unknown, nil
}

func (k *tokenKind) Update(ctx context.Context, tx *catalog.Tx, ref *Ref, data map[string]any) (changed, unknown []string, err error) {
	t, err := k.tokens.ByIdentifier(ctx, tx.Store(), ref.Name)
	if err != nil {
		return nil, nil, err
	}
	doc := docOf(t)
	before := field.Encode(doc, field.Public)
	unknown, errs := field.Decode(doc, data, field.Update)
	if errs != nil {
		return nil, nil, errs
	}
	if err := fixed(doc, t).Err(); err != nil {
		return nil, nil, err
	}
	changed = differing(before, field.Encode(doc, field.Public))
	t.Description, t.Expires, t.Expiring = doc.Description, doc.Expires, doc.Expiring
	if len(changed) > 0 {
		if err := k.tokens.Update(ctx, tx.Store(), t); err != nil {
			return nil, nil, err
		}
	}
	if doc.Key != nil {
		if _, err := k.tokens.SetKey(ctx, tx.Store(), t.ID, *doc.Key); err != nil {
			return nil, nil, err
		}
		changed = append(changed, "key")
	}
	return changed, unknown, nil
}

// fixed refuses another user, intent or identifier: the key would change hands.
func fixed(doc *tokenDoc, t token.Token) field.Errors {
	if doc.User != t.UserID || doc.Intent != t.Intent || doc.Identifier != t.Identifier {
		return field.Errorf(field.NonField, field.CodeInvalid, "User, intent and identifier of a token cannot be changed; delete it and make another.")
	}
	return nil
}

func (k *tokenKind) Check(ctx context.Context, tx *catalog.Tx, ref *Ref, data map[string]any) error {
	t, err := k.tokens.ByIdentifier(ctx, tx.Store(), ref.Name)
	if err != nil {
		return err
	}
	doc := docOf(t)
	if _, errs := field.Decode(doc, data, field.Update); errs != nil {
		return errs
	}
	return fixed(doc, t).Err()
}

func (k *tokenKind) Delete(ctx context.Context, tx *catalog.Tx, ref *Ref) error {
	id, err := uuid.Parse(fmt.Sprint(ref.Key))
	if err != nil {
		return fmt.Errorf("token %v: %w", ref.Key, catalog.ErrNotFound)
	}
	return k.tokens.Delete(ctx, tx.Store(), id)
}

func (k *tokenKind) Read(ctx context.Context, tx *catalog.Tx, ref *Ref) (map[string]any, error) {
	t, err := k.tokens.ByIdentifier(ctx, tx.Store(), ref.Name)
	if err != nil {
		return nil, err
	}
	out := field.Encode(docOf(t), field.Public)
	out["pk"] = t.ID.String()
	return out, nil
}
