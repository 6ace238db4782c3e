package web

import (
	"fmt"
	"html/template"
	"time"

	"github.com/microcosm-cc/bluemonday"

	"github.com/weir-id/weir/field"
)

// Alert is a notice; Kind is info, success, warning or error.
type Alert struct{ Kind, Title, Text string }

// Role is what assistive technology is told: errors interrupt, the rest waits.
func (a Alert) Role() string {
	if a.Kind == "error" {
		return "alert"
	}
	return "status"
}

// Link is a link on a line of its own.
type Link struct{ URL, Text string }

// Post is a form of one button.
type Post struct {
	Page                                  *Page
	Label, Name, Value, Icon, Hint, Class string
}

// funcs are the functions of the templates of one language; package web
// documents them.
func (t *texts) funcs(icons string) template.FuncMap {
	return template.FuncMap{
		"t":     t.text,
		"field": t.newField,
		"fieldErrors": func(p *Page, name string) []string {
			var out []string
			for _, m := range t.messages(p.Errors[name]) {
				out = append(out, m.Text)
			}
			return out
		},
		"problem": func(e *field.Error) string { return t.messages([]field.Error{*e})[0].Text },
		"post":    newPost,
		"captcha": newCaptcha,
		"passkey": newPasskey,
		"qr":      newQR,
		"otpauth": otpauth,
		"duolink": duolink,
		"groups":  groups,
		"safe":    func(s string) template.HTML { return template.HTML(prose.Sanitize(s)) },
		"languages": func() ([]Option, error) {
			first, err := t.text("prompt.locale.browser")
			return append([]Option{{"", first}}, languages...), err
		},
		"alert": func(kind, title, text string) (Alert, error) {
			switch kind {
			case "info", "success", "warning", "error":
				return Alert{kind, title, text}, nil
			}
			return Alert{}, fmt.Errorf("no alert of kind %q", kind)
		},
		"today": func() string { return time.Now().UTC().Format(time.DateOnly) },
		"link":  func(url, text string) Link { return Link{url, text} },
		"icon":  func(name string) string { return icons + "#" + name },
	}
}

// Option is one of the values of a list.
type Option struct{ Value, Label string }

// languages are those of the pages, each by its own name.
var languages = []Option{{"de", "Deutsch"}, {"en", "English"}, {"es", "Español"}, {"fr", "Français"}}

// prose is the one sanitiser for HTML that administrators write into texts: the
// elements of running text, and links that lead elsewhere by https, http or
// mail. Everything else is taken out.
var prose = func() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "strong", "em", "b", "i", "code", "ul", "ol", "li")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("https", "http", "mailto")
	p.RequireParseableURLs(true)
	p.AllowRelativeURLs(true)
	p.RequireNoReferrerOnLinks(true)
	return p
}()

func newPost(p *Page, label string, pairs ...string) (*Post, error) {
	b := &Post{Page: p, Label: label, Class: "secondary"}
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("button %q: an option without value", label)
	}
	for i := 0; i < len(pairs); i += 2 {
		target, known := map[string]*string{"name": &b.Name, "value": &b.Value, "icon": &b.Icon, "hint": &b.Hint, "class": &b.Class}[pairs[i]]
		if !known {
			return nil, fmt.Errorf("button %q: no option %q", label, pairs[i])
		}
		*target = pairs[i+1]
	}
	return b, nil
}
