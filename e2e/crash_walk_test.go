package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
)

const (
	loginPath  = "/flows/executor/" + login + "/?query="
	logoutPath = "/flows/executor/default-invalidation-flow/?query="
	stepsPath  = "/flows/executor/two-steps/?query="
	mePath     = "/core/users/me/"
)

// walker signs in and out and remembers what it was told.
type walker struct {
	c *crashes
	r *rand.Rand
	account
	// live are signed in; dead are copies of browsers from before a logout.
	live, dead []*visitor
	// logins and logouts happened, whether or not the answer came; lost are
	// logins whose session nobody holds.
	logins, logouts, lost int
	// refused is how many wrong passwords were answered; perhaps more were
	// counted, up to guessed.
	refused, guessed int
}

func newWalker(c *crashes, r *rand.Rand, name string) *walker {
	w := &walker{c: c, r: r, account: account{name: name, password: "the password of " + name}}
	admin := newVisitor(c.t, token)
	made := c.insist(admin, "POST", "/core/users/", object{"username": name, "name": name})
	id, _ := made.body["pk"].(float64)
	w.id = int64(id)
	if set := c.insist(admin, "POST", fmt.Sprintf("/core/users/%d/set_password/", w.id), object{"password": w.password}); made.status != 201 || set.status != 204 {
		c.t.Fatalf("make %s: %s %s", name, made.text, set.text)
	}
	return w
}

// step is one login, sometimes with a logout after it.
func (w *walker) step() {
	v := newVisitor(w.c.t, "")
	if !w.signIn(v) {
		return
	}
	w.isMe(v)
	if w.r.IntN(2) == 0 {
		w.signOut(v)
	} else {
		w.live = append(w.live, v)
	}
}

func (w *walker) surprise(format string, args ...any) {
	w.c.t.Errorf(w.name+": "+format, args...)
	runtime.Goexit()
}

// signIn walks the login flow. It returns false if the login happened and the
// answer with its session was lost.
func (w *walker) signIn(v *visitor) bool {
	const look, name, wrong, right = "look", "name", "wrong", "right"
	// What was sent may have happened; what was answered has.
	var named, nameSent, proved, proofSent, perhapsIn bool
	action, method, path, body := look, "GET", loginPath, object(nil)
	for wrongs := 0; ; {
		r, ok := w.c.ask(v, method, path, body)
		if !ok {
			// Looking at the flow signs in once the password is proved.
			perhapsIn = perhapsIn || action == look && proofSent
			if !proofSent {
				w.isNobody(v)
			}
			action, method, path, body = look, "GET", loginPath, nil
			continue
		}
		if r.status == http.StatusFound {
			named, proved = named || action == name, proved || action == right
			if action == look && !proved && !proofSent || action == wrong {
				w.surprise("%s leads on to %s", action, r.location)
			}
			action, method, path, body = look, "GET", r.location, nil
			continue
		}
		switch r.component() {
		case "ak-stage-identification":
			if perhapsIn {
				w.logins, w.lost = w.logins+1, w.lost+1
				return false
			}
			if named || proofSent || action != look {
				w.surprise("after the name (%v) and the password (%v) the flow begins again: %s", named, proofSent, r.text)
			}
			nameSent = true
			action, method, path, body = name, "POST", loginPath, object{"uid_field": w.name}
		case "ak-stage-password":
			if !nameSent || proved || action == right {
				w.surprise("after %s the flow asks for the password: name sent %v, password proved %v: %s", action, nameSent, proved, r.text)
			}
			if action == wrong {
				w.refused++
			}
			named, proofSent, perhapsIn = true, false, false
			if wrongs < 2 && w.r.IntN(3) == 0 {
				wrongs++
				w.guessed++
				action, method, path, body = wrong, "POST", loginPath, object{"password": "not " + w.password}
				continue
			}
			proofSent = true
			action, method, path, body = right, "POST", loginPath, object{"password": w.password}
		case "xak-flow-redirect":
			if !proofSent {
				w.surprise("signed in without the password")
			}
			w.logins++
			return true
		default:
			w.surprise("%s %s: %d %s", method, path, r.status, r.text)
		}
	}
}

