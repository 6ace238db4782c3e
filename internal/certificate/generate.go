package certificate

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/weir-id/weir/field"
)

// Alg is the sort of a new key.
type Alg string

// The sorts on the wire. Go has no Ed448.
const (
	GenerateRSA     Alg = "rsa"
	GenerateECDSA   Alg = "ecdsa"
	GenerateEd25519 Alg = "ed25519"
	GenerateEd448   Alg = "ed448"
)

// Choices lists the sorts that clients know.
func (Alg) Choices() []string {
	return []string{string(GenerateRSA), string(GenerateECDSA), string(GenerateEd25519), string(GenerateEd448)}
}

// Request describes a new pair that signs itself.
type Request struct {
	CommonName string `json:"common_name" field:"required,max=64"`
	// SubjectAltName lists host names, addresses, e-mail addresses and URIs,
	// with commas between them.
	SubjectAltName string `json:"subject_alt_name" field:"blank,max=4096"`
	ValidityDays   int32  `json:"validity_days" field:"required,min=1,max=36500"`
	Alg            Alg    `json:"alg" field:"default"`
}

// NewRequest returns a request with its defaults.
func NewRequest() Request { return Request{Alg: GenerateRSA} }

// rsaBits is what NIST SP 800-57 part 1 asks for 128 bits of strength.
const rsaBits = 3072

// Generate makes a pair, valid from now on; both parts are PEM. The error is
// field.Errors for a request that cannot be met.
func Generate(r *Request, now time.Time) (certificate, key string, err error) {
	var signer crypto.Signer
	usage := x509.KeyUsageDigitalSignature
	switch r.Alg {
	case GenerateRSA:
		signer, err = rsa.GenerateKey(rand.Reader, rsaBits)
		usage |= x509.KeyUsageKeyEncipherment
	case GenerateECDSA:
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case GenerateEd25519:
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	default:
		return "", "", field.Errorf("alg", field.CodeInvalidChoice, "Choose rsa, ecdsa or ed25519; no other keys can be made here.")
	}
	if err != nil {
		return "", "", fmt.Errorf("generate key: %w", err)
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: r.CommonName},
		NotBefore: now.UTC().Add(-time.Minute), NotAfter: now.UTC().AddDate(0, 0, int(r.ValidityDays)),
		KeyUsage: usage, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
	}
	for name := range strings.SplitSeq(r.SubjectAltName, ",") {
		addName(template, strings.TrimSpace(name))
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		return "", "", field.Errorf("subject_alt_name", field.CodeInvalid, "Enter host names, addresses, e-mail addresses and URIs of ASCII characters, with commas between them.")
	}
	secret, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return "", "", fmt.Errorf("encode key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})), nil
}

// addName adds an alternative name, which tells by its form what it is.
func addName(c *x509.Certificate, name string) {
	ip := net.ParseIP(name)
	u, err := url.Parse(name)
	switch {
	case name == "":
	case ip != nil:
		c.IPAddresses = append(c.IPAddresses, ip)
	case err == nil && strings.Contains(name, "://"):
		c.URIs = append(c.URIs, u)
	case strings.Contains(name, "@"):
		c.EmailAddresses = append(c.EmailAddresses, name)
	default:
		c.DNSNames = append(c.DNSNames, name)
	}
}
