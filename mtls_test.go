package weir

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/certificate/certificatetest"
)

// byCertificate is a sign-in by certificates of an authority that the file brings.
func byCertificate(ca *certificatetest.Pair) string {
	return fmt.Sprintf(`
version: 1
entries:
  - model: authentik_crypto.certificatekeypair
    id: authority
    identifiers: {name: authority}
    attrs:
      certificate_data: |%s
  - {model: authentik_flows.flow, id: flow, identifiers: {slug: by-certificate}, attrs: {name: x, title: x, designation: authentication, authentication: none}}
  - model: authentik_stages_mtls.mutualtlsstage
    id: mtls
    identifiers: {name: certificate}
    attrs: {mode: required, certificate_authorities: [!KeyOf authority], cert_attribute: email, user_attribute: email}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf mtls, order: 0}}
  - {model: authentik_stages_user_login.userloginstage, id: login, identifiers: {name: certificate-login}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf login, order: 10}}
`, strings.ReplaceAll("\n"+strings.TrimSpace(ca.PEM()), "\n", "\n        "))
}

// mailed names a client by an address.
func mailed(address string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.EmailAddresses = []string{address} }
}

// A certificate in a header signs its owner in where the peer is a configured
// proxy, and nobody else.
func TestRule29And37CertificatesInHeaders(t *testing.T) {
	ca := certificatetest.Authority(t, "authority")
	escaped := url.PathEscape(ca.Issue(t, "x", mailed("ada@example.com")).PEM())
	idle := url.PathEscape(ca.Issue(t, "x", mailed("idle@example.com")).PEM())
	local := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for _, row := range []struct {
		name    string
		trusted []netip.Prefix
		read    string
		header  []string
		want    string
	}{
		{"nothing", local, "SSL-Client-Cert", nil, "A certificate is required"},
		{"a proxy's header", local, "SSL-Client-Cert", []string{"Ssl-Client-Cert", escaped}, "ada"},
		{"a header that the proxy does not write", local, "SSL-Client-Cert", []string{"X-Forwarded-Client-Cert", "Cert=" + escaped}, "A certificate is required"},
		{"no header is configured", local, "", []string{"Ssl-Client-Cert", escaped}, "A certificate is required"},
		{"a stranger's header", nil, "SSL-Client-Cert", []string{"Ssl-Client-Cert", escaped}, "A certificate is required"},
		{"an outpost's header of nobody", local, "SSL-Client-Cert", []string{"X-Authentik-Outpost-Certificate", escaped}, "A certificate is required"},
		{"of somebody who is switched off (rule 24)", local, "SSL-Client-Cert", []string{"Ssl-Client-Cert", idle}, "Your certificate belongs to nobody"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := settings(t)
			s.TrustedProxies, s.CertificateHeader = row.trusted, row.read
			o := openOffice(t, s)
			o.user("ada", m{"email": "ada@example.com"})
			o.user("idle", m{"email": "idle@example.com", "is_active": false})
			apply(t, o.site, byCertificate(ca))
			visit(t, o.site).settles("by-certificate", row.want, row.header...)
		})
	}
}

// settles walks a flow that asks nothing: it ends with the user name of whoever
// is signed in, or with what it says instead. The header goes with the first
// request.
func (c *client) settles(slug, want string, header ...string) {
	c.t.Helper()
	r := c.follow(c.do("GET", "/api/v3/flows/executor/"+slug+"/", "", header...))
	said, _ := r.body["error_message"].(string)
	name := ""
	if me := c.do("GET", "/api/v3/core/users/me/", ""); me.status == http.StatusOK {
		name = me.body["user"].(m)["username"].(string)
	}
	if said+name == "" || !strings.HasPrefix(said+name, want) || said != "" && name != "" {
		c.t.Errorf("%s, signed in as %q; want %s", r.raw, name, want)
	}
}

// An outpost tells the certificate of its client only with a permission for the
// stage (rule 47).
func TestRule47OutpostsTellCertificatesByPermission(t *testing.T) {
	o := openOffice(t, settings(t))
	ca := certificatetest.Authority(t, "authority")
	o.user("ada", m{"email": "ada@example.com"})
	apply(t, o.site, byCertificate(ca))
	outpost := o.user("outpost", m{"type": "internal_service_account"})
	key := o.token(outpost)
	header := []string{"X-authentik-outpost-token", key, "X-authentik-remote-ip", "192.0.2.1",
		"X-Authentik-Outpost-Certificate", url.PathEscape(ca.Issue(t, "x", mailed("ada@example.com")).PEM())}
	visit(t, o.site).settles("by-certificate", "A certificate is required", header...)

	stage := results(o.must("GET", "stages/mtls/?name=certificate", nil))[0]["pk"]
	role := o.role("tells certificates")
	o.must("POST", "rbac/roles/"+role+"/add_user/", m{"pk": outpost})
	o.must("POST", "rbac/permissions/assigned_by_roles/"+role+"/assign/", m{"permissions": []string{"pass_outpost_certificate"},
		"model": "authentik_stages_mtls.mutualtlsstage", "object_pk": stage})
	c := visit(t, o.site)
	if r := c.do("GET", "/api/v3/flows/executor/by-certificate/", "", header...); r.status != http.StatusFound {
		t.Errorf("%d %s", r.status, r.raw)
	}
	header[1] = "not-" + key
	visit(t, o.site).settles("by-certificate", "A certificate is required", header...)
}

// Browsers are asked for a certificate only where a stage may want one, and told
// of which authorities.
func TestClientsAreAskedForCertificatesThatStagesTrust(t *testing.T) {
	s := settings(t)
	ca, own := certificatetest.Authority(t, "authority"), certificatetest.Authority(t, "own")
	for name, text := range map[string]string{"tls.crt": own.PEM(), "tls.key": own.KeyPEM(t)} {
		if err := os.WriteFile(filepath.Join(s.Data, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.TLS.Certificate, s.TLS.Key = filepath.Join(s.Data, "tls.crt"), filepath.Join(s.Data, "tls.key")
	o := openOffice(t, s)
	asked := func(host string) *tls.Config {
		t.Helper()
		c, err := o.site.TLS().GetConfigForClient(&tls.ClientHelloInfo{ServerName: host})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := asked("id.example"); c != nil {
		t.Errorf("without a stage: %v", c.ClientAuth)
	}
	apply(t, o.site, byCertificate(ca))
	only := x509.NewCertPool()
	only.AddCert(ca.Certificate)
	if c := asked("id.example"); c == nil || c.ClientAuth != tls.RequestClientCert || !c.ClientCAs.Equal(only) {
		t.Errorf("with a stage: %+v", c)
	}
	o.must("POST", "stages/mtls/", m{"name": "of the brand", "mode": "optional", "cert_attribute": "email", "user_attribute": "email"})
	o.must("POST", "core/brands/", m{"domain": "id.example", "client_certificates": []string{o.pair("of the brand", own, "")}})
	both := only.Clone()
	both.AddCert(own.Certificate)
	if c := asked("ID.example"); c == nil || !c.ClientCAs.Equal(both) {
		t.Errorf("with a brand: %+v", c)
	}
	if c := asked("other.example"); c == nil || !c.ClientCAs.Equal(only) {
		t.Errorf("at another brand: %+v", c)
	}
	s.TLS.Key = filepath.Join(s.Data, "none")
	if site, err := Open(t.Context(), Config{Settings: s}); err == nil || !strings.Contains(err.Error(), "tls.crt") {
		t.Errorf("a key that is not there: %v %v", site, err)
	}
}
