package api

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/weir-id/weir/internal/flowhttp"
	"github.com/weir-id/weir/internal/resource"
)

// executorRoutes run flows.
func (a *API) executorRoutes() []Route {
	query := []resource.Filter{{Name: "query", Required: true}}
	return []Route{
		{http.MethodGet, "flows/executor/{flow_slug}/", public, Doc{ID: "flows_executor_get", Summary: "Show what the flow asks now", Query: query, Answer: &Shape{Flow: true}}, executorGet},
		{http.MethodPost, "flows/executor/{flow_slug}/", public, Doc{ID: "flows_executor_solve", Summary: "Answer what the flow asks", Query: query,
			Body: &Shape{Flow: true}, OptionalBody: true, Answer: &Shape{Flow: true}}, executorPost},
	}
}

// executorGet shows the current challenge of a flow.
func executorGet(c *call) error {
	step := executorCall(c.r)
	step.Passive = passive(c.r)
	return c.step(step)
}

// executorPost takes an answer.
func executorPost(c *call) error {
	step := executorCall(c.r)
	step.Answer = true
	var unread *unreadError
	if step.Body, step.BodyErr = readBody(c.r); errors.As(step.BodyErr, &unread) {
		return step.BodyErr
	}
	return c.step(step)
}

// executorCall reads what GET and POST have in common: the parameter query
// holds the query string of the page.
func executorCall(r *http.Request) flowhttp.Call {
	query := r.URL.Query()
	return flowhttp.Call{Slug: r.PathValue("flow_slug"), RawQuery: query.Get("query"), DeniedNext: query.Get("next"), Bearer: true}
}

// step writes the result of one step. A stage that is done while another waits
// is a redirect to the same address, its query reused as it came.
func (c *call) step(step flowhttp.Call) error {
	w, r := c.w, c.r
	result, err := c.api.Runner.Step(w, r, step)
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
