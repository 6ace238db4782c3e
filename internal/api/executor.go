package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/flowhttp"
)

// executorGet shows the current challenge of a flow.
func (a *API) executorGet(w http.ResponseWriter, r *http.Request, _ *flowhttp.Visit) error {
	call := executorCall(r)
	call.Passive = passive(r)
	return a.step(w, r, call)
}

// executorPost takes an answer.
func (a *API) executorPost(w http.ResponseWriter, r *http.Request, _ *flowhttp.Visit) error {
	call := executorCall(r)
	call.Answer = true
	var tooLarge *http.MaxBytesError
	if call.Body, call.BodyErr = readBody(r); errors.As(call.BodyErr, &tooLarge) {
		return call.BodyErr
	}
	return a.step(w, r, call)
}

// executorCall reads what GET and POST have in common: the parameter query
// holds the query string of the page.
func executorCall(r *http.Request) flowhttp.Call {
	query := r.URL.Query()
	return flowhttp.Call{Slug: r.PathValue("slug"), RawQuery: query.Get("query"), DeniedNext: query.Get("next"), Bearer: true}
}

// step writes the result of one step. A stage that is done while another waits
// is a redirect to the same address, its query reused as it came.
func (a *API) step(w http.ResponseWriter, r *http.Request, call flowhttp.Call) error {
	result, err := a.Runner.Step(w, r, call)
	switch {
	case err != nil:
		return err
	case result.Next:
		to := r.URL.EscapedPath()
		if r.URL.RawQuery != "" {
			to += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	case result.Confirm:
		refuse(w, http.StatusForbidden, "This step signs in or out. Open the page of the flow and confirm it there.")
	default:
		write(w, http.StatusOK, result.Challenge)
	}
	return nil
}

// passive tells whether a GET must not sign anybody in or out: HEAD, a typed
// address, and what a page of another site made a browser fetch (rule 5).
// Programs send none of these headers.
func passive(r *http.Request) bool {
	if r.Method == http.MethodHead {
		return true
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site != "same-origin"
	}
	// Browsers leave Sec-Fetch-Site out on plain http.
	for _, name := range []string{"Origin", "Referer"} {
		if from := r.Header.Get(name); from != "" {
			u, err := url.Parse(from)
			return err != nil || !strings.EqualFold(u.Host, r.Host)
		}
	}
	return false
}

var (
	errMediaType = errors.New("send the answer as application/json in UTF-8")
	errTrailing  = errors.New("the body holds more than one JSON value")
)

// readBody reads a JSON object. An empty body of whatever type is an empty
// object; one that is JSON but no object is a field error.
func readBody(r *http.Request) (map[string]any, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if len(raw) == 0 {
		return map[string]any{}, nil
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || kind != "application/json" || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, errMediaType
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errTrailing
	}
	body, ok := value.(map[string]any)
	if !ok {
		return nil, field.Errorf(field.NonField, field.CodeInvalid, "Send an object with the fields of the answer.")
	}
	return body, nil
}
