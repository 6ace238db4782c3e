package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// A load balancer without memory sends every request to another node.
func TestALoginMovesBetweenNodes(t *testing.T) {
	t.Parallel()
	n, _ := threeNodes(t)
	routes := map[string][]*node{
		"two nodes": {n[0], n[1]}, "two nodes in the other order": {n[1], n[0]},
		"three nodes": {n[0], n[1], n[2]}, "three nodes in the other order": {n[2], n[1], n[0]},
	}
	for name, route := range routes {
		for way, signIn := range map[string]func(*testing.T, *caller, account){
			"API":   func(t *testing.T, c *caller, a account) { c.signIn(t, a) },
			"pages": signInByPages,
		} {
			t.Run(name+", "+way, func(t *testing.T) {
				t.Parallel()
				a := newAccount(t, administrator(route...), unique(t))
				b := browser(route...)
				signIn(t, b, a)
				for i, node := range n {
					if got := b.signedInAs(t, node); got != a.name {
						t.Errorf("node %d takes the person for %q, want %q", i, got, a.name)
					}
					list := administrator(node).call(t, 200, "GET", sessionsOf(a), nil)
					if count := len(list.json()["results"].([]any)); count != 1 {
						t.Errorf("node %d knows %d sessions, want 1", i, count)
					}
				}
			})
		}
	}
}

func sessionsOf(a account) string {
	return "/api/v3/core/authenticated_sessions/?user__username=" + url.QueryEscape(a.name)
}

var hidden = regexp.MustCompile(`<input type="hidden" name="(weir\.[a-z]+)" value="([^"]*)">`)

// signInByPages fills in the forms of the default login.
func signInByPages(t *testing.T, c *caller, a account) {
	t.Helper()
	page := "/if/flow/" + login + "/"
	for _, field := range [][2]string{{"uid_field", a.name}, {"password", a.password}} {
		form := url.Values{field[0]: {field[1]}}
		for _, m := range hidden.FindAllSubmatch(c.call(t, 200, "GET", page, nil).body, -1) {
			form.Set(string(m[1]), string(m[2]))
		}
		c.call(t, 303, "POST", page, form.Encode())
	}
	// The last step signs in by itself.
	c.call(t, 303, "GET", page, nil)
}

// newFlow makes a flow of one stage.
func newFlow(t *testing.T, c *caller, slug string) (id string) {
	t.Helper()
	made := c.call(t, 201, "POST", "/api/v3/flows/instances/", object{"name": slug, "slug": slug, "title": "First title", "designation": "stage_configuration"}).json()
	stage := c.call(t, 201, "POST", "/api/v3/stages/dummy/", object{"name": slug}).json()
	c.call(t, 201, "POST", "/api/v3/flows/bindings/", object{"target": made["pk"], "stage": stage["pk"], "order": 0})
	return made["pk"].(string)
}

// shows tells whether the executor of a node is at a component under a title.
func shows(t *testing.T, n *node, slug, component, title string) bool {
	t.Helper()
	r, err := browser(n).try(t.Context(), "GET", executor+slug+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	info, _ := r.json()["flow_info"].(object)
	return r.status == http.StatusOK && r.json()["component"] == component && info["title"] == title
}

// onAll waits until all nodes show the same.
func onAll(t *testing.T, nodes []*node, slug, component, title string) {
	t.Helper()
	for i, n := range nodes {
		eventually(t, fmt.Sprintf("node %d shows %s of %s under %q", i, component, slug, title), func() bool { return shows(t, n, slug, component, title) })
	}
}

// deny binds a policy to a flow that lets nobody in.
func deny(t *testing.T, c *caller, flow, name string) {
	t.Helper()
	policy := c.call(t, 201, "POST", "/api/v3/policies/dummy/", object{"name": name, "result": false, "wait_min": 0, "wait_max": 0}).json()
	c.call(t, 201, "POST", "/api/v3/policies/bindings/", object{"target": flow, "policy": policy["pk"], "order": 0})
}

func TestAChangeOnOneNodeIsSeenByTheExecutorsOfTheOthers(t *testing.T) {
	t.Parallel()
	nodes, database := threeNodes(t)
	slug := unique(t)
	a := administrator(nodes[0])
	flow := newFlow(t, a, slug)
	onAll(t, nodes, slug, "ak-stage-dummy", "First title")
	a.call(t, 200, "PATCH", "/api/v3/flows/instances/"+slug+"/", object{"title": "Second title"})
	onAll(t, nodes, slug, "ak-stage-dummy", "Second title")

	// Also when the connections on which the nodes listen are gone.
	admin, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context())
	// A node may still be on its way to listen.
	eventually(t, "all nodes listen", func() bool {
		var n int
		err := admin.QueryRow(t.Context(), `select count(*) from pg_stat_activity where datname = current_database() and query like 'listen "weir_catalog"%'`).Scan(&n)
		return err == nil && n >= len(nodes)
	})
	if _, err := admin.Exec(t.Context(), `select pg_terminate_backend(pid) from pg_stat_activity
		where datname = current_database() and query like 'listen "weir_catalog"%'`); err != nil {
		t.Fatal(err)
	}
	a.call(t, 200, "PATCH", "/api/v3/flows/instances/"+slug+"/", object{"title": "Third title"})
	onAll(t, nodes, slug, "ak-stage-dummy", "Third title")
	deny(t, a, flow, slug)
	onAll(t, nodes, slug, "ak-stage-access-denied", "Third title")
}

