package web

import (
	"bytes"
	"compress/gzip"
	"math"
	"strings"
	"testing"

	"github.com/weir-id/weir/flow"
)

// TestContrast recomputes the ratios that the colours were chosen for, each on
// the surfaces where it may lie; they are cut, not rounded.
func TestContrast(t *testing.T) {
	light, dark := tokens(lightTokens), tokens(darkTokens)
	plain := []string{"page", "card", "sunken"}
	soft := []string{"info-soft", "danger-soft", "warn-soft", "success-soft"}
	all := append(append([]string{"field"}, plain...), soft...)
	cases := []struct {
		token, use  string
		on          []string
		light, dark float64
		need        float64
	}{
		{"text", "all text", all, 14.11, 11.98, 4.5},
		{"muted", "hints", plain, 6.22, 6.75, 4.5},
		{"link", "links", append(plain, soft...), 6.14, 7.83, 4.5},
		{"link-hover", "links", append(plain, soft...), 9.07, 9.92, 4.5},
		{"accent", "fills", plain, 5.37, 6.80, 3},
		{"accent-hover", "fills", plain, 7.06, 8.33, 3},
		{"accent-active", "fills", plain, 9.03, 9.83, 3},
		{"on-accent", "text on fills", []string{"accent", "accent-hover", "accent-active", "danger"}, 6.09, 7.65, 4.5},
		{"field-line", "borders", plain, 3.67, 4.02, 3},
		{"focus", "the focus ring", plain, 5.63, 9.94, 3},
		{"danger", "errors", []string{"card", "page", "sunken", "danger-soft"}, 5.71, 6.36, 4.5},
		{"success", "success", []string{"card", "success-soft"}, 5.53, 8.12, 4.5},
		{"warn", "warnings", []string{"card", "warn-soft"}, 5.43, 8.65, 4.5},
		{"info", "notes", []string{"card", "info-soft"}, 6.14, 7.90, 4.5},
	}
	for _, c := range cases {
		for theme, palette := range map[string]map[string]color{"light": light, "dark": dark} {
			want := c.light
			if theme == "dark" {
				want = c.dark
			}
			worst := math.Inf(1)
			for _, on := range c.on {
				if _, ok := palette[on]; !ok {
					t.Fatalf("no token %q", on)
				}
				worst = min(worst, contrast(palette[c.token], palette[on]))
			}
			if worst < c.need || math.Floor(worst*100)/100 < want-0.005 {
				t.Errorf("%s theme, %s for %s: %.2f, want %.2f, needed %.1f", theme, c.token, c.use, worst, want, c.need)
			}
		}
	}
}

func TestAccentOfABrandStaysReadable(t *testing.T) {
	for _, hex := range []string{"#ffcc00", "#000", "#ffffff", "#1f5fbf", "#808080", "#7f0000", "#00ff00", "#777777"} {
		accent, _ := parseColor(hex)
		for _, theme := range []struct {
			surface map[string]color
			toward  color
		}{{tokens(lightTokens), black}, {tokens(darkTokens), white}} {
			got := tokens(accentTokens(accent, theme.surface, theme.toward))
			for _, fill := range []string{"accent", "accent-hover", "accent-active"} {
				if r := contrast(got["on-accent"], got[fill]); r < 4.5 {
					t.Errorf("%s: text on %s has %.2f", hex, fill, r)
				}
			}
			for _, ground := range []string{"card", "page", "sunken"} {
				if r := contrast(got["link"], theme.surface[ground]); r < 4.5 {
					t.Errorf("%s: link on %s has %.2f", hex, ground, r)
				}
			}
		}
	}
	yellow, _ := parseColor("#ffcc00")
	if css := accentTokens(yellow, tokens(lightTokens), black); !strings.Contains(css, "--w-accent-line:var(--w-field-line)") {
		t.Error("a pale accent gets no border")
	}
}

func TestStylesheetOfABrand(t *testing.T) {
	plain := newStylesheet("", "", "", "", "")
	if strings.Contains(plain.text, "@layer brand {") || !strings.Contains(plain.text, "prefers-color-scheme: dark") {
		t.Error("the plain stylesheet has a brand or lacks the dark theme")
	}
	for _, bad := range []string{"red;}body{display:none", "#12", "#gggggg", "url(x)", "#123456;"} {
		if s := newStylesheet("", bad, bad, "", ""); s.text != plain.text {
			t.Errorf("accent %q was pasted", bad)
		}
	}
	branded := newStylesheet("", "#7f0000", "#ffcc00", "", ".panel { border-radius: 0; }")
	if branded.path == plain.path || !strings.HasSuffix(branded.text, ".panel { border-radius: 0; }") || !strings.Contains(branded.text, "--w-accent:#7f0000") {
		t.Error("the brand has no effect")
	}
	if s := newStylesheet("", "", "", "", strings.Repeat("a", maxCustomCSS+1)); s.text != plain.text {
		t.Error("custom CSS beyond the limit was kept")
	}
	if s := newStylesheet("dark", "", "", "", ""); strings.Contains(s.text, "#eef1f5") || !strings.Contains(s.text, "#0f1419") {
		t.Error("a forced dark theme keeps light colours")
	}
	if s := newStylesheet("light", "", "#ffcc00", "", ""); strings.Contains(s.text, "#0f1419") || strings.Contains(s.text, "#ffcc00") {
		t.Error("a forced light theme keeps dark colours")
	}
}

