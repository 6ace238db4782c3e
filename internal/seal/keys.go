package seal

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/store"
)

// MinSecretKeyBytes is the shortest secret key: the key is not stretched, so it
// has to be random rather than memorable (openssl rand -base64 32).
const MinSecretKeyBytes = 32

// Errors of LoadOrCreate and Rewrap.
var (
	ErrShortSecretKey = fmt.Errorf("secret key is shorter than %d bytes", MinSecretKeyBytes)
	ErrWrongSecretKey = errors.New("secret key is not the one that this database was set up with")
)

// Keys derives the keys of an installation from its data key, one for each
// purpose, so that what is made for one is worthless for another.
type Keys struct{ data []byte }

// NewKeys returns keys of a data key of KeyBytes bytes, for tests and for
// programs that keep the data key themselves.
func NewKeys(data []byte) (*Keys, error) {
	if len(data) != KeyBytes {
		return nil, fmt.Errorf("data key has %d bytes, want %d", len(data), KeyBytes)
	}
	return &Keys{append([]byte(nil), data...)}, nil
}

// MAC returns a key of KeyBytes bytes for HMACs of one purpose.
func (k *Keys) MAC(purpose string) []byte { return derive(k.data, "mac "+purpose) }

// Box returns the box for values of one purpose.
func (k *Keys) Box(purpose string) *Box {
	b, err := NewBox(derive(k.data, "box "+purpose))
	if err != nil {
		panic(err) // derive returns KeyBytes bytes
	}
	return b
}

// String and LogValue hide the key.
func (k *Keys) String() string       { return "seal.Keys" }
func (k *Keys) GoString() string     { return "seal.Keys" }
func (k *Keys) LogValue() slog.Value { return slog.StringValue("seal.Keys") }

// derive is HKDF (RFC 5869) with SHA-256. The secret is random, so no salt.
func derive(secret []byte, info string) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, "weir "+info, KeyBytes)
	if err != nil {
		panic(err) // only for lengths beyond 8160 bytes
	}
	return key
}

// wrapping returns the box that seals the data key of an installation.
func wrapping(secretKey []byte) (*Box, error) {
	if len(secretKey) < MinSecretKeyBytes {
		return nil, ErrShortSecretKey
	}
	return NewBox(derive(secretKey, "data key"))
}

func place(installID string) string { return "data key of " + installID }

// LoadOrCreate returns the keys of the installation and its id. On the first
// start it makes both and stores them, the data key sealed with secretKey; nodes
// that start together agree on one.
func LoadOrCreate(ctx context.Context, db store.DB, secretKey []byte) (keys *Keys, installID string, err error) {
	box, err := wrapping(secretKey)
	if err != nil {
		return nil, "", err
	}
	var sealed []byte
	const load = "select install_id, data_key from install where id = 1"
	err = db.QueryRow(ctx, load).Scan(&installID, &sealed)
	if errors.Is(err, store.ErrNotFound) {
		id, data := uuid.NewString(), make([]byte, KeyBytes)
		rand.Read(data)
		if _, err := db.Exec(ctx, `insert into install (id, install_id, data_key, latches, created)
			values (1, $1, $2, '{}', $3) on conflict (id) do nothing`, id, box.Seal(data, place(id)), time.Now()); err != nil {
			return nil, "", fmt.Errorf("store data key: %w", err)
		}
		err = db.QueryRow(ctx, load).Scan(&installID, &sealed)
	}
	if err != nil {
		return nil, "", fmt.Errorf("load data key: %w", err)
	}
	data, err := box.Open(sealed, place(installID))
	if err != nil {
		return nil, "", ErrWrongSecretKey
	}
	keys, err = NewKeys(data)
	return keys, installID, err
}

// Rewrap seals the data key with another secret key. Everything else in the
// database stays as it is. It returns ErrWrongSecretKey if oldKey is not the
// current one.
func Rewrap(ctx context.Context, db store.DB, oldKey, newKey []byte) error {
	from, err := wrapping(oldKey)
	if err != nil {
		return fmt.Errorf("old key: %w", err)
	}
	to, err := wrapping(newKey)
	if err != nil {
		return fmt.Errorf("new key: %w", err)
	}
	return db.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		var installID string
		var sealed []byte
		if err := tx.QueryRow(ctx, "select install_id, data_key from install where id = 1"+tx.Dialect().ForUpdate()).
			Scan(&installID, &sealed); err != nil {
			return fmt.Errorf("load data key: %w", err)
		}
		data, err := from.Open(sealed, place(installID))
		if err != nil {
			return ErrWrongSecretKey
		}
		if _, err := tx.Exec(ctx, "update install set data_key = $1 where id = 1", to.Seal(data, place(installID))); err != nil {
			return fmt.Errorf("store data key: %w", err)
		}
		return nil
	})
}
