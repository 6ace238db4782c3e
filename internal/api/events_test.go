package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

func TestEventsByHand(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		n := newPeer(t, db)
		made := n.must(201, "POST", "events/events/?x=1&token=hunter2", `{"action": "custom_", "app": "mine", "context": {"password": "hunter2", "note": "x", "http_request": {"path": "/forged"}}}`)
		one := "events/events/" + made.body["pk"].(string) + "/"
		context := made.body["context"].(map[string]any)
		request := context["http_request"].(map[string]any)
		if context["note"] != "x" || context["password"] == "hunter2" || request["path"] != "/api/v3/events/events/" || request["method"] != "POST" ||
			fmt.Sprint(request["args"]) != "map[token:******************** x:1]" {
			t.Errorf("context %v", context)
		}
		if made.body["user"].(map[string]any)["username"] != "root" || made.body["client_ip"] == nil {
			t.Errorf("event %v", made.body)
		}
		changed := n.must(200, "PATCH", one, `{"context": {"note": "y"}, "client_ip": "192.0.2.9", "user": {"username": "ann"}}`)
		if c := changed.body["context"].(map[string]any); c["note"] != "y" || c["http_request"] == nil || changed.body["client_ip"] != "192.0.2.9" {
			t.Errorf("changed to %v", changed.body)
		}
		if found := n.must(200, "GET", "events/events/?username=ann", ""); len(found.results()) != 1 {
			t.Errorf("the changed event is not found: %s", found.text)
		}
		n.must(200, "PUT", one, `{"action": "login", "app": "other"}`)
		n.must(204, "DELETE", one, "")
		n.must(404, "GET", one, "")
		// Whoever tampers with the trail leaves one.
		for action, want := range map[string]int{"model_updated": 2, "model_deleted": 1, "model_created": 0} {
			found := n.must(200, "GET", "events/events/?context_model_name=event&username=root&actions="+action, "")
			if got := len(found.results()); got != want {
				t.Errorf("%s: %d events, want %d", action, got, want)
			}
		}
		for _, row := range []struct{ body, field string }{
			{`{"app": "x"}`, "action"}, {`{"action": "login"}`, "app"}, {`{"action": "custom_mine", "app": "x"}`, "action"},
			{`{"action": "login", "app": "x", "client_ip": "here"}`, "client_ip"}, {`{"action": "login", "app": "x", "expires": "2020-01-01T00:00:00Z"}`, "expires"},
			{`{"action": "login", "app": "x", "context": []}`, "context"},
		} {
			if a := n.must(400, "POST", "events/events/", row.body); a.body[row.field] == nil {
				t.Errorf("%s: %s", row.body, a.text)
			}
		}
	})
}

func TestCountsOfEvents(t *testing.T) {
	n := newPeer(t, storetest.SQLite(t))
	for _, action := range []string{"login", "login", "logout"} {
		n.must(201, "POST", "events/events/", fmt.Sprintf(`{"action": %q, "app": "x"}`, action))
	}
	n.must(201, "POST", "events/events/", `{"action": "authorize_application", "app": "x", "context": {"authorized_application": {"pk": "1", "name": "Wiki"}}}`)
	rows := []struct{ path, want string }{
		{"stats/?count_steps=hours=1&count_steps=days=7&action=login", `{"unique_users":1,"count_step":{"days=7":2,"hours=1":2}}`},
		{"volume/?action=logout", `[{"action":"logout","time":"2026-11-23T12:00:00Z","count":1}]`},
		{"volume/?username=nobody", `[]`},
		{"top_per_user/", `[{"application":{"name":"Wiki","pk":"1"},"counted_events":1,"unique_users":1}]`},
		{"top_per_user/?action=login", `[]`},
	}
	for _, row := range rows {
		if got := strings.TrimSpace(n.must(200, "GET", "events/events/"+row.path, "").text); got != row.want {
			t.Errorf("%s: %s", row.path, got)
		}
	}
	for _, path := range []string{"stats/", "stats/?count_steps=soon", "stats/?count_steps=days=365", "volume/?history_days=x", "top_per_user/?top_n=0", "?actions=nothing"} {
		n.must(400, "GET", "events/events/"+path, "")
	}
	if a := n.must(200, "GET", "events/events/actions/", ""); !strings.Contains(a.text, `{"name":"Login failed","description":"","component":"login_failed"`) {
		t.Error(a.text)
	}
	n.as(n.user("eve", false))
	for _, path := range []string{"", "stats/?count_steps=days=1", "volume/", "top_per_user/"} {
		n.must(403, "GET", "events/events/"+path, "")
	}
}
