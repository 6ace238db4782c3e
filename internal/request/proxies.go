// Package request reads what a request says about itself: who sent it, which
// host it was sent to, what policies may see of it. Forwarding headers count
// only when the peer is a configured proxy (rules 8, 29 and 37 of the security
// rules), and nothing in them is ever an error: what cannot be parsed is
// ignored with a log line.
package request

import (
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
)

// maxHops bounds how many addresses of X-Forwarded-For are looked at.
const maxHops = 32

// Proxies knows the peers whose forwarding headers count. The zero value
// trusts nobody.
type Proxies struct {
	Trusted []netip.Prefix
	// CertificateHeader is the header in which they tell the certificate of the
	// client, one of CertificateHeaders; empty for none.
	CertificateHeader string
	Log               *slog.Logger
}

// Origin is where a request came from and where it was sent to.
type Origin struct {
	// Client is the address of the person's machine; invalid when unknown.
	Client netip.Addr
	// Host is the host that the person typed, with its port, in lower case.
	Host string
	// Secure tells whether the person's connection is https.
	Secure bool
	// Trusted tells whether the peer is a configured proxy.
	Trusted bool
}

// Origin reads the origin of a request.
func (p *Proxies) Origin(r *http.Request) Origin {
	o := Origin{Client: peer(r), Host: strings.ToLower(r.Host), Secure: r.TLS != nil}
	if o.Trusted = p.trusts(o.Client); !o.Trusted {
		return o
	}
	if client, ok := p.forwardedFor(r, o.Client); ok {
		o.Client = client
	}
	switch proto := lastValue(r.Header.Values("X-Forwarded-Proto")); strings.ToLower(proto) {
	case "https":
		o.Secure = true
	case "http":
		o.Secure = false
	case "":
	default:
		p.ignored(r, "X-Forwarded-Proto")
	}
	if host := lastValue(r.Header.Values("X-Forwarded-Host")); validHost(host) {
		o.Host = strings.ToLower(host)
	} else if host != "" {
		p.ignored(r, "X-Forwarded-Host")
	}
	return o
}

// forwardedFor walks X-Forwarded-For from its end, which the nearest proxy
// wrote, to the first address that is no proxy of ours: everything before that
// one may be made up. One bad address spoils the whole header.
func (p *Proxies) forwardedFor(r *http.Request, client netip.Addr) (netip.Addr, bool) {
	values := r.Header.Values("X-Forwarded-For")
	if len(values) == 0 {
		return client, false
	}
	hops := strings.Split(strings.Join(values, ","), ",")
	if len(hops) > maxHops {
		p.ignored(r, "X-Forwarded-For")
		return client, false
	}
	found := false
	for i := len(hops) - 1; i >= 0; i-- {
		addr, ok := parseAddr(hops[i])
		if !ok {
			p.ignored(r, "X-Forwarded-For")
			return netip.Addr{}, false
		}
		if !found {
			client, found = addr, !p.trusts(addr)
		}
	}
	return client, true
}

func (p *Proxies) trusts(addr netip.Addr) bool {
	for _, prefix := range p.Trusted {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// ignored notes a header without repeating it.
func (p *Proxies) ignored(r *http.Request, header string) {
	if p.Log != nil {
		p.Log.WarnContext(r.Context(), "ignored an invalid forwarding header of a trusted proxy", "header", header, "peer", r.RemoteAddr)
	}
}

func peer(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}

// parseAddr reads one address: plain, [IPv6], or with a port as some proxies
// write it.
func parseAddr(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone(""), true
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		s = strings.TrimSuffix(inner, "]")
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}, false
	}
	return addr.Unmap(), true
}

// lastValue is the value that the nearest proxy wrote.
func lastValue(values []string) string {
	if len(values) == 0 {
		return ""
	}
	last := values[len(values)-1]
	return strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
}

// validHost accepts host[:port] of the characters that RFC 3986 section 3.2.2
// leaves for names and addresses in practice.
func validHost(host string) bool {
	if host == "" || len(host) > 255 {
		return false
	}
	for _, c := range []byte(host) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(".-_:[]", c) >= 0:
		default:
			return false
		}
	}
	return true
}
