package prompt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/prompt"
	"github.com/weir-id/weir/policy"
)

// form is the stage's form for one request.
type form struct {
	items []item
	// events tell of expressions that failed, and what expressions ask for.
	events []flow.Event
}

// item is one prompt with its texts filled in.
type item struct {
	*prompt.Prompt
	placeholder string
	initial     any
	choices     []Choice
}

func (f *form) fields() []Field {
	out := make([]Field, len(f.items))
	for i := range f.items {
		out[i] = f.items[i].field()
	}
	return out
}

func (i *item) field() Field {
	f := Field{FieldKey: i.FieldKey, Label: i.Label, Type: i.Type, Required: i.demanded(), Placeholder: i.placeholder,
		InitialValue: text(i.initial), Order: int(i.Order), SubText: i.SubText}
	if len(i.choices) > 0 {
		f.Choices = i.choices
	}
	return f
}

// demanded tells whether a value has to be given.
func (i *item) demanded() bool {
	return i.Required && i.Type != prompt.Checkbox && !i.Type.Displays()
}

// fixed is the value of a field that clients cannot set.
func (i *item) fixed() string {
	v := text(i.initial)
	if v == "" && (i.Type == prompt.Hidden || i.Type == prompt.Static) {
		v = i.placeholder
	}
	return v
}

// form fills in the prompts as they are now. One that was deleted since the
// plan was made is no longer asked.
func (s *stage) form(ctx context.Context, x *flow.Exec) (*form, error) {
	r, err := x.PolicyRequest(ctx)
	if err != nil {
		return nil, err
	}
	known, _ := flow.KeyPromptData.Get(x.Context)
	v := values{compiler: s.compiler, request: r, known: known}
	f := &form{}
	for _, id := range s.config.Fields {
		d, ok := x.Catalog.Document(id)
		if !ok {
			continue
		}
		p, ok := d.(*prompt.Prompt)
		if !ok {
			return nil, fmt.Errorf("prompt %s is not usable", id)
		}
		i, err := v.item(ctx, p)
		f.events, v.events = append(f.events, v.events...), nil
		if err != nil {
			f.events = append(f.events, failure(p, known, err))
			if p.Type.Fixed() {
				// What the installation says there would be taken for an answer.
				return nil, fmt.Errorf("prompt %q: %w", p.Name, err)
			}
		}
		f.items = append(f.items, i)
	}
	slices.SortStableFunc(f.items, func(a, b item) int { return cmp.Compare(a.Order, b.Order) })
	return f, nil
}

// Preview fills a prompt in as it would be shown to the person of a request, who
// has typed nothing yet. What goes wrong is the caller's to see.
func Preview(ctx context.Context, compiler *expression.Compiler, p *prompt.Prompt, r *policy.Request) (*Challenge, error) {
	v := values{compiler: compiler, request: r}
	i, err := v.item(ctx, p)
	if err != nil {
		return nil, err
	}
	return &Challenge{[]Field{i.field()}}, nil
}

// failure is the event of an expression that failed. It has what was typed so
// far, so that this is masked in the message, which may quote it.
func failure(p *prompt.Prompt, known map[string]any, err error) flow.Event {
	e := flow.Event{Action: string(event.PropertyMappingException), Context: map[string]any{"message": err.Error(), "prompt_data": known,
		"prompt": event.Model{App: "authentik_stages_prompt", Model: "prompt", PK: p.ID.String(), Name: p.Name}}}
	var failed *expressionError
	if errors.As(err, &failed) {
		e.Context["expression"] = failed.body
	}
	return e
}

// expressionError is an expression that failed, with its text.
type expressionError struct {
	body string
	err  error
}

func (e *expressionError) Error() string { return e.err.Error() }

func (e *expressionError) Unwrap() error { return e.err }

// values finds the texts of prompts.
type values struct {
	compiler *expression.Compiler
	request  *policy.Request
	// known is the prompt data so far.
	known map[string]any
	// events are those that expressions have asked for.
	events []flow.Event
}

// item fills a prompt in. With an error it is complete, but for what failed.
func (v *values) item(ctx context.Context, p *prompt.Prompt) (item, error) {
	out := item{Prompt: p}
	var errs [2]error
	var shown any
	shown, errs[0] = v.evaluate(ctx, p, p.Placeholder, p.PlaceholderExpression)
	if known, ok := v.known[p.FieldKey]; ok {
		out.initial = known
	} else {
		out.initial, errs[1] = v.evaluate(ctx, p, p.InitialValue, p.InitialValueExpression)
	}
	if !p.Type.Chooses() {
		out.placeholder = text(shown)
		if p.Placeholder == "" {
			out.placeholder = ""
		}
		if out.initial == nil && !p.InitialValueExpression {
			out.initial = ""
		}
		return out, errors.Join(errs[:]...)
	}
	if own, ok := v.known[p.FieldKey+"__choices"]; ok {
		shown = own
	}
	out.choices = choices(shown)
	out.initial = choose(out.choices, text(out.initial))
	return out, errors.Join(errs[:]...)
}

// evaluate returns a text, or what the expression that it is returns. An
// expression that fails gives nothing: its source is not for the person.
func (v *values) evaluate(ctx context.Context, p *prompt.Prompt, body string, isExpression bool) (any, error) {
	if !isExpression || body == "" {
		return body, nil
	}
	program, err := v.compiler.Compile(p.Name, body)
	if err != nil {
		return "", &expressionError{body, err}
	}
	ctx, cancel := context.WithTimeout(ctx, policy.DefaultTimeout)
	defer cancel()
	known := v.known
	if known == nil {
		known = map[string]any{}
	}
	result, err := program.Run(ctx, expression.Scope{Request: v.request, Variables: map[string]any{"user": v.request.User, "prompt_context": known}})
	if err != nil {
		return "", &expressionError{body, err}
	}
	for _, e := range result.Events {
		v.events = append(v.events, flow.Event{Action: e.Action, App: e.App, Context: e.Context})
	}
	return result.Raw, nil
}

// choices makes the list that a field offers: a list as it is, anything else
// as the only choice, nothing as none.
func choices(v any) []Choice {
	list, ok := v.([]any)
	switch {
	case ok:
	case v == nil || v == "":
		return nil
	default:
		list = []any{v}
	}
	out := make([]Choice, 0, len(list))
	for _, one := range list {
		m, ok := one.(map[string]any)
		if !ok {
			out = append(out, Choice{text(one), text(one)})
			continue
		}
		c := Choice{text(m["value"]), text(m["label"])}
		if _, ok := m["value"]; !ok {
			c.Value = c.Label
		}
		if _, ok := m["label"]; !ok {
			c.Label = c.Value
		}
		out = append(out, c)
	}
	return out
}

// choose returns the choice that has the value, else the first one.
func choose(from []Choice, value string) any {
	for _, c := range from {
		if c.Value == value {
			return value
		}
	}
	if len(from) > 0 {
		return from[0].Value
	}
	return ""
}

// text is a value as Python's str writes it, since that is what clients of
// expressions expect.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case string:
		return v
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1e16 {
			return strconv.FormatFloat(v, 'f', 1, 64)
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}
