package web

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/weir-id/weir/flow"
)

// contentPolicy is the Content-Security-Policy of one page. Nothing inline ever runs;
// a page names what it needs from elsewhere.
type contentPolicy struct {
	pictures []string
	frames   []string
	// scripts, styles and connects are those of a challenge that loads from
	// elsewhere. Its scripts know nothing of Trusted Types.
	scripts, styles, connects []string
	// polls tells that the page asks this site how something stands.
	polls bool
}

func (p contentPolicy) String() string {
	list := func(directive string, sources ...string) string {
		slices.Sort(sources[1:])
		return directive + " " + strings.Join(slices.Compact(sources), " ")
	}
	self := func(directive string, sources []string) string {
		return list(directive, append([]string{"'self'"}, sources...)...)
	}
	parts := []string{"default-src 'none'", self("script-src", p.scripts), self("style-src", p.styles), self("img-src", p.pictures)}
	if len(p.connects) > 0 || p.polls {
		parts = append(parts, self("connect-src", p.connects))
	}
	if len(p.frames) > 0 {
		parts = append(parts, list("frame-src", append([]string{p.frames[0]}, p.frames[1:]...)...))
	}
	parts = append(parts, "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'")
	if len(p.scripts) == 0 {
		parts = append(parts, "require-trusted-types-for 'script'")
	}
	return strings.Join(parts, "; ")
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
	c.load(p.Challenge)
	return c
}

// load adds what the page of a challenge, and of one that it holds, loads from
// other sites.
func (p *contentPolicy) load(c flow.Challenge) {
	if outer, ok := c.(flow.Outer); ok {
		p.load(outer.Inner())
	}
	if _, ok := c.(flow.Poller); ok {
		p.polls = true
	}
	loader, ok := c.(flow.Loader)
	if !ok {
		return
	}
	e := loader.Elsewhere()
	for _, add := range []struct {
		to   *[]string
		from []string
	}{{&p.scripts, e.Scripts}, {&p.styles, e.Styles}, {&p.frames, e.Frames}, {&p.connects, e.Connects}} {
		for _, from := range add.from {
			if anyOf.MatchString(from) {
				*add.to = append(*add.to, from)
			}
		}
	}
}

// anyOf is an origin, or all the hosts below one.
var anyOf = regexp.MustCompile(`^https?://(?:\*\.)?` + hostPort.String()[1:])

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