// signOut ends the session. An answer that was lost is found out about.
func (w *walker) signOut(v *visitor) {
	before := newVisitor(w.c.t, "")
	before.http.Jar.SetCookies(here, v.http.Jar.Cookies(here))
	for path := logoutPath; ; {
		r, ok := w.c.ask(v, "GET", path, nil)
		if !ok {
			if w.c.insist(v, "GET", mePath, nil).status == http.StatusForbidden {
				break
			}
			path = logoutPath
			continue
		}
		if r.status == http.StatusFound {
			path = r.location
			continue
		}
		if r.component() != "xak-flow-redirect" {
			w.surprise("logout leads to %d %s", r.status, r.text)
		}
		break
	}
	w.logouts++
	w.dead = append(w.dead, before)
	w.isNobody(before)
}

func (w *walker) isMe(v *visitor) {
	r := w.c.insist(v, "GET", mePath, nil)
	if user, _ := r.body["user"].(map[string]any); user["username"] != w.name {
		w.surprise("the session of an answered login is nobody's: %d %s", r.status, r.text)
	}
}

func (w *walker) isNobody(v *visitor) {
	if r := w.c.insist(v, "GET", mePath, nil); r.status != http.StatusForbidden {
		w.surprise("a browser that is not signed in is somebody: %s", r.text)
	}
}

// check runs after the last start.
func (w *walker) check(e *events) {
	t := w.c.t
	for _, v := range w.live {
		w.isMe(v)
	}
	for _, v := range w.dead {
		w.isNobody(v)
	}
	admin := newVisitor(t, token)
	listed := w.c.insist(admin, "GET", "/core/authenticated_sessions/?user__username="+w.name, nil)
	pages, _ := listed.body["pagination"].(map[string]any)
	if want := len(w.live) + w.lost; pages["count"] != float64(want) {
		t.Errorf("%s: %v sessions are listed, want %d, of which %d were not answered", w.name, pages["count"], want, w.lost)
	}
	for action, want := range map[string]int{"login": w.logins, "logout": w.logouts} {
		if got := e.of(action, w.id); got != want {
			t.Errorf("%s: %d events %s, want %d", w.name, got, action, want)
		}
	}
	if got := e.of("login_failed", w.id); got < w.refused || got > w.guessed {
		t.Errorf("%s: %d failed logins, want between %d that were answered and %d that were sent", w.name, got, w.refused, w.guessed)
	}
}

// stepper walks a flow of two questions again and again in one browser.
type stepper struct {
	c     *crashes
	v     *visitor
	walks int
}

var twoSteps = []string{"two-steps-first", "two-steps-second"}

func (s *stepper) step() {
	at, further := 0, false // further: one more answer may have been taken
	method, path := "GET", stepsPath
	for {
		var body object
		if method == "POST" {
			body = object{}
		}
		r, ok := s.c.ask(s.v, method, path, body)
		if !ok {
			// Looking ends the flow once both questions are answered.
			further = further || method == "POST" || at == len(twoSteps)
			method, path = "GET", stepsPath
			continue
		}
		switch {
		case r.status == http.StatusFound && method == "POST":
			at, further = at+1, false
			method, path = "GET", r.location
			continue
		case r.component() == "xak-flow-redirect" && (at == len(twoSteps) || at == len(twoSteps)-1 && (further || method == "POST")):
			s.walks++
			return
		}
		name, _ := r.body["name"].(string)
		switch {
		case at < len(twoSteps) && name == twoSteps[at]:
		case further && at+1 < len(twoSteps) && name == twoSteps[at+1]:
			at++
		case further && at+1 >= len(twoSteps) && name == twoSteps[0]:
			s.walks++ // it ended, and has begun again
			return
		default:
			s.c.t.Errorf("after %d answers (one more: %v) the flow shows %d %s", at, further, r.status, r.text)
			runtime.Goexit()
		}
		further = false
		method, path = "POST", stepsPath
	}
}
