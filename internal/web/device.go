package web

import "github.com/weir-id/weir/internal/useragent"

// deviceName says in words which browser a session belongs to.
func (t *texts) deviceName(header string) string {
	a := useragent.Parse(header)
	browser, system := known(a.Browser), known(a.System)
	if browser != "" && system != "" {
		if s, err := t.text("home.session.browser", "Browser", browser, "System", system); err == nil {
			return s
		}
	}
	if browser+system != "" {
		return browser + system
	}
	s, err := t.text("home.session.unknown")
	if err != nil {
		return header
	}
	return s
}

// known is the name of a product, "" when nobody knows it.
func known(p useragent.Product) string {
	if p.Family == useragent.Other {
		return ""
	}
	return p.Family
}
