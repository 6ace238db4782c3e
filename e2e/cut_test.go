package e2e

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/weir-id/weir/internal/store/storetest"
)

// A node whose line to the database is cut says so in good time, whether its
// packets are refused or vanish, and works again by itself.
func TestANodeThatIsCutOffSaysSoAndRecovers(t *testing.T) {
	t.Parallel()
	database := storetest.Postgres(t)
	line := storetest.NewLine(t, database)
	nodes := startNodes(t, t.Cleanup, storetest.With(storetest.With(line.URL, "statement_timeout", "1s"), "connect_timeout", "1"), database)
	cut, other := nodes[0], nodes[1]
	admin := administrator(other)
	a := newAccount(t, admin, "cut-off")
	b := browser(cut)
	b.signIn(t, a)
	half := browser(cut) // in the middle of a login
	half.call(t, 200, "GET", executor+login+"/", nil)
	half.call(t, 302, "POST", executor+login+"/", object{"component": "ak-stage-identification", "uid_field": a.name})

	proxied := administrator(cut)
	proxied.header = http.Header{"X-Forwarded-For": {"192.0.2.1"}}
	requests := []struct {
		name   string
		caller *caller
		method string
		path   string
		body   any
		text   string
	}{
		{"readiness", browser(cut), "GET", "/-/health/ready/", nil, ""},
		{"the home page", b, "GET", "/if/user/", nil, "Very busy"},
		{"the page of a step", half, "GET", "/if/flow/" + login + "/", nil, "Very busy"},
		{"an answer of a form", half, "POST", "/if/flow/" + login + "/", "password=x", "Very busy"},
		{"who am I", b, "GET", "/api/v3/core/users/me/", nil, `"detail"`},
		{"a step of the API", half, "POST", executor + login + "/", object{"component": "ak-stage-password", "password": a.password}, `"detail"`},
		{"a list", administrator(cut), "GET", "/api/v3/core/users/", nil, `"detail"`},
		{"a write", administrator(cut), "POST", "/api/v3/core/groups/", object{"name": "lost"}, `"detail"`},
		{"a write to the catalog", administrator(cut), "PATCH", "/api/v3/flows/instances/" + login + "/", object{"title": "Lost"}, `"detail"`},
		{"metrics behind a proxy", proxied, "GET", "/-/metrics/", nil, "Try again"},
		{"the version", administrator(cut), "GET", "/api/v3/admin/version/", nil, `"detail"`},
	}
	for _, way := range []struct {
		name string
		cut  func()
	}{{"refused", line.Cut}, {"swallowed", line.Silence}} {
		t.Run(way.name, func(t *testing.T) {
			// Connections that were used a moment ago are not asked whether they
			// are alive: the statements themselves go into the void.
			var all sync.WaitGroup
			for range 2 * len(requests) {
				all.Go(func() { _, _ = administrator(cut).try(t.Context(), "GET", "/api/v3/core/users/me/", nil) })
			}
			all.Wait()
			way.cut()
			for _, q := range requests {
				all.Go(func() {
					c := q.caller.at(cut)
					r, err := c.try(t.Context(), q.method, q.path, q.body)
					if err != nil {
						t.Errorf("%s: %v", q.name, err)
						return
					}
					if r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" || !strings.Contains(string(r.body), q.text) {
						t.Errorf("%s: Retry-After %q, %v", q.name, r.header.Get("Retry-After"), r)
					}
				})
			}
			all.Wait()
			browser(cut).call(t, 200, "GET", "/-/health/live/", nil)
			browser(cut).call(t, 200, "GET", "/if/flow/"+login+"/", nil) // the first page needs no more than the configuration
			slug := "meanwhile-" + way.name
			newFlow(t, admin, slug)

			line.Mend()
			eventually(t, "the node is ready again", func() bool {
				r, err := browser(cut).try(t.Context(), "GET", "/-/health/ready/", nil)
				return err == nil && r.status == http.StatusOK
			})
			eventually(t, "the node takes writes again", func() bool {
				r, err := administrator(cut).try(t.Context(), "POST", "/api/v3/core/groups/", object{"name": "after " + way.name})
				return err == nil && r.status == http.StatusCreated
			})
			onAll(t, []*node{cut}, slug, "ak-stage-dummy", "First title")
			if got := b.signedInAs(t, cut); got != a.name {
				t.Errorf("the node takes the person for %q afterwards, want %q", got, a.name)
			}
		})
	}
	if asked := half.call(t, 200, "GET", executor+login+"/", nil).json()["component"]; asked != "ak-stage-password" {
		t.Errorf("the login that was under way asks for %v", asked)
	}
	half.signIn(t, a)
	if got := half.signedInAs(t, cut); got != a.name {
		t.Errorf("the login that was under way ends as %q, want %q", got, a.name)
	}
}
