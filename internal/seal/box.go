// Package seal keeps secrets unreadable and unchangeable outside of the program:
// execution plans and secret fields in the database, values in cookies. All keys
// come from one random data key, which the database holds sealed with
// WEIR_SECRET_KEY. Passwords are hashed elsewhere.
package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

// KeyBytes is the length of a key.
const KeyBytes = chacha20poly1305.KeySize

// ErrOpen says that a sealed value is not ours: changed, cut, sealed with
// another key, or for another place. It does not say which.
var ErrOpen = errors.New("sealed value cannot be opened")

// format is the first byte of a sealed value, so that another algorithm or key
// can stand beside this one later: XChaCha20-Poly1305 (its nonce of 24 bytes may
// be random for any number of values), the current data key.
const format = 1

// Overhead is how many bytes a sealed value is longer than its content.
const Overhead = 1 + chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

// Box seals and opens values of one purpose. It is safe for concurrent use.
type Box struct{ aead cipher.AEAD }

// NewBox returns a box with a key of KeyBytes random bytes.
func NewBox(key []byte) (*Box, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("make box: %w", err)
	}
	return &Box{aead}, nil
}

// Seal returns plain encrypted and bound to place, which says where the value
// belongs (such as "execution 5d1c..."): opened elsewhere it is refused. The
// place itself is not stored.
func (b *Box) Seal(plain []byte, place string) []byte {
	out := make([]byte, 1+chacha20poly1305.NonceSizeX, len(plain)+Overhead)
	out[0] = format
	nonce := out[1:]
	rand.Read(nonce) // crashes rather than fails
	return b.aead.Seal(out, nonce, plain, []byte(place))
}

// Open returns what was sealed for the same place, or ErrOpen.
func (b *Box) Open(sealed []byte, place string) ([]byte, error) {
	if len(sealed) < Overhead || sealed[0] != format {
		return nil, ErrOpen
	}
	nonce, rest := sealed[1:1+chacha20poly1305.NonceSizeX], sealed[1+chacha20poly1305.NonceSizeX:]
	plain, err := b.aead.Open(nil, nonce, rest, []byte(place))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// String hides the key.
func (b *Box) String() string { return "seal.Box" }
