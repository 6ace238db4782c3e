package request

import (
	"net/http"
	"strings"
)

// secretHeaders are credentials: no policy sees them, whoever the peer is.
var secretHeaders = map[string]bool{
	"authorization": true, "proxy-authorization": true, "cookie": true,
	"x-authentik-outpost-token": true, "x-authentik-csrf": true,
}

// assertedHeaders say who the person is or where the request came from. A
// policy that believed one of them from anybody could be talked into anything
// (rule 29), so they are hidden unless the peer is a configured proxy.
var assertedHeaders = map[string]bool{
	"forwarded": true, "via": true, "true-client-ip": true, "client-ip": true, "cdn-loop": true,
	"cf-connecting-ip": true, "cf-connecting-ipv6": true, "cf-ipcountry": true, "cf-visitor": true, "fastly-client-ip": true,
	"x-cluster-client-ip": true, "x-client-ip": true, "x-real-ip": true, "x-proxyuser-ip": true, "wl-proxy-client-ip": true,
	"x-host": true, "x-rewrite-url": true, "x-url-scheme": true, "x-scheme": true, "front-end-https": true,
	"x-user": true, "x-username": true, "x-email": true, "x-groups": true, "x-client-cert": true, "x-client-verify": true,
	"x-authenticated-user": true, "x-webauth-user": true, "x-device-user": true, "x-ms-client-principal": true,
}

// assertedPrefixes are families of such headers.
var assertedPrefixes = []string{
	"x-forwarded-", "x-original-", "x-authentik-", "remote-", "x-remote-", "x-auth-", "x-authenticated-", "x-webauth-",
	"x-user-", "x-ssl-", "ssl-client-", "ssl-", "x-client-cert-", "x-goog-authenticated-user-", "x-goog-iap-", "x-amzn-oidc-",
	"x-ms-client-principal-", "x-ms-token-", "tailscale-user-", "cf-access-", "x-envoy-", "x-azure-", "x-appengine-", "oidc-",
}

// visibleHeaders returns the headers that policies may see. Names with an
// underscore are dropped: where headers turn into variables, X_Forwarded_For
// and X-Forwarded-For are the same name.
func visibleHeaders(h http.Header, trusted bool) map[string][]string {
	out := make(map[string][]string, len(h))
	for name, values := range h {
		lower := strings.ToLower(name)
		if secretHeaders[lower] || strings.Contains(name, "_") || !trusted && asserted(lower) {
			continue
		}
		out[name] = values
	}
	return out
}

func asserted(lower string) bool {
	if assertedHeaders[lower] {
		return true
	}
	for _, prefix := range assertedPrefixes {
		if strings.HasPrefix(lower, prefix) {
			return true
		}
	}
	return false
}

// secretCookies carry the session or guard it.
var secretCookies = map[string]bool{
	"authentik_session": true, "__Host-authentik_session": true, "authentik_csrf": true, "__Host-authentik_csrf": true,
}

func visibleCookies(r *http.Request) map[string]string {
	out := map[string]string{}
	for _, c := range r.Cookies() {
		if _, again := out[c.Name]; !again && !secretCookies[c.Name] {
			out[c.Name] = c.Value
		}
	}
	return out
}
