package prompt

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"mime"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/prompt"
	"github.com/weir-id/weir/policy"
)

// Limits on what a stranger can put into a plan, in characters.
const (
	maxLine = 2048
	maxText = 16 << 10
	// MaxFile bounds a file as a data URI.
	MaxFile = 192 << 10
)

// Respond implements flow.Stage.
func (s *stage) Respond(ctx context.Context, x *flow.Exec, r flow.Response) (flow.Outcome, error) {
	f, err := s.form(ctx, x)
	if err != nil {
		return flow.Outcome{}, err
	}
	data, errs, err := s.read(ctx, x, f, r.Data)
	if err != nil {
		return flow.Outcome{}, err
	}
	if errs == nil {
		errs = samePasswords(f, r.Data)
	}
	if errs != nil {
		return flow.AskAgain(errs).Record(f.events...), nil
	}
	result, data := x.Judge(ctx, s.config.ValidationPolicies, data)
	if result.Verdict == policy.Error && errors.Is(result.Err, flow.ErrOverloaded) {
		return flow.Outcome{}, result.Err // the same answer can be sent again
	}
	if !result.Passing() {
		return flow.AskAgain(refusal(ctx, x, result)).Record(f.events...), nil
	}
	known, _ := flow.KeyPromptData.Get(x.Context)
	merged := maps.Clone(known)
	if merged == nil {
		merged = map[string]any{}
	}
	maps.Copy(merged, data)
	flow.KeyPromptData.Set(x.Context, merged)
	return flow.Done().Record(f.events...), nil
}

// refusal says why the policies did not let the answer pass. Where they
// reached no verdict the reason is for the log, and the person gets an id.
func refusal(ctx context.Context, x *flow.Exec, r policy.Result) field.Errors {
	var errs field.Errors
	if r.Verdict == policy.Error {
		if errs := guard.Refusal(r.Err); errs != nil {
			return errs
		}
		return errs.Add(field.NonField, field.Error{Code: field.CodeInvalid, String: x.Undecided(ctx, r.Err)})
	}
	for _, m := range r.Messages {
		errs = errs.Add(field.NonField, field.Error{Code: field.CodeInvalid, String: m})
	}
	if errs == nil {
		errs = errs.Add(field.NonField, field.Error{Code: field.CodeInvalid, Message: "prompt.error.refused", String: "These answers were not accepted. Check them and try again."})
	}
	return errs
}

// read takes the values of the answer, each as its type wants it.
func (s *stage) read(ctx context.Context, x *flow.Exec, f *form, sent map[string]any) (map[string]any, field.Errors, error) {
	data := map[string]any{}
	var errs field.Errors
	for i := range f.items {
		p := &f.items[i]
		if p.Type.Displays() {
			continue
		}
		if p.Type.Fixed() {
			data[p.FieldKey] = p.fixed()
			continue
		}
		value, given, problem := p.read(sent)
		if problem == nil && given && p.Type == prompt.Username {
			taken, err := s.taken(ctx, x, value.(string))
			if err != nil {
				return nil, nil, err
			}
			if taken {
				problem = &field.Error{Code: field.CodeInvalid, Message: "prompt.error.username_taken", String: "This user name is taken. Choose another one."}
			}
		}
		switch {
		case problem != nil:
			errs = errs.Add(p.FieldKey, *problem)
		case given:
			data[p.FieldKey] = value
		}
	}
	return data, errs, nil
}

// taken tells whether somebody else has the user name.
func (s *stage) taken(ctx context.Context, x *flow.Exec, name string) (bool, error) {
	found, err := s.users.Lookup(ctx, []string{"username"}, name, true)
	if err != nil {
		return false, fmt.Errorf("look up user name: %w", err)
	}
	if found == nil {
		return false, nil
	}
	pending, err := x.PendingUser(ctx)
	if err != nil {
		return false, err
	}
	return pending.ID != found.ID, nil
}

func blank() *field.Error {
	return &field.Error{Code: field.CodeBlank, Message: "field.blank", String: "Fill in this field; it may not be empty."}
}

func missing() *field.Error {
	return &field.Error{Code: field.CodeRequired, Message: "field.required", String: "Fill in this field."}
}

// read returns the value that was sent for a field; given is false where none
// was and none is needed.
func (p *item) read(sent map[string]any) (value any, given bool, problem *field.Error) {
	raw, ok := sent[p.FieldKey]
	if ok && raw == nil {
		return nil, false, &field.Error{Code: field.CodeNull, Message: "field.null", String: "Enter a value; null is not allowed here."}
	}
	if !ok {
		switch v := p.preset(); {
		case v != nil:
			return v, true, nil
		case p.Type == prompt.Checkbox:
			return false, true, nil
		case p.demanded():
			return nil, false, missing()
		}
		return nil, false, nil
	}
	if raw == "" {
		switch {
		case p.Type == prompt.Locale:
			return "", true, nil // that of the browser
		case p.demanded():
			return nil, false, blank()
		case p.Type == prompt.Checkbox:
			return false, true, nil
		case p.Type == prompt.Number, p.Type == prompt.Date, p.Type == prompt.DateTime, p.Type == prompt.File, p.Type.Chooses():
			return nil, false, nil // an empty control of a form
		}
	}
	value, problem = p.convert(raw)
	if problem == nil && value == "" && p.demanded() {
		problem = blank()
	}
	return value, problem == nil, problem
}

