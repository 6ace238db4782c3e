package request

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/certificate/certificatetest"
)

// shown is what a client with a certificate of its own sends in all ways at once.
func shown(t testing.TB) (ann, middle *certificatetest.Pair, r func(peer string) *http.Request) {
	ca := certificatetest.Authority(t, "authority")
	middle = ca.Authority(t, "middle")
	ann = middle.Issue(t, "ann", nil)
	return ann, middle, func(peer string) *http.Request {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = peer
		for _, name := range append(CertificateHeaders(), outpostCertificate) {
			value := url.PathEscape(ann.PEM())
			if name == forwardedClientCert {
				value = `Cert="` + value + `"`
			}
			r.Header.Set(name, value)
		}
		return r
	}
}

func names(list []*x509.Certificate) (out []string) {
	for _, c := range list {
		out = append(out, c.Subject.CommonName)
	}
	return out
}

// Headers with certificates are believed of nobody but the configured proxies
// (rules 29 and 37), and of those only the one header that they write; that of
// outposts only of outposts.
func TestRule29And37CertificatesOnlyFromTrustedPeers(t *testing.T) {
	ann, middle, request := shown(t)
	const stranger, proxy = "203.0.113.9:1234", "10.0.0.1:1234"
	for _, row := range []struct {
		name, peer, header string
		outpost            bool
		change             func(*http.Request)
		want               []string
	}{
		{"a stranger", stranger, "SSL-Client-Cert", false, nil, nil},
		{"a stranger that names a proxy", stranger, "SSL-Client-Cert", false, func(r *http.Request) { r.Header.Set("X-Forwarded-For", "10.0.0.1") }, nil},
		{"a stranger with a token that is none", stranger, "", false, func(r *http.Request) { r.Header.Set(outpostToken, "bad") }, nil},
		{"a proxy, where no header is configured", proxy, "", false, nil, nil},
		{"Envoy", proxy, "X-Forwarded-Client-Cert", false, nil, []string{"ann"}},
		{"nginx", proxy, "SSL-Client-Cert", false, nil, []string{"ann"}},
		{"Traefik", proxy, "X-Forwarded-TLS-Client-Cert", false, nil, []string{"ann"}},
		{"a proxy that writes another header, and hands the client's on", proxy, "SSL-Client-Cert", false, func(r *http.Request) { r.Header.Del("SSL-Client-Cert") }, nil},
		{"a proxy that adds to the client's header", proxy, "SSL-Client-Cert", false, func(r *http.Request) { r.Header.Add("SSL-Client-Cert", "") }, nil},
		{"an outpost", stranger, "", true, nil, []string{"ann"}},
		{"an outpost without its header", stranger, "SSL-Client-Cert", true, func(r *http.Request) { r.Header.Del(outpostCertificate) }, nil},
		{"a stranger's connection", stranger, "SSL-Client-Cert", false, func(r *http.Request) {
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{middle.Certificate}}
		}, []string{"middle"}},
		{"a stranger's connection without one", stranger, "SSL-Client-Cert", false, func(r *http.Request) { r.TLS = &tls.ConnectionState{} }, nil},
		{"the certificate of the proxy itself", proxy, "SSL-Client-Cert", false, func(r *http.Request) {
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{middle.Certificate}}
			r.Header.Del("SSL-Client-Cert")
		}, nil},
		{"the certificate of the outpost itself", stranger, "", true, func(r *http.Request) {
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{middle.Certificate}}
			r.Header.Del(outpostCertificate)
		}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := request(row.peer)
			if row.change != nil {
				row.change(r)
			}
			var log strings.Builder
			p := proxies(t, &log)
			p.CertificateHeader = row.header
			info := &Info{Origin: p.Origin(r), Outpost: row.outpost}
			got := p.Certificates(r, info)
			if !slices.Equal(names(got), row.want) {
				t.Errorf("%v, want %v", names(got), row.want)
			}
			if unread := row.peer == proxy && row.header == ""; strings.Contains(log.String(), "client_cert_header") != unread {
				t.Errorf("the log says %s", &log)
			}
			if strings.Contains(log.String(), base64.StdEncoding.EncodeToString(ann.Raw)[:40]) {
				t.Error("the log repeats the header")
			}
		})
	}
}

