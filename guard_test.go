package weir

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
)

const onePage = `
version: 1
metadata: { name: One page }
entries:
  - model: authentik_flows.flow
    id: flow
    identifiers: { slug: one-page }
    attrs: { name: One page, title: Sign in, designation: authentication }
  - model: authentik_stages_password.passwordstage
    id: password
    identifiers: { name: one-page-password }
    attrs: { backends: [authentik.core.auth.InbuiltBackend, authentik.core.auth.TokenBackend] }
  - model: authentik_stages_identification.identificationstage
    id: who
    identifiers: { name: one-page-who }
    attrs: { user_fields: [username, email], password_stage: !KeyOf password, show_matched_user: false }
  - model: authentik_stages_user_login.userloginstage
    id: login
    identifiers: { name: one-page-login }
  - model: authentik_flows.flowstagebinding
    identifiers: { target: !KeyOf flow, stage: !KeyOf who, order: 10 }
  - model: authentik_flows.flowstagebinding
    identifiers: { target: !KeyOf flow, stage: !KeyOf login, order: 20 }
`

// password gives somebody a password.
func (o *office) password(name, password string) {
	o.t.Helper()
	user := o.must("GET", "core/users/?username="+name, nil)["results"].([]any)[0].(m)
	if a := o.call(root, "POST", fmt.Sprintf("core/users/%v/set_password/", user["pk"]), m{"password": password}); a.status != 204 {
		o.t.Fatalf("set_password = %d %s", a.status, a.raw)
	}
}

// metric is the sum of a counter, or how often a histogram observed something.
func (o *office) metric(name string) (n int) {
	o.t.Helper()
	families, err := o.site.Metrics().Gather()
	if err != nil {
		o.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			for _, v := range f.GetMetric() {
				n += int(v.GetHistogram().GetSampleCount()) + int(v.GetCounter().GetValue())
			}
		}
	}
	return n
}

// door tries a password and returns the component of the answer and its errors.
type door func(c *client, name, password string) (component, errors string)

func doors() map[string]door {
	outcome := func(r reply) (string, string) {
		errs, _ := json.Marshal(r.body["response_errors"])
		return r.component(), string(errs)
	}
	return map[string]door{
		"a page for the name, a page for the password": func(c *client, name, password string) (string, string) {
			return outcome(c.signIn(name, password))
		},
		"one page for both": func(c *client, name, password string) (string, string) {
			const flow = "/api/v3/flows/executor/one-page/?query="
			r := c.do("POST", flow, fmt.Sprintf(`{"uid_field":%q,"password":%q}`, name, password))
			for range 4 {
				if r.status != 302 {
					break
				}
				r = c.do("GET", r.header.Get("Location"), "")
			}
			return outcome(r)
		},
	}
}

// TestRule31EveryDoorHasTheSameLimit: what is guessed at one door counts at all,
// for names that nobody has as well, and survives a restart (rule 23).
func TestRule31EveryDoorHasTheSameLimit(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.Guesses.FirstDelay, s.Guesses.MaxDelay = s.Guesses.MaxDelay, 2*s.Guesses.MaxDelay
		o := openOffice(t, s)
		apply(t, o.site, onePage)
		o.user("ada", m{"email": "ada@example.com"})
		o.password("ada", "the right one")
		known := visit(t, o.site)
		if r := known.signIn("ada", "the right one"); r.component() != "xak-flow-redirect" {
			t.Fatalf("the login ends with %v", r.body)
		}

		// A new browser for each guess: no session counts them.
		for range 5 {
			for name, door := range doors() {
				_, ada := door(visit(t, o.site), "ada", "wrong")
				_, nobody := door(visit(t, o.site), "nobody", "wrong")
				if ada != nobody || strings.Contains(ada, "throttled") || !strings.Contains(ada, "invalid") {
					t.Errorf("%s: ada gets %s, nobody %s", name, ada, nobody)
				}
			}
		}
		check := func(site *Server) {
			t.Helper()
			for name, door := range doors() {
				component, ada := door(visit(t, site), "ADA", "the right one")
				_, nobody := door(visit(t, site), "nobody", "wrong")
				if !strings.Contains(ada, `"throttled"`) || ada != nobody || component == "xak-flow-redirect" {
					t.Errorf("%s: after ten guesses ada gets %s %s, nobody %s", name, component, ada, nobody)
				}
			}
		}
		check(o.site)
		check(start(t, s))
		known.do("GET", "/api/v3/flows/executor/default-invalidation-flow/?query=", "")
		if r := known.signIn("ada", "the right one"); r.component() != "xak-flow-redirect" {
			t.Errorf("where ada has signed in before, strangers lock her out: %v", r.body)
		}
	})
}

