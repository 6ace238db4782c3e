package web

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
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
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	files, err := parseForm(r)
	if err != nil {
		return nil, err
	}
	fields := len(files)
	for _, sent := range r.PostForm {
		fields += len(sent)
	}
	if fields > maxFormFields {
		return nil, errFormFields
	}
	f := &form{body: map[string]any{}, values: Values{}}
	for name, sent := range r.PostForm {
		if len(sent) == 0 {
			continue
		}
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
	for name, file := range files {
		if !strings.HasPrefix(name, reserved) {
			f.body[name] = file
		}
	}
	return f, nil
}

// parseForm reads a form and the files in it, as data URIs by the names of
// their fields; a field without a file is an empty text.
func parseForm(r *http.Request) (files map[string]string, err error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err == nil && kind == "application/x-www-form-urlencoded":
		return nil, r.ParseForm()
	case err != nil || kind != "multipart/form-data":
		return nil, errFormType
	}
	// All of it stays in memory: the body is bounded.
	if err := r.ParseMultipartForm(maxFormBytes); err != nil {
		return nil, err
	}
	files = map[string]string{}
	for name, list := range r.MultipartForm.File {
		uri, err := dataURI(list[len(list)-1])
		if err != nil {
			return nil, err
		}
		files[name] = uri
	}
	return files, nil
}

// dataURI is an uploaded file as clients of the API send it (RFC 2397).
func dataURI(h *multipart.FileHeader) (string, error) {
	if h.Filename == "" && h.Size == 0 {
		return "", nil
	}
	kind, _, err := mime.ParseMediaType(h.Header.Get("Content-Type"))
	if err != nil {
		kind = "application/octet-stream"
	}
	f, err := h.Open()
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		return "", err
	}
	return "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data), nil
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
	"response":           jsonObject,
	"duo":                number,
}

// selectedChallenge reads "class:uid", the value of a button.
func selectedChallenge(s string) any {
	class, uid, ok := strings.Cut(s, ":")
	if !ok {
		return nil
	}
	return map[string]any{"device_class": class, "device_uid": uid}
}

// number reads the id of a device. What is none goes on as text, for the stage to
// refuse.
func number(s string) any {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return s
	}
	return n
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