// preset is the initial value as the answer of a field that was not sent; nil
// where it says nothing.
func (p *item) preset() any {
	switch p.initial {
	case nil, "", false, int64(0), float64(0):
		return nil
	}
	if p.Type == prompt.Checkbox {
		return ticked(text(p.initial))
	}
	v, problem := p.convert(p.initial)
	if problem != nil {
		return nil // a fixed text that its own field refuses
	}
	return v
}

// convert reads a value that was sent as the type of the field wants it.
func (p *item) convert(raw any) (any, *field.Error) {
	switch p.Type {
	case prompt.Checkbox:
		var v struct {
			V bool `json:"v"`
		}
		return decoded(&v, raw, func() any { return v.V })
	case prompt.Number:
		var v struct {
			V int64 `json:"v"`
		}
		return decoded(&v, raw, func() any { return v.V })
	case prompt.DateTime:
		var v struct {
			V time.Time `json:"v"`
		}
		return decoded(&v, raw, func() any { return v.V.Format(time.RFC3339) })
	case prompt.Text, prompt.TextArea, prompt.Password:
		var v struct {
			V string `json:"v" field:"blank,notrim"`
		}
		return bounded(p.Type)(decoded(&v, raw, func() any { return v.V }))
	}
	var v struct {
		V string `json:"v" field:"blank"`
	}
	out, problem := bounded(p.Type)(decoded(&v, raw, func() any { return v.V }))
	if problem != nil {
		return nil, problem
	}
	return out, p.check(v.V)
}

// decoded reads one value into dst, a struct whose only field is called v.
func decoded(dst any, raw any, get func() any) (any, *field.Error) {
	if _, errs := field.Decode(dst, map[string]any{"v": raw}, field.Update); errs != nil {
		return nil, &errs["v"][0]
	}
	return get(), nil
}

// bounded refuses texts over the limit of the type.
func bounded(t prompt.Type) func(any, *field.Error) (any, *field.Error) {
	most := maxLine
	switch t {
	case prompt.TextArea:
		most = maxText
	case prompt.File:
		most = MaxFile
	}
	return func(v any, problem *field.Error) (any, *field.Error) {
		if problem == nil && utf8.RuneCountInString(v.(string)) > most {
			if t == prompt.File {
				return nil, notAFile()
			}
			return nil, &field.Error{Code: field.CodeMaxLength, Message: "prompt.error.too_long", Count: most, String: "Enter at most " + strconv.Itoa(most) + " characters."}
		}
		return v, problem
	}
}

// check judges a text by the type of the field.
func (p *item) check(v string) *field.Error {
	switch p.Type {
	case prompt.Username:
		if v == "" {
			return blank()
		}
	case prompt.Email:
		if v != "" && !directory.ValidEmail(v) {
			return &field.Error{Code: field.CodeInvalid, Message: "prompt.error.email", String: "Enter an e-mail address, like name@example.com"}
		}
	case prompt.RadioButtonGroup, prompt.Dropdown:
		for _, c := range p.choices {
			if c.Value == v {
				return nil
			}
		}
		return &field.Error{Code: field.CodeInvalidChoice, Message: "prompt.error.choice", String: "Choose one of the values on offer."}
	case prompt.Date:
		if _, err := time.Parse(time.DateOnly, v); err != nil {
			return &field.Error{Code: field.CodeInvalid, Message: "prompt.error.date", String: "Enter a date such as 2030-01-31."}
		}
	case prompt.File:
		return checkFile(v)
	}
	return nil
}

// checkFile accepts base64 data URIs (RFC 2397).
func checkFile(v string) *field.Error {
	rest, isData := strings.CutPrefix(v, "data:")
	kind, payload, hasData := strings.Cut(rest, ",")
	kind, isBase64 := strings.CutSuffix(kind, ";base64")
	_, _, err := mime.ParseMediaType(kind)
	if isData && hasData && isBase64 && err == nil {
		if _, err = base64.StdEncoding.DecodeString(payload); err == nil {
			return nil
		}
	}
	return notAFile()
}

func notAFile() *field.Error {
	return &field.Error{Code: field.CodeInvalid, Message: "prompt.error.file", String: "Choose a file of at most 147 kB; clients send it as a data URI in base64."}
}

// samePasswords compares the values of a stage with exactly two passwords.
func samePasswords(f *form, sent map[string]any) field.Errors {
	var keys []string
	for i := range f.items {
		if f.items[i].Type == prompt.Password {
			keys = append(keys, f.items[i].FieldKey)
		}
	}
	if len(keys) != 2 {
		return nil
	}
	first, ok1 := sent[keys[0]].(string)
	second, ok2 := sent[keys[1]].(string)
	if first == second && ok1 == ok2 {
		return nil
	}
	return field.Errors{field.NonField: {{Code: field.CodeInvalid, Message: "prompt.error.passwords", String: "The passwords are not the same. Type both again."}}}
}
