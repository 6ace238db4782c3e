package duo

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Enrolment is somebody whom Duo has made, and who has to show their phone.
type Enrolment struct {
	UserID string `json:"user_id"`
	// Code is what the phone opens, "duo://..."; Barcode the address of a picture of
	// it at Duo.
	Code    string `json:"activation_code"`
	Barcode string `json:"activation_barcode"`
}

// Enrol makes a user at Duo.
func (c *Client) Enrol(ctx context.Context, username string) (*Enrolment, error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	var e Enrolment
	if err := c.call(ctx, http.MethodPost, "/auth/v2/enroll", url.Values{"username": {username}}, &e, nil); err != nil {
		return nil, err
	}
	if e.UserID == "" || e.Code == "" {
		return nil, errors.New("duo has enrolled nobody")
	}
	return &e, nil
}

// Status is how far an enrolment is.
type Status string

// The states.
const (
	Success Status = "success"
	Invalid Status = "invalid"
	Waiting Status = "waiting"
)

// Choices lists the states.
func (Status) Choices() []string { return []string{string(Success), string(Waiting), string(Invalid)} }

// Status asks how far an enrolment is. What Duo says in other words is invalid.
func (c *Client) Status(ctx context.Context, e *Enrolment) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	var s Status
	err := c.call(ctx, http.MethodPost, "/auth/v2/enroll_status", url.Values{"user_id": {e.UserID}, "activation_code": {e.Code}}, &s, nil)
	if err != nil {
		return "", err
	}
	if s != Success && s != Waiting {
		s = Invalid
	}
	return s, nil
}

// Push is a question on somebody's phone.
type Push struct {
	UserID string
	// Title is what the phone shows above it, Username for whom, Info further lines.
	Title, Username string
	Info            []Line
	// Client is where the person signs in; invalid for unknown.
	Client netip.Addr
}

// Line is a name and a value that the phone shows.
type Line struct{ Name, Value string }

// Answer is what became of a push.
type Answer struct {
	// Result is "allow" or "deny", Status says why.
	Result string `json:"result"`
	Status string `json:"status"`
}

// Allowed tells that the person, or the rules of the Duo account, said yes.
func (a Answer) Allowed() bool { return a.Result == "allow" }

// The states that are told apart.
const (
	StatusFraud   = "fraud"
	StatusTimeout = "timeout"
)

// Push asks somebody, and waits for the answer at most for Wait.
func (c *Client) Push(ctx context.Context, p *Push) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, Wait)
	defer cancel()
	params := url.Values{"user_id": {p.UserID}, "factor": {"push"}, "device": {"auto"}}
	if p.Title != "" {
		params.Set("type", p.Title)
	}
	if p.Username != "" {
		params.Set("display_username", p.Username)
	}
	if p.Client.IsValid() {
		params.Set("ipaddr", p.Client.String())
	}
	var info []string
	for _, l := range p.Info {
		info = append(info, url.QueryEscape(l.Name)+"="+url.QueryEscape(l.Value))
	}
	if len(info) > 0 {
		params.Set("pushinfo", strings.Join(info, "&"))
	}
	var a Answer
	err := c.call(ctx, http.MethodPost, "/auth/v2/auth", params, &a, nil)
	if err == nil && a.Result != "allow" && a.Result != "deny" {
		err = errors.New("duo answers a push with neither yes nor no")
	}
	return a, err
}
