// Package passkey holds what the stages for passkeys share: the words of WebAuthn
// in configurations, the makes that are known by name, and the two ceremonies. The
// cryptography is go-webauthn's; no type of it leaves this package.
//
// A passkey belongs to the site where it was made: the host of the relying party and
// the origin of the page are those of the request, so each domain of a site has
// passkeys of its own.
package passkey

import (
	"crypto/rand"
	"encoding/base64"
	"net"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
)

// Class is the class of passkeys among devices.
const Class = "webauthn"

// UserVerification is how much something is wanted: that a passkey sees that it is
// its owner, or that it is kept where it can be found without a name.
type UserVerification string

// The values on the wire, those of WebAuthn.
const (
	Required    UserVerification = "required"
	Preferred   UserVerification = "preferred"
	Discouraged UserVerification = "discouraged"
)

// Choices lists the values.
func (UserVerification) Choices() []string {
	return []string{string(Required), string(Preferred), string(Discouraged)}
}

// Hint tells browsers which kind of passkey is expected.
type Hint string

// The hints on the wire, those of WebAuthn.
const (
	SecurityKey  Hint = "security-key"
	ClientDevice Hint = "client-device"
	Hybrid       Hint = "hybrid"
)

// Choices lists the hints.
func (Hint) Choices() []string {
	return []string{string(SecurityKey), string(ClientDevice), string(Hybrid)}
}

// Attachment is where a passkey has to be.
type Attachment string

// The places on the wire: inside of the device that people sign in with, or apart.
const (
	Platform      Attachment = "platform"
	CrossPlatform Attachment = "cross-platform"
)

// Choices lists the places.
func (Attachment) Choices() []string { return []string{string(Platform), string(CrossPlatform)} }

// Site is where a ceremony takes place, as the browser knows it.
type Site struct {
	// Origin is scheme, host and port, Host the name alone, Name that for people.
	Origin, Host, Name string
}

// At is the site of the request.
func At(x *flow.Exec) Site {
	s := Site{Name: "Weir"}
	if x.Brand != nil && x.Brand.Title != "" {
		s.Name = x.Brand.Title
	}
	s.Origin = x.Origin()
	_, at, _ := strings.Cut(s.Origin, "://")
	s.Host = hostname(at)
	return s
}

// hostname is a host without its port.
func hostname(at string) string {
	if host, _, err := net.SplitHostPort(at); err == nil {
		return host
	}
	return at
}

// keyChallenge is the random text that the next answer has to sign.
const keyChallenge = flow.Key[string]("goauthentik.io/stages/authenticator_webauthn/challenge")

const challengeBytes = 32

// Challenge is what the next answer has to sign: the same however often the page is
// shown, until somebody answers.
func Challenge(x *flow.Exec) string {
	if c, _ := keyChallenge.Get(x.Context); c != "" {
		return c
	}
	random := make([]byte, challengeBytes)
	rand.Read(random) // crashes rather than fails
	c := base64.RawURLEncoding.EncodeToString(random)
	keyChallenge.Set(x.Context, c)
	return c
}

// Take is the challenge that an answer has to have signed; it is good for no other
// answer.
func Take(x *flow.Exec) string {
	c, _ := keyChallenge.Get(x.Context)
	keyChallenge.Delete(x.Context)
	return c
}

// Record is what is kept of a passkey beside its id and its counter.
type Record struct {
	PublicKey []byte `json:"public_key"`
	// Host is that of the relying party.
	Host string `json:"rp_id"`
	// User is the handle by which the passkey knows its owner.
	User   []byte    `json:"user"`
	AAGUID uuid.UUID `json:"aaguid"`
	// Synced tells that the passkey may be copied to other devices of its owner.
	Synced bool `json:"synced"`
	// Format and Attestation say who vouched for the make, in the words of WebAuthn.
	Format      string `json:"format"`
	Attestation string `json:"attestation"`
}

// vouched are the sorts of attestation in which a certificate speaks for the make.
// In all others a passkey says itself which make it is, as any program can.
var vouched = []string{"basic_full", "attca", "anonca"}

// OneOf tells whether a list of makes allows the passkey; an empty one allows all.
// The zero id stands for makes that are not known by name. A make that is listed has
// to be vouched for: otherwise the format "none" would get past every list.
func (r *Record) OneOf(makes []uuid.UUID) bool {
	if len(makes) == 0 {
		return true
	}
	if _, known := Make(r.AAGUID); !known && slices.Contains(makes, uuid.Nil) {
		return true
	}
	return r.AAGUID != uuid.Nil && slices.Contains(makes, r.AAGUID) && slices.Contains(vouched, r.Attestation)
}
