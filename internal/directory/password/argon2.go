package password

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// Params are the costs of new hashes (RFC 9106 section 3.1).
type Params struct {
	// MemoryKiB is m, the memory in KiB.
	MemoryKiB uint32
	// Passes is t, the number of passes over the memory.
	Passes uint32
	// Lanes is p. More than 1 makes one hash use several cores.
	Lanes uint8
}

// DefaultParams are the OWASP Password Storage Cheat Sheet's for Argon2id.
func DefaultParams() Params { return Params{MemoryKiB: 19 * 1024, Passes: 2, Lanes: 1} }

// The bounds of Argon2 parameters, for stored and for new hashes. The product
// bounds the time: 1 GiB filled once takes about a second.
const (
	maxMemoryKiB     = 256 << 10
	maxPasses        = 32
	maxLanes         = 16
	maxMemoryPassKiB = 1 << 20
)

const (
	argon2SaltBytes = 16
	argon2KeyBytes  = 32
)

// Validate refuses parameters that no hash may have, and new hashes weaker than
// 7 MiB, the least that OWASP lists.
func (p Params) Validate() error {
	if p.MemoryKiB < 7*1024 {
		return fmt.Errorf("argon2 memory of %d KiB is less than 7168", p.MemoryKiB)
	}
	return p.bounded()
}

func (p Params) bounded() error {
	lanes := int(p.Lanes)
	return errors.Join(
		within("argon2 lanes", lanes, 1, maxLanes),
		within("argon2 memory", int(p.MemoryKiB), 8*max(lanes, 1), maxMemoryKiB),
		within("argon2 passes", int(p.Passes), 1, maxPasses),
		within("argon2 memory times passes", int(p.MemoryKiB)*int(p.Passes), 1, maxMemoryPassKiB),
	)
}

type argon2Hash struct {
	variant   string
	params    Params
	salt, key []byte
}

// newArgon2 hashes with a fresh salt and returns the PHC string.
func newArgon2(p Params, plain []byte) string {
	h := argon2Hash{variant: "argon2id", params: p, salt: make([]byte, argon2SaltBytes)}
	rand.Read(h.salt) // never fails
	h.key = h.derive(plain, argon2KeyBytes)
	return h.String()
}

func (h argon2Hash) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$%s$v=%d$m=%d,t=%d,p=%d$%s$%s", h.variant, argon2.Version,
		h.params.MemoryKiB, h.params.Passes, h.params.Lanes, b64.EncodeToString(h.salt), b64.EncodeToString(h.key))
}

func (h argon2Hash) derive(plain []byte, n int) []byte {
	p := h.params
	if h.variant == "argon2i" {
		return argon2.Key(plain, h.salt, p.Passes, p.MemoryKiB, p.Lanes, uint32(n))
	}
	return argon2.IDKey(plain, h.salt, p.Passes, p.MemoryKiB, p.Lanes, uint32(n))
}

func (h argon2Hash) verify(plain []byte) bool {
	return subtle.ConstantTimeCompare(h.derive(plain, len(h.key)), h.key) == 1
}

// parseArgon2 reads "argon2id$v=19$m=...,t=...,p=...$salt$key". Argon2d is left
// out: nobody should hash passwords with it.
func parseArgon2(s string) (stored, error) {
	part := strings.Split(s, "$")
	if len(part) != 5 || part[0] != "argon2id" && part[0] != "argon2i" || part[1] != "v=19" {
		return nil, ErrFormat
	}
	h := argon2Hash{variant: part[0]}
	var n [3]uint64
	values := strings.Split(part[2], ",")
	if len(values) != len(n) {
		return nil, ErrFormat
	}
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(values[i], name)
		v, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil {
			return nil, ErrFormat
		}
		n[i] = v
	}
	h.params = Params{MemoryKiB: uint32(n[0]), Passes: uint32(n[1]), Lanes: uint8(min(n[2], 255))}
	if err := h.params.bounded(); err != nil {
		return nil, err
	}
	var err error
	if h.salt, err = unbase64(part[3], 8, 64); err != nil {
		return nil, err
	}
	h.key, err = unbase64(part[4], 16, 64)
	return h, err
}

// unbase64 decodes standard base64, padded or not, of low to high bytes.
func unbase64(s string, low, high int) ([]byte, error) {
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil || len(b) < low || len(b) > high {
		return nil, ErrFormat
	}
	return b, nil
}
