package notification

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/notification/rule"
)

func TestRule12LinksOfNotificationsLeadToPages(t *testing.T) {
	for link, want := range map[string]bool{
		"https://example.org/x": true, "http://example.org": true, "/if/admin/#/events": true,
		"": false, "javascript:alert(1)": false, "JavaScript:alert(1)": false, "data:text/html,x": false, "//evil.example/": false, "/\\evil.example/": false, "https:///x": false,
		" javascript:alert(1)": false, "https://example.org/" + strings.Repeat("x", maxLink): false,
	} {
		e := &event.Recorded{Action: "custom_x", Context: map[string]any{"hyperlink": link, "hyperlink_label": "more"}}
		n := newNotification(e, &rule.Rule{}, uuid.New(), identity.Anonymous(), false)
		if want && (n.Link != link || n.LinkLabel != "more") || !want && n.Link+n.LinkLabel != "" {
			t.Errorf("%.60q: the link is %q", link, n.Link)
		}
	}
}

func TestBodiesOfNotifications(t *testing.T) {
	for _, row := range []struct {
		name    string
		context map[string]any
		want    string
	}{
		{"a message", map[string]any{"message": "Hello.", "x": "y"}, "Hello."},
		{"no message", map[string]any{"x": "y"}, `custom_x: {"x":"y"}`},
		{"a message that is no text", map[string]any{"message": 7.0}, `custom_x: {"message":7}`},
		{"nothing", nil, "custom_x"},
		{"too much", map[string]any{"message": strings.Repeat("\u00e9", maxBody)}, strings.Repeat("\u00e9", (maxBody-3)/2) + "..."},
	} {
		t.Run(row.name, func(t *testing.T) {
			if got := bodyOf(&event.Recorded{Action: "custom_x", Context: row.context}); got != row.want {
				t.Errorf("got %.200s", got)
			}
		})
	}
}
