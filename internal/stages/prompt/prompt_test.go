package prompt_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/prompt"
	stage "github.com/weir-id/weir/internal/stages/prompt"
	"github.com/weir-id/weir/policy"
)

// names are the user names that are taken.
type names map[string]*identity.Person

func (n names) Lookup(_ context.Context, _ []string, typed string, _ bool) (*identity.Person, error) {
	if typed == "broken" {
		return nil, errors.New("no database")
	}
	return n[typed], nil
}

// world is a flow of one prompt stage.
type world struct {
	*flowtest.World
	config *stage.Config
	f      *flow.Flow
}

func newWorld(t *testing.T, fields ...prompt.Prompt) *world {
	t.Helper()
	typ := stage.Type(names{"taken": identity.NewPerson(identity.User{ID: 7, Username: "taken"}, nil)}, expression.NewCompiler(expression.Env{}))
	w := &world{World: flowtest.New(t, typ)}
	w.config = typ.Defaults().(*stage.Config)
	for i := range fields {
		fields[i].ID = uuid.New()
		if fields[i].Name == "" {
			fields[i].Name = fields[i].FieldKey
		}
		w.Documents[fields[i].ID] = &fields[i]
		w.config.Fields = append(w.config.Fields, fields[i].ID)
	}
	w.f = w.AddFlow("form", nil)
	return w
}

// ready adds the stage, and one after it, so that the plan stays.
func (w *world) ready(t *testing.T) *flowtest.Browser {
	t.Helper()
	w.Bind(w.f, w.AddStage("prompt", "form", w.config), nil)
	w.Bind(w.f, w.AddStage("prompt", "last", &stage.Config{}), nil)
	return w.NewBrowser()
}

// know puts prompt data of earlier stages into the plan.
func (w *world) know(data map[string]any) {
	w.BindPolicy(w.f.ID, policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: map[string]any{"prompt_data": data}}}, nil
	}), nil)
}

func ask(key string, typ prompt.Type, change ...func(*prompt.Prompt)) prompt.Prompt {
	p := prompt.New()
	p.FieldKey, p.Label, p.Type = key, "Label of "+key, typ
	for _, c := range change {
		c(&p)
	}
	return p
}

func optional(p *prompt.Prompt) { p.Required = false }

func initial(v string) func(*prompt.Prompt) { return func(p *prompt.Prompt) { p.InitialValue = v } }

func initialExpression(v string) func(*prompt.Prompt) {
	return func(p *prompt.Prompt) { p.InitialValue, p.InitialValueExpression = v, true }
}

func placeholder(v string) func(*prompt.Prompt) { return func(p *prompt.Prompt) { p.Placeholder = v } }

func placeholderExpression(v string) func(*prompt.Prompt) {
	return func(p *prompt.Prompt) { p.Placeholder, p.PlaceholderExpression = v, true }
}

// shown is the form of a challenge.
func shown(t *testing.T, r *flow.Result) []stage.Field {
	t.Helper()
	if r == nil || r.Challenge == nil {
		t.Fatalf("no challenge: %+v", r)
	}
	c, ok := r.Challenge.Body.(*stage.Challenge)
	if !ok {
		data, _ := json.Marshal(r.Challenge)
		t.Fatalf("no form: %s", data)
	}
	return c.Fields
}

