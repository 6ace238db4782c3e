package web

import (
	"fmt"
	"hash/fnv"
	"regexp"
	"sort"
	"strings"

	"github.com/weir-id/weir/field"
)

// Field is one input, as the partials show it.
type Field struct {
	ID, Name, Type, Label, Hint, Value string
	Errors                             []Message

	Autocomplete, Inputmode, Enterkeyhint, Autocapitalize, Dir string
	// Username is the account name that a password belongs to, for password
	// managers.
	Username string
	// Remember is the id of the input whose value the browser keeps while this
	// box is ticked.
	Remember string

	Required, Optional, NoSpell, Reveal, Code, Checked, Readonly bool
	// Choices are what a list offers: values with a Value and a Label.
	Choices any
	// Autofocus puts the cursor here when the page opens.
	Autofocus bool

	focus bool
}

// Message is a text for the person; ID is where it belongs on the page and
// Message the id of the text, both for links and tests.
type Message struct {
	Text, Message, ID string
}

// DescribedBy lists the ids of the texts that explain the input.
func (f *Field) DescribedBy() string {
	var ids []string
	if f.Hint != "" {
		ids = append(ids, f.ID+"-h")
	}
	if len(f.Errors) > 0 {
		ids = append(ids, f.ID+"-e")
	}
	return strings.Join(ids, " ")
}

// newField makes the field called name from pairs of keys and values; package
// web documents them.
func (t *texts) newField(p *Page, name string, pairs ...any) (*Field, error) {
	f := &Field{ID: fieldID(name), Name: name, Type: "text"}
	for i := 0; i < len(pairs); i += 2 {
		key, _ := pairs[i].(string)
		if i+1 == len(pairs) || !f.set(key, pairs[i+1]) {
			return nil, fmt.Errorf("field %q: bad option %v", name, pairs[i])
		}
	}
	f.Errors = t.messages(p.Errors[name])
	if sent, ok := p.Values[name]; ok {
		f.Value = sent
		f.Checked = sent != "off" // a box that was not ticked is not sent, or says so
	} else if p.Values != nil {
		f.Checked = false
	}
	if f.Optional {
		label, err := t.text("form.optional", "Label", f.Label)
		if err != nil {
			return nil, err
		}
		f.Label = label
	}
	if f.Code {
		if f.Inputmode == "" {
			f.Inputmode = "numeric"
		}
		if f.Autocomplete == "" {
			f.Autocomplete = "one-time-code"
		}
	}
	// With an error summary the cursor belongs there, else to the first
	// empty field that asks for it.
	if f.focus && f.Value == "" && !p.focused && len(p.Summary()) == 0 {
		f.Autofocus, p.focused = true, true
	}
	p.fields = append(p.fields, f)
	return f, nil
}

func (f *Field) set(key string, value any) bool {
	if key == "choices" {
		f.Choices = value
		return true
	}
	if b, ok := value.(bool); ok {
		target, known := map[string]*bool{"required": &f.Required, "readonly": &f.Readonly, "optional": &f.Optional, "focus": &f.focus, "nospell": &f.NoSpell,
			"reveal": &f.Reveal, "code": &f.Code, "checked": &f.Checked}[key]
		if known {
			*target = b
		}
		return known
	}
	s, ok := value.(string)
	if !ok {
		return false
	}
	target, known := map[string]*string{"label": &f.Label, "hint": &f.Hint, "type": &f.Type, "value": &f.Value,
		"autocomplete": &f.Autocomplete, "inputmode": &f.Inputmode, "enterkeyhint": &f.Enterkeyhint,
		"autocapitalize": &f.Autocapitalize, "dir": &f.Dir, "username": &f.Username, "remember": &f.Remember}[key]
	if known {
		*target = s
	}
	return known
}

var simpleName = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)

// fieldID is the id of a field's input: its name where that is a plain word of
// the wire, else a number made from it, since names of prompt fields are free
// text.
func fieldID(name string) string {
	if simpleName.MatchString(name) && name != "main" && name != "live" {
		return name
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	return fmt.Sprintf("f-%08x", h.Sum32())
}

// messages are the texts of problems: those of the catalog where they have an
// id there, else the words of the wire.
func (t *texts) messages(problems []field.Error) []Message {
	out := make([]Message, 0, len(problems))
	for _, p := range problems {
		m := Message{Text: p.String, Message: p.Message}
		if t.has(p.Message) {
			var count []any
			if p.Count > 0 {
				count = []any{"Count", p.Count}
			}
			if s, err := t.text(p.Message, count...); err == nil {
				m.Text = s
			}
		}
		out = append(out, m)
	}
	return out
}

// summary lists all problems in the order of the fields, then the rest. A page
// with a single field shows its problem at the field alone.
func (t *texts) summary(errs field.Errors, fields []*Field) []Message {
	if len(errs) == 0 {
		return nil
	}
	if len(fields) == 1 && len(errs) == 1 && len(errs[fields[0].Name]) > 0 {
		return nil
	}
	var out []Message
	shown := map[string]bool{}
	for _, f := range fields {
		if shown[f.Name] {
			continue
		}
		shown[f.Name] = true
		for _, m := range f.Errors {
			m.ID = f.ID
			out = append(out, m)
		}
	}
	rest := make([]string, 0, len(errs))
	for name := range errs {
		if !shown[name] {
			rest = append(rest, name)
		}
	}
	sort.Strings(rest)
	for _, name := range rest {
		out = append(out, t.messages(errs[name])...)
	}
	return out
}
