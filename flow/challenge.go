package flow

import (
	"encoding/json"
	"fmt"

	"github.com/weir-id/weir/field"
)

// Challenge is what a stage asks: a struct with the json names of the wire.
// Types that show the pending user embed UserInfo. flow_info, component and
// response_errors are added by the executor.
type Challenge interface {
	// Component is the discriminator on the wire: "ak-stage-password".
	Component() string
}

// Elsewhere lists origins, such as "https://captcha.example.com", that a page may
// load from besides this site.
type Elsewhere struct{ Scripts, Styles, Frames, Connects []string }

// Poller is a challenge whose page asks this site again and again how something
// stands.
type Poller interface{ Polls() }

// Loader is a challenge whose page loads something from other sites.
type Loader interface{ Elsewhere() Elsewhere }

// Outer is a challenge that holds another one, whose question is asked on the
// same page; nil where it does not.
type Outer interface{ Inner() Challenge }

// UserInfo is embedded by challenges that show who is being signed in. The
// executor fills it.
type UserInfo struct {
	PendingUser       string `json:"pending_user" field:"required"`
	PendingUserAvatar string `json:"pending_user_avatar" field:"required"`
}

func (u *UserInfo) setUserInfo(v UserInfo) { *u = v }

// Info is the part of a challenge that speaks of the flow.
type Info struct {
	Title      string      `json:"title"`
	Background string      `json:"background"`
	Themed     *ThemedURLs `json:"background_themed_urls" field:"null"`
	CancelURL  string      `json:"cancel_url" field:"required"`
	Layout     Layout      `json:"layout" field:"required"`
}

// ThemedURLs are the variants of a picture.
type ThemedURLs struct {
	Light string `json:"light" field:"null"`
	Dark  string `json:"dark" field:"null"`
}

// Envelope is a challenge as it goes out, as JSON or to a page.
type Envelope struct {
	Component string       `json:"component" field:"default"`
	Info      *Info        `json:"flow_info,omitempty"`
	Errors    field.Errors `json:"response_errors,omitempty"`
	Body      Challenge    `json:"-"`
}

// MarshalJSON writes the envelope and the stage's own keys as one object.
func (e *Envelope) MarshalJSON() ([]byte, error) {
	type plain Envelope
	head, err := json.Marshal((*plain)(e))
	if err != nil || e.Body == nil {
		return head, err
	}
	body, err := json.Marshal(e.Body)
	if err != nil {
		return nil, fmt.Errorf("encode challenge %s: %w", e.Component, err)
	}
	if len(body) <= 2 { // {}
		return head, nil
	}
	out := append(head[:len(head)-1], ',')
	return append(out, body[1:]...), nil
}

// AccessDenied ends a flow.
type AccessDenied struct {
	UserInfo
	Message string `json:"error_message"`
	// ID finds the log line of an unexpected denial; not on the wire.
	ID string `json:"-"`
}

// Component implements Challenge.
func (*AccessDenied) Component() string { return "ak-stage-access-denied" }

// RedirectTo sends the person elsewhere.
type RedirectTo struct {
	To    string `json:"to" field:"required"`
	Final bool   `json:"final_redirect" field:"default"`
}

// Component implements Challenge.
func (*RedirectTo) Component() string { return "xak-flow-redirect" }

// FlowError reports something unexpected. Error and Traceback are set for
// administrators only.
type FlowError struct {
	RequestID string `json:"request_id" field:"required"`
	Error     string `json:"error,omitempty"`
	Traceback string `json:"traceback,omitempty"`
}

// Component implements Challenge.
func (*FlowError) Component() string { return "ak-stage-flow-error" }

// Exchange is a challenge with what may answer it, for API descriptions.
type Exchange struct {
	// Name is what descriptions call it: "Password".
	Name string
	// Challenge is one of the kind; the defaults that its tags name are its
	// values.
	Challenge Challenge
	// Answer is the struct that Respond decodes; nil for a challenge that ends
	// the flow.
	Answer any
	// Open tells that the answer holds further members, by names that the
	// configuration chooses.
	Open bool
}

// Exchanges are what the engine itself says.
func Exchanges() []Exchange {
	return []Exchange{{Name: "AccessDenied", Challenge: &AccessDenied{}}, {Name: "FlowError", Challenge: &FlowError{}}}
}

// Response is the object that a client sent. Unknown keys are ignored.
type Response struct{ Data map[string]any }

// Decode moves the response into dst, a pointer to a struct with json names
// and field tags, and returns the errors of its fields.
func (r Response) Decode(dst any) field.Errors {
	_, errs := field.Decode(dst, r.Data, field.Create)
	return errs
}
