package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime"
	"slices"
)

// made is an object that a writer knows of.
type made struct {
	model, name string
	path        string // its address
	deleted     bool
	// passwords are what a user's may be: the last one that was answered, and
	// those that were not.
	passwords []string
	// answered tells whether the first of them was.
	answered bool
}

// writer uses the API and remembers what it was told.
type writer struct {
	c       *crashes
	r       *rand.Rand
	v       *visitor
	name    string
	n       int
	objects []*made
	// flow and stage are what bindings are made between.
	flow, stage string
	unsure      int
}

func newWriter(c *crashes, r *rand.Rand, name string) *writer {
	w := &writer{c: c, r: r, v: newVisitor(c.t, token), name: name}
	for _, x := range []struct {
		path string
		body object
		into *string
	}{
		{"/flows/instances/", object{"name": name, "title": name, "slug": name, "designation": "stage_configuration"}, &w.flow},
		{"/stages/dummy/", object{"name": name}, &w.stage},
	} {
		r := c.insist(w.v, "POST", x.path, x.body)
		if r.status != http.StatusCreated {
			c.t.Fatalf("POST %s: %s", x.path, r.text)
		}
		*x.into = fmt.Sprint(r.body["pk"])
	}
	return w
}

func (w *writer) surprise(format string, args ...any) {
	w.c.t.Errorf(w.name+": "+format, args...)
	runtime.Goexit()
}

// step writes one object.
func (w *writer) step() {
	var alive, users []*made
	for _, m := range w.objects {
		if !m.deleted {
			alive = append(alive, m)
			if m.model == "user" {
				users = append(users, m)
			}
		}
	}
	switch dice := w.r.IntN(10); {
	case dice < 2 && len(alive) > 0:
		w.remove(alive[w.r.IntN(len(alive))])
	case dice < 5 && len(users) > 0:
		w.setPassword(users[w.r.IntN(len(users))])
	default:
		w.create()
	}
}

// create makes an object of any kind. A request without an answer is sent
// again, after a look at what it did.
func (w *writer) create() {
	w.n++
	name := fmt.Sprintf("%s-%d", w.name, w.n)
	kind := []struct {
		model, path, find, key string
		body                   object
	}{
		{"user", "/core/users/", "username=" + name, "pk", object{"username": name, "name": name}},
		{"group", "/core/groups/", "name=" + name, "pk", object{"name": name}},
		{"flow", "/flows/instances/", "slug=" + name, "slug", object{"name": name, "title": name, "slug": name, "designation": "stage_configuration"}},
		{"dummystage", "/stages/dummy/", "name=" + name, "pk", object{"name": name}},
		{"application", "/core/applications/", "superuser_full_list=true&slug=" + name, "slug", object{"name": name, "slug": name}},
		{"flowstagebinding", "/flows/bindings/", fmt.Sprintf("target=%s&order=%d", w.flow, w.n), "pk", object{"target": w.flow, "stage": w.stage, "order": w.n}},
	}[w.r.IntN(6)]
	find := func() []any {
		r := w.c.insist(w.v, "GET", kind.path+"?"+kind.find, nil)
		list, ok := r.body["results"].([]any)
		if !ok || len(list) > 1 {
			w.surprise("%s exists more than once or cannot be listed: %s", name, r.text)
		}
		return list
	}
	there := false
	for tries := 1; ; tries++ {
		r, ok := w.c.ask(w.v, "POST", kind.path, kind.body)
		if ok {
			// The database may end what the program began after the next look.
			created, refused := r.status == http.StatusCreated, r.status == http.StatusBadRequest && tries > 1
			if !created && !refused || there && created {
				w.surprise("POST %s %v, try %d, there before: %v: %d %s", kind.path, kind.body, tries, there, r.status, r.text)
			}
			break
		}
		w.unsure++
		there = len(find()) == 1
	}
	found := find()
	if len(found) != 1 {
		w.surprise("%s was created and is not there", name)
	}
	o, _ := found[0].(map[string]any)
	w.objects = append(w.objects, &made{model: kind.model, name: name, path: kind.path + url.PathEscape(fmt.Sprint(o[kind.key])) + "/"})
}

func (w *writer) remove(m *made) {
	m.deleted = true
	for tries := 1; ; tries++ {
		r, ok := w.c.ask(w.v, "DELETE", m.path, nil)
		if ok {
			if r.status != http.StatusNoContent && (tries == 1 || r.status != http.StatusNotFound) {
				w.surprise("DELETE %s, try %d: %d %s", m.path, tries, r.status, r.text)
			}
			return
		}
		w.unsure++
	}
}

func (w *writer) setPassword(m *made) {
	w.n++
	password := fmt.Sprintf("password %d of %s", w.n, m.name)
	r, ok := w.c.ask(w.v, "POST", m.path+"set_password/", object{"password": password})
	switch {
	case !ok:
		w.unsure++
		m.passwords = append(m.passwords, password)
	case r.status != http.StatusNoContent:
		w.surprise("set the password of %s: %d %s", m.name, r.status, r.text)
	default:
		m.passwords, m.answered = []string{password}, true
	}
}

// accepts tells whether a password is somebody's.
func (w *writer) accepts(name, password string) bool {
	v := newVisitor(w.c.t, "")
	w.c.insist(v, "GET", loginPath, nil)
	w.c.insist(v, "POST", loginPath, object{"uid_field": name})
	return w.c.insist(v, "POST", loginPath, object{"password": password}).status == http.StatusFound
}

// check runs after the last start.
func (w *writer) check(e *events) {
	t := w.c.t
	for _, m := range w.objects {
		want := http.StatusOK
		if m.deleted {
			want = http.StatusNotFound
		}
		if r := w.c.insist(w.v, "GET", m.path, nil); r.status != want {
			t.Errorf("%s %s, deleted %v: %d %s", m.model, m.name, m.deleted, r.status, r.text)
		}
		if m.model != "flowstagebinding" { // which has no name of its own
			if n := e.about("model_created", m.model, m.name); n != 1 {
				t.Errorf("%s %s: %d events say that it was created", m.model, m.name, n)
			}
			if n := e.about("model_deleted", m.model, m.name); n != 0 != m.deleted || n > 1 {
				t.Errorf("%s %s, deleted %v: %d events say so", m.model, m.name, m.deleted, n)
			}
		}
		if m.deleted || len(m.passwords) == 0 {
			continue
		}
		n := 0
		for _, p := range slices.Backward(m.passwords) {
			if w.accepts(m.name, p) {
				n++
			}
		}
		if n > 1 || n == 0 && m.answered {
			t.Errorf("%s: %d of the passwords %q work", m.name, n, m.passwords)
		}
	}
}
