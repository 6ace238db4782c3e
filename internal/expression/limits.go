package expression

import (
	"errors"
	"fmt"
)

// Limits bound one evaluation. A zero field means the default.
type Limits struct {
	// Steps is the number of Starlark steps; a simple line takes about ten.
	// Long operations such as sorting count extra. Default 1,000,000.
	Steps uint64
	// Depth is the number of nested calls. Default 150.
	Depth int
	// Elements is how many items all lists, dicts, sets and tuples made during
	// the evaluation may hold together, those thrown away included. Default
	// 400,000.
	Elements int64
	// Bytes is the same for the bytes of texts. Default 16 MiB.
	Bytes int64
	// IntBits is the size of an integer. Default 4096.
	IntBits int
	// Messages is how many ak_message, ak_create_event and ak_logger calls are
	// kept, each. Further messages are an error, further log lines are
	// dropped. Default 100.
	Messages int
}

// withDefaults returns l with every zero field filled in.
func (l Limits) withDefaults() Limits {
	if l.Steps == 0 {
		l.Steps = 1_000_000
	}
	if l.Depth == 0 {
		l.Depth = 150
	}
	if l.Elements == 0 {
		l.Elements = 400_000
	}
	if l.Bytes == 0 {
		l.Bytes = 16 << 20
	}
	if l.IntBits == 0 {
		l.IntBits = 4096
	}
	if l.Messages == 0 {
		l.Messages = 100
	}
	return l
}

// ErrLimit is wrapped by the error of an evaluation that ran into a limit. No
// body can catch it.
var ErrLimit = errors.New("expression limit exceeded")

// stop ends the evaluation for good: unlike an exception, what it returns is
// not catchable by the body.
func (e *evaluation) stop(err error) error {
	if e.fatal == nil {
		e.fatal = err
	}
	return e.fatal
}

func (e *evaluation) limit(what string) error {
	return e.stop(fmt.Errorf("%w: %s", ErrLimit, what))
}

// elems counts n new elements.
func (e *evaluation) elems(n int) error {
	e.elements += int64(n)
	if e.elements > e.limits.Elements {
		return e.limit("too many elements")
	}
	return nil
}

// text counts n new bytes.
func (e *evaluation) text(n int) error {
	e.bytes += int64(n)
	if e.bytes > e.limits.Bytes {
		return e.limit("too much text")
	}
	return nil
}

// work adds the cost of a long operation over n items to the steps, so that a
// loop of them ends; the interpreter compares at its next step.
func (e *evaluation) work(n int) { e.thread.Steps += uint64(n) / 8 }

// stopped returns why the evaluation must end, or nil.
func (e *evaluation) stopped() error {
	if e.fatal != nil {
		return e.fatal
	}
	if err := e.ctx.Err(); err != nil {
		return e.stop(fmt.Errorf("evaluation stopped: %w", err))
	}
	return nil
}

// tick counts one step of a long operation and looks at the clock now and
// then. Operations that walk nested values call it for each, since a small
// value that contains itself twice, and so on, unfolds to a huge one.
func (e *evaluation) tick() error {
	e.thread.Steps++
	if e.fatal != nil {
		return e.fatal
	}
	if e.thread.Steps > e.limits.Steps {
		return e.limit("too many steps")
	}
	if e.thread.Steps&0x3ff == 0 {
		return e.stopped()
	}
	return nil
}

// maxNest bounds how deep values are nested that are compared or converted,
// since these operations call themselves.
const maxNest = 200

// nest enters one level of a nested value, which unnest leaves. Beyond the
// limit the evaluation is stopped, which the next tick reports.
func (e *evaluation) nest() {
	if e.nesting++; e.nesting > maxNest {
		_ = e.limit("values nested too deeply")
	}
}

func (e *evaluation) unnest() { e.nesting-- }
