package certificate_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/certificate"
	"github.com/weir-id/weir/internal/certificate/certificatetest"
)

func block(typ string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
}

func TestPairsThatAreTakenAndRefused(t *testing.T) {
	ca := certificatetest.Authority(t, "authority")
	ann := ca.Issue(t, "ann", nil)
	other := ca.Issue(t, "other", nil)
	key := ann.KeyPEM(t)
	encrypted := &pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-256-CBC,00"}, Bytes: []byte{1, 2}}
	for _, row := range []struct{ name, certificate, key, field, says string }{
		{"a certificate alone", ann.PEM(), "", "", ""},
		{"with its key", ann.PEM(), key, "", ""},
		{"with the chain, and blank lines", "\n" + ann.PEM() + ca.PEM() + "\n\n", key, "", ""},
		{"nothing", "", "", "certificate_data", "BEGIN CERTIFICATE"},
		{"some text", "hello", "", "certificate_data", "BEGIN CERTIFICATE"},
		{"a certificate that is cut off", ann.PEM()[:len(ann.PEM())/2], "", "certificate_data", "BEGIN CERTIFICATE"},
		{"a block of something else", block("CERTIFICATE", []byte{1, 2, 3}), "", "certificate_data", "number 1 cannot be read"},
		{"the key in the wrong place", key, "", "certificate_data", "only CERTIFICATE may stand here"},
		{"the key behind the certificate", ann.PEM() + key, "", "certificate_data", "only CERTIFICATE may stand here"},
		{"text behind the certificate", ann.PEM() + "hello", "", "certificate_data", "something else"},
		{"too many certificates", strings.Repeat(ann.PEM(), 17), "", "certificate_data", "more than 16"},
		{"a key that is none", ann.PEM(), "hello", "key_data", "BEGIN PRIVATE KEY"},
		{"a key of no known sort", ann.PEM(), block("PRIVATE KEY", []byte{1, 2}), "key_data", "no known sort"},
		{"a public key", ann.PEM(), block("PUBLIC KEY", []byte{1, 2}), "key_data", "no known sort"},
		{"a protected key", ann.PEM(), block("ENCRYPTED PRIVATE KEY", []byte{1, 2}), "key_data", "protected by a password"},
		{"a key protected the old way", ann.PEM(), string(pem.EncodeToMemory(encrypted)), "key_data", "protected by a password"},
		{"two keys", ann.PEM(), key + key, "key_data", "something else"},
		{"somebody else's key", ann.PEM(), other.KeyPEM(t), "key_data", "does not belong"},
		{"the authority's key", ann.PEM() + ca.PEM(), ca.KeyPEM(t), "key_data", "does not belong"},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := &certificate.Pair{CertificateData: row.certificate, KeyData: row.key}
			errs := p.Validate()
			if row.field == "" {
				parsed, err := certificate.Parse(p)
				if errs != nil || err != nil || !parsed.Leaf().Equal(ann.Certificate) || (parsed.Key != nil) != (row.key != "") {
					t.Fatalf("%v %v %+v", errs, err, parsed)
				}
				if _, ok := parsed.TLS(); ok != (row.key != "") {
					t.Errorf("can serve TLS: %v", ok)
				}
				return
			}
			if len(errs[row.field]) != 1 || !strings.Contains(errs[row.field][0].String, row.says) {
				t.Errorf("%v", errs)
			}
			if _, err := certificate.Parse(p); err == nil {
				t.Error("it was parsed")
			}
		})
	}
}

// Keys come in several forms.
func TestFormsOfKeys(t *testing.T) {
	old, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	public, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca := certificatetest.Authority(t, "authority")
	curve := ca.Key.(*ecdsa.PrivateKey)
	eight := func(key any) string {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return block("PRIVATE KEY", der)
	}
	ec, err := x509.MarshalECPrivateKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		public any
		key    string
		want   certificate.KeyType
	}{
		{"RSA in PKCS 1", &old.PublicKey, block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(old)), certificate.RSA},
		{"RSA in PKCS 8", &old.PublicKey, eight(old), certificate.RSA},
		{"ECDSA in SEC 1, with its curve", &curve.PublicKey, block("EC PARAMETERS", []byte{6, 0}) + block("EC PRIVATE KEY", ec), certificate.EC},
		{"Ed25519", public, eight(edwards), certificate.Ed25519},
	} {
		t.Run(row.name, func(t *testing.T) {
			der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{Subject: pkix.Name{CommonName: "x"}}, ca.Certificate, row.public, ca.Key)
			if err != nil {
				t.Fatal(err)
			}
			p, err := certificate.Parse(&certificate.Pair{CertificateData: block("CERTIFICATE", der), KeyData: row.key})
			if err != nil || certificate.KeyTypeOf(p.Leaf()) != row.want {
				t.Errorf("%v %v", p, err)
			}
		})
	}
}

