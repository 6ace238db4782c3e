package web

import (
	"io/fs"

	"golang.org/x/text/language"
)

// Texts are the texts of pages and mails in all languages, and whatever else an
// administrator's folder changes.
type Texts struct {
	own     *custom
	catalog *catalog
}

// LoadTexts reads the texts and the administrator's folder, which is nil for none.
// The error joins the problems of all files and names them.
func LoadTexts(folder fs.FS) (*Texts, error) {
	own, err := readCustom(folder)
	if err != nil {
		return nil, err
	}
	c, err := loadCatalog(locales, own.texts)
	if err != nil {
		return nil, err
	}
	return &Texts{own, c}, nil
}

// Mails are own templates of mails: the files below templates/email/ of the folder
// by the name that follows templates/.
func (t *Texts) Mails() map[string]string { return t.own.mails }

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
