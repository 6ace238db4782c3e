package server

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/request"
)

// The address that is looked up is that of the client, as trusted peers tell it
// (rules 8, 29 and 37 of the security rules); each request asks once, when
// somebody wants to know.
func TestRule37TheLocatedAddressIsTheOneThatTrustedPeersTell(t *testing.T) {
	const proxy, other, named = "10.0.0.1", "10.1.0.1", "192.0.2.1"
	tests := []struct {
		name, peer string
		header     map[string]string
		want       string
	}{
		{"nobody speaks for the client", other, nil, other},
		{"a trusted proxy", proxy, map[string]string{"X-Forwarded-For": named}, named},
		{"somebody who is no proxy", other, map[string]string{"X-Forwarded-For": named, "X-Real-IP": named, "Forwarded": "for=" + named}, other},
		{"what the client says to the proxy", proxy, map[string]string{"X-Forwarded-For": named + ", " + other}, other},
		{"an address that cannot be read", proxy, map[string]string{"X-Forwarded-For": "the neighbours"}, proxy},
		{"an empty address", proxy, map[string]string{"X-Forwarded-For": ""}, proxy},
		{"an outpost", other, map[string]string{"X-authentik-outpost-token": "t", "X-authentik-remote-ip": named}, named},
		{"an outpost with a wrong token", other, map[string]string{"X-authentik-outpost-token": "u", "X-authentik-remote-ip": named}, other},
		{"an outpost with an address that cannot be read", other, map[string]string{"X-authentik-outpost-token": "t", "X-authentik-remote-ip": "x"}, other},
		{"a peer without an address", "", nil, "invalid IP"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var asked []string
			var seen any
			h := handler(t, io.Discard, func(c *Config) {
				c.Proxies = &request.Proxies{Trusted: []netip.Prefix{netip.MustParsePrefix(proxy + "/32")}}
				c.Outpost = func(_ context.Context, token string) (*identity.Person, bool) { return nil, token == "t" }
				c.Locate = func(ip netip.Addr) map[string]any {
					asked = append(asked, ip.String())
					return map[string]any{"geoip": len(asked)}
				}
			}, func(mux *http.ServeMux) {
				mux.HandleFunc("/quiet", func(http.ResponseWriter, *http.Request) {})
				mux.HandleFunc("/asks", func(_ http.ResponseWriter, r *http.Request) {
					for range 3 {
						seen = request.Policy(r, nil).Locate()["geoip"]
					}
				})
			})
			for _, path := range []string{"/quiet", "/asks"} {
				r := httptest.NewRequest("GET", path, nil)
				r.RemoteAddr = tt.peer + ":1"
				for name, value := range tt.header {
					r.Header.Set(name, value)
				}
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
			if !slices.Equal(asked, []string{tt.want}) || fmt.Sprint(seen) != "1" {
				t.Errorf("looked up %v (%v), want %s once", asked, seen, tt.want)
			}
		})
	}
}
