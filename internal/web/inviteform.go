package web

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
)

// localTime is how browsers send the time of an input of the type datetime-local.
// Pages say that it is UTC.
const localTime = "2006-01-02T15:04"

// parseLocal reads a time in UTC from such an input, or as people type it where the
// browser has no such input.
func parseLocal(s string) (time.Time, bool) {
	for _, layout := range []string{localTime, localTime + ":05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// text is a field of the form as it was sent.
func (f *form) text(name string) string {
	s, _ := f.body[name].(string)
	return s
}

// addressList takes apart a list of addresses, with commas, semicolons or ends of
// lines between them.
func addressList(s string) []string {
	out := []string{}
	for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune(",;\r\n", r) }) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// createInvitation makes the invitation that a form describes.
func (s *Site) createInvitation(w http.ResponseWriter, r *http.Request, f *form) (uuid.UUID, error) {
	n := NewInvitation{Name: strings.TrimSpace(f.text("name")), Flow: f.text("flow"), SingleUse: f.text("single_use") == "on", Data: f.text("fixed_data")}
	if until := strings.TrimSpace(f.text("expires")); until != "" {
		at, ok := parseLocal(until)
		if !ok {
			return uuid.Nil, field.Errorf("expires", field.CodeInvalid, "Enter a date and a time; %q is none.", until)
		}
		n.Expires = &at
	}
	return s.Invitations.Create(w, r, n)
}

// refuseInvitation shows what is wrong with a form; false for other errors. What
// has no text of its own in the catalog gets that of its field. Places in the data
// are told with the words of whoever has read it.
func (s *Site) refuseInvitation(r *http.Request, p *Page, err error) bool {
	var problems field.Errors
	if !errors.As(err, &problems) {
		return false
	}
	texts := s.catalog.texts[s.catalog.pick(r)]
	p.Errors = field.Errors{}
	for name, list := range problems {
		one := list[0]
		switch {
		case texts.has(one.Message):
		case one.Line > 0:
			id := "invitations.error.line"
			if one.Column > 0 {
				id = "invitations.error.column"
			}
			if placed, err := texts.text(id, "Line", one.Line, "Column", one.Column, "Problem", one.String); err == nil {
				one.String = placed
			}
		case name == field.NonField:
			one.Message = "invitations.error.mail"
		default:
			one.Message = "invitations.error." + name
		}
		p.Errors = p.Errors.Add(name, one)
	}
	return true
}
