package policy

import (
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// exception is the event of a policy that reached no verdict.
func exception(o *Object, b *Binding, r *Request, err error) Event {
	e := event("policy_exception", o, b, r)
	if err == nil {
		err = errNoVerdict
	}
	kind := "error"
	var typed interface{ Type() string }
	if errors.As(err, &typed) {
		kind = typed.Type()
	}
	e.Context["message"] = err.Error()
	e.Context["exception"] = map[string]any{"exc_type": kind, "exc_value": err.Error()}
	return e
}

var errNoVerdict = errors.New("the policy reached no verdict")

// execution is the event of a policy that logs what it decides, as it counts:
// after negation.
func execution(o *Object, b *Binding, r *Request, res Result) Event {
	e := event("policy_execution", o, b, r)
	e.Context["message"], e.Context["result"] = "Policy execution", described(res)
	return e
}

func event(action string, o *Object, b *Binding, r *Request) Event {
	return Event{Action: action, Context: map[string]any{
		"policy_uuid": hexID(o.ID),
		"binding":     bindingModel(b, o.Name),
		"request":     r,
	}}
}

func bindingModel(b *Binding, policy string) any {
	if b == nil {
		return nil
	}
	return map[string]any{"app": "authentik_policies", "model_name": "policybinding", "pk": hexID(b.ID), "name": fmt.Sprintf("Binding #%d of %s", b.Order, policy)}
}

// described is a result as events have it.
func described(r Result) map[string]any {
	logs := make([]any, len(r.Logs))
	for i, line := range r.Logs {
		logs[i] = map[string]any{"event": line.Text, "log_level": line.Level, "attributes": line.Attrs}
	}
	sources := make([]any, len(r.Sources))
	for i, source := range r.Sources {
		sources[i] = described(source)
	}
	return map[string]any{"passing": r.Passing(), "messages": r.Messages, "raw_result": r.Raw, "log_messages": logs,
		"source_binding": bindingModel(r.Binding, ""), "source_results": sources}
}

// hexID is how events write keys: 32 hex digits without dashes.
func hexID(id uuid.UUID) string { return fmt.Sprintf("%x", id[:]) }
