// Package field describes the fields of typed documents (flows, stage
// configurations, policies, brands) by struct tags, and moves data in and out
// of them: the API, blueprints and stage responses all decode through Decode,
// so a field means the same and fails with the same words everywhere.
//
// A field is an exported struct field with a json name. Its default is the
// value in the struct handed to Decode. The tag `field` holds comma separated
// words:
//
//	required       must be given when an object is created
//	blank          an empty string is allowed (otherwise code "blank")
//	null           null is allowed: the zero value, so best for pointer fields
//	notrim         keep leading and trailing blanks (default: trimmed)
//	slug           must match ^[-a-zA-Z0-9_]+$
//	unique         no two objects of the kind share the value
//	readonly       ignored when written
//	secret         sealed at rest, never read back
//	hidden         kept by the program: neither written nor shown from outside
//	grants         a group that people are put into: whoever writes the field has
//	               to hold what its members may do
//	file           taken from blueprints only; the API ignores it
//	default        API descriptions name the default
//	format=NAME    what the value is, for API schemas: email, uri, int64
//	max=N          at most N characters, items, or the value N
//	min=N          at least N characters, items, or the value N
//	ref=KIND       an id (or list of ids) of objects of that kind, "stage:password"
//	               for one type of a kind
//	delete=MODE    what happens to this object when the referenced one goes:
//	               cascade or null (default: null for pointers and lists, else cascade)
//
// A named string type with a method Choices() []string accepts only those.
package field

import (
	"fmt"
	"sort"
	"strings"

	"github.com/google/uuid"
)

// Identity is embedded by documents that need to know which object they are.
// The catalog fills it after decoding; it is never part of the document.
type Identity struct {
	ID uuid.UUID `json:"-"`
	// Version is the catalog revision that wrote this version of the object.
	Version int64 `json:"-"`
}

// SetIdentity is called by the catalog.
func (i *Identity) SetIdentity(id uuid.UUID, version int64) { i.ID, i.Version = id, version }

// The error codes of the wire that more than one package uses.
const (
	CodeInvalid       = "invalid"
	CodeRequired      = "required"
	CodeBlank         = "blank"
	CodeNull          = "null"
	CodeInvalidChoice = "invalid_choice"
	CodeMaxLength     = "max_length"
	CodeMinLength     = "min_length"
	CodeMaxValue      = "max_value"
	CodeMinValue      = "min_value"
	CodeNotAList      = "not_a_list"
	CodeUnique        = "unique"
	CodeDoesNotExist  = "does_not_exist"
	CodeIncorrectType = "incorrect_type"
)

// NonField is the key of errors that belong to no single field.
const NonField = "non_field_errors"

// Error is one problem of one field, for the person who sent it.
type Error struct {
	// String is a sentence that says what to do.
	String string `json:"string" field:"required"`
	// Code is one of the codes above or of the stage; never empty.
	Code string `json:"code" field:"required"`
	// Message is the stable id of the text in the page catalogs; empty where
	// String stands for itself.
	Message string `json:"-"`
	// Count is the number that the text of Message speaks of; 0 for a text
	// without one.
	Count int `json:"-"`
	// Line and Column locate the problem inside a text value such as an
	// expression, counted from 1; 0 when they say nothing.
	Line   int `json:"-"`
	Column int `json:"-"`
}

// Errors maps field names (wire names) to their problems. A nil map means
// that all is well. It is an error, so it can travel as one.
type Errors map[string][]Error

// Errorf returns errors with a single entry.
func Errorf(name, code, format string, args ...any) Errors {
	return Errors{name: {{Code: code, String: fmt.Sprintf(format, args...)}}}
}

// Add appends a problem and returns the map, which it makes when nil.
func (e Errors) Add(name string, problems ...Error) Errors {
	if e == nil {
		e = Errors{}
	}
	e[name] = append(e[name], problems...)
	return e
}

// Merge appends all of other.
func (e Errors) Merge(other Errors) Errors {
	for name, problems := range other {
		e = e.Add(name, problems...)
	}
	return e
}

// Err returns e as an error, nil when it is empty.
func (e Errors) Err() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// Error lists all problems in the order of the field names.
func (e Errors) Error() string {
	names := make([]string, 0, len(e))
	for name := range e {
		names = append(names, name)
	}
	sort.Strings(names)
	var b strings.Builder
	for i, name := range names {
		for j, p := range e[name] {
			if i+j > 0 {
				b.WriteString("; ")
			}
			b.WriteString(name + ": " + p.String)
		}
	}
	return b.String()
}

// Validator is implemented by documents with rules beyond single fields. Decode
// calls it on the decoded value.
type Validator interface {
	Validate() Errors
}