func TestForm(t *testing.T) {
	list := "return [1, 'two', {'label': 'Three', 'value': 3}, True]"
	rows := []struct {
		name string
		p    prompt.Prompt
		// known is the prompt data of earlier stages.
		known map[string]any
		want  stage.Field
	}{
		{"a literal", ask("a", prompt.Text, placeholder("p"), initial("i")), nil, stage.Field{Placeholder: "p", InitialValue: "i", Required: true}},
		{"expression text with the flag off is literal", ask("a", prompt.Text, placeholder("return 1"), initial("return 2")), nil,
			stage.Field{Placeholder: "return 1", InitialValue: "return 2", Required: true}},
		{"expressions", ask("a", prompt.Text, placeholderExpression("return 1 + 1"), initialExpression("return user.username + '!'")), nil,
			stage.Field{Placeholder: "2", InitialValue: "!", Required: true}},
		{"a flag and nothing read as Python writes them", ask("a", prompt.Text, placeholderExpression("return True"), initialExpression("pass")), nil,
			stage.Field{Placeholder: "True", InitialValue: "None", Required: true}},
		{"a placeholder sees the prompt context and is not replaced", ask("a", prompt.Text, placeholderExpression("return prompt_context['b']")),
			map[string]any{"a": "known", "b": "seen"}, stage.Field{Placeholder: "seen", InitialValue: "known", Required: true}},
		{"known data wins over an initial value", ask("a", prompt.Text, initialExpression("return 1/0")), map[string]any{"a": "known"}, stage.Field{InitialValue: "known", Required: true}},
		{"a broken expression shows nothing of itself", ask("a", prompt.Text, placeholderExpression("return secret_name"), initialExpression("return 1/0")), nil, stage.Field{Required: true}},
		{"choices of all kinds, the first one chosen", ask("a", prompt.Dropdown, placeholderExpression(list)), nil,
			stage.Field{InitialValue: "1", Required: true, Choices: []stage.Choice{{"1", "1"}, {"two", "two"}, {"3", "Three"}, {"True", "True"}}}},
		{"the initial value chooses", ask("a", prompt.RadioButtonGroup, placeholderExpression(list), initial("3")), nil,
			stage.Field{InitialValue: "3", Required: true, Choices: []stage.Choice{{"1", "1"}, {"two", "two"}, {"3", "Three"}, {"True", "True"}}}},
		{"an initial value that is no choice", ask("a", prompt.Dropdown, placeholderExpression(list), initial("9")), nil,
			stage.Field{InitialValue: "1", Required: true, Choices: []stage.Choice{{"1", "1"}, {"two", "two"}, {"3", "Three"}, {"True", "True"}}}},
		{"an empty list", ask("a", prompt.Dropdown, placeholderExpression("return []")), nil, stage.Field{Required: true}},
		{"a literal is one choice", ask("a", prompt.Dropdown, placeholder("only")), nil, stage.Field{InitialValue: "only", Required: true, Choices: []stage.Choice{{"only", "only"}}}},
		{"choices of the context", ask("a", prompt.Dropdown, placeholder("only")), map[string]any{"a__choices": []any{"x", "y"}},
			stage.Field{InitialValue: "x", Required: true, Choices: []stage.Choice{{"x", "x"}, {"y", "y"}}}},
		{"a box is never required", ask("a", prompt.Checkbox, initial("true")), nil, stage.Field{InitialValue: "true"}},
		{"a separator is never required", ask("a", prompt.Separator, placeholder("More")), nil, stage.Field{Placeholder: "More"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, row.p)
			if row.known != nil {
				w.know(row.known)
			}
			got := shown(t, w.ready(t).Get(t, "form", ""))
			row.want.FieldKey, row.want.Label, row.want.Type = "a", "Label of a", row.p.Type
			if diff := cmp.Diff([]stage.Field{row.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// kept is the prompt data of the browser's run.
func kept(t *testing.T, b *flowtest.Browser) map[string]any {
	t.Helper()
	e := b.Request("form", "").Execution
	if e == nil {
		t.Fatal("nothing is stored")
	}
	data, _ := flow.KeyPromptData.Get(e.Plan.Context)
	return data
}

// code is the first problem of each field as "key code".
func codes(errs field.Errors) []string {
	var out []string
	for key, list := range errs {
		for _, e := range list {
			out = append(out, key+" "+e.Code)
		}
	}
	slices.Sort(out)
	return out
}

func TestAnswers(t *testing.T) {
	three := placeholderExpression("return ['a', 'b', 3]")
	file := "data:image/png;base64,aGVsbG8="
	rows := []struct {
		name   string
		fields []prompt.Prompt
		sent   map[string]any
		// want is what is kept; codes what is refused.
		want  map[string]any
		codes []string
	}{
		{"texts stay as they are", []prompt.Prompt{ask("a", prompt.Text), ask("b", prompt.TextArea)}, map[string]any{"a": " x ", "b": "y\n"}, map[string]any{"a": " x ", "b": "y\n"}, nil},
		{"nothing sent", []prompt.Prompt{ask("a", prompt.Text), ask("b", prompt.Number)}, map[string]any{}, nil, []string{"a required", "b required"}},
		{"empty texts", []prompt.Prompt{ask("a", prompt.Text), ask("b", prompt.Email), ask("c", prompt.Dropdown, three)}, map[string]any{"a": "", "b": "  ", "c": ""}, nil, []string{"a blank", "b blank", "c blank"}},
		{"null", []prompt.Prompt{ask("a", prompt.Text, optional)}, map[string]any{"a": nil}, nil, []string{"a null"}},
		{"optional, not sent or empty", []prompt.Prompt{ask("a", prompt.Text, optional), ask("b", prompt.Number, optional), ask("c", prompt.Text, optional)},
			map[string]any{"b": "", "c": ""}, map[string]any{"c": ""}, nil},
		{"an initial value stands for an answer", []prompt.Prompt{ask("a", prompt.Text, initial("i")), ask("b", prompt.Number, initial("42")), ask("c", prompt.Checkbox, initial("true"))},
			map[string]any{}, map[string]any{"a": "i", "b": int64(42), "c": true}, nil},
		{"an initial value does not stand for an empty one", []prompt.Prompt{ask("a", prompt.Text, initial("i"))}, map[string]any{"a": ""}, nil, []string{"a blank"}},
		{"fixed values are not taken from clients", []prompt.Prompt{ask("a", prompt.Hidden, initial("i")), ask("b", prompt.Static, placeholder("p")), ask("c", prompt.TextReadOnly),
			ask("d", prompt.TextAreaReadOnly, initial("d"))}, map[string]any{"a": "evil", "b": "evil", "c": "evil", "d": "evil"}, map[string]any{"a": "i", "b": "p", "c": "", "d": "d"}, nil},
		{"what displays has no value", []prompt.Prompt{ask("a", prompt.Separator), ask("b", prompt.AlertInfo, initial("i"))}, map[string]any{"a": "x", "b": "y"}, map[string]any{}, nil},
		{"unknown keys are ignored", []prompt.Prompt{ask("a", prompt.Text)}, map[string]any{"a": "x", "is_superuser": true, "component": "ak-stage-prompt"}, map[string]any{"a": "x"}, nil},
		{"a user name is trimmed", []prompt.Prompt{ask("a", prompt.Username)}, map[string]any{"a": " free "}, map[string]any{"a": "free"}, nil},
		{"a user name that is taken", []prompt.Prompt{ask("a", prompt.Username)}, map[string]any{"a": "taken"}, nil, []string{"a invalid"}},
		{"an optional user name is not empty either", []prompt.Prompt{ask("a", prompt.Username, optional)}, map[string]any{"a": " "}, nil, []string{"a blank"}},
		{"an address", []prompt.Prompt{ask("a", prompt.Email)}, map[string]any{"a": "max@example.com"}, map[string]any{"a": "max@example.com"}, nil},
		{"no address", []prompt.Prompt{ask("a", prompt.Email)}, map[string]any{"a": "max@"}, nil, []string{"a invalid"}},
		{"passwords are not trimmed", []prompt.Prompt{ask("a", prompt.Password), ask("b", prompt.Password)}, map[string]any{"a": " p ", "b": " p "}, map[string]any{"a": " p ", "b": " p "}, nil},
		{"two passwords differ", []prompt.Prompt{ask("a", prompt.Password), ask("b", prompt.Password)}, map[string]any{"a": "p", "b": "p "}, nil, []string{"non_field_errors invalid"}},
		{"the second password is left out", []prompt.Prompt{ask("a", prompt.Password), ask("b", prompt.Password, optional)}, map[string]any{"a": "p"}, nil, []string{"non_field_errors invalid"}},
		{"three passwords are not compared", []prompt.Prompt{ask("a", prompt.Password), ask("b", prompt.Password), ask("c", prompt.Password)},
			map[string]any{"a": "p", "b": "q", "c": "r"}, map[string]any{"a": "p", "b": "q", "c": "r"}, nil},
		{"numbers", []prompt.Prompt{ask("a", prompt.Number), ask("b", prompt.Number)}, map[string]any{"a": "7", "b": 8.0}, map[string]any{"a": int64(7), "b": int64(8)}, nil},
		{"no number", []prompt.Prompt{ask("a", prompt.Number)}, map[string]any{"a": "seven"}, nil, []string{"a invalid"}},
		{"boxes", []prompt.Prompt{ask("a", prompt.Checkbox), ask("b", prompt.Checkbox), ask("c", prompt.Checkbox), ask("d", prompt.Checkbox)}, map[string]any{"a": "on", "b": "off", "c": true},
			map[string]any{"a": true, "b": false, "c": true, "d": false}, nil},
		{"a choice", []prompt.Prompt{ask("a", prompt.Dropdown, three), ask("b", prompt.RadioButtonGroup, three)}, map[string]any{"a": "b", "b": 3}, map[string]any{"a": "b", "b": "3"}, nil},
		{"no choice", []prompt.Prompt{ask("a", prompt.Dropdown, three), ask("b", prompt.RadioButtonGroup, three)}, map[string]any{"a": "z", "b": "A"}, nil, []string{"a invalid_choice", "b invalid_choice"}},
		{"dates", []prompt.Prompt{ask("a", prompt.Date), ask("b", prompt.DateTime), ask("c", prompt.DateTime)}, map[string]any{"a": "2030-02-28", "b": "2030-01-31T12:00", "c": "2030-01-31T12:00:00+02:00"},
			map[string]any{"a": "2030-02-28", "b": "2030-01-31T12:00:00Z", "c": "2030-01-31T10:00:00Z"}, nil},
		{"no dates", []prompt.Prompt{ask("a", prompt.Date), ask("b", prompt.DateTime)}, map[string]any{"a": "2030-02-30", "b": "tomorrow"}, nil, []string{"a invalid", "b invalid"}},
		{"a file", []prompt.Prompt{ask("a", prompt.File)}, map[string]any{"a": file}, map[string]any{"a": file}, nil},
		{"no files", []prompt.Prompt{ask("a", prompt.File), ask("b", prompt.File), ask("c", prompt.File), ask("d", prompt.File)},
			map[string]any{"a": "https://example.com/x.png", "b": "data:image/png,hello", "c": "data:image/png;base64,?", "d": "data:image/png;base64," + strings.Repeat("aaaa", stage.MaxFile/4)},
			nil, []string{"a invalid", "b invalid", "c invalid", "d invalid"}},
		{"a language", []prompt.Prompt{ask("a", prompt.Locale)}, map[string]any{"a": "de"}, map[string]any{"a": "de"}, nil},
		{"the language of the browser", []prompt.Prompt{ask("a", prompt.Locale)}, map[string]any{"a": ""}, map[string]any{"a": ""}, nil},
		{"a wrong type", []prompt.Prompt{ask("a", prompt.Text), ask("b", prompt.Checkbox)}, map[string]any{"a": map[string]any{}, "b": []any{1}}, nil, []string{"a invalid", "b invalid"}},
		{"too long", []prompt.Prompt{ask("a", prompt.Text), ask("b", prompt.TextArea)}, map[string]any{"a": strings.Repeat("x", 2049), "b": strings.Repeat("ü", 16<<10)}, nil, []string{"a max_length"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			b := newWorld(t, row.fields...).ready(t)
			r := b.Post(t, "form", "", row.sent)
			if row.codes != nil {
				shown(t, r)
				if diff := cmp.Diff(row.codes, codes(r.Challenge.Errors)); diff != "" {
					t.Error(diff)
				}
				return
			}
			if !r.Next {
				t.Fatalf("refused: %v", r.Challenge.Errors)
			}
			if diff := cmp.Diff(row.want, kept(t, b)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLaterFormsAddToEarlierOnes(t *testing.T) {
	w := newWorld(t, ask("a", prompt.Text))
	w.know(map[string]any{"z": "earlier"})
	b := w.ready(t)
	if r := b.Post(t, "form", "", map[string]any{"a": "x"}); !r.Next {
		t.Fatalf("refused: %v", r.Challenge.Errors)
	}
	if diff := cmp.Diff(map[string]any{"z": "earlier", "a": "x"}, kept(t, b)); diff != "" {
		t.Error(diff)
	}
}

func TestTheOwnUserNameIsNotTaken(t *testing.T) {
	w := newWorld(t, ask("a", prompt.Username))
	w.BindPolicy(w.f.ID, policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: map[string]any{"pending_user": w.People[7]}}}, nil
	}), nil)
	w.People.Add(identity.User{ID: 7, Username: "taken"})
	if r := w.ready(t).Post(t, "form", "", map[string]any{"a": "taken"}); !r.Next {
		t.Errorf("refused: %v", r.Challenge.Errors)
	}
}

// judge is a policy that looks at what was typed.
func judge(f func(data map[string]any) policy.Result) policy.Policy {
	return policy.Func(func(_ context.Context, r *policy.Request) (policy.Result, error) {
		data, _ := r.Context["prompt_data"].(map[string]any)
		return f(data), nil
	})
}

func TestValidationPolicies(t *testing.T) {
	same := judge(func(data map[string]any) policy.Result {
		v := policy.Fail
		if data["a"] == data["b"] {
			v = policy.Pass
		}
		return policy.Result{Verdict: v, Messages: []string{"m1", "m2"}}
	})
	silent := judge(func(map[string]any) policy.Result { return policy.Result{Verdict: policy.Fail} })
	broken := policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{}, errors.New("secret reason")
	})
	earlier := judge(func(data map[string]any) policy.Result {
		if _, ok := data["z"]; ok {
			return policy.Result{Verdict: policy.Fail}
		}
		return policy.Result{Verdict: policy.Pass}
	})
	writes := judge(func(data map[string]any) policy.Result {
		return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: map[string]any{"prompt_data": map[string]any{"a": data["a"], "b": "written"}, "other": 1}}}
	})
	rows := []struct {
		name     string
		policies []policy.Policy
		sent     map[string]any
		want     map[string]any
		messages []string
	}{
		{"they compare what was typed", []policy.Policy{same}, map[string]any{"a": "x", "b": "x"}, map[string]any{"z": "earlier", "a": "x", "b": "x"}, nil},
		{"each message is a problem", []policy.Policy{same}, map[string]any{"a": "x", "b": "y"}, nil, []string{"m1", "m2"}},
		{"all have to pass", []policy.Policy{same, silent}, map[string]any{"a": "x", "b": "x"}, nil, []string{"m1", "m2"}},
		{"a failure without words", []policy.Policy{silent}, map[string]any{"a": "x", "b": "x"}, nil, []string{"These answers were not accepted. Check them and try again."}},
		{"they do not see what earlier stages know", []policy.Policy{earlier}, map[string]any{"a": "x", "b": "x"}, map[string]any{"z": "earlier", "a": "x", "b": "x"}, nil},
		{"what they write is kept", []policy.Policy{writes}, map[string]any{"a": "x", "b": "x"}, map[string]any{"z": "earlier", "a": "x", "b": "written"}, nil},
		{"rule 8: no verdict", []policy.Policy{broken}, map[string]any{"a": "x", "b": "x"}, nil, []string{"could not be decided"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, ask("a", prompt.Text), ask("b", prompt.Text))
			w.know(map[string]any{"z": "earlier"})
			for _, p := range row.policies {
				w.config.ValidationPolicies = append(w.config.ValidationPolicies, *w.BindPolicy(uuid.New(), p, nil).Policy)
			}
			b := w.ready(t)
			r := b.Post(t, "form", "", row.sent)
			if row.messages == nil {
				if !r.Next {
					t.Fatalf("refused: %v", r.Challenge.Errors)
				}
				if diff := cmp.Diff(row.want, kept(t, b)); diff != "" {
					t.Error(diff)
				}
				return
			}
			shown(t, r)
			var got []string
			for _, e := range r.Challenge.Errors[field.NonField] {
				got = append(got, e.String)
			}
			if len(got) != len(row.messages) {
				t.Fatalf("messages %q, want %q", got, row.messages)
			}
			for i := range got {
				if !strings.Contains(got[i], row.messages[i]) || strings.Contains(got[i], "secret") {
					t.Errorf("message %q, want %q", got[i], row.messages[i])
				}
			}
		})
	}
}

// What the installation says in a fixed field must not be made up.
func TestAFixedFieldThatFailsStopsTheStage(t *testing.T) {
	for _, typ := range []prompt.Type{prompt.Hidden, prompt.Static, prompt.TextReadOnly} {
		b := newWorld(t, ask("a", typ, initialExpression("return 1/0"))).ready(t)
		for _, r := range []*flow.Result{b.Get(t, "form", ""), b.Post(t, "form", "", map[string]any{"a": "x"})} {
			if got := flowtest.Describe(r); got != "ak-stage-flow-error" {
				t.Errorf("%s: %s", typ, got)
			}
		}
	}
}

func TestFailedExpressionsAreRecorded(t *testing.T) {
	w := newWorld(t, ask("a", prompt.Text, initialExpression("return 1/0")))
	w.ready(t).Get(t, "form", "")
	var got []flow.Event
	for _, c := range w.Store.Commits {
		got = append(got, c.Events...)
	}
	want := []flow.Event{{Action: "property_mapping_exception", Context: map[string]any{"message": "a, line 1: ZeroDivisionError: division by zero", "expression": "return 1/0",
		"prompt_data": map[string]any(nil), "prompt": event.Model{App: "authentik_stages_prompt", Model: "prompt", PK: w.config.Fields[0].String(), Name: "a"}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEventsOfExpressionsAreRecorded(t *testing.T) {
	w := newWorld(t, ask("a", prompt.Text, initialExpression("ak_create_event('seen', why='x')\nreturn 'y'")))
	w.ready(t).Get(t, "form", "")
	if diff := cmp.Diff([]string{"custom_seen"}, w.Store.Events()); diff != "" {
		t.Error(diff)
	}
}

func TestADeletedPromptIsNotAsked(t *testing.T) {
	w := newWorld(t, ask("a", prompt.Text), ask("b", prompt.Text))
	b := w.ready(t)
	delete(w.Documents, w.config.Fields[0])
	if got := shown(t, b.Get(t, "form", "")); len(got) != 1 || got[0].FieldKey != "b" {
		t.Errorf("fields %+v", got)
	}
}
