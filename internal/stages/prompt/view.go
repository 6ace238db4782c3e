package prompt

import (
	"strings"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/prompt"
)

// What the page asks of a field besides what is on the wire.

// Hint is what a placeholder tells besides the label.
func (f Field) Hint() string {
	if strings.EqualFold(strings.TrimSpace(f.Placeholder), strings.TrimSpace(f.Label)) {
		return ""
	}
	return f.Placeholder
}

// Optional tells whether the field may stay empty, which its label says.
func (f Field) Optional() bool { return !f.Required }

// Ticked tells whether a box is ticked at first.
func (f Field) Ticked() bool { return ticked(f.InitialValue) }

func ticked(v string) bool {
	switch strings.ToLower(v) {
	case "", "false", "off", "no", "0", "none":
		return false
	}
	return true
}

// Clock is the initial value as a control for date and time takes it, in UTC.
func (f Field) Clock() string {
	t, err := field.ParseTime(f.InitialValue)
	if err != nil {
		return ""
	}
	return t.Format("2006-01-02T15:04")
}

// FileLimit is the size of a file that fits into the limit, in kB.
func (Field) FileLimit() int { return MaxFile * 3 / 4 / 1000 }

// autocomplete maps well-known keys to the tokens of HTML (WCAG 1.3.5).
var autocomplete = map[string]string{
	"name": "name", "first_name": "given-name", "given_name": "given-name", "last_name": "family-name", "family_name": "family-name",
	"nickname": "nickname", "phone": "tel", "phone_number": "tel", "tel": "tel", "organization": "organization", "company": "organization",
	"street_address": "street-address", "postal_code": "postal-code", "zip": "postal-code", "country": "country-name", "birthday": "bday",
	"birthdate": "bday", "date_of_birth": "bday",
}

// Autocomplete is the token for password managers and the like; empty for keys
// that tell nothing.
func (f Field) Autocomplete() string {
	return autocomplete[strings.TrimPrefix(f.FieldKey, "attributes.")]
}

// Uploads tells whether the form carries files.
func (c *Challenge) Uploads() bool {
	for _, f := range c.Fields {
		if f.Type == prompt.File {
			return true
		}
	}
	return false
}
