package web

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"strings"
)

var (
	//go:embed style/light.css
	lightTokens string
	//go:embed style/dark.css
	darkTokens string
	//go:embed style/base.css
	baseStyle string
)

// maxCustomCSS bounds the brand's own rules, in bytes; longer ones are left out.
const maxCustomCSS = 64 << 10

// stylesheet is the one stylesheet of a brand.
type stylesheet struct {
	text string
	path string
	file asset
}

// newStylesheet puts the colours of the theme, the rules, those of the
// administrator's own file, the brand's accents and its custom CSS together. An accent that is no #rrggbb is left out, never
// pasted. Custom CSS comes last and stays in this file; it cannot load
// anything from elsewhere, since the policy of the pages forbids it.
func newStylesheet(theme, accent, accentDark, own, custom string) stylesheet {
	var b strings.Builder
	b.WriteString("@layer guard, base, own, brand;\n@layer base {\n")
	byTheme(&b, theme, lightTokens, darkTokens)
	b.WriteString("}\n" + baseStyle)
	if own != "" {
		b.WriteString("@layer own {\n" + own + "\n}\n")
	}
	light, dark := "", ""
	if c, ok := parseColor(accent); ok {
		light = accentTokens(c, tokens(lightTokens), black)
	}
	if c, ok := parseColor(accentDark); ok {
		dark = accentTokens(c, tokens(darkTokens), white)
	}
	if light != "" || dark != "" {
		b.WriteString("@layer brand {\n")
		// An accent of one theme must not reach into the other.
		switch theme {
		case "light":
			dark = ""
		case "dark":
			light, dark = dark, ""
		}
		if light != "" {
			rule := ":root{" + light + "}\n"
			if theme == "" {
				rule = "@media not (prefers-color-scheme: dark){" + rule + "}\n"
			}
			b.WriteString(rule)
		}
		if dark != "" {
			b.WriteString("@media (prefers-color-scheme: dark){:root{" + dark + "}}\n")
		}
		b.WriteString("}\n")
	}
	if len(custom) <= maxCustomCSS {
		b.WriteString(custom)
	}
	s := stylesheet{text: b.String()}
	sum := sha256.Sum256([]byte(s.text))
	s.path = "/static/weir/style." + hex.EncodeToString(sum[:8]) + ".css"
	s.file = newAsset("text/css; charset=utf-8", []byte(s.text))
	return s
}

func byTheme(b *strings.Builder, theme, light, dark string) {
	switch theme {
	case "light":
		b.WriteString(":root{" + light + "}\n")
	case "dark":
		b.WriteString(":root{" + dark + "}\n")
	default:
		b.WriteString(":root{" + light + "}\n@media (prefers-color-scheme: dark){:root{" + dark + "}}\n")
	}
}

// tokens reads the colours of a token file by name, without "--w-".
func tokens(css string) map[string]color {
	out := map[string]color{}
	for _, declaration := range strings.Split(css, ";") {
		name, value, ok := strings.Cut(declaration, ":")
		if !ok {
			continue
		}
		if c, ok := parseColor(strings.TrimSpace(value)); ok {
			out[strings.TrimPrefix(strings.TrimSpace(name), "--w-")] = c
		}
	}
	return out
}

// accentTokens derives what belongs to a brand's accent: hover and active move
// toward the given end, text on it is black or white, and links move until
// they can be read on every surface (WCAG 2.2, 1.4.3 and 1.4.11).
func accentTokens(accent color, surface map[string]color, toward color) string {
	on := white
	if contrast(accent, black) > contrast(accent, white) {
		on = black
	}
	line := "transparent"
	if contrast(accent, surface["card"]) < 3 {
		line = "var(--w-field-line)"
	}
	link := accent
	for i := 0; i <= 20; i++ {
		link = accent.mix(toward, float64(i)/20)
		if min(contrast(link, surface["card"]), contrast(link, surface["page"]), contrast(link, surface["sunken"])) >= 4.5 {
			break
		}
	}
	// Text on the fill must stay readable while it changes, so a fill with
	// black text moves toward white and the reverse.
	hover := black
	if on == black {
		hover = white
	}
	return "--w-accent:" + accent.String() + ";--w-accent-hover:" + accent.mix(hover, .15).String() +
		";--w-accent-active:" + accent.mix(hover, .3).String() + ";--w-on-accent:" + on.String() +
		";--w-accent-line:" + line + ";--w-link:" + link.String() + ";--w-link-hover:" + link.mix(toward, .3).String()
}
