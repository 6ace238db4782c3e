package web

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"
)

//go:embed locales/*.yaml
var locales embed.FS

// catalog holds the texts in all languages; each file below locales/ is one.
type catalog struct {
	tags    []language.Tag // the first one is the fallback, English
	matcher language.Matcher
	texts   map[language.Tag]*texts
}

// texts are those of one language.
type texts struct {
	tag       language.Tag
	ids       map[string]bool
	localizer *i18n.Localizer
}

// loadCatalog reads the built-in texts, then those of an administrator over
// them: files "locales/<language>.yaml" by name.
func loadCatalog(files fs.FS, own map[string][]byte) (*catalog, error) {
	names, err := fs.Glob(files, "locales/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list texts: %w", err)
	}
	bundle := i18n.NewBundle(language.English)
	bundle.RegisterUnmarshalFunc("yaml", yaml.Unmarshal)
	c := &catalog{tags: []language.Tag{language.English}, texts: map[language.Tag]*texts{}}
	english := map[string]string{}
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read texts: %w", err)
		}
		file, err := bundle.ParseMessageFileBytes(data, name)
		if err != nil {
			return nil, fmt.Errorf("read texts %s: %w", path.Base(name), err)
		}
		if file.Tag != language.English {
			c.tags = append(c.tags, file.Tag)
		}
		if file.Tag == language.English {
			for _, m := range file.Messages {
				english[m.ID] = m.One + m.Other
			}
		}
	}
	if err := c.addOwn(bundle, own, english); err != nil {
		return nil, err
	}
	ids := make(map[string]bool, len(english))
	for id := range english {
		ids[id] = true
	}
	for _, tag := range c.tags {
		// English fills in what another language lacks.
		c.texts[tag] = &texts{tag: tag, ids: ids, localizer: i18n.NewLocalizer(bundle, tag.String(), language.English.String())}
	}
	c.matcher = language.NewMatcher(c.tags)
	return c, nil
}

// maxAcceptLanguage bounds the header that a stranger may have parsed, in bytes.
const maxAcceptLanguage = 200

// pick returns the language for a request.
func (c *catalog) pick(r *http.Request) language.Tag {
	header := r.Header.Get("Accept-Language")
	if len(header) > maxAcceptLanguage {
		header = header[:maxAcceptLanguage]
		if i := strings.LastIndexByte(header, ','); i >= 0 {
			header = header[:i]
		}
	}
	wanted, _, err := language.ParseAcceptLanguage(header)
	if err != nil {
		return c.tags[0]
	}
	_, index, _ := c.matcher.Match(wanted...)
	return c.tags[index]
}

// has tells whether the text exists.
func (t *texts) has(id string) bool { return t.ids[id] }

// text returns a text with its placeholders filled in from pairs of names and
// values. The value of "Count" also chooses the plural form.
func (t *texts) text(id string, pairs ...any) (string, error) {
	if !t.has(id) {
		return "", fmt.Errorf("no text %q", id)
	}
	if len(pairs)%2 != 0 {
		return "", fmt.Errorf("text %q: a placeholder without value", id)
	}
	c := &i18n.LocalizeConfig{MessageID: id}
	if len(pairs) > 0 {
		data := make(map[string]any, len(pairs)/2) // the library takes nothing else
		for i := 0; i < len(pairs); i += 2 {
			name, ok := pairs[i].(string)
			if !ok {
				return "", fmt.Errorf("text %q: placeholder %v is not a name", id, pairs[i])
			}
			data[name] = pairs[i+1]
			if name == "Count" {
				c.PluralCount = pairs[i+1]
			}
		}
		c.TemplateData = data
	}
	s, err := t.localizer.Localize(c)
	// The library reports a text that it took from English as missing, too.
	var missing *i18n.MessageNotFoundErr
	if err != nil && (!errors.As(err, &missing) || s == "") {
		return "", fmt.Errorf("text %q: %w", id, err)
	}
	return s, nil
}

// direction is the writing direction of a language, for the dir attribute.
func direction(tag language.Tag) string {
	script, _ := tag.Script()
	switch script.String() {
	case "Arab", "Hebr", "Thaa", "Syrc", "Nkoo", "Adlm":
		return "rtl"
	}
	return "ltr"
}
