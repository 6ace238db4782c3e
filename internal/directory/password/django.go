package password

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// The formats below are those of django.contrib.auth.hashers, as documented in
// "Password management in Django".

// The bounds of foreign hashes. Each keeps one verification near a second.
const (
	maxPBKDF2Rounds   = 5_000_000
	maxBcryptCost     = 14
	maxScryptMemory   = 256 << 20 // 128 * n * r bytes
	maxScryptWork     = 1 << 23   // n * r * p
	maxForeignSaltLen = 128
)

type pbkdf2Hash struct {
	sum       func() hash.Hash
	rounds    int
	salt, key []byte
}

// parsePBKDF2 reads "rounds$salt$key"; the salt is text.
func parsePBKDF2(name, s string) (stored, error) {
	part := strings.Split(s, "$")
	if len(part) != 3 || len(part[1]) == 0 || len(part[1]) > maxForeignSaltLen {
		return nil, ErrFormat
	}
	h := pbkdf2Hash{sum: sha256.New, salt: []byte(part[1])}
	size := sha256.Size
	if name == "pbkdf2_sha1" {
		h.sum, size = sha1.New, sha1.Size
	}
	var err error
	if h.rounds, err = strconv.Atoi(part[0]); err != nil {
		return nil, ErrFormat
	}
	if err := within("pbkdf2 rounds", h.rounds, 1, maxPBKDF2Rounds); err != nil {
		return nil, err
	}
	h.key, err = unbase64(part[2], size, size)
	return h, err
}

func (h pbkdf2Hash) verify(plain []byte) bool {
	key, err := pbkdf2.Key(h.sum, string(plain), h.salt, h.rounds, len(h.key))
	return err == nil && subtle.ConstantTimeCompare(key, h.key) == 1
}

// bcryptHash is a bcrypt string over the SHA-256 hex of the password, which
// keeps bcrypt from ignoring what follows the 72nd byte.
type bcryptHash []byte

// parseBcrypt reads "$2b$12$...".
func parseBcrypt(s string) (stored, error) {
	cost, err := bcrypt.Cost([]byte(s))
	if err != nil || len(s) != 60 {
		return nil, ErrFormat
	}
	if err := within("bcrypt cost", cost, bcrypt.MinCost, maxBcryptCost); err != nil {
		return nil, err
	}
	return bcryptHash(s), nil
}

func (h bcryptHash) verify(plain []byte) bool {
	sum := sha256.Sum256(plain)
	return bcrypt.CompareHashAndPassword(h, []byte(hex.EncodeToString(sum[:]))) == nil
}

type scryptHash struct {
	n, r, p   int
	salt, key []byte
}

// parseScrypt reads "n$salt$r$p$key"; the salt is text.
func parseScrypt(s string) (stored, error) {
	part := strings.Split(s, "$")
	if len(part) != 5 || len(part[1]) == 0 || len(part[1]) > maxForeignSaltLen {
		return nil, ErrFormat
	}
	h := scryptHash{salt: []byte(part[1])}
	for to, digits := range map[*int]string{&h.n: part[0], &h.r: part[2], &h.p: part[3]} {
		// 31 bits, so that the products below cannot wrap around.
		v, err := strconv.ParseUint(digits, 10, 31)
		if err != nil {
			return nil, ErrFormat
		}
		*to = int(v)
	}
	if h.n < 2 || h.n&(h.n-1) != 0 {
		return nil, ErrFormat
	}
	for _, limit := range []error{
		within("scrypt block size", h.r, 1, 64),
		within("scrypt lanes", h.p, 1, maxLanes),
		within("scrypt memory", 128*h.n*h.r, 1, maxScryptMemory),
		within("scrypt work", h.n*h.r*h.p, 1, maxScryptWork),
	} {
		if limit != nil {
			return nil, limit
		}
	}
	var err error
	h.key, err = unbase64(part[4], 32, 64)
	return h, err
}

func (h scryptHash) verify(plain []byte) bool {
	key, err := scrypt.Key(plain, h.salt, h.n, h.r, h.p, len(h.key))
	return err == nil && subtle.ConstantTimeCompare(key, h.key) == 1
}