func TestNames(t *testing.T) {
	email := asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
	attribute := func(typ asn1.ObjectIdentifier, v any) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: typ, Value: v}
	}
	cn, ou := asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.ObjectIdentifier{2, 5, 4, 11}
	for _, row := range []struct {
		name                 string
		subject              pkix.RDNSequence
		alternative          []string
		want, common, mailed string
	}{
		{"the last part first", pkix.RDNSequence{{attribute(ou, "staff")}, {attribute(cn, "ann")}}, nil, "CN=ann,OU=staff", "ann", ""},
		{"an e-mail address has no short name", pkix.RDNSequence{{attribute(cn, "ann")}, {attribute(email, "ann@example.com")}}, nil,
			"1.2.840.113549.1.9.1=ann@example.com,CN=ann", "ann", "ann@example.com"},
		{"several attributes in one part", pkix.RDNSequence{{attribute(cn, "ann"), attribute(ou, "x")}}, nil, "OU=x+CN=ann", "ann", ""},
		{"what has a meaning is escaped", pkix.RDNSequence{{attribute(cn, ` #a,b+c"d\e<f>;=g `)}}, nil, `CN=\ #a\,b\+c\"d\\e\<f\>\;=g\ `, ` #a,b+c"d\e<f>;=g `, ""},
		{"a name that looks like two parts", pkix.RDNSequence{{attribute(cn, "ann,O=Example")}}, nil, `CN=ann\,O=Example`, "ann,O=Example", ""},
		{"a NUL", pkix.RDNSequence{{attribute(cn, "ann\x00.evil")}}, nil, `CN=ann\00.evil`, "ann\x00.evil", ""},
		{"no text", pkix.RDNSequence{{attribute(cn, 5)}}, nil, "CN=#020105", "", ""},
		{"two common names", pkix.RDNSequence{{attribute(cn, "ann")}, {attribute(cn, "bob")}}, nil, "CN=bob,CN=ann", "", ""},
		{"two addresses", pkix.RDNSequence{{attribute(email, "a@example.com")}, {attribute(email, "b@example.com")}}, nil,
			"1.2.840.113549.1.9.1=b@example.com,1.2.840.113549.1.9.1=a@example.com", "", ""},
		{"the alternative name counts", pkix.RDNSequence{{attribute(email, "a@example.com")}}, []string{"b@example.com"}, "1.2.840.113549.1.9.1=a@example.com", "", "b@example.com"},
		{"two alternative names", pkix.RDNSequence{{attribute(email, "a@example.com")}}, []string{"b@example.com", "c@example.com"}, "1.2.840.113549.1.9.1=a@example.com", "", ""},
		{"nothing", pkix.RDNSequence{}, nil, "", "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			raw, err := asn1.Marshal(row.subject)
			if err != nil {
				t.Fatal(err)
			}
			c := &x509.Certificate{RawSubject: raw, RawIssuer: raw, EmailAddresses: row.alternative}
			want := strings.ReplaceAll(row.want, `\=`, "=")
			if got := certificate.Subject(c); got != want || certificate.Issuer(c) != want {
				t.Errorf("%s, want %s", got, want)
			}
			if got := certificate.CommonName(c); got != row.common {
				t.Errorf("the common name is %q", got)
			}
			if got := certificate.Email(c); got != row.mailed {
				t.Errorf("the address is %q", got)
			}
		})
	}
}

func TestGenerate(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, alg := range []certificate.Alg{certificate.GenerateRSA, certificate.GenerateECDSA, certificate.GenerateEd25519} {
		r := &certificate.Request{CommonName: "id.example", SubjectAltName: "id.example, 192.0.2.1,ann@example.com,https://id.example/x", ValidityDays: 30, Alg: alg}
		public, key, err := certificate.Generate(r, now)
		if err != nil {
			t.Fatal(alg, err)
		}
		p, err := certificate.Parse(&certificate.Pair{CertificateData: public, KeyData: key})
		if err != nil {
			t.Fatal(alg, err)
		}
		c := p.Leaf()
		if certificate.Subject(c) != "CN=id.example" || c.IsCA || !c.NotAfter.Equal(now.AddDate(0, 0, 30)) || c.VerifyHostname("192.0.2.1") != nil ||
			c.VerifyHostname("id.example") != nil || len(c.EmailAddresses) != 1 || len(c.URIs) != 1 {
			t.Errorf("%s: %+v", alg, c)
		}
	}
	if _, _, err := certificate.Generate(&certificate.Request{CommonName: "x", ValidityDays: 1, Alg: certificate.GenerateEd448}, now); err == nil {
		t.Error("a key that cannot be made was made")
	}
	if _, _, err := certificate.Generate(&certificate.Request{CommonName: "x", SubjectAltName: "ü.example", ValidityDays: 1, Alg: certificate.GenerateEd25519}, now); err == nil {
		t.Error("a name that cannot stand there was taken")
	}
}
