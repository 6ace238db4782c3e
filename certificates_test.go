package weir

import (
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/certificate"
	"github.com/weir-id/weir/internal/certificate/certificatetest"
	"github.com/weir-id/weir/internal/store"
)

const pairs = "crypto/certificatekeypairs/"

// pair stores a certificate, with its key where that is given, and returns the
// primary key.
func (o *office) pair(name string, p *certificatetest.Pair, key string) string {
	o.t.Helper()
	return o.must("POST", pairs, m{"name": name, "certificate_data": p.PEM(), "key_data": key})["pk"].(string)
}

// The private key is sealed at rest, in no list, export, event and history, and
// shown only to those who hold a permission of its own, which is recorded.
func TestRule45PrivateKeysAreShownByAPermissionOfTheirOwn(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		ca := certificatetest.Authority(t, "authority")
		ann := ca.Issue(t, "ann", nil)
		key := ann.KeyPEM(t)
		secret := strings.Split(key, "\n")[1]
		pk := o.pair("ann's", ann, key)
		at := pairs + pk + "/"
		o.must("PATCH", at, m{"name": "of ann"})

		stored, err := store.Select(t.Context(), o.site.db, func(r store.Row) (doc string, err error) { return doc, r.Scan(&doc) }, "select doc from catalog_versions")
		if err != nil || !strings.Contains(strings.Join(stored, ""), "of ann") {
			t.Fatalf("%d versions: %v", len(stored), err)
		}
		seen := map[string]string{"the database": strings.Join(stored, "\n"), "the events": fmt.Sprint(o.must("GET", "events/events/?page_size=1000", nil)),
			"the list": o.call(root, "GET", pairs, nil).raw, "the object": o.call(root, "GET", at, nil).raw,
			"a search": o.call(root, "GET", pairs+"?ordering=key_data&key_data="+secret, nil).raw}
		for what, text := range seen {
			if strings.Contains(text, secret) || strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, "BEGIN CERT") {
				t.Errorf("%s shows it: %.2000s", what, text)
			}
		}

		_, viewer := o.clerk("viewer", "view_certificatekeypair", "change_certificatekeypair", "add_certificatekeypair", "delete_certificatekeypair")
		_, reader := o.clerk("reader", "view_certificatekeypair", "view_certificatekeypair_certificate")
		_, keeper := o.clerk("keeper", "view_certificatekeypair", "view_certificatekeypair_key")
		_, blind := o.clerk("blind", "view_certificatekeypair_key", "view_certificatekeypair_certificate")
		for _, row := range []struct {
			who, part string
			token     string
			want      int
		}{
			{"who may see and change the pair", "certificate", viewer, 403}, {"who may see and change the pair", "private_key", viewer, 403},
			{"who may read the certificate", "certificate", reader, 200}, {"who may read the certificate", "private_key", reader, 403},
			{"who may read the key", "certificate", keeper, 403}, {"who may read the key", "private_key", keeper, 200},
			{"who may not see the pair", "certificate", blind, 403}, {"who may not see the pair", "private_key", blind, 403},
			{"nobody", "private_key", "", 403}, {"the superuser", "certificate", root, 200},
		} {
			a := o.call(row.token, "GET", at+"view_"+row.part+"/", nil)
			if a.status != row.want {
				t.Errorf("%s gets the %s: %d %s", row.who, row.part, a.status, a.raw)
			}
			if want := map[string]string{"certificate": ann.PEM(), "private_key": key}[row.part]; row.want == 200 && a.object["data"] != want {
				t.Errorf("%s gets the %s: %s", row.who, row.part, a.raw)
			}
			if e := fmt.Sprint(o.latest("secret_view")); row.want == 200 && (!strings.Contains(e, "type:"+row.part) || !strings.Contains(e, "of ann") || strings.Contains(e, secret)) {
				t.Errorf("the event says %s", e)
			}
		}
		a := o.call(keeper, "GET", at+"view_private_key/?download=true", nil)
		if a.raw != key || !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") || a.header.Get("Content-Type") != "application/x-pem-file" {
			t.Errorf("%v %.100s", a.header, a.raw)
		}
	})
}

