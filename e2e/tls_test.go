package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/certificate/certificatetest"
)

// certificateFile is a site whose people sign in by certificates of the
// authority people; the brand of brand.example has a certificate of its own.
const certificateFile = `
version: 1
entries:
  - {model: authentik_core.user, identifiers: {username: ada}, attrs: {name: Ada, email: ada@example.com}}
  - model: authentik_crypto.certificatekeypair
    id: people
    identifiers: {name: people}
    attrs: {certificate_data: %q}
  - model: authentik_crypto.certificatekeypair
    id: web
    identifiers: {name: web}
    attrs: {certificate_data: %q, key_data: %q}
  - {model: authentik_brands.brand, identifiers: {domain: brand.example}, attrs: {web_certificate: !KeyOf web}}
  - {model: authentik_flows.flow, id: flow, identifiers: {slug: by-certificate}, attrs: {name: x, title: x, designation: authentication}}
  - model: authentik_stages_mtls.mutualtlsstage
    id: mtls
    identifiers: {name: certificate}
    attrs: {mode: required, certificate_authorities: [!KeyOf people], cert_attribute: email, user_attribute: email}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf mtls, order: 0}}
  - {model: authentik_stages_user_login.userloginstage, id: login, identifiers: {name: certificate-login}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf login, order: 10}}
`

// The program serves TLS by itself: people sign in by the certificate that their
// client has the key of, and by nothing that they say in headers.
func TestPeopleSignInByCertificateOverTLS(t *testing.T) {
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			servers, people, strangers := certificatetest.Authority(t, "servers"), certificatetest.Authority(t, "people"), certificatetest.Authority(t, "people")
			local := func(c *x509.Certificate) {
				c.ExtKeyUsage, c.IPAddresses = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, []net.IP{net.IPv4(127, 0, 0, 1)}
			}
			branded := servers.Issue(t, "branded", func(c *x509.Certificate) {
				c.ExtKeyUsage, c.DNSNames = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, []string{"brand.example"}
			})
			first, second := servers.Issue(t, "first", local), servers.Issue(t, "second", local)
			folder := t.TempDir()
			write := func(name, text string) string {
				path := filepath.Join(folder, name)
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			write("site.yaml", fmt.Sprintf(certificateFile, people.PEM(), branded.PEM(), branded.KeyPEM(t)))
			in := newInstallation(t, db, "WEIR_BLUEPRINTS="+folder, "WEIR_TLS_CERT="+write("tls.crt", first.PEM()), "WEIR_TLS_KEY="+write("tls.key", first.KeyPEM(t)),
				"WEIR_BOOTSTRAP_TOKEN="+token)
			p := in.rise()
			if !strings.HasPrefix(p.URL, "https://") {
				t.Fatalf("the program is at %s", p.URL)
			}

			ada := func(c *x509.Certificate) { c.EmailAddresses = []string{"ada@example.com"} }
			own, forged := people.Issue(t, "ada", ada), strangers.Issue(t, "ada", ada)
			header := http.Header{"Ssl-Client-Cert": {url.PathEscape(own.PEM())}, "X-Forwarded-Client-Cert": {"Cert=" + url.PathEscape(own.PEM())}}
			for _, row := range []struct {
				name   string
				shows  []tls.Certificate
				header http.Header
				want   string
			}{
				{"no certificate", nil, nil, "A certificate is required"},
				{"a certificate in headers", nil, header, "A certificate is required"},
				{"of an authority of the same name", []tls.Certificate{forged.TLS()}, nil, "A certificate is required"},
				{"somebody else's behind an own one", []tls.Certificate{forged.TLS(own)}, nil, "A certificate is required"},
				{"the certificate", []tls.Certificate{own.TLS()}, nil, "ada"},
			} {
				v, trust := newTLSVisitor(t, servers, row.shows...)
				trust.header = row.header
				if got := v.signsIn(p.URL); !strings.HasPrefix(got, row.want) {
					t.Errorf("%s: %s, want %s", row.name, got, row.want)
				}
				if trust.protocol != "HTTP/2.0" {
					t.Errorf("%s: spoke %s", row.name, trust.protocol)
				}
				site, err := url.Parse(p.URL)
				if err != nil {
					t.Fatal(err)
				}
				var cookies []string
				for _, c := range v.http.Jar.Cookies(site) {
					cookies = append(cookies, c.Name)
				}
				if !slices.Contains(cookies, "__Host-authentik_session") || slices.Contains(cookies, "authentik_session") {
					t.Errorf("%s: the cookies are %v", row.name, cookies)
				}
			}

			admin, _ := newTLSVisitor(t, servers)
			admin.bearer = token
			events, err := admin.ask(t.Context(), p.URL, "GET", "/events/events/?action=login", nil)
			if err != nil || !strings.Contains(events.text, `"auth_method":"mtls"`) || !strings.Contains(events.text, own.SerialNumber.String()) {
				t.Errorf("the login is recorded as %s %v", events.text, err)
			}

			address := strings.TrimPrefix(p.URL, "https://")
			shown := func(name string) string {
				conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: servers.Pool(), ServerName: name})
				if err != nil {
					return err.Error()
				}
				defer conn.Close()
				return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
			}
			if got := shown("brand.example"); got != "branded" {
				t.Errorf("the brand shows %s", got)
			}
			if got := shown("127.0.0.1"); got != "first" {
				t.Errorf("the site shows %s", got)
			}
			write("tls.crt", second.PEM())
			write("tls.key", second.KeyPEM(t))
			eventually(t, "the new certificate", func() bool { return shown("127.0.0.1") == "second" })
		})
	}
}

// trusting sends requests of one client over TLS, with a header that nobody
// should believe.
type trusting struct {
	http.RoundTripper
	header   http.Header
	protocol string
}

// RoundTrip implements http.RoundTripper.
func (c *trusting) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for name, values := range c.header {
		r.Header[name] = values
	}
	res, err := c.RoundTripper.RoundTrip(r)
	if err == nil {
		c.protocol = res.Proto
	}
	return res, err
}

// newTLSVisitor trusts servers of an authority and shows a certificate, whatever
// the server asks for; none where there is none.
func newTLSVisitor(t *testing.T, servers *certificatetest.Pair, shows ...tls.Certificate) (*visitor, *trusting) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{RootCAs: servers.Pool(), GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		if len(shows) == 0 {
			return &tls.Certificate{}, nil
		}
		return &shows[0], nil
	}}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	c := &trusting{RoundTripper: transport}
	return &visitor{t: t, http: &http.Client{Jar: jar, Transport: c, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, c
}

// signsIn walks a flow that asks nothing, and returns who is signed in then or
// what was said instead.
func (v *visitor) signsIn(base string) string {
	v.t.Helper()
	path := "/api/v3/flows/executor/by-certificate/"
	for range 4 {
		r, err := v.ask(v.t.Context(), base, "GET", path, nil)
		if err != nil {
			v.t.Fatal(err)
		}
		if said, _ := r.body["error_message"].(string); said != "" {
			return said
		}
		if r.location == "" {
			break
		}
		path = r.location
	}
	r, err := v.ask(v.t.Context(), base, "GET", "/core/users/me/", nil)
	if err != nil {
		v.t.Fatal(err)
	}
	user, _ := r.body["user"].(object)
	name, _ := user["username"].(string)
	return name
}
