package certificate

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"strings"
)

// Subject is the name of the owner as RFC 4514 writes it, the most particular
// part first: "CN=ann,O=Example". Types without a short name there are written
// by their number, with the value as text where it is one.
func Subject(c *x509.Certificate) string { return distinguished(c.RawSubject) }

// Issuer is the name of who has signed it.
func Issuer(c *x509.Certificate) string { return distinguished(c.RawIssuer) }

// The types of attributes that are asked for by name.
var (
	commonName   = asn1.ObjectIdentifier{2, 5, 4, 3}
	emailAddress = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
)

// shortNames are those of RFC 4514 section 3.
var shortNames = map[string]string{
	"2.5.4.3": "CN", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.6": "C", "2.5.4.9": "STREET",
	"0.9.2342.19200300.100.1.25": "DC", "0.9.2342.19200300.100.1.1": "UID",
}

// CommonName is the common name of the subject; empty unless there is exactly
// one: of several, nobody can say which one the owner goes by.
func CommonName(c *x509.Certificate) string { return only(values(c.RawSubject, commonName)) }

// Email is the e-mail address of the owner: the alternative name, which the
// constraints of authorities hold for, else the attribute of the subject. It is
// empty unless there is exactly one.
func Email(c *x509.Certificate) string {
	if len(c.EmailAddresses) > 0 {
		return only(c.EmailAddresses)
	}
	return only(values(c.RawSubject, emailAddress))
}

func only(list []string) string {
	if len(list) != 1 {
		return ""
	}
	return list[0]
}

func names(raw []byte) pkix.RDNSequence {
	var seq pkix.RDNSequence
	if rest, err := asn1.Unmarshal(raw, &seq); err != nil || len(rest) > 0 {
		return nil
	}
	return seq
}

// values are those of the attributes of a type.
func values(raw []byte, typ asn1.ObjectIdentifier) []string {
	var out []string
	for _, set := range names(raw) {
		for _, a := range set {
			if a.Type.Equal(typ) {
				text, _ := a.Value.(string)
				out = append(out, text)
			}
		}
	}
	return out
}

func distinguished(raw []byte) string {
	seq := names(raw)
	parts := make([]string, 0, len(seq))
	for i := len(seq) - 1; i >= 0; i-- {
		one := make([]string, 0, len(seq[i]))
		for _, a := range seq[i] {
			name := a.Type.String()
			if short, ok := shortNames[name]; ok {
				name = short
			}
			one = append(one, name+"="+attribute(a.Value))
		}
		parts = append(parts, strings.Join(one, "+"))
	}
	return strings.Join(parts, ",")
}

// attribute writes a value as RFC 4514 section 2.4 says: what has a meaning in
// names is escaped, and what is no text is hexadecimal.
func attribute(v any) string {
	text, ok := v.(string)
	if !ok {
		der, err := asn1.Marshal(v)
		if err != nil {
			return "#"
		}
		return "#" + hex.EncodeToString(der)
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == 0:
			b.WriteString(`\00`)
		case strings.ContainsRune(`"+,;<>\`, r), i == 0 && (r == ' ' || r == '#'), i == len(text)-1 && r == ' ':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ':
			fmt.Fprintf(&b, `\%02x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
