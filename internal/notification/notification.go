// Package notification tells people of events. A rule says which events, by the
// policies bound to it, and whom to tell; a transport carries the notification.
//
//	event stored --same transaction--> job: ask the rules
//	               --for each that fires--> job: recipients, a page at a time
//	                  --local--> a row     --webhook, mail--> job: one recipient
//
// Nobody waits for any of this: it is done by jobs, and a receiver that does not
// answer holds up nothing but its own notifications. What the engine itself
// records never makes notifications, so that a rule cannot cause itself.
package notification

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/notification/rule"
)

// Keep is how long people can read a notification that was stored for them.
const Keep = 30 * 24 * time.Hour

// Limits of what a notification says, in bytes.
const (
	maxBody = 4 << 10
	maxLink = 4 << 10
)

// Notification is what one person is told.
type Notification struct {
	// ID is the same in every attempt to deliver it.
	ID       uuid.UUID
	User     *identity.Person
	Severity rule.Severity
	Body     string
	// Link and LinkLabel lead to more about it; both may be empty.
	Link, LinkLabel string
	Created         time.Time
	// Rule is the name of the rule that tells it; empty for none.
	Rule string
	// Event is what it tells of.
	Event *event.Recorded
}

// namespace is that of the ids of notifications. It was drawn at random and
// never changes.
var namespace = uuid.MustParse("9c1f0a54-6f0e-4f0b-8a83-6f1f0b8f5d27")

// newNotification tells a person of an event. Leftover tells that the rule fires
// too often, so that it stands for the rest of the minute too.
func newNotification(e *event.Recorded, r *rule.Rule, transport uuid.UUID, p *identity.Person, leftover bool) *Notification {
	n := &Notification{User: p, Severity: r.Severity, Body: bodyOf(e), Created: e.Created, Rule: r.Name, Event: e,
		ID: uuid.NewSHA1(namespace, fmt.Appendf(nil, "%s %s %s %d %t", e.ID, r.ID, transport, p.ID, leftover))}
	if leftover {
		n.Body = shorten(fmt.Sprintf("The rule %q fires too often. Its further notifications of this minute are left out; the events are all kept.", r.Name), maxBody)
		return n
	}
	if link, _ := e.Context["hyperlink"].(string); leads(link) {
		label, _ := e.Context["hyperlink_label"].(string)
		n.Link, n.LinkLabel = link, shorten(label, maxLink)
	}
	return n
}

// leads tells whether a text is an address that people may be sent to: of a web
// page, or of one of this site. Whoever shows it makes a link of it (rule 12).
func leads(link string) bool {
	u, err := url.Parse(link)
	if err != nil || len(link) > maxLink {
		return false
	}
	if u.Scheme == "http" || u.Scheme == "https" {
		return u.Host != ""
	}
	return u.Scheme == "" && u.Host == "" && strings.HasPrefix(link, "/") && !strings.HasPrefix(link, "/\\")
}

// bodyOf is the message of the event, else what happened with all that is known.
func bodyOf(e *event.Recorded) string {
	if message, _ := e.Context["message"].(string); message != "" {
		return shorten(message, maxBody)
	}
	if len(e.Context) == 0 {
		return string(e.Action)
	}
	details, err := json.Marshal(e.Context)
	if err != nil {
		return string(e.Action) // the context came from JSON
	}
	return shorten(string(e.Action)+": "+string(details), maxBody)
}

// shorten cuts a text at a character's end.
func shorten(s string, most int) string {
	if len(s) <= most {
		return s
	}
	const mark = "..."
	s = s[:most-len(mark)]
	for len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]) {
		s = s[:len(s)-1]
	}
	return s + mark
}

// title is the heading: what happened.
func (n *Notification) title() string { return cmp.Or(string(n.Event.Action), "notification") }

// eventUser is the person whom the event is about, by name and address.
func (n *Notification) eventUser() (username, email string) {
	username, _ = n.Event.User["username"].(string)
	email, _ = n.Event.User["email"].(string)
	return username, email
}

// texts are the texts among the values of the event, by name; the body says the
// message already.
func (n *Notification) texts() []pair {
	var out []pair
	for _, name := range sortedKeys(n.Event.Context) {
		if text, ok := n.Event.Context[name].(string); ok && strings.TrimSpace(text) != "" {
			out = append(out, pair{name, shorten(text, maxBody)})
		}
	}
	return out
}

type pair struct{ name, value string }

// Attr shows the notification to the expressions of mappings.
func (n *Notification) Attr(name string) (any, bool) {
	switch name {
	case "pk", "uuid":
		return n.ID, true
	case "event":
		return n.Event, true
	case "body":
		return n.Body, true
	case "severity":
		return string(n.Severity), true
	case "user":
		return n.User, true
	case "hyperlink":
		return orNone(n.Link), true
	case "hyperlink_label":
		return orNone(n.LinkLabel), true
	case "created":
		return n.Created, true
	}
	return nil, false
}

func orNone(s string) any {
	if s == "" {
		return nil
	}
	return s
}
