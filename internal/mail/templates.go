package mail

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	html "html/template"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	text "text/template"
	"text/template/parse"
	"time"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// Notification is the template of a plain notice. It shows title, body, key_value
// (a table), a button that leads to link and says link_label, and source; all of
// them may be missing.
const Notification = "email/event_notification.html"

// InvitationTemplate is that of invitations. It shows the link url, and until when
// it holds where expires is given.
const InvitationTemplate = "email/invitation.html"

//go:embed templates
var builtin embed.FS

// Texts are the texts in all languages; *web.Texts has them.
type Texts interface {
	// Languages are those that there are texts in, English first.
	Languages() []language.Tag
	// Text is a text with its placeholders filled in from pairs of names and
	// values.
	Text(tag language.Tag, id string, pairs ...any) (string, error)
	// Direction is the writing direction of a language.
	Direction(tag language.Tag) string
}

// TemplatesConfig is what mails are made of. All fields but Own are required.
type TemplatesConfig struct {
	Texts Texts
	// Own are an administrator's own templates by name, such as
	// "email/welcome.html"; one replaces the blocks that it defines of the
	// built-in one.
	Own map[string]string
	// Brand is the name that mails are sent in.
	Brand func() string
	// Site is the address of the site: the only one that links lead to (rule
	// 21). Nil for none.
	Site *url.URL
}

// Templates make mails of names and values. They are safe for concurrent use.
type Templates struct {
	c       TemplatesConfig
	names   []string
	matcher language.Matcher
	// sets are parsed when a language is first used.
	sets []func() (map[string]*set, error)
}

// set is one template in one language; page is nil for a mail that is only text.
type set struct {
	page *html.Template
	text *text.Template
}

// ErrNoTemplate is returned for a template that does not exist.
var ErrNoTemplate = errors.New("no such mail template")

// NewTemplates parses all templates. The error names the file that is at fault.
func NewTemplates(c TemplatesConfig) (*Templates, error) {
	files := map[string]string{}
	inside, err := fs.Glob(builtin, "templates/email/*")
	if err != nil {
		return nil, err
	}
	for _, file := range inside {
		data, err := fs.ReadFile(builtin, file)
		if err != nil {
			return nil, err
		}
		files[strings.TrimPrefix(file, "templates/")] = string(data)
	}
	t := &Templates{c: c, matcher: language.NewMatcher(c.Texts.Languages())}
	for _, name := range slices.Sorted(maps.Keys(merged(files, c.Own))) {
		switch twin := plain(name); {
		case path.Ext(name) != ".txt":
			t.names = append(t.names, name)
			if files[twin] == "" && c.Own[twin] == "" {
				return nil, fmt.Errorf("templates/%s: there has to be templates/%s besides, for people who read plain text", name, twin)
			}
		case files[paged(name)] == "" && c.Own[paged(name)] == "":
			t.names = append(t.names, name)
		}
	}
	for _, tag := range c.Texts.Languages() {
		t.sets = append(t.sets, sync.OnceValues(func() (map[string]*set, error) { return t.parse(tag, files) }))
	}
	_, err = t.sets[0]()
	return t, err
}

// plain and paged are the names of the twins of a template.
func plain(name string) string { return strings.TrimSuffix(name, path.Ext(name)) + ".txt" }
func paged(name string) string { return strings.TrimSuffix(name, path.Ext(name)) + ".html" }

