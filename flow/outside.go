package flow

import (
	"errors"
	"time"
)

// ErrMissing means that an answer names an object that does not exist, or is
// somebody else's. It is for stages whose wire has no other words for that.
var ErrMissing = errors.New("no such object")

// Once does what must not be done twice for one request, such as to ask a person on
// their phone: when the step is taken anew, since another request was faster, the
// name gets the value of the first time.
func (x *Exec) Once(name string, do func() any) any {
	if v, ok := x.req.once[name]; ok {
		return v
	}
	v := do()
	if x.req.once == nil {
		x.req.once = map[string]any{}
	}
	x.req.once[name] = v
	return v
}

// Patience tells whoever serves the request that the step waits for a person, and for
// how long it may.
func (x *Exec) Patience(d time.Duration) {
	if x.req.Patience != nil {
		x.req.Patience(d)
	}
}
