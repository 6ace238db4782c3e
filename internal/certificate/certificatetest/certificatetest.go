// Package certificatetest makes authorities and certificates for tests.
package certificatetest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"testing"
	"time"
)

// Pair is a certificate with its key.
type Pair struct {
	*x509.Certificate
	Key crypto.Signer
}

// Authority makes a root that signs others.
func Authority(t testing.TB, name string) *Pair {
	t.Helper()
	return sign(t, nil, authority(name))
}

// Authority makes an authority below p.
func (p *Pair) Authority(t testing.TB, name string) *Pair {
	t.Helper()
	return sign(t, p, authority(name))
}

// Issue makes a certificate of a client, which change may make into something
// else; nil for no change.
func (p *Pair) Issue(t testing.TB, name string, change func(*x509.Certificate)) *Pair {
	t.Helper()
	c := &x509.Certificate{Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true}
	lasting(c)
	if change != nil {
		change(c)
	}
	return sign(t, p, c)
}

// PEM is the certificate as text.
func (p *Pair) PEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Raw}))
}

// KeyPEM is the private key as text.
func (p *Pair) KeyPEM(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(p.Key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// TLS is what a client or a server shows; chain follows the certificate.
func (p *Pair) TLS(chain ...*Pair) tls.Certificate {
	c := tls.Certificate{Certificate: [][]byte{p.Raw}, PrivateKey: p.Key, Leaf: p.Certificate}
	for _, one := range chain {
		c.Certificate = append(c.Certificate, one.Raw)
	}
	return c
}

func authority(name string) *x509.Certificate {
	c := &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	lasting(c)
	return c
}

func lasting(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
}

// sign makes a certificate of parent; of itself without one.
func sign(t testing.TB, parent *Pair, template *x509.Certificate) *Pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if parent == nil {
		parent = &Pair{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.Certificate, key.Public(), parent.Key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &Pair{c, key}
}

// Pool holds the certificate alone.
func (p *Pair) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.Certificate)
	return pool
}
