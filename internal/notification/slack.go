package notification

import (
	"github.com/weir-id/weir/internal/notification/rule"
)

// maxSlackFields is how many fields one attachment has.
const maxSlackFields = 25

// slackText is a message to a channel.
type slackText struct {
	Username    string            `json:"username"`
	Attachments []slackAttachment `json:"attachments"`
}

type slackAttachment struct {
	Title    string       `json:"title"`
	Link     string       `json:"title_link,omitempty"`
	Text     string       `json:"text"`
	Fallback string       `json:"fallback"`
	Color    string       `json:"color"`
	Footer   string       `json:"footer"`
	Fields   []slackField `json:"fields"`
}

type slackField struct {
	Title string `json:"title"`
	Value string `json:"value"`
	Short bool   `json:"short"`
}

// slackColors mark severities.
var slackColors = map[rule.Severity]string{rule.Notice: "#2f6fde", rule.Warning: "#d9822b", rule.Alert: "#c23030"}

func slackMessage(n *Notification, version string) slackText {
	a := slackAttachment{Title: n.title(), Link: n.Link, Text: n.Body, Fallback: n.title() + ": " + n.Body, Color: slackColors[n.Severity], Footer: "Weir " + version,
		Fields: []slackField{{"Severity", string(n.Severity), true}, {"Dispatched for user", n.User.Username, true}}}
	if username, email := n.eventUser(); username != "" {
		if email != "" {
			username += " (" + email + ")"
		}
		a.Fields = append(a.Fields, slackField{"Event user", username, true})
	}
	for _, text := range n.texts() {
		if len(a.Fields) == maxSlackFields {
			break
		}
		a.Fields = append(a.Fields, slackField{text.name, text.value, true})
	}
	return slackText{Username: "Weir", Attachments: []slackAttachment{a}}
}
