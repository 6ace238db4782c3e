package web

import (
	"fmt"
	"html/template"
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
		"post":    newPost,
		"captcha": newCaptcha,
		"alert": func(kind, title, text string) (Alert, error) {
			switch kind {
			case "info", "success", "warning", "error":
				return Alert{kind, title, text}, nil
			}
			return Alert{}, fmt.Errorf("no alert of kind %q", kind)
		},
		"link": func(url, text string) Link { return Link{url, text} },
		"icon": func(name string) string { return icons + "#" + name },
	}
}

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