func TestAdministratorsSeeAndEndTheWait(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		id := o.user("ada", nil)
		o.password("ada", "the right one")
		lock := func() {
			t.Helper()
			for range 11 {
				visit(t, o.site).signIn("ada", "wrong")
			}
			if r := visit(t, o.site).signIn("ada", "the right one"); r.component() == "xak-flow-redirect" {
				t.Fatal("there is no limit")
			}
		}
		opens := func(after string) {
			t.Helper()
			if r := visit(t, o.site).signIn("ada", "the right one"); r.component() != "xak-flow-redirect" {
				t.Errorf("after %s: %v", after, r.body)
			}
		}
		lock()
		const find = "guard/limits/?kind=account&blocked=true&subject=ada"
		list := o.must("GET", find, nil)["results"].([]any)
		if len(list) != 1 {
			t.Fatalf("found %v", list)
		}
		row := list[0].(m)
		if row["failures"] != 10.0 || row["blocked_until"] == nil {
			t.Errorf("shown as %v", row)
		}
		if n := len(o.must("GET", "guard/limits/?kind=address&blocked=false&search=127.0", nil)["results"].([]any)); n != 1 {
			t.Errorf("%d addresses", n)
		}
		_, reader := o.clerk("reader", "weir_guard.view_guesslimit")
		_, stranger := o.clerk("stranger")
		path := "guard/limits/" + row["pk"].(string) + "/"
		for _, tt := range []struct {
			token, method string
			want          int
		}{{stranger, "GET", 403}, {stranger, "DELETE", 403}, {reader, "GET", 200}, {reader, "DELETE", 403}, {root, "PUT", 405}, {root, "DELETE", 204}, {root, "DELETE", 404}} {
			if a := o.call(tt.token, tt.method, path, nil); a.status != tt.want {
				t.Errorf("%s = %d %s, want %d", tt.method, a.status, a.raw, tt.want)
			}
		}
		opens("a reset")
		if n := len(o.must("GET", "guard/limits/?kind=account", nil)["results"].([]any)); n != 0 {
			t.Errorf("%d limits after a sign-in", n)
		}
		lock()
		if a := o.call(root, "POST", fmt.Sprintf("core/users/%d/set_password/", id), m{"password": "the right one"}); a.status != 204 {
			t.Fatal(a.status, a.raw)
		}
		opens("a new password")
	})
}

// TestRule32ParallelGuessesAtTheDoor: fifty browsers guess at once; ten guesses
// are looked at, and each of them counts.
func TestRule32ParallelGuessesAtTheDoor(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		o.user("ada", nil)
		o.password("ada", "the right one")
		before := o.metric("weir_password_hash_duration_seconds")
		var all sync.WaitGroup
		for range 50 {
			c := visit(t, o.site)
			all.Go(func() { c.signIn("ada", "wrong") })
		}
		all.Wait()
		row := o.must("GET", "guard/limits/?kind=account&subject=ada", nil)["results"].([]any)[0].(m)
		if row["failures"] != 10.0 {
			t.Errorf("%v guesses were counted", row["failures"])
		}
		if n := o.metric("weir_password_hash_duration_seconds") - before; n != 10 {
			t.Errorf("%d passwords were looked at", n)
		}
		if n := o.metric("weir_guesses_refused_total"); n != 40 {
			t.Errorf("%d guesses were refused", n)
		}
	})
}
