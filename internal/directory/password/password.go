// Package password turns passwords into stored hashes and checks them.
//
// New hashes are Argon2id in the PHC string format. Hashes that other systems
// wrote are verified as they are: Argon2 with and without Django's prefix,
// PBKDF2, bcrypt over SHA-256 and scrypt, all as Django encodes them. The
// parameters of a stored hash are bounded before any work is done (rule 44 of
// the security rules): a hash may come from an import, and its cost must not be
// a way to stop the server.
//
// The package stores nothing; who owns which hash is package directory.
package password

import (
	"errors"
	"fmt"
	"strings"
)

// MaxPlainBytes is the longest password that is hashed. A longer one never
// verifies and cannot be set.
const MaxPlainBytes = 4096

// maxEncoded bounds a stored hash, in bytes.
const maxEncoded = 512

// Unusable is the stored hash of an account without a password. Every stored
// value that begins with it never verifies.
const Unusable = "!"

// Usable tells whether a stored hash is that of a password that somebody can type.
func Usable(encoded string) bool { return encoded != "" && !strings.HasPrefix(encoded, Unusable) }

var (
	// ErrFormat says that a stored hash is of no known format or broken.
	ErrFormat = errors.New("password hash is not of a known format")
	// ErrCost says that a stored hash asks for more work than allowed.
	ErrCost = errors.New("password hash asks for too much work")
	// ErrTooLong says that a password to hash is longer than MaxPlainBytes.
	ErrTooLong = errors.New("password is too long")
)

// stored is a parsed hash whose parameters are within bounds.
type stored interface {
	// verify does the work and compares in constant time.
	verify(plain []byte) bool
}

// parse reads a stored hash without doing any work.
func parse(encoded string) (stored, error) {
	if len(encoded) > maxEncoded {
		return nil, ErrFormat
	}
	switch name, rest, _ := strings.Cut(encoded, "$"); name {
	case "": // PHC: $argon2id$...
		return parseArgon2(rest)
	case "argon2":
		return parseArgon2(rest)
	case "pbkdf2_sha256", "pbkdf2_sha1":
		return parsePBKDF2(name, rest)
	case "bcrypt_sha256":
		return parseBcrypt(rest)
	case "scrypt":
		return parseScrypt(rest)
	}
	return nil, ErrFormat
}

// Check tells whether an encoded hash may be stored: it is of a known format
// and its cost is within bounds, or it begins with Unusable. The error wraps
// ErrFormat or ErrCost and never repeats the hash.
func Check(encoded string) error {
	if strings.HasPrefix(encoded, Unusable) && len(encoded) <= maxEncoded {
		return nil
	}
	_, err := parse(encoded)
	return err
}

// within returns ErrCost with the name of the parameter when n is not between
// low and high.
func within(name string, n, low, high int) error {
	if n < low || n > high {
		return fmt.Errorf("%w: %s %d is not between %d and %d", ErrCost, name, n, low, high)
	}
	return nil
}
