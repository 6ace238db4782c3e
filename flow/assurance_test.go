package flow_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func proved(fact flow.Fact, channel, by string, methods ...string) flow.Proof {
	return flow.Proof{Fact: fact, User: 7, Channel: channel, Authenticator: by, Methods: methods, At: noon}
}

// Assurance is computed in one place, and each factor adds what it is worth.
func TestRule26AssuranceCountsFactors(t *testing.T) {
	password := proved(flow.FactPassword, "inbuilt", "", "pwd")
	app := proved(flow.FactSecondFactor, "totp", "totp/1", "otp")
	first, second := proved(flow.FactPassword, "webauthn", "key/1", "pop", "user"), proved(flow.FactSecondFactor, "webauthn", "key/1", "pop", "user")
	certificate := proved(flow.FactCertificate, "mtls", "certificate/00:11", "pop")
	stranger, theirs := password, certificate
	stranger.User, theirs.User = 8, 8
	tests := []struct {
		name   string
		proofs []flow.Proof
		acr    string
		amr    []string
	}{
		{"nothing", nil, "", nil},
		{"a name that was only claimed", []flow.Proof{proved(flow.FactUser, "", "")}, "", nil},
		{"a password", []flow.Proof{password}, "aal1", []string{"pwd"}},
		{"a password, twice", []flow.Proof{password, password}, "aal1", []string{"pwd"}},
		{"an app alone", []flow.Proof{app}, "aal1", []string{"otp"}},
		{"two apps and no password", []flow.Proof{app, proved(flow.FactSecondFactor, "totp", "totp/2", "otp")}, "aal1", []string{"otp"}},
		{"a password and an app", []flow.Proof{app, password}, "aal2", []string{"mfa", "otp", "pwd"}},
		{"a password of somebody else and an app", []flow.Proof{stranger, app}, "aal1", []string{"otp"}},
		{"a passkey that named the person", []flow.Proof{first, second}, "aal2", []string{"mfa", "pop", "user"}},
		{"a passkey as second factor only", []flow.Proof{second}, "aal1", []string{"pop", "user"}},
		{"a certificate", []flow.Proof{certificate}, "aal1", []string{"pop"}},
		{"a certificate of somebody else", []flow.Proof{theirs}, "", nil},
		{"a certificate and a password", []flow.Proof{certificate, password}, "aal2", []string{"mfa", "pop", "pwd"}},
		{"a certificate and an app", []flow.Proof{certificate, app}, "aal1", []string{"otp", "pop"}},
		{"another key of the same kind", []flow.Proof{first, proved(flow.FactSecondFactor, "webauthn", "key/2", "pop", "user")}, "aal1", []string{"pop", "user"}},
	}
	for _, tt := range tests {
		got := flow.Assure(tt.proofs, 7)
		if got.ACR != tt.acr || !cmp.Equal(got.AMR, tt.amr) {
			t.Errorf("%s: got %s %v, want %s %v", tt.name, got.ACR, got.AMR, tt.acr, tt.amr)
		}
		if got.At.IsZero() != (tt.acr == "") {
			t.Errorf("%s: proved at %v", tt.name, got.At)
		}
	}
	if got := flow.Assure([]flow.Proof{{Fact: flow.FactPassword, At: noon}}, 0); !cmp.Equal(got, identity.Assurance{}) {
		t.Errorf("nobody: got %+v", got)
	}
}

// What comes through one channel is one factor: a mailbox is not two, whether its link
// or its code was followed, and whatever else it is called.
func TestRule27OneChannelIsOneFactor(t *testing.T) {
	const mailbox = "mail:ann@example.com"
	code := proved(flow.FactSecondFactor, mailbox, "email/1", "otp")
	for _, tt := range []struct {
		name   string
		proofs []flow.Proof
		acr    string
	}{
		{"link and code of a mailbox", []flow.Proof{proved(flow.FactMailbox, mailbox, ""), code}, "aal1"},
		{"a mailbox in place of a password", []flow.Proof{proved(flow.FactPassword, mailbox, ""), code}, "aal1"},
		{"a mailbox and an app", []flow.Proof{proved(flow.FactMailbox, mailbox, ""), proved(flow.FactSecondFactor, "totp", "totp/1")}, "aal1"},
		{"a password and a mailbox", []flow.Proof{proved(flow.FactPassword, "inbuilt", ""), code}, "aal2"},
	} {
		if got := flow.Assure(tt.proofs, 7).ACR; got != tt.acr {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.acr)
		}
	}
}
