package request

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// FuzzOrigin reads forwarding headers. Of a stranger nothing counts; of a proxy
// the host is one and an address is one.
func FuzzOrigin(f *testing.F) {
	for _, s := range []string{"", "198.51.100.7", "6.6.6.6, 10.1.1.1", "[::1]:80", "fd00::1%eth0", "::ffff:10.0.0.1", "1.2.3.4:99999", ",", "\x00", strings.Repeat("1.1.1.1,", 40)} {
		f.Add(s, "https", "id.example:8443")
		f.Add("198.51.100.7", s, s)
	}
	p := &Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}
	f.Fuzz(func(t *testing.T, address, proto, host string) {
		r := httptest.NewRequest("GET", "https://id.example/", nil)
		r.Header.Set("X-Forwarded-For", address)
		r.Header.Set("X-Forwarded-Proto", proto)
		r.Header.Set("X-Forwarded-Host", host)
		r.RemoteAddr = "203.0.113.9:1234"
		want := Origin{Client: netip.MustParseAddr("203.0.113.9"), Host: "id.example", Secure: true}
		if got := p.Origin(r); got != want {
			t.Errorf("a stranger is believed: %+v", got)
		}
		r.RemoteAddr = "10.0.0.1:1234"
		got := p.Origin(r)
		if !got.Trusted || !got.Client.IsValid() || got.Client.Is4In6() || got.Client.Zone() != "" {
			t.Errorf("the client is %v", got.Client)
		}
		if got.Host == "" || len(got.Host) > 255 || strings.ContainsAny(got.Host, "/\\@ \r\n\x00<>") || got.Host != strings.ToLower(got.Host) {
			t.Errorf("the host is %q", got.Host)
		}
		if !strings.Contains(address, got.Client.String()) && got.Client != netip.MustParseAddr("10.0.0.1") {
			if _, ok := parseAddr(address[strings.LastIndexByte(address, ',')+1:]); !ok {
				t.Errorf("%q names %v", address, got.Client)
			}
		}
	})
}
