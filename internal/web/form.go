package web

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// Limits on what a stranger may send in a form.
const (
	maxFormBytes  = 256 << 10
	maxFormFields = 200
)

// form is a submitted step.
type form struct {
	body      map[string]any
	values    Values
	execution uuid.UUID
	step      int
}

// reserved begins the names of fields that are ours and no part of a response.
const reserved = "weir."

var (
	errFormType   = errors.New("the form is of another type")
	errFormFields = errors.New("the form has too many fields")
)

// readForm reads a submitted form within its limits. A field that is sent
// twice counts with its last value.
func readForm(w http.ResponseWriter, r *http.Request) (*form, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, errFormType
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	fields := 0
	for _, sent := range r.PostForm {
		fields += len(sent)
	}
	if fields > maxFormFields {
		return nil, errFormFields
	}
	f := &form{body: map[string]any{}, values: Values{}}
	for name, sent := range r.PostForm {
		value := sent[len(sent)-1]
		switch name {
		case reserved + "execution":
			// What is no id is the handle of nothing: out of date, and refused
			// as soon as something is stored.
			f.execution, _ = uuid.Parse(value)
			continue
		case reserved + "step":
			f.step, _ = strconv.Atoi(value)
			continue
		}
		if strings.HasPrefix(name, reserved) {
			continue
		}
		if convert, ok := formValues[name]; ok {
			if v := convert(value); v != nil {
				f.body[name] = v
			}
			continue
		}
		f.body[name] = value
		if !secretFields[name] {
			f.values[name] = value
		}
	}
	return f, nil
}

// secretFields are never shown again. Inputs of type password never show a
// value either, whatever their name.
var secretFields = map[string]bool{"password": true, "code": true, "token": true, "captcha_token": true}

// formValues are the fields of the wire that are no strings. A converter
// returns nil for a value that counts as not sent.
var formValues = map[string]func(string) any{
	"remember_me":        func(s string) any { return s == "true" || s == "on" },
	"selected_challenge": selectedChallenge,
	"webauthn":           jsonObject,
	"passkey":            jsonObject,
}

// selectedChallenge reads "class:uid", the value of a button.
func selectedChallenge(s string) any {
	class, uid, ok := strings.Cut(s, ":")
	if !ok {
		return nil
	}
	return map[string]any{"device_class": class, "device_uid": uid}
}

// jsonObject reads an object that a module wrote into a hidden field. What is
// none goes on as text, for the stage to refuse.
func jsonObject(s string) any {
	if s == "" {
		return nil
	}
	var v map[string]any
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		return s
	}
	return v
}
