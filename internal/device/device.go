// Package device knows browsers again in which people have logged in, by a
// cookie that they can neither read nor change (rule 34).
package device

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Cookie is the name of the cookie.
const Cookie = "authentik_device"

// maxCookie bounds what a stranger can make us open, in bytes.
const maxCookie = 1024

// Sealer makes values for browsers to keep.
type Sealer interface {
	// Seal and Open are each other's reverse for the same place, which names
	// what the value is for. Open fails for anything else than what Seal
	// returned for that place.
	Seal(plain []byte, place string) []byte
	Open(sealed []byte, place string) ([]byte, error)
}

// Device is what the cookie holds.
type Device struct {
	// Subject is the user's UUID: ids of rows say nothing about another
	// installation.
	Subject uuid.UUID `json:"sub"`
	// Stage is the login stage that remembered the browser.
	Stage   uuid.UUID `json:"stage"`
	Expires time.Time `json:"exp"`
}

// Encode returns the value of the cookie.
func Encode(s Sealer, d Device) (string, error) {
	plain, err := json.Marshal(d)
	if err != nil {
		return "", fmt.Errorf("encode device cookie: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(s.Seal(plain, Cookie)), nil
}

// Decode reads the value of the cookie. Anything wrong with it, and the passing
// of its time, makes it no cookie.
func Decode(s Sealer, value string, now time.Time) (Device, bool) {
	var d Device
	if value == "" || len(value) > maxCookie {
		return d, false
	}
	// Strict, so that every character of the cookie counts.
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil {
		return d, false
	}
	plain, err := s.Open(sealed, Cookie)
	if err != nil || json.Unmarshal(plain, &d) != nil || !now.Before(d.Expires) {
		return Device{}, false
	}
	return d, true
}
