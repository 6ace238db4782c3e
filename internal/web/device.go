package web

import "strings"

// word is a part of a User-Agent header and what it is called.
type word struct{ part, name string }

// The order matters: Edge also says Chrome, and Chrome also says Safari.
var (
	browsers = []word{{"Edg", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"Chrome/", "Chrome"},
		{"CriOS/", "Chrome"}, {"Safari/", "Safari"}}
	systems = []word{{"Windows", "Windows"}, {"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Mac OS X", "macOS"},
		{"CrOS", "ChromeOS"}, {"Linux", "Linux"}}
)

// deviceName says in words which browser a session belongs to. The header is
// the visitor's own claim and decides nothing.
func (t *texts) deviceName(userAgent string) string {
	find := func(list []word) string {
		for _, w := range list {
			if strings.Contains(userAgent, w.part) {
				return w.name
			}
		}
		return ""
	}
	browser, system := find(browsers), find(systems)
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
		return userAgent
	}
	return s
}
