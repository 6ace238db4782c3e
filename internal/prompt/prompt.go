// Package prompt holds the document of a prompt: one field of a form that a
// prompt stage shows. It only describes it; what is asked and how answers are
// judged is package internal/stages/prompt.
package prompt

import (
	"strings"

	"github.com/weir-id/weir/field"
)

// Type says what a field asks for and how it looks.
type Type string

// The types on the wire.
const (
	Text             Type = "text"
	TextArea         Type = "text_area"
	TextReadOnly     Type = "text_read_only"
	TextAreaReadOnly Type = "text_area_read_only"
	Username         Type = "username"
	Email            Type = "email"
	Password         Type = "password"
	Number           Type = "number"
	Checkbox         Type = "checkbox"
	RadioButtonGroup Type = "radio-button-group"
	Dropdown         Type = "dropdown"
	Date             Type = "date"
	DateTime         Type = "date-time"
	File             Type = "file"
	Separator        Type = "separator"
	Hidden           Type = "hidden"
	Static           Type = "static"
	AlertInfo        Type = "alert_info"
	AlertWarning     Type = "alert_warning"
	AlertDanger      Type = "alert_danger"
	Locale           Type = "ak-locale"
)

// Choices lists the types.
func (Type) Choices() []string {
	return []string{string(Text), string(TextArea), string(TextReadOnly), string(TextAreaReadOnly), string(Username), string(Email), string(Password),
		string(Number), string(Checkbox), string(RadioButtonGroup), string(Dropdown), string(Date), string(DateTime), string(File), string(Separator),
		string(Hidden), string(Static), string(AlertInfo), string(AlertWarning), string(AlertDanger), string(Locale)}
}

// Chooses tells whether a field of the type offers choices.
func (t Type) Chooses() bool { return t == RadioButtonGroup || t == Dropdown }

// Fixed tells whether the value is the installation's: what a client sends for
// such a field is ignored.
func (t Type) Fixed() bool {
	return t == TextReadOnly || t == TextAreaReadOnly || t == Hidden || t == Static
}

// Displays tells whether the field has no value at all.
func (t Type) Displays() bool {
	return t == Separator || t == AlertInfo || t == AlertWarning || t == AlertDanger
}

// Prompt is one field of a form.
type Prompt struct {
	field.Identity
	Name string `json:"name" field:"required,unique"`
	// FieldKey is the key of the value in prompt_data.
	FieldKey string `json:"field_key" field:"required,max=255"`
	Label    string `json:"label" field:"required"`
	Type     Type   `json:"type" field:"required"`
	// Required demands a value; flags and what only displays never do.
	Required bool `json:"required"`
	// Placeholder is the example of a field, and the choices of one that has
	// choices.
	Placeholder  string `json:"placeholder" field:"blank,notrim"`
	InitialValue string `json:"initial_value" field:"blank,notrim"`
	Order        int32  `json:"order"`
	// SubText stands below the field; see the sanitiser of package web for the
	// HTML that it may hold.
	SubText string `json:"sub_text" field:"blank,notrim"`
	// PlaceholderExpression and InitialValueExpression say that the text is an
	// expression.
	PlaceholderExpression  bool `json:"placeholder_expression"`
	InitialValueExpression bool `json:"initial_value_expression"`
}

// New returns a prompt with its defaults.
func New() Prompt { return Prompt{Required: true} }

// reserved begins the names of form fields that belong to the pages.
const reserved = "weir."

// Validate refuses keys that a form could not carry.
func (p *Prompt) Validate() field.Errors {
	switch {
	case strings.HasPrefix(p.FieldKey, reserved):
		return field.Errorf("field_key", field.CodeInvalid, "Choose a key that does not begin with %q.", reserved)
	case p.FieldKey == "component":
		return field.Errorf("field_key", field.CodeInvalid, "Choose another key; every answer has a component.")
	}
	return nil
}

// Expressions returns the texts that are expressions, by the name of the field
// that holds them.
func (p *Prompt) Expressions() map[string]string {
	out := map[string]string{}
	if p.PlaceholderExpression && p.Placeholder != "" {
		out["placeholder"] = p.Placeholder
	}
	if p.InitialValueExpression && p.InitialValue != "" {
		out["initial_value"] = p.InitialValue
	}
	return out
}
