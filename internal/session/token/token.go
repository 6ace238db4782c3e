// Package token keeps the keys that programs and people present instead of a
// session: API tokens, app passwords, recovery and verification links. A key is
// found by its hash; the key itself is stored sealed, so that its owner can see
// it again. An expired token does not exist for any look-up, whether or not the
// clean-up has been there (rule 14).
package token

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/seal"
	"github.com/weir-id/weir/internal/store"
)

// Intent is what a token may be used for; it never serves another purpose.
type Intent string

// The intents on the wire.
const (
	Verification Intent = "verification"
	API          Intent = "api"
	Recovery     Intent = "recovery"
	AppPassword  Intent = "app_password"
)

// Choices lists the intents.
func (Intent) Choices() []string {
	return []string{string(Verification), string(API), string(Recovery), string(AppPassword)}
}

// ErrNone means that there is no such token, or that it has expired.
var ErrNone = errors.New("no such token")

// Token is a stored token without its key.
type Token struct {
	ID uuid.UUID
	// Identifier is a unique slug.
	Identifier  string
	Intent      Intent
	UserID      int64
	Description string
	// Expires counts only while Expiring is set; nil means never.
	Expires  *time.Time
	Expiring bool
	Created  time.Time
	// LastUsed is exact to a minute; nil means never.
	LastUsed *time.Time
}

// maxKeyBytes bounds a key that somebody presents or chooses.
const maxKeyBytes = 4096

// minKeyBytes keeps chosen keys from being guessed.
const minKeyBytes = 16

// Tokens reads and writes tokens. It is safe for concurrent use.
type Tokens struct {
	db  store.DB
	box *seal.Box
	now func() time.Time
}

// New returns the tokens of a database; box seals their keys, nil now means
// time.Now.
func New(db store.DB, box *seal.Box, now func() time.Time) *Tokens {
	if now == nil {
		now = time.Now
	}
	return &Tokens{db: db, box: box, now: now}
}

// hash is what a key is found by. Keys are random, so a plain hash suffices.
func hash(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// keyLength is the number of characters of a key where nobody asks for another.
const keyLength = 60

// NewKey makes a random key of so many characters.
func NewKey(length int) string {
	b := make([]byte, (length*6+7)/8)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)[:length]
}

func place(id uuid.UUID) string { return "token " + id.String() }

var slug = regexp.MustCompile(`^[-a-zA-Z0-9_]{1,255}$`)

