package password

import (
	"context"
	"fmt"
	"strings"
)

// Hasher makes and checks hashes through a queue. It is safe for concurrent use.
type Hasher struct {
	params Params
	queue  *Queue
	// dummy is what VerifyDummy checks against: a real hash of nothing that
	// anybody could type, with the current parameters.
	dummy stored
}

// NewHasher returns a hasher whose new hashes cost p. The zero Params mean
// DefaultParams; others are validated.
func NewHasher(p Params, q *Queue) (*Hasher, error) {
	if p == (Params{}) {
		p = DefaultParams()
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("password hashing: %w", err)
	}
	return &Hasher{params: p, queue: q, dummy: argon2Hash{variant: "argon2id", params: p,
		salt: make([]byte, argon2SaltBytes), key: make([]byte, argon2KeyBytes)}}, nil
}

// Hash returns the encoded Argon2id hash of a password. The error wraps
// ErrTooLong, flow.ErrOverloaded or the cause of ctx.
func (h *Hasher) Hash(ctx context.Context, plain string) (encoded string, err error) {
	if len(plain) > MaxPlainBytes {
		return "", ErrTooLong
	}
	err = h.queue.Do(ctx, func() { encoded = newArgon2(h.params, []byte(plain)) })
	return encoded, err
}

// Verify tells whether the password fits the stored hash. It does the work of
// one hash whatever comes in: an unusable, unreadable or over-expensive hash
// costs what a current one costs and does not match. For the latter two the
// error wraps ErrFormat or ErrCost, once the work is done; other errors are
// those of Queue.Do.
func (h *Hasher) Verify(ctx context.Context, encoded, plain string) (bool, error) {
	if strings.HasPrefix(encoded, Unusable) || len(plain) > MaxPlainBytes {
		return false, h.VerifyDummy(ctx, plain)
	}
	s, broken := parse(encoded)
	if broken != nil {
		if err := h.VerifyDummy(ctx, plain); err != nil {
			return false, err
		}
		return false, fmt.Errorf("read stored password: %w", broken)
	}
	var match bool
	if err := h.queue.Do(ctx, func() { match = s.verify([]byte(plain)) }); err != nil {
		return false, err
	}
	return match, nil
}

// VerifyDummy does the work of one verification and never matches, for
// accounts that do not exist. Errors are those of Queue.Do.
func (h *Hasher) VerifyDummy(ctx context.Context, plain string) error {
	if len(plain) > MaxPlainBytes {
		plain = plain[:MaxPlainBytes]
	}
	return h.queue.Do(ctx, func() { h.dummy.verify([]byte(plain)) })
}

// NeedsRehash tells whether a stored hash that verified should be made anew:
// it is of another format or has other parameters than new hashes.
func (h *Hasher) NeedsRehash(encoded string) bool {
	s, err := parse(encoded)
	if err != nil {
		return false
	}
	a, ok := s.(argon2Hash)
	return !ok || a.variant != "argon2id" || a.params != h.params || !strings.HasPrefix(encoded, "$") ||
		len(a.salt) != argon2SaltBytes || len(a.key) != argon2KeyBytes
}
