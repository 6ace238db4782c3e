// Package certificate holds X.509 certificates with or without their private
// keys, as administrators keep them: documents of the catalog, what is told of
// them, and new ones that sign themselves. It decides nobody's identity; package
// mtls does.
package certificate

import (
	"crypto"
	"crypto/sha1" // a name for certificates that people compare, no protection
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/weir-id/weir/field"
)

// Pair is a certificate, and the private key that belongs to it where that is
// known. Both are read by themselves only, never with the object, so both are
// tagged secret.
type Pair struct {
	field.Identity
	Name string `json:"name" field:"required,unique"`
	// CertificateData is PEM: the certificate, and behind it those of the
	// authorities up to the root, as far as they are known.
	CertificateData string `json:"certificate_data" field:"required,notrim,secret,max=65536"`
	// KeyData is PEM; empty for a certificate without its key.
	KeyData string `json:"key_data" field:"blank,notrim,secret,max=16384"`
	// Managed is for objects of the program itself, of which there are none.
	Managed *string `json:"managed" field:"readonly,null"`

	// Parsed is set by the catalog; nil when the data cannot be read.
	Parsed *Parsed `json:"-"`
}

// New returns a pair with its defaults.
func New() Pair { return Pair{} }

// Validate demands that both parts can be read and belong together.
func (p *Pair) Validate() field.Errors {
	chain, err := ParseChain(p.CertificateData)
	if err != nil {
		return field.Errorf("certificate_data", field.CodeInvalid, "Enter a certificate in PEM form: %v.", err)
	}
	if p.KeyData == "" {
		return nil
	}
	key, err := parseKey(p.KeyData)
	if err != nil {
		return field.Errorf("key_data", field.CodeInvalid, "Enter a private key in PEM form: %v.", err)
	}
	if !belongs(key, chain[0]) {
		return field.Errorf("key_data", field.CodeInvalid, "The private key does not belong to the certificate; send the two that do.")
	}
	return nil
}

// Parsed is a pair that can be used.
type Parsed struct {
	// Chain is the certificate and those of its authorities.
	Chain []*x509.Certificate
	// Key is nil where it is not known.
	Key crypto.Signer
}

// Parse reads a pair that was validated.
func Parse(p *Pair) (*Parsed, error) {
	if errs := p.Validate(); errs != nil {
		return nil, errs
	}
	out := &Parsed{}
	out.Chain, _ = ParseChain(p.CertificateData)
	if p.KeyData != "" {
		out.Key, _ = parseKey(p.KeyData)
	}
	return out, nil
}

// Leaf is the certificate itself.
func (p *Parsed) Leaf() *x509.Certificate { return p.Chain[0] }

// TLS returns what a TLS server shows; false without a key.
func (p *Parsed) TLS() (*tls.Certificate, bool) {
	if p == nil || p.Key == nil {
		return nil, false
	}
	c := &tls.Certificate{PrivateKey: p.Key, Leaf: p.Leaf()}
	for _, one := range p.Chain {
		c.Certificate = append(c.Certificate, one.Raw)
	}
	return c, true
}

// maxChain bounds how many certificates one text holds.
const maxChain = 16

// ParseChain reads the certificates of a text in PEM form; at least one. Only
// certificates may stand there, so that nobody puts a private key into the field
// that more people may read.
func ParseChain(text string) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	rest := []byte(text)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("a block is called %s, and only CERTIFICATE may stand here", block.Type)
		}
		if len(out) == maxChain {
			return nil, fmt.Errorf("there are more than %d certificates", maxChain)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("number %d cannot be read", len(out)+1)
		}
		out = append(out, c)
	}
	switch {
	case len(out) == 0:
		return nil, errors.New("it begins with -----BEGIN CERTIFICATE-----")
	case strings.TrimSpace(string(rest)) != "":
		return nil, errors.New("something else stands behind the certificate")
	}
	return out, nil
}

// parseKey reads one private key. No error repeats a part of it.
func parseKey(text string) (crypto.Signer, error) {
	rest := []byte(text)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, errors.New("it begins with -----BEGIN PRIVATE KEY-----")
		}
		if block.Type == "EC PARAMETERS" {
			continue // the key itself names the curve, too
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return nil, errors.New("this one is protected by a password; remove that first")
		}
		if strings.TrimSpace(string(rest)) != "" {
			return nil, errors.New("something else stands behind the key")
		}
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		default:
			err = errors.New("unknown")
		}
		signer, ok := key.(crypto.Signer)
		if err != nil || !ok {
			return nil, errors.New("this one is of no known sort (RSA, ECDSA, Ed25519)")
		}
		return signer, nil
	}
}

func belongs(key crypto.Signer, c *x509.Certificate) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(c.PublicKey)
}

// KeyType is the sort of a public key.
type KeyType string

// The sorts on the wire.
const (
	RSA     KeyType = "rsa"
	EC      KeyType = "ec"
	DSA     KeyType = "dsa"
	Ed25519 KeyType = "ed25519"
	Ed448   KeyType = "ed448"
)

// Choices lists the sorts.
func (KeyType) Choices() []string {
	return []string{string(RSA), string(EC), string(DSA), string(Ed25519), string(Ed448)}
}

// KeyTypeOf tells the sort of a certificate's key; empty for one that is not known.
func KeyTypeOf(c *x509.Certificate) KeyType {
	switch c.PublicKeyAlgorithm {
	case x509.RSA:
		return RSA
	case x509.ECDSA:
		return EC
	case x509.DSA:
		return DSA
	case x509.Ed25519:
		return Ed25519
	}
	return ""
}

// SHA256 and SHA1 are the fingerprints of a certificate, with colons.
func SHA256(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return colons(sum[:])
}

// SHA1 is the older fingerprint, which nothing is decided by.
func SHA1(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw)
	return colons(sum[:])
}

func colons(sum []byte) string {
	return strings.ReplaceAll(fmt.Sprintf("% x", sum), " ", ":")
}

// Describe is what plans and events hold of a certificate.
func Describe(c *x509.Certificate) map[string]any {
	return map[string]any{"serial_number": c.SerialNumber.String(), "subject": Subject(c), "issuer": Issuer(c),
		"fingerprint_sha256": SHA256(c), "fingerprint_sha1": SHA1(c)}
}

// PEM writes certificates in PEM form.
func PEM(chain ...*x509.Certificate) string {
	var b strings.Builder
	for _, c := range chain {
		_ = pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}) // a Builder takes everything
	}
	return b.String()
}
