package weir

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// obligation is a stage between the right password and the login.
type obligation struct {
	slug string
	// stage is its model and attributes, action what a refused answer leads to.
	stage, action string
	// shows is what the page says while the stage is outstanding.
	shows string
	// open tells that nobody can meet it; else any answer does, and the walk
	// sends none.
	open bool
}

var obligations = []obligation{
	{"deny", "{model: authentik_stages_deny.denystage, id: duty, identifiers: {name: deny}, attrs: {deny_message: Not today}}", "retry", "Not today", true},
	{"second-factor", "{model: authentik_stages_authenticator_validate.authenticatorvalidatestage, id: duty, identifiers: {name: second-factor}, attrs: {not_configured_action: deny}}",
		"retry", "You can’t continue", true},
	{"set-up", "{model: authentik_stages_authenticator_validate.authenticatorvalidatestage, id: duty, identifiers: {name: set-up}, attrs: {not_configured_action: configure, configuration_stages: [!KeyOf one, !KeyOf two]}}",
		"retry", "Set up a second step", true},
	{"set-up-restart", "{model: authentik_stages_authenticator_validate.authenticatorvalidatestage, id: duty, identifiers: {name: set-up-restart}, attrs: {not_configured_action: configure, configuration_stages: [!KeyOf one, !KeyOf two]}}",
		"restart", "Set up a second step", true},
	{"set-up-context", "{model: authentik_stages_authenticator_validate.authenticatorvalidatestage, id: duty, identifiers: {name: set-up-context}, attrs: {not_configured_action: configure, configuration_stages: [!KeyOf one, !KeyOf two]}}",
		"restart_with_context", "Set up a second step", true},
	{"terms", "{model: authentik_stages_dummy.dummystage, id: duty, identifiers: {name: The terms of use}}", "retry", "The terms of use", false},
}

// dutiful makes a login with the stage of an obligation in it.
func dutiful(t *testing.T, site *Server, o obligation) {
	t.Helper()
	apply(t, site, fmt.Sprintf(`
entries:
  - {model: authentik_stages_dummy.dummystage, id: one, identifiers: {name: One}}
  - {model: authentik_stages_dummy.dummystage, id: two, identifiers: {name: Two}}
  - %s
  - {model: authentik_stages_identification.identificationstage, id: who, identifiers: {name: who}, attrs: {user_fields: [username]}}
  - {model: authentik_stages_password.passwordstage, id: password, identifiers: {name: how}, attrs: {backends: [authentik.core.auth.InbuiltBackend]}}
  - {model: authentik_stages_user_login.userloginstage, id: login, identifiers: {name: in}}
  - {model: authentik_flows.flow, id: flow, identifiers: {slug: %[2]s}, attrs: {name: A, title: A, designation: authentication}}
  - {model: authentik_flows.flow, id: straight, identifiers: {slug: straight}, attrs: {name: B, title: B, designation: stage_configuration}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf who, order: 0}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf password, order: 10}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf duty, order: 20}, attrs: {invalid_response_action: %[3]s}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf login, order: 30}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf straight, stage: !KeyOf login, order: 0}}
`, o.stage, o.slug, o.action))
}

// wanderer is a browser that wanders through a login.
type wanderer struct {
	*client
	obligation
	// pages are the forms that were shown, as they are found in the history.
	pages []url.Values
	// body is the last page.
	body string
}

var (
	handle  = regexp.MustCompile(`name="weir.execution" value="([^"]*)"><input type="hidden" name="weir.step" value="([^"]*)"`)
	choices = regexp.MustCompile(`name="selected_stage" value="([^"]+)"`)
)

func (w *wanderer) send(method, path string, form url.Values, header ...string) {
	w.t.Helper()
	header = append([]string{"Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin"}, header...)
	r := w.do(method, path, form.Encode(), header...)
	for range 20 {
		to := r.header.Get("Location")
		if to == "" {
			break
		}
		r = w.do("GET", to, "", header[2:]...)
	}
	w.body = string(r.raw)
	if m := handle.FindStringSubmatch(w.body); m != nil {
		page := url.Values{"weir.execution": {m[1]}, "weir.step": {m[2]}}
		if n := len(w.pages); n == 0 || w.pages[n-1].Encode() != page.Encode() {
			w.pages = append(w.pages, page)
		}
	}
}

// asksNothing is the text of a stage that any answer finishes.
const asksNothing = "This step asks nothing."

func (w *wanderer) page() string { return "/if/flow/" + w.slug + "/" }

// answer sends a form with the handle of a page of the history; 0 is the
// newest one.
func (w *wanderer) answer(back int, name, value string) {
	form := url.Values{name: {value}}
	if n := len(w.pages) - 1 - back; n >= 0 {
		form["weir.execution"], form["weir.step"] = w.pages[n]["weir.execution"], w.pages[n]["weir.step"]
	}
	w.send("POST", w.page(), form)
}

// arrive answers with name and password, as far as the flow asks.
func (w *wanderer) arrive() {
	if w.send("GET", w.page(), nil); strings.Contains(w.body, asksNothing) {
		w.send("POST", "/flows/-/cancel/?next="+url.QueryEscape(w.page()), nil)
	}
	w.answer(0, "uid_field", "akadmin")
	w.answer(0, "password", "correct horse")
}

