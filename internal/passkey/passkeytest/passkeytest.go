// Package passkeytest is a passkey in software, for tests. It answers as browser and
// authenticator together do, and lies where it is told to.
package passkeytest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math/big"
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
	"github.com/google/uuid"
)

// Key is a passkey for one site.
type Key struct {
	t testing.TB
	// Origin is where the browser says that it is, Host the relying party that the
	// authenticator signs for; empty for the one in the options.
	Origin, Host string
	// Challenge is signed in place of the one in the options, unless it is empty.
	Challenge string
	// Kind is the sort of the ceremony; empty for the right one.
	Kind string
	ID   []byte
	// AAGUID is the make.
	AAGUID uuid.UUID
	// Attestation is "none", "self" or "packed", with a certificate.
	Attestation string
	// Counter is that of the last answer; each answer adds one, unless it Stands.
	Counter uint32
	Stands  bool
	// Absent tells that nobody touched it, Unverified that it did not make sure of its
	// owner.
	Absent, Unverified bool
	// Synced tells that it may be copied to other devices.
	Synced bool
	// Anonymous tells that it does not say whose it is.
	Anonymous bool
	// User is the handle of the owner, as the site said.
	User []byte

	private *ecdsa.PrivateKey
}

// New makes a key in a browser at the origin.
func New(t testing.TB, origin string) *Key {
	k := &Key{t: t, Origin: origin, ID: make([]byte, 16), AAGUID: uuid.MustParse("42b4fb4a-2866-43b2-9bf7-6c6669c2e5d3"), Attestation: "packed", private: newKey(t)}
	rand.Read(k.ID)
	return k
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Text is base64url without padding.
func Text(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Create answers the options of a new passkey.
func (k *Key) Create(options map[string]any) map[string]any {
	k.t.Helper()
	user, err := base64.RawURLEncoding.DecodeString(options["user"].(map[string]any)["id"].(string))
	if err != nil {
		k.t.Fatal(err)
	}
	k.User = user
	client := k.client("webauthn.create", options)
	point, err := k.private.PublicKey.Bytes()
	if err != nil {
		k.t.Fatal(err)
	}
	x, y := point[1:33], point[33:]
	public := k.cbor(map[int]any{1: 2, 3: -7, -1: 1, -2: x, -3: y})
	data := k.data(options["rp"].(map[string]any)["id"].(string), 0x40)
	data = append(data, k.AAGUID[:]...)
	data = binary.BigEndian.AppendUint16(data, uint16(len(k.ID)))
	data = append(append(data, k.ID...), public...)
	object := map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data}
	switch k.Attestation {
	case "self":
		object["fmt"], object["attStmt"] = "packed", map[string]any{"alg": -7, "sig": k.sign(k.private, data, client)}
	case "packed":
		batch := newKey(k.t)
		object["fmt"], object["attStmt"] = "packed", map[string]any{"alg": -7, "sig": k.sign(batch, data, client), "x5c": []any{k.certificate(batch)}}
	}
	return k.answer(map[string]any{"clientDataJSON": Text(client), "attestationObject": Text(k.cbor(object))})
}

// Sign answers the options of a question.
func (k *Key) Sign(options map[string]any) map[string]any {
	k.t.Helper()
	client := k.client("webauthn.get", options)
	if !k.Stands {
		k.Counter++
	}
	data := k.data(options["rpId"].(string), 0)
	response := map[string]any{"clientDataJSON": Text(client), "authenticatorData": Text(data), "signature": Text(k.sign(k.private, data, client))}
	if !k.Anonymous {
		response["userHandle"] = Text(k.User)
	}
	return k.answer(response)
}

func (k *Key) answer(response map[string]any) map[string]any {
	return map[string]any{"id": Text(k.ID), "rawId": Text(k.ID), "type": "public-key", "response": response}
}

// client is what the browser says about the page.
func (k *Key) client(kind string, options map[string]any) []byte {
	k.t.Helper()
	said := map[string]any{"type": kind, "challenge": options["challenge"], "origin": k.Origin, "crossOrigin": false}
	if k.Kind != "" {
		said["type"] = k.Kind
	}
	if k.Challenge != "" {
		said["challenge"] = k.Challenge
	}
	data, err := json.Marshal(said)
	if err != nil {
		k.t.Fatal(err)
	}
	return data
}

// data begins the authenticator data.
func (k *Key) data(host string, flags byte) []byte {
	if k.Host != "" {
		host = k.Host
	}
	if !k.Absent {
		flags |= 0x01
	}
	if !k.Unverified {
		flags |= 0x04
	}
	if k.Synced {
		flags |= 0x18
	}
	sum := sha256.Sum256([]byte(host))
	return binary.BigEndian.AppendUint32(append(sum[:], flags), k.Counter)
}

func (k *Key) sign(key *ecdsa.PrivateKey, data, client []byte) []byte {
	k.t.Helper()
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		k.t.Fatal(err)
	}
	return signature
}

func (k *Key) cbor(v any) []byte {
	k.t.Helper()
	data, err := webauthncbor.Marshal(v)
	if err != nil {
		k.t.Fatal(err)
	}
	return data
}

// certificate speaks for the make.
func (k *Key) certificate(key *ecdsa.PrivateKey) []byte {
	k.t.Helper()
	make, err := asn1.Marshal(k.AAGUID[:])
	if err != nil {
		k.t.Fatal(err)
	}
	now := time.Now()
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), BasicConstraintsValid: true,
		Subject:         pkix.Name{Country: []string{"DE"}, Organization: []string{"Tests"}, OrganizationalUnit: []string{"Authenticator Attestation"}, CommonName: "Batch"},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 45724, 1, 1, 4}, Value: make}}}
	data, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		k.t.Fatal(err)
	}
	return data
}
