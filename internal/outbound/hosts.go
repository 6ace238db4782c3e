package outbound

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Hosts lists the servers that may be called. The zero value allows none.
type Hosts struct{ entries []host }

// host is one entry of the list.
type host struct {
	scheme, port string
	// name is in lower case; that of *.example.com begins with the dot. It is
	// empty where the entry is about addresses.
	name string
	net  netip.Prefix
}

// ErrNotAllowed is wrapped by the error of a call that the list does not allow.
var ErrNotAllowed = errors.New("not in the list of hosts that may be called")

// ParseHosts reads a list. An entry is a name, a name and port, *.example.com
// for all names below example.com, an address or a network. Calls use https;
// an entry that begins with http:// allows calls in the clear instead.
//
// Names may lead to public addresses only, and to those addresses and networks
// that are in the list themselves.
func ParseHosts(list []string) (Hosts, error) {
	var h Hosts
	for _, text := range list {
		entry, err := parseHost(text)
		if err != nil {
			return Hosts{}, fmt.Errorf("%q %w", text, err)
		}
		h.entries = append(h.entries, entry)
	}
	return h, nil
}

func parseHost(text string) (host, error) {
	h := host{scheme: "https", port: "443"}
	rest := strings.TrimPrefix(text, "https://")
	if after, ok := strings.CutPrefix(text, "http://"); ok {
		h.scheme, h.port, rest = "http", "80", after
	}
	if p, err := netip.ParsePrefix(rest); err == nil {
		h.net = p.Masked()
		return h, nil
	}
	name := rest
	if _, err := netip.ParseAddr(rest); err != nil && strings.Contains(rest, ":") {
		var port string
		if name, port, err = net.SplitHostPort(rest); err != nil {
			return h, errors.New("is not host:port")
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return h, errors.New("has no port from 1 to 65535")
		}
		h.port = port
	}
	if a, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil && a.Zone() == "" {
		a = a.Unmap()
		h.net = netip.PrefixFrom(a, a.BitLen())
		return h, nil
	}
	suffix, below := strings.CutPrefix(name, "*.")
	h.name = strings.ToLower(suffix)
	if !validName(h.name) {
		return h, errors.New("is none of host, host:port, *.suffix, address and network")
	}
	if below {
		h.name = "." + h.name
	}
	return h, nil
}

func validName(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return len(name) <= 253
}

// Empty tells whether nothing may be called.
func (h Hosts) Empty() bool { return len(h.entries) == 0 }

// Allows tells whether the list has the host of an address, with its scheme and
// port.
func (h Hosts) Allows(u *url.URL) bool {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	name := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	addr, err := netip.ParseAddr(name)
	return slices.ContainsFunc(h.entries, func(e host) bool {
		switch {
		case e.scheme != u.Scheme || e.port != port:
			return false
		case err == nil:
			return e.net.Contains(addr.Unmap())
		case strings.HasPrefix(e.name, "."):
			return strings.HasSuffix(name, e.name) && validName(name)
		}
		return e.name != "" && e.name == name
	})
}

// leadsTo tells whether a connection to the address may be made.
func (h Hosts) leadsTo(a netip.Addr) bool {
	return public(a) || slices.ContainsFunc(h.entries, func(e host) bool { return e.net.Contains(a) })
}

// reserved are the networks for special purposes that do not belong to a
// server somewhere in the Internet, as far as netip does not know them (IANA
// special-purpose address registries). Of IPv6, only 2000::/3 is in use;
// 2001::/23 and 2002::/16 lead to IPv4 addresses written inside them.
var reserved = prefixes("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")

var unicast6 = netip.MustParsePrefix("2000::/3")

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// public tells whether anybody on the Internet could have that address.
func public(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && (a.Is4() || unicast6.Contains(a)) &&
		!slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Resolver finds the addresses of names; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Client returns a client that calls nothing but the listed hosts, whatever
// redirects and name servers say: each hop is checked, and a connection goes to
// an address that was checked after the name was resolved. It uses no proxy,
// which would resolve names by itself. For roots see Client; a nil resolver
// means that of the system.
func (h Hosts) Client(roots *x509.CertPool, resolver Resolver) *http.Client {
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	c := Client(roots)
	t := c.Transport.(*http.Transport)
	t.Proxy = nil
	t.DialContext = h.dialer(resolver)
	c.Transport = listed{h, t}
	follow := c.CheckRedirect
	c.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if from := via[len(via)-1].URL; from.Host != r.URL.Host || from.Scheme != r.URL.Scheme {
			// Keys stand in all kinds of headers, and in addresses.
			r.Header = http.Header{"User-Agent": r.Header["User-Agent"], "Accept": r.Header["Accept"], "Content-Type": r.Header["Content-Type"]}
		}
		return follow(r, via)
	}
	return c
}

// listed is a transport for the listed hosts. The client asks it for every hop.
type listed struct {
	hosts Hosts
	next  http.RoundTripper
}

func (l listed) RoundTrip(r *http.Request) (*http.Response, error) {
	if !l.hosts.Allows(r.URL) {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, fmt.Errorf("%s://%s is %w", r.URL.Scheme, r.URL.Host, ErrNotAllowed)
	}
	return l.next.RoundTrip(r)
}

// dialer connects to addresses that it has looked at itself.
func (h Hosts) dialer(resolver Resolver) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, to string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		name, port, err := net.SplitHostPort(to)
		if err != nil {
			return nil, err
		}
		addrs, err := resolver.LookupNetIP(ctx, "ip", name)
		if err != nil {
			return nil, err
		}
		err = fmt.Errorf("%s has no address", name)
		for _, a := range addrs {
			if a = a.Unmap(); !h.leadsTo(a) {
				err = fmt.Errorf("%s leads to %s, which is not public and %w", name, a, ErrNotAllowed)
				continue
			}
			var conn net.Conn
			if conn, err = (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(a.String(), port)); err == nil {
				return conn, nil
			}
		}
		return nil, err
	}
}
