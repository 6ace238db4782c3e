package passkey

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
)

// timeout is how long browsers wait, in milliseconds. It is advice to them: an answer
// is good for as long as its challenge is.
const timeout = 60_000

// algorithms are those of keys, the preferred first (RFC 9053, RFC 8812): ECDSA,
// EdDSA, RSA-PSS, RSA.
var algorithms = []webauthncose.COSEAlgorithmIdentifier{-7, -8, -36, -37, -38, -39, -257, -258, -259}

// Wanted is what a new passkey has to be like.
type Wanted struct {
	UserVerification UserVerification
	// ResidentKey is whether it can be found without a name.
	ResidentKey UserVerification
	Attachment  *Attachment
	Hints       []Hint
}

// Owner is for whom a passkey is made.
type Owner struct {
	// Handle is by what the passkey knows its owner; it says nothing about them.
	Handle []byte
	// Name tells passkeys of several accounts apart.
	Name, DisplayName string
}

// Creation is what a browser is told to make a passkey.
func (s Site) Creation(o Owner, challenge string, w Wanted) map[string]any {
	params := []any{}
	for _, a := range algorithms {
		params = append(params, map[string]any{"type": "public-key", "alg": int64(a)})
	}
	selection := map[string]any{"residentKey": string(w.ResidentKey), "requireResidentKey": w.ResidentKey == Required, "userVerification": string(w.UserVerification)}
	if w.Attachment != nil {
		selection["authenticatorAttachment"] = string(*w.Attachment)
	}
	options := map[string]any{
		"rp":        map[string]any{"name": s.Name, "id": s.Host},
		"user":      map[string]any{"id": base64.RawURLEncoding.EncodeToString(o.Handle), "name": o.Name, "displayName": o.DisplayName},
		"challenge": challenge, "pubKeyCredParams": params, "timeout": timeout, "excludeCredentials": []any{},
		"authenticatorSelection": selection, "attestation": "direct",
	}
	return hinted(options, w.Hints)
}

// Request is what a browser is told to have a passkey sign: one of ids, or for none
// any that it has for the site.
func (s Site) Request(challenge string, ids []string, verification UserVerification, hints []Hint) map[string]any {
	allowed := []any{}
	for _, id := range ids {
		allowed = append(allowed, map[string]any{"type": "public-key", "id": id})
	}
	return hinted(map[string]any{"challenge": challenge, "timeout": timeout, "rpId": s.Host, "allowCredentials": allowed,
		"userVerification": string(verification)}, hints)
}

func hinted(options map[string]any, hints []Hint) map[string]any {
	if len(hints) > 0 {
		list := []any{}
		for _, h := range hints {
			list = append(list, string(h))
		}
		options["hints"] = list
	}
	return options
}

// party is the relying party. A site that is known by an address alone cannot be one.
func (s Site) party() (*webauthn.WebAuthn, error) {
	return webauthn.New(&webauthn.Config{RPID: s.Host, RPDisplayName: s.Name, RPOrigins: []string{s.Origin},
		// Nothing relies on what extensions say.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore})
}

// account shows the library one passkey of one person.
type account struct {
	handle      []byte
	credentials []webauthn.Credential
}

func (a account) WebAuthnID() []byte                         { return a.handle }
func (a account) WebAuthnName() string                       { return "" }
func (a account) WebAuthnDisplayName() string                { return "" }
func (a account) WebAuthnCredentials() []webauthn.Credential { return a.credentials }

// New is a passkey that was just made.
type New struct {
	Record
	// ID names it for ever.
	ID      string
	Counter int64
}

// Register checks a new passkey (Web Authentication Level 3, section 7.1). The error
// says why it is refused, in words for the log.
func (s Site) Register(o Owner, challenge string, w Wanted, response any) (*New, error) {
	party, err := s.party()
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(response)
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(data)
	if err != nil {
		return nil, reason(err)
	}
	session := webauthn.SessionData{Challenge: challenge, RelyingPartyID: s.Host, UserID: o.Handle, UserVerification: protocol.UserVerificationRequirement(w.UserVerification)}
	for _, a := range algorithms {
		session.CredParams = append(session.CredParams, protocol.CredentialParameter{Type: protocol.PublicKeyCredentialType, Algorithm: a})
	}
	c, err := party.CreateCredential(account{handle: o.Handle}, session, parsed)
	if err != nil {
		return nil, reason(err)
	}
	made := &New{ID: base64.RawURLEncoding.EncodeToString(c.ID), Counter: int64(c.Authenticator.SignCount), Record: Record{PublicKey: c.PublicKey, Host: s.Host, User: o.Handle,
		Synced: c.Flags.BackupEligible, Format: c.AttestationFormat, Attestation: c.AttestationType}}
	if made.AAGUID, err = uuid.FromBytes(c.Authenticator.AAGUID); err != nil {
		return nil, fmt.Errorf("read AAGUID: %w", err)
	}
	return made, nil
}

// Assertion is an answer of a passkey, not checked yet.
type Assertion struct {
	parsed *protocol.ParsedCredentialAssertionData
}

// ReadAssertion reads an answer. The error says why it is none.
func ReadAssertion(response any) (*Assertion, error) {
	data, err := json.Marshal(response)
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(data)
	if err != nil {
		return nil, reason(err)
	}
	return &Assertion{parsed}, nil
}

// ID names the passkey that answers.
func (a *Assertion) ID() string { return base64.RawURLEncoding.EncodeToString(a.parsed.RawID) }

// NamesOwner tells whether the passkey says whose it is.
func (a *Assertion) NamesOwner() bool { return len(a.parsed.Response.UserHandle) > 0 }

// ErrCopied means that the counter of a passkey did not go up: it may have been
// copied, or the answer was given before.
var ErrCopied = errors.New("the counter of the passkey did not go up")

// Verify checks an answer of the passkey of r, whose last counter is given, and
// returns the new counter (Web Authentication Level 3, section 7.2). The error says
// why it is refused, in words for the log; it may be ErrCopied.
func (s Site) Verify(a *Assertion, challenge string, verification UserVerification, r *Record, counter int64) (int64, error) {
	party, err := s.party()
	if err != nil {
		return 0, err
	}
	if r.Host != s.Host {
		return 0, fmt.Errorf("the passkey is for %q", r.Host)
	}
	known := webauthn.Credential{ID: a.parsed.RawID, PublicKey: r.PublicKey, AttestationFormat: r.Format,
		Flags: webauthn.CredentialFlags{BackupEligible: r.Synced}, Authenticator: webauthn.Authenticator{SignCount: uint32(counter)}}
	session := webauthn.SessionData{Challenge: challenge, RelyingPartyID: s.Host, UserID: r.User, UserVerification: protocol.UserVerificationRequirement(verification)}
	c, err := party.ValidateLogin(account{r.User, []webauthn.Credential{known}}, session, a.parsed)
	switch {
	case err != nil:
		return 0, reason(err)
	case c.Authenticator.CloneWarning:
		return 0, ErrCopied
	}
	return int64(c.Authenticator.SignCount), nil
}

// reason is what the library says about an answer, for the log.
func reason(err error) error {
	var e *protocol.Error
	if errors.As(err, &e) && e.DevInfo != "" {
		return fmt.Errorf("%w (%s)", err, e.DevInfo)
	}
	return err
}
