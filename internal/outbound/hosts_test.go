package outbound

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func hosts(t *testing.T, list ...string) Hosts {
	t.Helper()
	h, err := ParseHosts(list)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestRule11HostsThatMayBeCalled(t *testing.T) {
	rows := []struct {
		name, entry string
		yes, no     []string
	}{
		{"a name", "api.example.com", []string{"https://api.example.com/x", "https://API.example.com.:443"},
			[]string{"http://api.example.com", "https://api.example.com:8443", "https://x.api.example.com", "https://example.com", "https://api.example.com.evil.org", "ftp://api.example.com", "https://api.example.com@evil.org/"}},
		{"a name and port", "example.com:8443", []string{"https://example.com:8443"}, []string{"https://example.com", "http://example.com:8443"}},
		{"all names below", "*.example.com", []string{"https://a.example.com", "https://a.b.example.com"}, []string{"https://example.com", "https://aexample.com", "https://.example.com", "https://a..example.com", "https://evil.org\\.example.com"}},
		{"in the clear", "http://example.com", []string{"http://example.com"}, []string{"https://example.com", "http://example.com:8080"}},
		{"in the clear with a port", "http://localhost:8080", []string{"http://localhost:8080"}, []string{"https://localhost:8080", "http://localhost"}},
		{"https in full", "https://example.com", []string{"https://example.com"}, []string{"http://example.com"}},
		{"an address", "10.0.0.5", []string{"https://10.0.0.5", "https://[::ffff:10.0.0.5]"}, []string{"https://10.0.0.6", "http://10.0.0.5"}},
		{"an address and port", "[fd00::1]:8443", []string{"https://[fd00::1]:8443"}, []string{"https://[fd00::1]", "https://[fd00::1%25eth0]:8443"}},
		{"a bare address of version 6", "fd00::1", []string{"https://[fd00::1]"}, []string{"https://[fd00::2]"}},
		{"a network", "10.1.0.0/16", []string{"https://10.1.2.3"}, []string{"https://10.2.0.1", "https://name"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			h := hosts(t, row.entry)
			for want, list := range map[bool][]string{true: row.yes, false: row.no} {
				for _, text := range list {
					u, err := url.Parse(text)
					if got := err == nil && h.Allows(u); got != want {
						t.Errorf("%s: %v", text, got)
					}
				}
			}
		})
	}
	for _, bad := range []string{"", "*", "*.", "a b", "ftp://x", "x:0", "x:99999", "x:y", "*x.com", "a.*.com", "x/path", "https://u@x", "http://https://x", "[::1"} {
		if _, err := ParseHosts([]string{bad}); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	if u, _ := url.Parse("https://example.com"); (Hosts{}).Allows(u) || !(Hosts{}).Empty() {
		t.Error("an empty list allows something")
	}
}

// names is a resolver with a few names.
type names map[string]string

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	var out []netip.Addr
	for _, s := range strings.Fields(n[host]) {
		out = append(out, netip.MustParseAddr(s))
	}
	return out, nil
}

func TestRule11NamesMayNotLeadInside(t *testing.T) {
	h := hosts(t, "name.test", "192.168.7.0/24")
	for _, a := range []string{
		"127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
		"255.255.255.255", "198.18.0.1", "::1", "::", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
		"2002:7f00:1::", "2001:db8::1", "::7f00:1",
	} {
		dial := h.dialer(names{"name.test": a})
		if c, err := dial(t.Context(), "tcp", "name.test:443"); !errors.Is(err, ErrNotAllowed) {
			t.Errorf("%s: %v, %v", a, c, err)
		}
	}
	for _, a := range []string{"8.8.8.8", "2606:4700::1", "192.168.7.9"} {
		if !h.leadsTo(netip.MustParseAddr(a)) {
			t.Errorf("%s is refused", a)
		}
	}
	if _, err := h.dialer(names{})(t.Context(), "tcp", "name.test:443"); err == nil {
		t.Error("a name without addresses has a connection")
	}
}

// The first answer of the name server is harmless, the next is not: what counts
// is the address of the connection.
func TestRule11EveryHopIsChecked(t *testing.T) {
	var headers []http.Header
	var target *httptest.Server
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers = append(headers, r.Header)
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, strings.Replace(target.URL, "127.0.0.1", r.URL.Query().Get("to"), 1)+"/end", http.StatusFound)
		case "/same":
			http.Redirect(w, r, "/end", http.StatusTemporaryRedirect)
		}
	})
	target = httptest.NewTLSServer(handler)
	defer target.Close()
	roots := x509.NewCertPool()
	roots.AddCert(target.Certificate())
	port := target.URL[strings.LastIndex(target.URL, ":"):]
	// The certificate of the test server is for example.com, its subdomains and 127.0.0.1.
	resolver := names{"example.com": "127.0.0.1", "a.example.com": "127.0.0.1", "inside.example.com": "127.0.0.2"}
	client := hosts(t, "example.com"+port, "a.example.com"+port, "inside.example.com"+port, "127.0.0.1").Client(roots, resolver)
	if client.Transport.(listed).next.(*http.Transport).Proxy != nil {
		t.Error("there is a proxy, which would make connections of its own")
	}

	get := func(path string) (*http.Response, error) {
		headers = nil
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com"+port+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"X-Api-Key": {"secret"}, "Authorization": {"secret"}, "Accept": {"text/plain"}}
		resp, err := client.Do(r)
		if err == nil {
			_ = resp.Body.Close()
		}
		return resp, err
	}
	rows := []struct {
		name, path string
		allowed    bool
		hops       int
		keeps      bool
	}{
		{"a listed host", "/end", true, 1, true},
		{"a redirect on the host", "/same", true, 2, true},
		{"a redirect to another listed host loses the keys", "/away?to=a.example.com", true, 2, false},
		{"a redirect off the list", "/away?to=b.example.com", false, 1, false},
		{"a redirect to an address whose port is not listed", "/away?to=127.0.0.1", false, 1, false},
		{"a redirect to a listed name that leads inside", "/away?to=inside.example.com", false, 1, false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			resp, err := get(row.path)
			if row.allowed != (err == nil) || !row.allowed && !errors.Is(err, ErrNotAllowed) {
				t.Fatalf("got %v, %v", resp, err)
			}
			if len(headers) != row.hops {
				t.Fatalf("%d requests arrived, want %d", len(headers), row.hops)
			}
			last := headers[len(headers)-1]
			if kept := last.Get("X-Api-Key") != "" && last.Get("Authorization") != ""; row.allowed && kept != row.keeps || row.allowed && !row.keeps && last.Get("Referer") != "" {
				t.Errorf("the last request has %v", last)
			}
		})
	}
}