func TestAWriteOnOneNodeIsReadOnTheOthersAtOnce(t *testing.T) {
	t.Parallel()
	nodes, _ := threeNodes(t)
	slug := unique(t)
	path := "/api/v3/flows/instances/" + slug + "/"
	administrator(nodes[0]).call(t, 201, "POST", "/api/v3/flows/instances/", object{"name": slug, "slug": slug, "title": "0", "designation": "recovery"})
	for i := range 12 {
		writer, reader := nodes[i%3], nodes[(i+1)%3]
		title := fmt.Sprint("title ", i)
		administrator(writer).call(t, 200, "PATCH", path, object{"title": title})
		if got := administrator(reader).call(t, 200, "GET", path, nil).json()["title"]; got != title {
			t.Fatalf("read %v after %q was written", got, title)
		}
	}
	administrator(nodes[1]).call(t, 204, "DELETE", path, nil)
	administrator(nodes[2]).call(t, 404, "GET", path, nil)
}

// However a session ends, no node takes it for one more request.
func TestRule33ASessionThatEndedOnOneNodeIsDeadOnAll(t *testing.T) {
	t.Parallel()
	nodes, _ := threeNodes(t)
	admin := administrator(nodes[0])
	user := func(a account) string { return fmt.Sprintf("/api/v3/core/users/%d/", a.id) }
	for name, end := range map[string]func(t *testing.T, a account, b *caller){
		"deleted through the API": func(t *testing.T, a account, _ *caller) {
			list := admin.at(nodes[0]).call(t, 200, "GET", sessionsOf(a), nil).json()["results"].([]any)
			admin.at(nodes[0]).call(t, 204, "DELETE", "/api/v3/core/authenticated_sessions/"+list[0].(object)["uuid"].(string)+"/", nil)
		},
		"signed out": func(t *testing.T, _ account, b *caller) {
			b.at(nodes[0]).call(t, 200, "GET", executor+"default-invalidation-flow/", nil)
		},
		"another password": func(t *testing.T, a account, _ *caller) {
			admin.at(nodes[0]).call(t, 204, "POST", user(a)+"set_password/", object{"password": "another password"})
		},
		"user deactivated": func(t *testing.T, a account, _ *caller) {
			admin.at(nodes[0]).call(t, 200, "PATCH", user(a), object{"is_active": false})
		},
		"user deleted": func(t *testing.T, a account, _ *caller) {
			admin.at(nodes[0]).call(t, 204, "DELETE", user(a), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t, admin.at(nodes[0]), unique(t))
			b := browser(nodes...)
			b.signIn(t, a)
			for i, n := range nodes {
				if got := b.signedInAs(t, n); got != a.name {
					t.Fatalf("node %d takes the person for %q before", i, got)
				}
			}
			// Somebody who has copied the cookies keeps them, whatever answers say.
			kept := maps.Clone(b.cookies)
			copied := func() *caller { return &caller{cookies: maps.Clone(kept)} }
			end(t, a, b)
			for _, i := range []int{1, 2, 0} {
				if got := copied().signedInAs(t, nodes[i]); got != "" {
					t.Errorf("node %d takes the ended session for %q", i, got)
				}
				page := copied().at(nodes[i]).call(t, 302, "GET", "/if/user/", nil)
				if to := page.header.Get("Location"); !strings.HasPrefix(to, "/flows/") && !strings.HasPrefix(to, "/if/flow/") {
					t.Errorf("node %d leads the ended session from the home page to %q", i, to)
				}
			}
		})
	}
}