func TestWhatIsToldOfCertificates(t *testing.T) {
	o := openOffice(t, settings(t))
	ca := certificatetest.Authority(t, "authority")
	ann := ca.Issue(t, "ann", nil)
	plain, keyed := o.pair("plain", ca, ""), o.pair("keyed", ann, ann.KeyPEM(t))
	made := o.must("POST", pairs+"generate/", m{"common_name": "made", "validity_days": 10, "alg": "ed25519"})
	got := o.must("GET", pairs+keyed+"/", nil)
	for name, want := range map[string]any{"name": "keyed", "cert_subject": "CN=ann", "private_key_available": true, "key_type": "ec", "managed": nil,
		"cert_expiry": ann.NotAfter.UTC().Format(time.RFC3339), "fingerprint_sha256": certificate.SHA256(ann.Certificate), "fingerprint_sha1": certificate.SHA1(ann.Certificate),
		"private_key_download_url": "/api/v3/" + pairs + keyed + "/view_private_key/?download=true"} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	if len(got["fingerprint_sha256"].(string)) != 32*3-1 || made["key_type"] != "ed25519" || made["private_key_available"] != true {
		t.Errorf("%v\n%v", got, made)
	}
	for filter, want := range map[string]string{"has_key=true": "[keyed made]", "has_key=false": "[plain]", "key_type=ec": "[keyed plain]", "key_type=ec&key_type=ed25519": "[keyed made plain]",
		"key_type=rsa": "[]", "name=plain": "[plain]", "search=ade": "[made]", "managed=x": "[]"} {
		var names []string
		for _, one := range results(o.must("GET", pairs+"?"+filter, nil)) {
			names = append(names, one["name"].(string))
		}
		if fmt.Sprint(names) != want {
			t.Errorf("%s lists %v, want %s", filter, names, want)
		}
	}
	for _, row := range []struct {
		name, method, path, field string
		body                      m
	}{
		{"a name that is taken", "POST", "", "name", m{"name": "plain", "certificate_data": ca.PEM()}},
		{"no certificate", "POST", "", "certificate_data", m{"name": "x"}},
		{"a certificate that is none", "POST", "", "certificate_data", m{"name": "x", "certificate_data": "x"}},
		{"somebody else's key", "POST", "", "key_data", m{"name": "x", "certificate_data": ca.PEM(), "key_data": ann.KeyPEM(t)}},
		{"another certificate under an old key", "PATCH", keyed + "/", "key_data", m{"certificate_data": ca.PEM()}},
		{"a key for another certificate", "PATCH", plain + "/", "key_data", m{"key_data": ann.KeyPEM(t)}},
		{"no time", "POST", "generate/", "validity_days", m{"common_name": "x", "validity_days": 0}},
		{"no name", "POST", "generate/", "common_name", m{"validity_days": 1}},
		{"a name that is taken", "POST", "generate/", "name", m{"common_name": "made", "validity_days": 1, "alg": "ecdsa"}},
		{"a key of no sort", "POST", "generate/", "alg", m{"common_name": "x", "validity_days": 1, "alg": "ed448"}},
	} {
		if a := o.call(root, row.method, pairs+row.path, row.body); a.status != 400 || a.object[row.field] == nil {
			t.Errorf("%s: %d %s", row.name, a.status, a.raw)
		}
	}
	o.must("PATCH", pairs+keyed+"/", m{"key_data": ""})
	if got := o.must("GET", pairs+keyed+"/", nil); got["private_key_available"] != false {
		t.Errorf("the key stays: %v", got)
	}
}

// Brands name certificates, and files bring them.
func TestCertificatesOfBrandsAndFiles(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		ca := certificatetest.Authority(t, "authority")
		own := ca.Issue(t, "id.example", func(c *x509.Certificate) { c.DNSNames = []string{"id.example"} })
		indent := func(text string) string { return strings.ReplaceAll("\n"+strings.TrimSpace(text), "\n", "\n        ") }
		file := fmt.Sprintf(`
version: 1
entries:
  - model: authentik_crypto.certificatekeypair
    id: own
    identifiers: {name: own}
    attrs:
      certificate_data: |%s
      key_data: |%s
  - model: authentik_crypto.certificatekeypair
    identifiers: {name: authority}
    attrs:
      certificate_data: |%s
  - model: authentik_brands.brand
    identifiers: {domain: id.example}
    attrs:
      web_certificate: !KeyOf own
      client_certificates: [!Find [authentik_crypto.certificatekeypair, [name, authority]]]
`, indent(own.PEM()), indent(own.KeyPEM(t)), indent(ca.PEM()))
		apply(t, o.site, file)
		revision := o.site.catalog.Snapshot().Revision()
		apply(t, o.site, file)
		if again := o.site.catalog.Snapshot().Revision(); again != revision {
			t.Errorf("the file changes something when it is applied again: revision %d became %d", revision, again)
		}
		for _, one := range results(o.must("GET", pairs, nil)) {
			path := pairs + one["pk"].(string) + "/"
			a := o.call(root, "GET", path+"used_by/", nil)
			if want := map[string]string{"own": "set_null", "authority": "cascade_many"}[one["name"].(string)]; len(a.list) != 1 || a.list[0].(m)["model_name"] != "brand" || a.list[0].(m)["action"] != want {
				t.Errorf("%s is used by %s", one["name"], a.raw)
			}
			o.must("DELETE", path, nil)
		}
		b := results(o.must("GET", "core/brands/?domain=id.example", nil))[0]
		if b["web_certificate"] != nil || len(b["client_certificates"].([]any)) != 0 {
			t.Errorf("the brand is left with %v", b)
		}
		if a := o.call(root, "PATCH", "core/brands/"+b["brand_uuid"].(string)+"/", m{"web_certificate": "11111111-1111-4111-8111-111111111111"}); a.status != 400 {
			t.Errorf("a certificate that is none: %d %s", a.status, a.raw)
		}
	})
}
