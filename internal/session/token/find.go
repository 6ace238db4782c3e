package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/store"
)

// Columns are the columns of table tokens, called t in the query, that Scan reads.
const Columns = "t.id, t.identifier, t.intent, t.user_id, t.description, t.expires, t.expiring, t.created, t.last_used"

// alive excludes expired tokens; $1 is the time.
const alive = "(not t.expiring or t.expires is null or t.expires > $1)"

// Scan reads a row of Columns.
func Scan(row store.Row) (Token, error) {
	var t Token
	err := row.Scan(&t.ID, &t.Identifier, (*string)(&t.Intent), &t.UserID, &t.Description, &t.Expires, &t.Expiring, &t.Created, &t.LastUsed)
	return t, err
}

func (t *Tokens) one(ctx context.Context, q store.Querier, where string, args ...any) (Token, error) {
	tok, err := Scan(q.QueryRow(ctx, "select "+Columns+" from tokens t where "+alive+" and "+where, append([]any{t.now()}, args...)...))
	if errors.Is(err, store.ErrNotFound) {
		return tok, ErrNone
	}
	if err != nil {
		return tok, fmt.Errorf("read token: %w", err)
	}
	return tok, nil
}

// ByKey returns the token with a key and an intent, ErrNone when there is none.
func (t *Tokens) ByKey(ctx context.Context, key string, intent Intent) (Token, error) {
	if key == "" || len(key) > maxKeyBytes {
		return Token{}, ErrNone
	}
	return t.one(ctx, t.db, "t.key_hash = $2 and t.intent = $3", hash(key), string(intent))
}

// ByIdentifier returns the token with an identifier, ErrNone when there is none.
func (t *Tokens) ByIdentifier(ctx context.Context, q store.Querier, identifier string) (Token, error) {
	return t.one(ctx, q, "t.identifier = $2", identifier)
}

// Of lists the tokens of a user by identifier.
func (t *Tokens) Of(ctx context.Context, q store.Querier, user int64) ([]Token, error) {
	list, err := store.Select(ctx, q, Scan, "select "+Columns+" from tokens t where "+alive+" and t.user_id = $2 order by t.identifier", t.now(), user)
	if err != nil {
		return nil, fmt.Errorf("list tokens of user %d: %w", user, err)
	}
	return list, nil
}

// AppPassword returns the identifier of the user's app password with this key.
func (t *Tokens) AppPassword(ctx context.Context, user int64, key string) (identifier string, ok bool, err error) {
	tok, err := t.ByKey(ctx, key, AppPassword)
	if errors.Is(err, ErrNone) {
		return "", false, nil
	}
	if err != nil || tok.UserID != user {
		return "", false, err
	}
	return tok.Identifier, true, t.Used(ctx, tok)
}

// Key opens the key of a token, for its owner to see; the caller records the
// event secret_view.
func (t *Tokens) Key(ctx context.Context, q store.Querier, id uuid.UUID) (string, error) {
	var sealed []byte
	err := q.QueryRow(ctx, "select t.key_sealed from tokens t where "+alive+" and t.id = $2", t.now(), id).Scan(&sealed)
	if errors.Is(err, store.ErrNotFound) {
		return "", ErrNone
	}
	if err != nil {
		return "", fmt.Errorf("read token %s: %w", id, err)
	}
	key, err := t.box.Open(sealed, place(id))
	if err != nil {
		return "", fmt.Errorf("open key of token %s: %w", id, err)
	}
	return string(key), nil
}

// Due tells whether the last noted use is more than a minute ago.
func (t *Tokens) Due(tok Token) bool {
	return tok.LastUsed == nil || t.now().Sub(*tok.LastUsed) >= time.Minute
}

// Used notes that a token was used, at most once a minute.
func (t *Tokens) Used(ctx context.Context, tok Token) error {
	if !t.Due(tok) {
		return nil
	}
	now := t.now().UTC()
	_, err := t.db.Exec(ctx, "update tokens set last_used = $2 where id = $1 and (last_used is null or last_used <= $3)", tok.ID, now, now.Add(-time.Minute))
	if err != nil {
		return fmt.Errorf("note use of token %s: %w", tok.Identifier, err)
	}
	return nil
}
