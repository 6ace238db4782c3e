package flow

import (
	"net/url"
	"strings"
)

// maxNext bounds addresses that strangers may hand us, in bytes.
const maxNext = 2048

// SafeNext tells whether next is a path on this site, and returns it as it is
// to be sent. Only a path that begins with one slash passes; the address is
// parsed and resolved as a browser would, never matched by prefix (rule 36).
func SafeNext(next string) (string, bool) {
	if len(next) > maxNext || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || hasUnsafe(next) {
		return "", false
	}
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || u.Opaque != "" {
		return "", false
	}
	// Decoded, since the next server in line may decode before it redirects.
	if strings.HasPrefix(u.Path, "//") || hasUnsafe(u.Path) {
		return "", false
	}
	// "/..//host" stays here for browsers, but not for every proxy that cleans
	// paths.
	rest := strings.TrimPrefix(u.Path, "/")
	for {
		segment, after, more := strings.Cut(rest, "/")
		if segment != "." && segment != ".." {
			break
		}
		if more && strings.HasPrefix(after, "/") {
			return "", false
		}
		if !more {
			break
		}
		rest = after
	}
	base := url.URL{Scheme: "https", Host: "weir.invalid", Path: "/"}
	to := base.ResolveReference(u)
	if to.Scheme != base.Scheme || to.Host != base.Host || strings.HasPrefix(to.Path, "//") || strings.HasPrefix(to.EscapedPath(), "//") {
		return "", false
	}
	out := u.String() // longer where something had to be escaped
	if len(out) > maxNext {
		return "", false
	}
	return out, true
}

// SafeTarget tells whether a redirect that an administrator configured may be
// sent: a path on this site, an http or https address with a host, or the
// address of an app (a scheme that browsers do not run or open themselves).
func SafeTarget(to string) (string, bool) {
	if strings.HasPrefix(to, "/") {
		return SafeNext(to)
	}
	if hasUnsafe(to) {
		return "", false
	}
	u, err := url.Parse(to)
	if err != nil || u.Scheme == "" {
		return "", false
	}
	switch strings.ToLower(u.Scheme) {
	case "http", "https":
		return u.String(), u.Host != ""
	case "javascript", "data", "vbscript", "blob", "file", "about", "filesystem", "view-source":
		return "", false
	}
	return u.String(), true
}

// hasUnsafe finds control characters, which browsers strip, and backslashes,
// which they read as slashes.
func hasUnsafe(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f || r == '\\' || r == '\uFFFD' })
}
