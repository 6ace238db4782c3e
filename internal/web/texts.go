package web

import (
	"io/fs"

	"golang.org/x/text/language"
)

// Texts are the texts of pages and mails in all languages, an administrator's own
// ones among them.
type Texts struct{ catalog *catalog }

// LoadTexts reads the texts, and own templates of mails: the files below
// templates/email/ of the administrator's folder by their names. The folder is
// nil for none.
func LoadTexts(folder fs.FS) (*Texts, map[string]string, error) {
	own, err := readCustom(folder)
	if err != nil {
		return nil, nil, err
	}
	c, err := loadCatalog(locales, own.texts)
	if err != nil {
		return nil, nil, err
	}
	return &Texts{c}, own.mails, nil
}

// Languages are those that there are texts in; English, which has them all, comes
// first.
func (t *Texts) Languages() []language.Tag { return t.catalog.tags }

// Text is a text with its placeholders filled in from pairs of names and values.
// "Count" also picks the plural form.
func (t *Texts) Text(tag language.Tag, id string, pairs ...any) (string, error) {
	in := t.catalog.texts[tag]
	if in == nil {
		in = t.catalog.texts[language.English]
	}
	return in.text(id, pairs...)
}

// Direction is the writing direction of a language, for the dir attribute.
func (*Texts) Direction(tag language.Tag) string { return direction(tag) }
