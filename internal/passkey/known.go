package passkey

import (
	"encoding/base64"

	"github.com/google/uuid"
)

// HandleOf is by what passkeys know a user: a random id, which says nothing about
// them.
func HandleOf(user uuid.UUID) []byte { return []byte(user.String()) }

// Known tells a browser which passkeys of a person count at a host, so that it offers
// no others any more. The members are those of AllAcceptedCredentialsOptions of
// WebAuthn, Level 3.
type Known struct {
	Host string   `json:"rpId"`
	User string   `json:"userId"`
	IDs  []string `json:"allAcceptedCredentialIds"`
}

// NewKnown knows no passkey yet. The host may have a port.
func NewKnown(host string, user uuid.UUID) Known {
	return Known{Host: hostname(host), User: base64.RawURLEncoding.EncodeToString(HandleOf(user)), IDs: []string{}}
}

// Add adds a passkey by its id, if it belongs to the host.
func (k *Known) Add(id string, r *Record) {
	if r.Host == k.Host {
		k.IDs = append(k.IDs, id)
	}
}
