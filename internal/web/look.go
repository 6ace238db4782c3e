package web

import (
	"net/url"
	"strings"

	"github.com/weir-id/weir/flow"
)

// Look is how a brand looks, checked and ready to print.
type Look struct {
	Title string
	// Logo and LogoDark are addresses; LogoDark is empty when one picture
	// serves both themes.
	Logo, LogoDark, Favicon string
	// Theme is "light" or "dark" where the brand forces one, else empty.
	Theme string
	// Links stand in the footer.
	Links []Link

	stylesheet  stylesheet
	pictureFrom []string // foreign origins of logo and favicon, for the policy
}

// themePlace stands in picture names for the name of the theme.
const themePlace = "%(theme)s"

// newLook reads a brand. Beside the fields of the brand it takes from the
// attributes: settings.theme.base ("light" or "dark"), and from the object
// "weir" accent and accent_dark (#rrggbb), and footer_links (a list of objects
// with name and href). Values that cannot be used are left out. own are the
// administrator's rules for all brands.
func newLook(b *flow.Brand, own string) *Look {
	builtin := flow.NewBrand()
	l := &Look{Title: b.Title}
	if l.Title == "" {
		l.Title = builtin.Title
	}
	theme, _ := attribute(b.Attributes, "settings", "theme", "base").(string)
	if theme == "light" || theme == "dark" {
		l.Theme = theme
	}
	l.Logo, l.LogoDark = l.themed(b.Logo, builtin.Logo)
	l.Favicon, _ = l.themed(b.Favicon, builtin.Favicon)
	links, _ := attribute(b.Attributes, "weir", "footer_links").([]any)
	for _, item := range links {
		entry, _ := item.(map[string]any)
		text, _ := entry["name"].(string)
		href, _ := entry["href"].(string)
		if to, ok := webAddress(href); ok && text != "" {
			l.Links = append(l.Links, Link{URL: to, Text: text})
		}
	}
	accent, _ := attribute(b.Attributes, "weir", "accent").(string)
	dark, _ := attribute(b.Attributes, "weir", "accent_dark").(string)
	l.stylesheet = newStylesheet(l.Theme, accent, dark, own, b.CustomCSS)
	return l
}

// with returns the look with other links in the footer.
func (l *Look) with(links []Link) *Look {
	other := *l
	other.Links = links
	return &other
}

// themed returns the addresses of a picture for both themes, the second one
// empty when it is the same or when the brand forces one theme.
func (l *Look) themed(name, fallback string) (light, dark string) {
	variant := func(theme string) string {
		to, ok := webAddress(strings.ReplaceAll(name, themePlace, theme))
		if !ok {
			return fallback
		}
		if from := origin(to); from != "" {
			l.pictureFrom = append(l.pictureFrom, from)
		}
		return to
	}
	switch {
	case l.Theme != "":
		return variant(l.Theme), ""
	case !strings.Contains(name, themePlace):
		return variant(""), ""
	}
	return variant("light"), variant("dark")
}

func attribute(from map[string]any, path ...string) any {
	var v any = from
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

// webAddress accepts a path on this site and an http or https address.
func webAddress(s string) (string, bool) {
	if own, ok := flow.SafeNext(s); ok {
		return own, true
	}
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil || origin(s) == "" {
		return "", false
	}
	return u.String(), true
}

// Background is what lies beside the panel.
type Background struct {
	// Light and Dark are addresses; Dark is empty when one serves both.
	Light, Dark string
	// Frame shows a page instead of a picture.
	Frame bool
}

// background reads the background of a flow, or of the brand where the flow
// has none. The built-in picture counts as none: it has published address and
// meaning for other clients, but a plain page is quieter.
func (l *Look) background(info *flow.Info, brandDefault string) *Background {
	if info == nil {
		return nil
	}
	light, dark := info.Background, ""
	if info.Themed != nil {
		light, dark = info.Themed.Light, info.Themed.Dark
	}
	if light == "" || light == flow.DefaultBackground {
		var themed *flow.ThemedURLs
		light, themed = flow.BackgroundURL(brandDefault)
		if themed != nil {
			light, dark = themed.Light, themed.Dark
		}
	}
	if l.Theme == "dark" && dark != "" {
		light = dark
	}
	if l.Theme != "" {
		dark = ""
	}
	to, ok := webAddress(light)
	if !ok || to == flow.DefaultBackground {
		return nil
	}
	b := &Background{Light: to}
	if other, ok := webAddress(dark); ok && other != to {
		b.Dark = other
	}
	if info.Layout == flow.SidebarLeftFrameBackground || info.Layout == flow.SidebarRightFrameBackground {
		b.Frame = true
	}
	return b
}
