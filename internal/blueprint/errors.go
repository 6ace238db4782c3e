package blueprint

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/weir-id/weir/field"
)

// Place is where something stands in a blueprint.
type Place struct {
	// File is the name that the file was handed over with.
	File string
	// Line and Column count from 1; 0 means unknown.
	Line, Column int
	// Entry is the number of the entry in its document, counted from 1; 0 when
	// the place is outside of the entries.
	Entry int
	// ID and Model are those of the entry, empty when it has none.
	ID, Model string
}

// String writes the place as "login.yaml:12:9: entry 3 (authentik_flows.flow
// "flow")", leaving out what is unknown.
func (p Place) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
		if p.Column > 0 {
			fmt.Fprintf(&b, ":%d", p.Column)
		}
	}
	if p.Entry > 0 {
		if b.Len() > 0 {
			b.WriteString(": ")
		}
		fmt.Fprintf(&b, "entry %d", p.Entry)
		switch {
		case p.Model != "" && p.ID != "":
			fmt.Fprintf(&b, " (%s %q)", p.Model, p.ID)
		case p.Model != "":
			fmt.Fprintf(&b, " (%s)", p.Model)
		case p.ID != "":
			fmt.Fprintf(&b, " (%q)", p.ID)
		}
	}
	return b.String()
}

// Error is one problem of a blueprint, for the person who wrote it.
type Error struct {
	Place
	// Field is the wire name of the field at fault; empty when it is none.
	Field string
	// Code is the field's error code ("required", "unique"); empty for
	// problems of the file itself.
	Code string
	// Message is a sentence or the part of one.
	Message string
}

// Error returns one line: place, field, message.
func (e *Error) Error() string {
	var b strings.Builder
	if place := e.Place.String(); place != "" {
		b.WriteString(place + ": ")
	}
	if e.Field != "" {
		b.WriteString("field " + e.Field + ": ")
	}
	b.WriteString(e.Message)
	return b.String()
}

// Errors lists the problems of one or more blueprints. The first one is what
// an importer that stops at once would have reported.
type Errors []*Error

// Error returns all problems, one to a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns e as an error, nil when it is empty.
func (e Errors) Err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// Warning is something that did not keep a blueprint from being applied but
// is probably not what its author wanted.
type Warning struct {
	Place
	Message string
	// Converted tells that an old form was understood, so that nothing is amiss.
	Converted bool
}

// String returns one line: place, message.
func (w Warning) String() string {
	if place := w.Place.String(); place != "" {
		return place + ": " + w.Message
	}
	return w.Message
}

// ofAll is asErrors for the error of a write, which may be about what all the
// blueprints do together and not about a place in them.
func ofAll(err error) (Errors, bool) {
	errs, ok := asErrors(err)
	var problems field.Errors
	if ok || !errors.As(err, &problems) {
		return errs, ok
	}
	for _, name := range slices.Sorted(maps.Keys(problems)) {
		for _, p := range problems[name] {
			errs = append(errs, &Error{Code: p.Code, Message: p.String})
		}
	}
	return errs, true
}

// asErrors returns the problems that err stands for, false when err is not
// about the blueprint.
func asErrors(err error) (Errors, bool) {
	var one *Error
	if errors.As(err, &one) {
		return Errors{one}, true
	}
	var many Errors
	ok := errors.As(err, &many)
	return many, ok
}