func merged[V any](a, b map[string]V) map[string]V {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// Names lists the templates.
func (t *Templates) Names() []string { return slices.Clone(t.names) }

// Added tells whether a template is one that an administrator has added, and
// neither built in nor missing.
func (t *Templates) Added(name string) bool {
	_, err := fs.Stat(builtin, "templates/"+name)
	return err != nil && slices.Contains(t.names, name)
}

func (t *Templates) parse(tag language.Tag, files map[string]string) (map[string]*set, error) {
	funcs := map[string]any{
		"t":      func(id string, pairs ...any) (string, error) { return t.c.Texts.Text(tag, id, pairs...) },
		"name":   displayName,
		"time":   moment,
		"button": func(url, label any) map[string]any { return map[string]any{"url": url, "label": label} },
	}
	htmlBase, err := html.New("base").Funcs(funcs).ParseFS(builtin, "templates/layout.html")
	if err != nil {
		return nil, err
	}
	textBase, err := text.New("base").Funcs(funcs).ParseFS(builtin, "templates/layout.txt")
	if err != nil {
		return nil, err
	}
	sets := map[string]*set{}
	var problems []error
	for _, name := range t.names {
		twin, s := plain(name), &set{}
		if s.text, err = parseText(textBase, files[twin], t.c.Own[twin]); err != nil {
			problems = append(problems, fmt.Errorf("templates/%s: %w", twin, err))
		}
		if name != twin {
			if s.page, err = parsePage(htmlBase, files[name], t.c.Own[name]); err != nil {
				problems = append(problems, fmt.Errorf("templates/%s: %w", name, err))
			}
		}
		sets[name] = s
	}
	return sets, errors.Join(problems...)
}

// parseText puts the built-in blocks over the base, and then own ones. What
// stands outside of all blocks is the main one.
func parseText(base *text.Template, file, own string) (*text.Template, error) {
	t, err := base.Clone()
	if err != nil {
		return nil, err
	}
	if t, err = t.New("file").Parse(file); err != nil {
		return nil, err
	}
	if t, err = t.New("own").Parse(own); err == nil && !parse.IsEmptyTree(t.Root) {
		_, err = t.AddParseTree("main", t.Tree)
	}
	return t, err
}

// parsePage is parseText for HTML; what begins like a document replaces the
// whole mail. Executing it once finds what cannot be escaped.
func parsePage(base *html.Template, file, own string) (*html.Template, error) {
	t, err := base.Clone()
	if err != nil {
		return nil, err
	}
	if t, err = t.New("file").Parse(file); err != nil {
		return nil, err
	}
	if t, err = t.New("own").Parse(own); err == nil && !parse.IsEmptyTree(t.Tree.Root) {
		block := "main"
		if start := strings.ToLower(strings.TrimSpace(own)); strings.HasPrefix(start, "<!doctype") || strings.HasPrefix(start, "<html") {
			block = "mail"
		}
		_, err = t.AddParseTree(block, t.Tree)
	}
	if err != nil {
		return nil, err
	}
	return t, t.ExecuteTemplate(io.Discard, "mail", map[string]any{})
}

// Render makes a mail of a template: its name, such as Notification, and the
// values that it shows. A mail of an administrator may have no page, and html is
// "" then; the subject is one line.
func (t *Templates) Render(template, lang string, data map[string]any) (subject, body, page string, err error) {
	tag, index := t.pick(lang)
	sets, err := t.sets[index]()
	if err != nil {
		return "", "", "", err
	}
	s := sets[template]
	if s == nil {
		return "", "", "", fmt.Errorf("%w: %q", ErrNoTemplate, template)
	}
	values := t.values(tag, data)
	var b bytes.Buffer
	render := func(name string) string {
		if err == nil {
			b.Reset()
			err = s.text.ExecuteTemplate(&b, name, values)
		}
		return b.String()
	}
	subject = strings.Join(strings.Fields(render("subject")), " ")
	body = wrap(render("mail"))
	if err == nil && s.page != nil {
		b.Reset()
		err = s.page.ExecuteTemplate(&b, "mail", values)
		page = b.String()
	}
	if err != nil {
		return "", "", "", fmt.Errorf("mail template %q: %w", template, err)
	}
	return subject, body, page, nil
}

// Preview is Render with values that stand for those of a real mail, which data
// may replace.
func (t *Templates) Preview(template, lang string, data map[string]any) (subject, body, page string, err error) {
	link := "https://weir.example/"
	if t.c.Site != nil {
		link = t.c.Site.String() + "/"
	}
	return t.Render(template, lang, merged(map[string]any{
		"title": "Ada Lovelace", "body": "Ada Lovelace\nada@example.com", "key_value": map[string]any{"Ada": "Lovelace"},
		"link": link, "source": "weir", "url": link, "token": "123456", "expires": time.Now().Add(time.Hour),
		"user": map[string]any{"username": "ada", "name": "Ada Lovelace", "email": "ada@example.com"},
	}, data))
}

// Text is a text in the language that suits best, for what a template is given.
func (t *Templates) Text(lang, id string, pairs ...any) (string, error) {
	tag, _ := t.pick(lang)
	return t.c.Texts.Text(tag, id, pairs...)
}

// Language is the one of those that there are texts in that suits best: a tag
// such as "de-CH", or the value of an Accept-Language header.
func (t *Templates) Language(lang string) string {
	tag, _ := t.pick(lang)
	return tag.String()
}

// maxLanguage bounds what is parsed of a language, in bytes.
const maxLanguage = 200

// Wanted is the language that suits a person: their own one, else that of the
// request. Both may be nil.
func Wanted(p *identity.Person, h *policy.HTTPRequest) string {
	if p != nil {
		if settings, ok := p.Attributes["settings"].(map[string]any); ok {
			if locale, _ := settings["locale"].(string); locale != "" {
				return locale
			}
		}
	}
	if h != nil && len(h.Header["Accept-Language"]) > 0 {
		return h.Header["Accept-Language"][0]
	}
	return ""
}

func (t *Templates) pick(lang string) (language.Tag, int) {
	wanted, _, err := language.ParseAcceptLanguage(strings.ReplaceAll(lang[:min(len(lang), maxLanguage)], "_", "-"))
	if err != nil {
		wanted = nil
	}
	_, index, _ := t.matcher.Match(wanted...)
	return t.c.Texts.Languages()[index], index
}

// values are the data of a template and what every mail has.
func (t *Templates) values(tag language.Tag, data map[string]any) map[string]any {
	all := maps.Clone(data)
	if all == nil {
		all = map[string]any{}
	}
	all["lang"], all["dir"], all["brand"], all["site"] = tag.String(), t.c.Texts.Direction(tag), t.c.Brand(), ""
	if t.c.Site != nil {
		all["site"] = t.c.Site.String()
	}
	return all
}

// displayName is what a person is called.
func displayName(user any) string {
	switch u := user.(type) {
	case *identity.Person:
		if u != nil {
			return displayName(u.User)
		}
	case identity.User:
		if u.Name != "" {
			return u.Name
		}
		return u.Username
	case map[string]any:
		for _, key := range []string{"name", "username"} {
			if s, _ := u[key].(string); s != "" {
				return s
			}
		}
	}
	return ""
}

// moment is a time as every language reads it.
func moment(v any) string {
	if at, ok := v.(time.Time); ok {
		return at.UTC().Format("2006-01-02 15:04 UTC")
	}
	return fmt.Sprint(v)
}

// maxLine is how long the lines of plain text are, in characters.
const maxLine = 76

// wrap breaks long lines between words. Links are one word.
func wrap(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		length := 0
		for i, word := range strings.Split(strings.TrimRight(line, "\r\n"), " ") {
			n := utf8.RuneCountInString(word)
			switch {
			case i == 0:
			case length+1+n > maxLine:
				b.WriteByte('\n')
				length = 0
			default:
				b.WriteByte(' ')
				length++
			}
			b.WriteString(word)
			length += n
		}
		b.WriteByte('\n')
	}
	return b.String()
}
