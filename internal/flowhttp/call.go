// Package flowhttp turns HTTP requests into steps of a flow and the results of
// steps into cookies. The JSON API and the pages both run flows through its
// Runner, so that sessions, bearer tokens and repeated submits mean the same
// for both. It writes no body and no status: that is what its callers differ in.
package flowhttp

import (
	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
)

// Call is one call of a flow, as its caller understood the request.
type Call struct {
	// Slug names the flow.
	Slug string
	// RawQuery is the undecoded query of the page that the person sees: for
	// the API the value of the parameter `query`.
	RawQuery string
	// DeniedNext is the parameter `next` of the API call itself; it counts
	// only when the flow does not apply. Pages leave it empty.
	DeniedNext string
	// Answer tells whether the person sent a response.
	Answer bool
	// Body is the response, BodyErr why it could not be read. A BodyErr of
	// type field.Errors is shown with the current challenge; any other one is
	// a flow error.
	Body    map[string]any
	BodyErr error
	// Handle and Step are what the page carried in its form: the execution
	// and its version. The API leaves Handle nil, which is not checked.
	Handle *uuid.UUID
	Step   int
	// Passive forbids logging in or out; the result then asks to confirm.
	Passive bool
	// About is the account that a flow to be started is about; nil for that of the
	// person of the request.
	About *identity.Person
	// Bearer lets an API token say who the person is.
	Bearer bool
}
