package expression

import (
	"context"
	"errors"
	"fmt"

	"go.starlark.net/starlark"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// Scope is what one evaluation sees.
type Scope struct {
	// Request is the variable `request`; nil means a request by the anonymous
	// visitor with an empty context.
	Request *policy.Request
	// Policy tells that the body is a policy, which has the variables context,
	// ak_client_ip, ak_is_sso_flow and the function ak_message. Prompts and
	// mappings have SkipObject instead.
	Policy bool
	// Variables are further variables, such as user and prompt_context of a
	// prompt: JSON-like values, *identity.Person, identity.Group.
	Variables map[string]any
}

// LogLine is one call of ak_logger or print.
type LogLine = policy.LogLine

// Value is what an evaluation returned and what it asks for.
type Value struct {
	// Raw is the result: nil, bool, int64, float64, string, []any,
	// map[string]any, *identity.Person, *flow.Ref for groups; other objects as
	// their text.
	Raw any
	// True is the truth of the result in Python's sense.
	True bool
	// Text is str() of the result.
	Text string
	// Messages are the texts of ak_message.
	Messages []string
	// Events are the events of ak_create_event and of called policies.
	Events []policy.Event
	// Mails are those of ak_send_email and of called policies.
	Mails  []policy.Mail
	Writes policy.Writes
	// Logs are for the test endpoint; they went to the log already.
	Logs []LogLine
}

// Error is an exception that a body raised and did not catch. It may hold data
// of people, so it is for logs and administrators only.
type Error struct {
	// Name is the program's name.
	Name string
	// Line is where it was raised in the author's text; 0 when unknown.
	Line int
	// Class is the exception's class, such as KeyError.
	Class string
	// Message is str() of the exception.
	Message string
}

// Error reads "name, line 3: KeyError: 'x'".
func (x *Error) Error() string {
	where := x.Name
	if x.Line > 0 {
		where = fmt.Sprintf("%s, line %d", x.Name, x.Line)
	}
	if x.Message == "" {
		return where + ": " + x.Class
	}
	return where + ": " + x.Class + ": " + x.Message
}

// Run evaluates the program. The error is an *Error for an exception, wraps
// ErrLimit when a limit was reached and the context's error when it ended;
// Value then holds the logs only, so nothing of a failed evaluation can be
// applied.
func (p *Program) Run(ctx context.Context, scope Scope) (value Value, err error) {
	// A mistake of ours must end one evaluation, not the program.
	defer func() {
		if r := recover(); r != nil {
			value, err = Value{}, fmt.Errorf("%s: internal error: %v", p.name, r)
		}
	}()
	e := p.newEvaluation(ctx, scope)
	result, err := starlark.Call(e.thread, p.unit.body, nil, nil)
	if e.stopped() == nil && err == nil {
		if value, err = e.value(result); err == nil && e.stopped() == nil {
			return value, nil
		}
	}
	if stop := e.stopped(); stop != nil {
		return Value{Logs: e.logs}, fmt.Errorf("%s: %w", p.name, stop)
	}
	x := asException(err)
	return Value{Logs: e.logs}, &Error{Name: p.name, Line: lineOf(err), Class: x.class.name, Message: x.text()}
}

func (p *Program) newEvaluation(ctx context.Context, scope Scope) *evaluation {
	e := &evaluation{
		ctx: ctx, env: &p.c.env, c: p.c, name: p.name, limits: p.c.env.Limits,
		scope: scope, request: scope.Request, thread: &starlark.Thread{Name: p.name},
	}
	if e.request == nil {
		e.request = &policy.Request{User: identity.Anonymous()}
	}
	e.thread.SetLocal(localKey, e)
	e.thread.OnMaxSteps = e.watch
	e.thread.SetMaxExecutionSteps(min(clockSteps, e.limits.Steps))
	return e
}

// clockSteps is how many steps a body takes between two looks at the clock.
const clockSteps = 1 << 10

// watch is called when the body has taken the steps that it was given: it ends
// the evaluation, or gives it the next ones.
func (e *evaluation) watch(t *starlark.Thread) {
	if t.Steps >= e.limits.Steps {
		_ = e.limit("too many steps")
	}
	if err := e.stopped(); err != nil {
		t.Cancel(err.Error())
		return
	}
	t.SetMaxExecutionSteps(min(t.Steps+clockSteps, e.limits.Steps))
}

// value makes the public value of a result.
func (e *evaluation) value(result starlark.Value) (Value, error) {
	raw, err := e.toGo(result, false)
	if err != nil {
		return Value{}, err
	}
	writes, err := e.collectWrites()
	if err != nil {
		return Value{}, err
	}
	text := str(result)
	return Value{
		Raw: raw, True: bool(result.Truth()), Text: text, Messages: e.messages,
		Events: e.events, Mails: e.mails, Writes: writes, Logs: e.logs,
	}, e.text(len(text))
}

// lineOf is the line of the author's text where an error arose.
func lineOf(err error) int {
	var eval *starlark.EvalError
	if !errors.As(err, &eval) {
		return 0
	}
	for i := len(eval.CallStack) - 1; i >= 0; i-- {
		if pos := eval.CallStack[i].Pos; pos.Filename() == bodyPath {
			return int(pos.Line)
		}
	}
	return 0
}