// Create stores a token, fills ID and Created and returns its key, which is
// random when key is empty. Problems are field.Errors; a user that does not
// exist gives an error that wraps store.ErrReferenced.
func (t *Tokens) Create(ctx context.Context, tx store.Tx, tok *Token, key string) (string, error) {
	if tok.Intent == "" {
		tok.Intent = Verification
	}
	if !slug.MatchString(tok.Identifier) {
		return "", field.Errors{"identifier": {{Code: field.CodeInvalid, Message: "token.identifier.invalid",
			String: "Enter an identifier of letters, digits, - and _."}}}
	}
	key, err := checkKey(key)
	if err != nil {
		return "", err
	}
	if tok.ID == uuid.Nil {
		tok.ID = uuid.New()
	}
	tok.Created = t.now().UTC().Truncate(time.Microsecond)
	taken, err := store.Select(ctx, tx, store.Column[string], "select id from tokens where identifier = $1 or key_hash = $2", tok.Identifier, hash(key))
	if err != nil {
		return "", fmt.Errorf("create token: %w", err)
	}
	if len(taken) > 0 {
		return "", identifierTaken()
	}
	_, err = tx.Exec(ctx, `insert into tokens (id, identifier, key_hash, key_sealed, intent, user_id, description, expires, expiring, created)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		tok.ID, tok.Identifier, hash(key), t.box.Seal([]byte(key), place(tok.ID)), string(tok.Intent), tok.UserID, tok.Description, tok.Expires, tok.Expiring, tok.Created)
	if errors.Is(err, store.ErrConflict) {
		return "", identifierTaken()
	}
	if err != nil {
		return "", fmt.Errorf("create token %s: %w", tok.Identifier, err)
	}
	return key, nil
}

func identifierTaken() field.Errors {
	return field.Errors{"identifier": {{Code: field.CodeUnique, Message: "token.identifier.taken", String: "Choose another identifier or key; this one is taken."}}}
}

func checkKey(key string) (string, error) {
	if key == "" {
		return NewKey(keyLength), nil
	}
	if len(key) < minKeyBytes || len(key) > maxKeyBytes || strings.ContainsAny(key, "\x00\r\n") {
		return "", field.Errors{"key": {{Code: field.CodeInvalid, Message: "token.key.invalid",
			String: fmt.Sprintf("Enter a key of %d to %d bytes on one line.", minKeyBytes, maxKeyBytes)}}}
	}
	return key, nil
}

// SetKey gives a token another key, random when key is empty, and returns it.
// The old one is refused from then on.
func (t *Tokens) SetKey(ctx context.Context, tx store.Tx, id uuid.UUID, key string) (string, error) {
	key, err := checkKey(key)
	if err != nil {
		return "", err
	}
	n, err := tx.Exec(ctx, "update tokens set key_hash = $2, key_sealed = $3 where id = $1", id, hash(key), t.box.Seal([]byte(key), place(id)))
	switch {
	case errors.Is(err, store.ErrConflict):
		return "", field.Errors{"key": {{Code: field.CodeUnique, Message: "token.key.taken", String: "Choose another key."}}}
	case err != nil:
		return "", fmt.Errorf("set key of token %s: %w", id, err)
	case n == 0:
		return "", fmt.Errorf("set key of token %s: %w", id, ErrNone)
	}
	return key, nil
}

// Delete removes a token. The error wraps ErrNone when there is none.
func (t *Tokens) Delete(ctx context.Context, tx store.Tx, id uuid.UUID) error {
	n, err := tx.Exec(ctx, "delete from tokens where id = $1", id)
	if err == nil && n == 0 {
		err = ErrNone
	}
	if err != nil {
		return fmt.Errorf("delete token %s: %w", id, err)
	}
	return nil
}

// DeleteOf removes all tokens of a user in the transaction of a step, expired
// ones and links into flows as well.
func (t *Tokens) DeleteOf(ctx context.Context, tx flow.Tx, user int64) error {
	w, ok := tx.(store.Tx)
	if !ok {
		return fmt.Errorf("delete tokens of user %d: %T is no store transaction", user, tx)
	}
	for _, table := range []string{"tokens", "flow_tokens"} {
		if _, err := w.Exec(ctx, "delete from "+table+" where user_id = $1", user); err != nil {
			return fmt.Errorf("delete tokens of user %d: %w", user, err)
		}
	}
	return nil
}

// Update stores identifier, description and end of a token. A taken identifier
// is a field error; the error wraps ErrNone when there is no such token.
func (t *Tokens) Update(ctx context.Context, tx store.Tx, tok Token) error {
	taken, err := store.Select(ctx, tx, store.Column[string], "select id from tokens where identifier = $1 and id <> $2", tok.Identifier, tok.ID)
	if err != nil {
		return fmt.Errorf("update token %s: %w", tok.Identifier, err)
	}
	if len(taken) > 0 {
		return identifierTaken()
	}
	n, err := tx.Exec(ctx, "update tokens set identifier = $2, description = $3, expires = $4, expiring = $5 where id = $1",
		tok.ID, tok.Identifier, tok.Description, tok.Expires, tok.Expiring)
	if err == nil && n == 0 {
		err = ErrNone
	}
	if err != nil {
		return fmt.Errorf("update token %s: %w", tok.Identifier, err)
	}
	return nil
}
