package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// inBrowser is a traveller with a browser, who opens links and types. What leads out
// of a flow is followed.
func inBrowser(js bool) traveller {
	return func(t *testing.T, s *site, walks ...walk) (seen []string, who string) {
		t.Helper()
		b, n := newTab(t, s.URL, js), &node{s.URL}
		for _, w := range walks {
			b.open("/if/flow/" + w.slug + "/?" + w.query)
			if strings.Contains(b.html(), "<h1>Go on?</h1>") {
				b.submit() // an address that was typed does nothing by itself
			}
			names := []string{b.shows(w)}
			for _, a := range w.answers {
				for name, v := range a {
					if name != "component" {
						b.fill(name, fmt.Sprint(v))
					}
				}
				if a["component"] == "ak-stage-email" {
					b.press("main form button.secondary")
				} else {
					b.submit()
				}
				name, html := b.shows(w), b.html()
				if name == a["component"] && (strings.Contains(html, "<title>Error: ") || strings.Contains(html, `<div class="alert`)) {
					name += " refused"
				}
				names = append(names, name)
			}
			seen = append(seen, strings.Join(names, ", "))
		}
		c := browser(n)
		if cookie := b.cookie("authentik_session"); cookie != nil {
			c.cookies[cookie.Name] = cookie.Value
		}
		return seen, c.signedInAs(t, n)
	}
}

func (b *tab) html() string { return b.try("document.documentElement.outerHTML") }

// shows is the component of the page that a browser shows on a way.
func (b *tab) shows(w walk) string {
	b.t.Helper()
	path := b.path()
	switch {
	case strings.HasPrefix(path, "/if/flow/"+w.slug+"/"):
		return componentOf(b.html())
	case path == "/if/user/", strings.HasPrefix(path, "/if/flow/"): // where the front page leads
		return leaving
	}
	return leaving + " to " + path
}
