package request

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/weir-id/weir/identity"
)

func proxies(t *testing.T, log *strings.Builder) *Proxies {
	t.Helper()
	return &Proxies{
		Trusted: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")},
		Log:     slog.New(slog.NewTextHandler(log, nil)),
	}
}

func TestRule37ForwardingHeadersOnlyFromTrustedPeers(t *testing.T) {
	const stranger, proxy = "203.0.113.9:1234", "10.0.0.1:1234"
	rows := []struct {
		name, peer string
		header     http.Header
		want       Origin
		logged     bool
	}{
		{"a stranger's headers are ignored", stranger,
			http.Header{"X-Forwarded-For": {"1.2.3.4"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"evil.example"}},
			Origin{Client: netip.MustParseAddr("203.0.113.9"), Host: "id.example"}, false},
		{"a proxy names client, scheme and host", proxy,
			http.Header{"X-Forwarded-For": {"198.51.100.7"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"Login.Example:8443"}},
			Origin{Client: netip.MustParseAddr("198.51.100.7"), Host: "login.example:8443", Secure: true, Trusted: true}, false},
		{"the last address that is no proxy is the client", proxy,
			http.Header{"X-Forwarded-For": {"6.6.6.6, 198.51.100.7", "10.9.9.9"}},
			Origin{Client: netip.MustParseAddr("198.51.100.7"), Host: "id.example", Trusted: true}, false},
		{"all hops trusted gives the first", proxy,
			http.Header{"X-Forwarded-For": {"10.1.1.1, 10.2.2.2"}},
			Origin{Client: netip.MustParseAddr("10.1.1.1"), Host: "id.example", Trusted: true}, false},
		{"one bad address spoils the header", proxy,
			http.Header{"X-Forwarded-For": {"nonsense, 198.51.100.7"}},
			Origin{Client: netip.MustParseAddr("10.0.0.1"), Host: "id.example", Trusted: true}, true},
		{"an empty address is a bad one", proxy,
			http.Header{"X-Forwarded-For": {"198.51.100.7,"}},
			Origin{Client: netip.MustParseAddr("10.0.0.1"), Host: "id.example", Trusted: true}, true},
		{"too many hops are ignored", proxy,
			http.Header{"X-Forwarded-For": {strings.Repeat("1.1.1.1,", 40) + "1.1.1.1"}},
			Origin{Client: netip.MustParseAddr("10.0.0.1"), Host: "id.example", Trusted: true}, true},
		{"IPv6 with brackets and port is understood", proxy,
			http.Header{"X-Forwarded-For": {"[2001:db8::1]:443"}},
			Origin{Client: netip.MustParseAddr("2001:db8::1"), Host: "id.example", Trusted: true}, false},
		{"an IPv4 address in IPv6 clothes counts as IPv4", "[::ffff:10.0.0.1]:1", http.Header{"X-Forwarded-For": {"::ffff:1.2.3.4"}},
			Origin{Client: netip.MustParseAddr("1.2.3.4"), Host: "id.example", Trusted: true}, false},
		{"the nearest proxy's word on the scheme counts", proxy, http.Header{"X-Forwarded-Proto": {"https, http"}},
			Origin{Client: netip.MustParseAddr("10.0.0.1"), Host: "id.example", Trusted: true}, false},
		{"an unknown scheme is ignored", proxy, http.Header{"X-Forwarded-Proto": {"gopher"}},
			Origin{Client: netip.MustParseAddr("10.0.0.1"), Host: "id.example", Trusted: true}, true},
		{"a host with markup is ignored", proxy, http.Header{"X-Forwarded-Host": {"a/<b>"}},
			Origin{Client: netip.MustParseAddr("10.0.0.1"), Host: "id.example", Trusted: true}, true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var log strings.Builder
			r := httptest.NewRequest("GET", "http://ID.example/", nil)
			r.RemoteAddr, r.Header = row.peer, row.header
			if got := proxies(t, &log).Origin(r); got != row.want {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
			if logged := log.Len() > 0; logged != row.logged {
				t.Errorf("logged = %v: %s", logged, log.String())
			}
		})
	}
}

