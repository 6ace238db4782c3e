package web

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// contentPolicy is the Content-Security-Policy of one page. Nothing inline ever runs;
// a page names what it needs from elsewhere.
type contentPolicy struct {
	pictures []string
	frames   []string
}

func (p contentPolicy) String() string {
	list := func(directive string, sources ...string) string {
		slices.Sort(sources[1:])
		return directive + " " + strings.Join(slices.Compact(sources), " ")
	}
	parts := []string{
		"default-src 'none'", "script-src 'self'", "style-src 'self'",
		list("img-src", append([]string{"'self'"}, p.pictures...)...),
	}
	if len(p.frames) > 0 {
		parts = append(parts, list("frame-src", append([]string{p.frames[0]}, p.frames[1:]...)...))
	}
	return strings.Join(append(parts, "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
		"require-trusted-types-for 'script'"), "; ")
}

// pagePolicy collects what the page shows from elsewhere.
func pagePolicy(p *Page) contentPolicy {
	var c contentPolicy
	c.pictures = append(c.pictures, p.Brand.pictureFrom...)
	if p.Home != nil {
		c.pictures = append(c.pictures, p.Home.picturesFrom()...)
	}
	if b := p.Background; b != nil && b.Frame {
		c.frames = append(c.frames, frameSource(b.Light))
	} else if b != nil {
		for _, address := range []string{b.Light, b.Dark} {
			if from := origin(address); from != "" {
				c.pictures = append(c.pictures, from)
			}
		}
	}
	return c
}

func frameSource(address string) string {
	if from := origin(address); from != "" {
		return from
	}
	return "'self'"
}

// hostPort is stricter than a URL: Go accepts ";" and "'" in a host, which
// would add directives of its own to the policy.
var hostPort = regexp.MustCompile(`^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$`)

// origin is scheme and host of an http or https address; empty for anything
// else, so also for paths on this site.
func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || !hostPort.MatchString(u.Host) {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// protect sets the headers of every page.
func protect(h http.Header, c contentPolicy) {
	h.Set("Content-Security-Policy", c.String())
	// With no-referrer a browser sends "Origin: null" with its own POST.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept-Language")
}
