// Package rule holds what administrators say about notifications: rules that
// choose events and recipients, transports that carry notifications, and
// mappings that shape what a webhook gets. It only describes them; package
// notification does what they say.
package rule

import (
	"net/url"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
)

// Severity says how grave a notification is.
type Severity string

// The severities on the wire.
const (
	Notice  Severity = "notice"
	Warning Severity = "warning"
	Alert   Severity = "alert"
)

// Choices lists the severities.
func (Severity) Choices() []string { return []string{string(Notice), string(Warning), string(Alert)} }

// Rule notifies people of the events that the policies bound to it let
// through. One without bindings lets nothing through.
type Rule struct {
	field.Identity
	Name       string      `json:"name" field:"required,unique"`
	Transports []uuid.UUID `json:"transports" field:"ref=notificationtransport"`
	Severity   Severity    `json:"severity"`
	// DestinationGroup are the people to notify, those of groups below
	// included. Nil for none.
	DestinationGroup *uuid.UUID `json:"destination_group" field:"null,ref=group"`
	// DestinationEventUser notifies the person whom the event is about, too.
	DestinationEventUser bool `json:"destination_event_user"`
}

// New returns a rule with its defaults.
func New() Rule { return Rule{Transports: []uuid.UUID{}, Severity: Notice} }

// Mode says how a transport carries notifications.
type Mode string

// The modes on the wire.
const (
	// Local stores them for the person to read here.
	Local Mode = "local"
	// Webhook sends them as JSON to a server.
	Webhook Mode = "webhook"
	// Slack sends them in the form that Slack and Discord take.
	Slack Mode = "webhook_slack"
	// Email mails them.
	Email Mode = "email"
)

// Choices lists the modes.
func (Mode) Choices() []string {
	return []string{string(Local), string(Webhook), string(Slack), string(Email)}
}

// Label names the mode for people.
func (m Mode) Label() string {
	switch m {
	case Webhook:
		return "Generic Webhook"
	case Slack:
		return "Slack Webhook (Slack/Discord)"
	case Email:
		return "Email"
	}
	return "Local (stored here)"
}

// Calls tells whether notifications go to another server over HTTP.
func (m Mode) Calls() bool { return m == Webhook || m == Slack }

// Transport carries notifications to people.
type Transport struct {
	field.Identity
	Name string `json:"name" field:"required,unique"`
	Mode Mode   `json:"mode"`
	// WebhookURL is where webhooks go. Who may see the transport sees it.
	WebhookURL string `json:"webhook_url" field:"blank,format=uri,max=2048"`
	// WebhookCA is always null: webhooks trust the certificates of the system.
	WebhookCA *uuid.UUID `json:"webhook_ca" field:"null,ref=certificate"`
	// WebhookMappingBody makes the body instead of the usual one,
	// WebhookMappingHeaders makes further headers.
	WebhookMappingBody    *uuid.UUID `json:"webhook_mapping_body" field:"null,ref=notificationwebhookmapping"`
	WebhookMappingHeaders *uuid.UUID `json:"webhook_mapping_headers" field:"null,ref=notificationwebhookmapping"`
	// WebhookSigningSecret signs what webhooks send; empty for no signature.
	WebhookSigningSecret string `json:"webhook_signing_secret" field:"blank,notrim,secret,max=512"`
	EmailSubjectPrefix   string `json:"email_subject_prefix" field:"blank,notrim,max=255"`
	EmailTemplate        string `json:"email_template" field:"max=255"`
	// SendOnce sends to the first recipient only.
	SendOnce bool `json:"send_once"`
}

// NewTransport returns a transport with its defaults.
func NewTransport() Transport {
	return Transport{Mode: Local, EmailSubjectPrefix: "authentik Notification: ", EmailTemplate: "email/event_notification.html"}
}

// minSecret is the length of the shortest secret that signs.
const minSecret = 16

// Validate demands what the mode needs.
func (t *Transport) Validate() field.Errors {
	var errs field.Errors
	if t.WebhookURL != "" && !webAddress(t.WebhookURL) {
		errs = errs.Add("webhook_url", field.Error{Code: field.CodeInvalid, String: "Enter an address that begins with http:// or https:// and names a host."})
	} else if t.WebhookURL == "" && t.Mode.Calls() {
		errs = errs.Add("webhook_url", field.Error{Code: field.CodeRequired, String: "Enter the address that the webhook goes to."})
	}
	if t.WebhookCA != nil {
		errs = errs.Add("webhook_ca", field.Error{Code: field.CodeDoesNotExist,
			String: "Leave this empty: webhooks trust the certificates of the system."})
	}
	if strings.ContainsFunc(t.EmailSubjectPrefix, unicode.IsControl) {
		errs = errs.Add("email_subject_prefix", field.Error{Code: field.CodeInvalid, String: "Enter one line of text."})
	}
	if n := len(t.WebhookSigningSecret); n > 0 && n < minSecret {
		errs = errs.Add("webhook_signing_secret", field.Error{Code: field.CodeMinLength, String: "Enter a secret of at least 16 characters, or none."})
	}
	return errs
}

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

// Mapping makes the body or the headers of a webhook with an expression.
type Mapping struct {
	field.Identity
	Name       string `json:"name" field:"required,unique"`
	Expression string `json:"expression" field:"required,notrim"`
}

// NewMapping returns a mapping with its defaults.
func NewMapping() Mapping { return Mapping{} }
