package request

import (
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"unicode"
)

// The headers in which proxies tell the certificate of the client. Each proxy
// writes one of them and hands on what a client puts into the others, so that
// only the one that is configured counts.
const (
	forwardedClientCert = "X-Forwarded-Client-Cert"
	outpostCertificate  = "X-Authentik-Outpost-Certificate"
)

// CertificateHeaders are the headers that a proxy can be configured to write:
// that of Envoy, that of nginx, HAProxy and Apache, that of Traefik.
func CertificateHeaders() []string {
	return []string{forwardedClientCert, "SSL-Client-Cert", "X-Forwarded-TLS-Client-Cert"}
}

// maxCertificateBytes bounds a header, maxCertificates what is read of it.
const (
	maxCertificateBytes = 32 << 10
	maxCertificates     = 8
)

// Certificates returns what the client has shown: its certificate, and behind it
// those of authorities that may lead to a known one. Nobody has verified them.
// They come from the connection or, where the peer is a trusted proxy or an
// outpost, from its header: the certificate of such a connection is its own.
func (p *Proxies) Certificates(r *http.Request, info *Info) []*x509.Certificate {
	header := p.CertificateHeader
	switch {
	case info.Outpost:
		header = outpostCertificate
	case !info.Trusted && r.TLS != nil:
		return r.TLS.PeerCertificates
	case !info.Trusted:
		return nil
	case header == "":
		p.unread(r)
		return nil
	}
	values := r.Header.Values(header)
	if len(values) == 0 {
		return nil
	}
	// Of two headers nobody can say which one the proxy wrote.
	if len(values) == 1 && len(values[0]) <= maxCertificateBytes {
		if chain, ok := parseCertificates(header, values[0]); ok {
			return chain
		}
	}
	p.ignored(r, header)
	return nil
}

// unread notes that a trusted proxy may tell certificates to somebody who was not
// told to listen.
func (p *Proxies) unread(r *http.Request) {
	for _, name := range CertificateHeaders() {
		if r.Header.Get(name) != "" && p.Log != nil {
			p.Log.WarnContext(r.Context(), "a certificate in a header of a trusted proxy is not read; if the proxy writes the header, name it in client_cert_header",
				"header", name, "peer", r.RemoteAddr)
		}
	}
}

// parseCertificates reads a header; an empty one holds no certificate. One that
// cannot be read spoils the whole.
func parseCertificates(header, value string) ([]*x509.Certificate, bool) {
	if !strings.EqualFold(header, forwardedClientCert) {
		return decodeCertificates(value)
	}
	element, ok := lastElement(value)
	if !ok {
		return nil, false
	}
	own, ok := decodeCertificates(element["cert"])
	if !ok || len(own) > 1 {
		return nil, false
	}
	// The chain begins with the certificate itself.
	chain, ok := decodeCertificates(element["chain"])
	if !ok || len(own) == 1 && len(chain) > 0 && !chain[0].Equal(own[0]) {
		return nil, false
	}
	if len(chain) > 0 {
		return chain, true
	}
	return own, true
}

// lastElement reads the element of X-Forwarded-Client-Cert that the nearest
// proxy wrote: everything before may be made up. Keys are in small letters; a
// key that occurs twice, or a quote that is not closed, spoils it.
func lastElement(value string) (map[string]string, bool) {
	element := map[string]string{}
	var key, text strings.Builder
	part, quoted, escaped := &key, false, false
	end := func() bool {
		name := strings.ToLower(strings.TrimSpace(key.String()))
		_, twice := element[name]
		if name != "" {
			element[name] = text.String()
		}
		key.Reset()
		text.Reset()
		part = &key
		// By and URI may occur several times.
		return !twice || name != "cert" && name != "chain"
	}
	for _, c := range []byte(value) {
		switch {
		case escaped:
			part.WriteByte(c)
			escaped = false
		case quoted && c == '\\':
			escaped = true
		case c == '"':
			quoted = !quoted
		case quoted:
			part.WriteByte(c)
		case c == '=' && part == &key:
			part = &text
		case c == ';':
			if !end() {
				return nil, false
			}
		case c == ',':
			end()
			clear(element)
		default:
			part.WriteByte(c)
		}
	}
	return element, end() && !quoted && !escaped
}

// decodeCertificates reads certificates in PEM form or in its base64 alone, with
// commas between them, percent-encoded or not. Proxies write all of these.
func decodeCertificates(value string) ([]*x509.Certificate, bool) {
	text, err := url.PathUnescape(value) // which leaves + alone
	if err != nil {
		return nil, false
	}
	text = strings.NewReplacer("-----BEGIN CERTIFICATE-----", ",", "-----END CERTIFICATE-----", ",").Replace(text)
	var out []*x509.Certificate
	for one := range strings.SplitSeq(text, ",") {
		one = strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return -1
			}
			return r
		}, one)
		if one == "" {
			continue
		}
		der, err := base64.StdEncoding.DecodeString(one)
		if err != nil || len(out) == maxCertificates {
			return nil, false
		}
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, false
		}
		out = append(out, c)
	}
	return out, true
}