func TestFormsOfCertificateHeaders(t *testing.T) {
	ann, middle, _ := shown(t)
	const envoy, nginx = "X-Forwarded-Client-Cert", "SSL-Client-Cert"
	escaped := func(p *certificatetest.Pair) string {
		return strings.ReplaceAll(url.QueryEscape(p.PEM()), "+", "%20")
	}
	plain := func(p *certificatetest.Pair) string { return base64.StdEncoding.EncodeToString(p.Raw) }
	for _, row := range []struct {
		name, header, value string
		want                []string
		ok                  bool
	}{
		{"nothing", nginx, "", nil, true},
		{"percent-encoded PEM", nginx, escaped(ann), []string{"ann"}, true},
		{"PEM with blanks for line ends", nginx, strings.ReplaceAll(ann.PEM(), "\n", " "), []string{"ann"}, true},
		{"base64 alone", nginx, plain(ann), []string{"ann"}, true},
		{"base64, percent-encoded", nginx, url.QueryEscape(plain(ann)), []string{"ann"}, true},
		{"a chain of PEM", nginx, escaped(ann) + escaped(middle), []string{"ann", "middle"}, true},
		{"a chain with commas", nginx, plain(ann) + "," + plain(middle), []string{"ann", "middle"}, true},
		{"text", nginx, "hello!", nil, false},
		{"base64 of something else", nginx, "aGVsbG8=", nil, false},
		{"half a certificate", nginx, plain(ann)[:100], nil, false},
		{"a bad one behind a good one", nginx, plain(ann) + ",aGVsbG8=", nil, false},
		{"a bad percent sign", nginx, "%zz", nil, false},
		{"too many", nginx, strings.Repeat(plain(ann)+",", 9), nil, false},
		{"a key", nginx, url.PathEscape(ann.KeyPEM(t)), nil, false},
		{"an element", envoy, `By=spiffe://a;Hash=00;Subject="CN=a,\"b;c";Cert="` + escaped(ann) + `";URI=`, []string{"ann"}, true},
		{"an element with its chain", envoy, `Cert="` + escaped(ann) + `";Chain="` + escaped(ann) + escaped(middle) + `"`, []string{"ann", "middle"}, true},
		{"the chain alone", envoy, `Chain="` + escaped(ann) + escaped(middle) + `"`, []string{"ann", "middle"}, true},
		{"a chain of somebody else", envoy, `Cert="` + escaped(ann) + `";Chain="` + escaped(middle) + `"`, nil, false},
		{"the nearest proxy's element", envoy, `Cert="` + escaped(ann) + `",Cert="` + escaped(middle) + `"`, []string{"middle"}, true},
		{"the nearest proxy saw no certificate", envoy, `Cert="` + escaped(ann) + `",By=spiffe://a`, nil, true},
		{"nothing behind the last comma", envoy, `Cert="` + escaped(ann) + `",`, nil, true},
		{"an element inside of a value", envoy, `Subject="x,Cert=\"` + escaped(ann) + `\""`, nil, true},
		{"small letters", envoy, `cert=` + escaped(ann), []string{"ann"}, true},
		{"a key that occurs twice", envoy, `Cert="` + escaped(ann) + `";Cert="` + escaped(middle) + `"`, nil, false},
		{"two URIs", envoy, `URI=a;URI=b;Cert="` + escaped(ann) + `"`, []string{"ann"}, true},
		{"two certificates in one key", envoy, `Cert="` + escaped(ann) + escaped(middle) + `"`, nil, false},
		{"a quote that is not closed", envoy, `Cert="` + escaped(ann), nil, false},
		{"a backslash at the end", envoy, `Cert="` + escaped(ann) + `";By="\`, nil, false},
		{"no element", envoy, escaped(ann), nil, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, ok := parseCertificates(row.header, row.value)
			if ok != row.ok || !slices.Equal(names(got), row.want) {
				t.Errorf("%v %v, want %v %v", names(got), ok, row.want, row.ok)
			}
		})
	}
	long := httptest.NewRequest("GET", "/", nil)
	long.RemoteAddr = "10.0.0.1:1"
	long.Header.Set(nginx, strings.Repeat(" ", maxCertificateBytes)+plain(ann))
	var log strings.Builder
	p := proxies(t, &log)
	p.CertificateHeader = nginx
	if got := p.Certificates(long, &Info{Origin: p.Origin(long)}); got != nil || !strings.Contains(log.String(), nginx) {
		t.Errorf("a header that is too long: %v %s", names(got), &log)
	}
}

// FuzzCertificates reads headers of proxies. Whatever they hold, what comes out
// was in them as a whole, and a stranger's count for nothing.
func FuzzCertificates(f *testing.F) {
	ann, middle, _ := shown(f)
	plain := base64.StdEncoding.EncodeToString(ann.Raw)
	for _, s := range []string{"", plain, url.PathEscape(ann.PEM()), `Cert="` + url.PathEscape(middle.PEM()) + `";Chain=x,`, `a="\"`, "%", ",;=\"", plain + "," + plain, "\x00"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, value string, envoy bool) {
		r := httptest.NewRequest("GET", "/", nil)
		name := "SSL-Client-Cert"
		if envoy {
			name = forwardedClientCert
		}
		p := &Proxies{Trusted: trusted, CertificateHeader: name}
		r.Header[http.CanonicalHeaderKey(name)] = []string{value}
		r.RemoteAddr = "203.0.113.9:1"
		if got := p.Certificates(r, &Info{Origin: p.Origin(r)}); got != nil {
			t.Fatalf("a stranger is believed: %v", names(got))
		}
		r.RemoteAddr = "10.0.0.1:1"
		got := p.Certificates(r, &Info{Origin: p.Origin(r)})
		if len(got) > maxCertificates {
			t.Fatalf("%d certificates", len(got))
		}
		text, _ := url.PathUnescape(strings.ReplaceAll(value, `\`, ""))
		text = strings.Join(strings.Fields(text), "")
		for _, c := range got {
			if !strings.Contains(text, base64.StdEncoding.EncodeToString(c.Raw)) && !envoy {
				t.Fatalf("%q holds no %s", value, c.Subject)
			}
		}
	})
}