func TestRule08UnparsableForwardedForNeverEmptiesTheClient(t *testing.T) {
	for _, bad := range []string{"x", "", ",", "1.2.3.4.5", "fe80::1%eth0", "999.1.1.1", "\x00", "1.2.3.4 5.6.7.8", "unknown"} {
		var log strings.Builder
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = "10.0.0.1:1"
		r.Header["X-Forwarded-For"] = []string{bad}
		if got := proxies(t, &log).Origin(r).Client; got != netip.MustParseAddr("10.0.0.1") {
			t.Errorf("X-Forwarded-For %q: client %v, want the peer", bad, got)
		}
	}
}

func TestRule29IdentityHeadersAreNoPolicyInput(t *testing.T) {
	hidden := []string{
		"Forwarded", "X-Forwarded-For", "X-Forwarded-User", "X-Real-Ip", "X-Original-Uri", "X-Authentik-Username", "Remote-User",
		"X-Remote-User", "X-Auth-Request-Email", "Cf-Connecting-Ip", "Ssl-Client-Verify", "X-Client-Cert", "True-Client-Ip",
	}
	always := []string{"Authorization", "Cookie", "Proxy-Authorization", "X-Authentik-Outpost-Token", "X_Forwarded_For", "Remote_User"}
	visible := []string{"User-Agent", "Accept-Language", "X-Requested-With", "Sec-Fetch-Site"}
	h := http.Header{}
	for _, name := range append(append(append([]string{}, hidden...), always...), visible...) {
		h[name] = []string{"v"}
	}
	for _, trusted := range []bool{false, true} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header = h
		r = r.WithContext(With(context.Background(), &Info{Origin: Origin{Trusted: trusted}}))
		got := Policy(r, nil).Header
		for _, name := range hidden {
			if _, ok := got[name]; ok != trusted {
				t.Errorf("trusted %v: %s visible = %v", trusted, name, ok)
			}
		}
		for _, name := range always {
			if _, ok := got[name]; ok {
				t.Errorf("trusted %v: %s is visible", trusted, name)
			}
		}
		for _, name := range visible {
			if _, ok := got[name]; !ok {
				t.Errorf("trusted %v: %s is hidden", trusted, name)
			}
		}
	}
}

func TestPolicyNeverSeesTheSession(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", "authentik_session=a; __Host-authentik_session=b; authentik_csrf=c; authentik_device=d; x=1; x=2")
	got := Policy(r, nil).Cookies
	if len(got) != 2 || got["authentik_device"] != "d" || got["x"] != "1" {
		t.Errorf("cookies = %v", got)
	}
}

func TestOutpost(t *testing.T) {
	account := identity.NewPerson(identity.User{ID: 5}, nil)
	valid := func(_ context.Context, token string) (*identity.Person, bool) { return account, token == "good" }
	peer, remote := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.7")
	rows := []struct {
		name, token, ip string
		outpost         bool
		client          netip.Addr
	}{
		{"token and address make an outpost", "good", "198.51.100.7", true, remote},
		{"a bad address still is an outpost, with its own address", "good", "nonsense", true, peer},
		{"a token without address is no outpost", "good", "", false, peer},
		{"an address without token is not believed", "", "198.51.100.7", false, peer},
		{"an invalid token is no outpost", "bad", "198.51.100.7", false, peer},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var log strings.Builder
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set(outpostToken, row.token)
			r.Header.Set(outpostIP, row.ip)
			info := &Info{Origin: Origin{Client: peer}}
			proxies(t, &log).Outpost(r, info, valid)
			if info.Outpost != row.outpost || info.Client != row.client || (info.Account == account) != row.outpost {
				t.Errorf("got %v %v, want %v %v", info.Outpost, info.Client, row.outpost, row.client)
			}
		})
	}
}
