package python

import "fmt"

// Error is a body that cannot be accepted. Line and Column count from 1 in the
// text as its author typed it; Column counts characters.
type Error struct {
	Line, Column int
	// Message says what is wrong.
	Message string
	// Hint says what to write instead; it may be empty.
	Hint string
}

// Error returns message, hint and place in one sentence.
func (e *Error) Error() string {
	text := e.Message
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return fmt.Sprintf("%s (line %d, column %d)", text, e.Line, e.Column)
}

// fail aborts reading; Translate recovers it. A panic keeps the parser's code
// free of error plumbing, and no other value is recovered.
func fail(p Pos, hint, format string, args ...any) {
	panic(&Error{Line: p.Line, Column: p.Col, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// catch turns a call of fail into an error.
func catch(err *error) {
	switch p := recover().(type) {
	case nil:
	case *Error:
		*err = p
	default:
		panic(p)
	}
}
