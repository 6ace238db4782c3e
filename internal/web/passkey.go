package web

import (
	"encoding/json"
	"fmt"
)

// Passkey is the place of a ceremony between the browser and a passkey.
type Passkey struct {
	Page *Page
	// Ceremony is "create", "get" or "beside", where a passkey is one way of several;
	// Options is what the browser is told, as JSON.
	Ceremony, Options string
}

// newPasskey places a ceremony.
func newPasskey(p *Page, ceremony string, options map[string]any) (Passkey, error) {
	data, err := json.Marshal(options)
	if err != nil {
		return Passkey{}, fmt.Errorf("options of a passkey: %w", err)
	}
	return Passkey{p, ceremony, string(data)}, nil
}

// Name is the hidden field that takes what the passkey answers.
func (p Passkey) Name() string {
	switch p.Ceremony {
	case "create":
		return "response"
	case "beside":
		return "passkey"
	}
	return "webauthn"
}

// Button is the id of the text on the button.
func (p Passkey) Button() string {
	switch p.Ceremony {
	case "create":
		return "webauthn.create"
	case "beside":
		return "identification.passkey"
	}
	return "validate.way.webauthn"
}

// Beside tells that the page is complete without it.
func (p Passkey) Beside() bool { return p.Ceremony == "beside" }

// Cancelled is the id of what is said when the person closed the dialog.
func (p Passkey) Cancelled() string {
	if p.Ceremony == "create" {
		return "webauthn.cancelled.create"
	}
	return "webauthn.cancelled.get"
}