func TestRule36OriginsInThePolicyAreParsed(t *testing.T) {
	for address, want := range map[string]string{
		"https://cdn.example.com/a.svg": "https://cdn.example.com", "http://localhost:9000/a": "http://localhost:9000", "https://[2001:db8::1]:8443/": "https://[2001:db8::1]:8443",
		"https://a;script-src *": "", "https://a;x/": "", "https://a'x/": "", "https://*/": "", "https://a,b/": "", "//cdn.example.com/": "", "/own": "", "data:x": "",
		"https://a b/": "", "https:///x": "", "javascript://a/": "",
	} {
		if got := origin(address); got != want {
			t.Errorf("origin of %q is %q, want %q", address, got, want)
		}
	}
}

func TestBrandPictures(t *testing.T) {
	b := flow.NewBrand()
	b.Logo, b.Favicon = "https://cdn.example.com/logo-%(theme)s.svg", "javascript:alert(1)"
	b.Attributes = map[string]any{"settings": map[string]any{"theme": map[string]any{"base": "automatic"}}}
	l := newLook(&b, "")
	if l.Logo != "https://cdn.example.com/logo-light.svg" || l.LogoDark != "https://cdn.example.com/logo-dark.svg" || l.Theme != "" {
		t.Errorf("look %+v", l)
	}
	if l.Favicon != flow.NewBrand().Favicon {
		t.Errorf("favicon %q", l.Favicon)
	}
	if got := pagePolicy(&Page{Brand: l}).String(); !strings.Contains(got, "img-src 'self' https://cdn.example.com;") {
		t.Errorf("policy %s", got)
	}
	info := &flow.Info{Background: flow.DefaultBackground}
	for background, want := range map[string]string{"": "", "fa://fa-x": "", flow.DefaultBackground: "", "/static/own.jpg": "/static/own.jpg", "https://a.example/b": "https://a.example/b"} {
		got := ""
		if bg := l.background(info, background); bg != nil {
			got = bg.Light
		}
		if got != want {
			t.Errorf("background %q shows %q, want %q", background, got, want)
		}
	}
}

func zipped(data []byte) int {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Len()
}

func TestSizesOfFiles(t *testing.T) {
	s, err := loadStatic(staticFiles)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		data     []byte
		raw, zip int
	}{
		"stylesheet": {[]byte(newStylesheet("", "#7f0000", "#ffcc00", "", "").text), 18 << 10, 5 << 10},
		"module":     {s.ours["flow.js"].plain, 8 << 10, 3 << 10},
		"codes":      {s.ours["codes.js"].plain, 4 << 10, 2 << 10},
		"known":      {s.ours["known.js"].plain, 4 << 10, 2 << 10},
		"icons":      {s.ours["icons.svg"].plain, 6 << 10, 6 << 10},
		"favicon":    {s.published["/static/dist/assets/icons/icon.svg"].plain, 2 << 10, 2 << 10},
		"logo":       {s.published["/static/dist/assets/icons/icon_left_brand.svg"].plain, 20 << 10, 20 << 10},
		"background": {s.published["/static/dist/assets/images/flow_background.jpg"].plain, 60 << 10, 60 << 10},
	}
	for name, c := range cases {
		t.Logf("%s: %d bytes, %d compressed", name, len(c.data), zipped(c.data))
		if len(c.data) == 0 || len(c.data) > c.raw || zipped(c.data) > c.zip {
			t.Errorf("%s: %d bytes, %d compressed; allowed %d and %d", name, len(c.data), zipped(c.data), c.raw, c.zip)
		}
	}
}

func TestInitials(t *testing.T) {
	for name, want := range map[string]string{"max": "M", "Max Mustermann": "MM", "max.mustermann@example.com": "MC", "MM": "MM", "élodie": "É", "": "-", "<>": "-",
		"张伟": "张伟", "\xff\xfe": "-", "a-b-c": "AC"} {
		if got := initials(name); got != want {
			t.Errorf("initials of %q are %q, want %q", name, got, want)
		}
		if again := initials(initials(name)); again != initials(name) {
			t.Errorf("initials of %q change to %q", name, again)
		}
	}
}