// moves are what a person, or somebody with bad intentions, can do besides
// meeting the obligation.
func (w *wanderer) moves(r *rand.Rand) map[string]func() {
	executor := "/api/v3/flows/executor/" + w.slug + "/"
	moves := map[string]func(){
		"reload":                   func() { w.send("GET", w.page(), nil) },
		"language":                 func() { w.send("GET", w.page(), nil, "Accept-Language", []string{"de", "fr", "es", "en"}[r.IntN(4)]) },
		"back":                     func() { w.answer(1+r.IntN(3), "password", "correct horse") },
		"back to the name":         func() { w.answer(1+r.IntN(3), "uid_field", "akadmin") },
		"another query":            func() { w.send("GET", w.page()+"?next=%2Fif%2Fuser%2F", nil) },
		"link from elsewhere":      func() { w.send("GET", w.page(), nil, "Sec-Fetch-Site", "cross-site") },
		"the API":                  func() { w.do("GET", executor, "") },
		"cancel everything":        func() { w.send("POST", "/flows/-/cancel/?next="+url.QueryEscape(w.page()), nil) },
		"cancel by a link":         func() { w.send("GET", "/flows/-/cancel/?next="+url.QueryEscape(w.page()), nil) },
		"cancel and leave":         func() { w.send("POST", "/flows/-/cancel/", nil) },
		"the default flow":         func() { w.send("GET", "/flows/-/default/authentication/", nil) },
		"sign out":                 func() { w.send("POST", "/flows/-/default/invalidation/", nil) },
		"a flow that only logs in": func() { w.send("GET", "/if/flow/straight/", nil) },
		"begin again":              w.arrive,
	}
	if n := len(w.pages); n > 0 {
		moves["cancel this one"] = func() { w.send("POST", "/flows/-/cancel/?next="+url.QueryEscape(w.page()), w.pages[n-1]) }
		moves["cancel an old one"] = func() { w.send("POST", "/flows/-/cancel/", w.pages[r.IntN(n)]) }
	}
	if !w.open {
		return moves
	}
	// Whatever is sent to a stage that sets something up finishes it.
	unlessSettingUp := func(move func()) func() {
		return func() {
			if w.send("GET", w.page(), nil); !strings.Contains(w.body, asksNothing) {
				move()
			}
		}
	}
	for name, value := range map[string]string{"nothing": "", "code": "123456", "password": "correct horse", "uid_field": "akadmin", "selected_stage": uuid.NewString()} {
		moves["send "+name] = unlessSettingUp(func() { w.answer(0, name, value) })
	}
	moves["an answer to the API"] = unlessSettingUp(func() {
		w.do("POST", executor, []string{`{}`, `{"password": "correct horse"}`, `{"uid_field": "akadmin"}`, `{"component": "ak-stage-user-login", "remember_me": true}`, `{"code": "1"}`, `{"webauthn": {}}`, `{"duo": 1}`}[r.IntN(7)])
	})
	moves["choose what to set up"] = unlessSettingUp(func() {
		if found := choices.FindAllStringSubmatch(w.body, -1); len(found) > 0 {
			w.answer(0, "selected_stage", found[r.IntN(len(found))][1])
		}
	})
	return moves
}

// The right password is not a login while a stage waits: no restart, cancel,
// way back, change of language, second flow or invented answer drops it.
func TestRule04NothingDropsAnOutstandingObligation(t *testing.T) {
	s := settings(t)
	s.Bootstrap.Password = "correct horse"
	site := start(t, s)
	for i, o := range obligations {
		dutiful(t, site, o)
		w := &wanderer{client: visit(t, site), obligation: o}
		w.arrive()
		if !strings.Contains(w.body, o.shows) {
			t.Fatalf("%s: the walk does not arrive:\n%s", o.slug, w.body)
		}
		r := rand.New(rand.NewPCG(4, uint64(i)))
		var path []string
		outstanding, known := 0, map[string]bool{}
		for range 200 {
			moves := w.moves(r)
			name := slices.Sorted(maps.Keys(moves))[r.IntN(len(moves))]
			path, known[name] = append(path, name), true
			moves[name]()
			if me := w.do("GET", "/api/v3/core/users/me/", ""); me.status != 403 {
				t.Fatalf("%s: users/me answers %d after %s", o.slug, me.status, strings.Join(path, ", "))
			}
			if strings.Contains(w.body, o.shows) {
				outstanding++
			}
		}
		if outstanding < 5 || len(known) < 12 {
			t.Errorf("%s: the stage waited %d times, in %d kinds of moves", o.slug, outstanding, len(known))
		}
		if o.open {
			continue
		}
		w.arrive()
		w.answer(0, "agreed", "")
		if me := w.do("GET", "/api/v3/core/users/me/", ""); me.status != 200 {
			t.Errorf("%s: whoever meets it is not signed in: %d\n%s", o.slug, me.status, w.body)
		}
	}
}
