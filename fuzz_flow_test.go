package weir

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// FuzzFlows walks made-up flows with made-up requests, through the pages and
// the API. Nothing may break, and nobody may be signed in without what the
// flow demands.
func FuzzFlows(f *testing.F) {
	for seed := range 24 {
		f.Add(chance(uint64(seed)))
	}
	m := newMaze(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		m.walk(t, tape(data))
	})
}

// chance is the input of a seed.
func chance(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	data := make([]byte, 400)
	for i := range data {
		data[i] = byte(r.UintN(256))
	}
	return data
}

// TestFlowsAreReallyWalked holds the made-up runs to reaching what they are
// there to try.
func TestFlowsAreReallyWalked(t *testing.T) {
	m := newMaze(t)
	var sum tally
	for seed := range 600 {
		got := m.walk(t, chance(uint64(seed)))
		sum.logins += got.logins
		sum.behind += got.behind
		sum.proved += got.proved
		sum.denials += got.denials
		sum.requests += got.requests
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%+v", sum)
	if sum.logins < 60 || sum.proved < 50 || sum.behind < 4 || sum.denials < 600 {
		t.Errorf("%+v is too little to say anything", sum)
	}
}

// tally counts what became of a run.
type tally struct{ requests, logins, proved, behind, denials int }

// visitor is a browser with its own idea of who it is.
type visitor struct {
	cookie string
	signed bool
	named  map[string]bool
	// last is whom it named last, proved whose password it sent to a flow
	// after naming them.
	last   string
	proved map[string]map[string]bool
	// handle and step are of the newest page, component and to of the newest
	// challenge.
	handle, step, component, to string
	// behind tells that it was led on to the flow behind.
	behind bool
}

func newVisitor() *visitor {
	return &visitor{named: map[string]bool{}, proved: map[string]map[string]bool{}}
}

func (v *visitor) evidence(slug string) evidence {
	return evidence{named: v.named, proved: v.proved[slug], signed: v.signed}
}

// walk is one run: a made-up flow, and visitors who try it.
type walk struct {
	*maze
	t        *testing.T
	in       *tape
	slug     string
	model    *model
	visitors []*visitor
	// holders are the cookies that were rightly signed in, and for whom.
	holders map[string]string
	old     []string
	tally   tally
	trail   []string
}

func (m *maze) walk(t *testing.T, in tape) tally {
	t.Helper()
	w := &walk{maze: m, t: t, in: &in, slug: "f-" + uuid.NewString(), holders: map[string]string{}, visitors: []*visitor{newVisitor(), newVisitor()}}
	var remove func()
	w.model, remove = m.flow(t, w.in, w.slug)
	defer remove()
	for n := 6 + w.in.n(14); n > 0 && !t.Failed(); n-- {
		w.request()
	}
	if t.Failed() {
		t.Logf("%+v\n%s", *w.model, strings.Join(w.trail, "\n"))
	}
	return w.tally
}

// note takes down what an answer shows of whom, before it is sent.
func (w *walk) note(s *sent) {
	v := s.by
	if name, ok := s.body["uid_field"].(string); ok && spellings[name] != "" {
		v.last = spellings[name]
		v.named[v.last] = true
	}
	if v.proved[s.slug] == nil {
		v.proved[s.slug] = map[string]bool{}
	}
	typed, _ := s.body["password"].(string)
	for user, password := range passwords {
		if typed == password && v.named[user] {
			v.proved[s.slug][user] = true
		}
	}
}

func (w *walk) send(s *sent) {
	w.tally.requests++
	w.note(s)
	before := w.who(w.t, s.cookie)
	r := httptest.NewRequest(s.method, s.path, strings.NewReader(s.raw))
	r.Header = s.header
	rec := httptest.NewRecorder()
	w.site.ServeHTTP(rec, r)
	res := rec.Result()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	w.trail = append(w.trail, fmt.Sprintf("%s %s %v %.200s -> %d %s %.120s", s.method, s.path, s.header, s.raw, res.StatusCode, res.Header.Get("Location"), body))
	if found := w.alarm.take(); found != "" {
		w.t.Errorf("a panic: %s", found)
	}
	w.status(s, res)
	w.cookies(s, res)
	if s.page {
		w.readPage(s, res, body)
	} else {
		w.readChallenge(s, res, body)
	}
	w.subject(s, before)
	if s.over { // what was shown in the run counts no more
		s.by.proved[s.slug], s.by.behind = nil, false
	}
}

func (w *walk) status(s *sent, res *http.Response) {
	allowed := []int{200, 204, 302, 303, 400, 403, 404, 405, 413, 415, 422}
	if !slices.Contains(allowed, res.StatusCode) {
		w.t.Errorf("%s %s answers %d", s.method, s.path, res.StatusCode)
	}
}

func (w *walk) cookies(s *sent, res *http.Response) {
	for _, c := range res.Cookies() {
		if c.Name == "authentik_session" && c.Value != s.by.cookie {
			if s.by.cookie != "" {
				w.old = append(w.old, s.by.cookie)
			}
			s.by.cookie = c.Value
		}
	}
}

// subject compares who is signed in with what the flows demand.
func (w *walk) subject(s *sent, before string) {
	v := s.by
	now := w.who(w.t, v.cookie)
	if s.passes && now != "" && w.holders[v.cookie] == "" {
		w.t.Errorf("a %s that may change nothing signed %s in", s.method, now)
	}
	if old := w.who(w.t, s.cookie); s.cookie != v.cookie && old != "" && old != before {
		w.t.Errorf("the session of before is signed in as %s", old)
	}
	if s.passes && before != "" && w.who(w.t, s.cookie) != before {
		w.t.Errorf("a %s that may change nothing signed %s out", s.method, before)
	}
	if now == "" {
		return
	}
	if known := w.holders[v.cookie]; known != "" {
		if known != now {
			w.t.Errorf("the session of %s is now that of %s", known, now)
		}
		return
	}
	var err error
	if s.slug == behindSlug {
		err = w.model.allowsBehind(now, v.evidence(w.slug), v.evidence(behindSlug))
		w.tally.behind++
	} else {
		err = w.model.allows(now, v.evidence(w.slug))
	}
	if err != nil {
		w.t.Errorf("%s is signed in although %v", now, err)
	}
	w.tally.logins++
	if len(v.proved[s.slug]) > 0 {
		w.tally.proved++
	}
	w.holders[v.cookie], v.signed = now, true
}

var handleInput = regexp.MustCompile(`name="weir.execution" value="([^"]*)"><input type="hidden" name="weir.step" value="([^"]*)"`)

func (w *walk) readPage(s *sent, res *http.Response, body []byte) {
	if found := handleInput.FindSubmatch(body); found != nil {
		s.by.handle, s.by.step = string(found[1]), string(found[2])
	}
	if to := res.Header.Get("Location"); to != "" {
		w.stays(to)
		w.led(s.by, to)
	}
	for _, ask := range [][2]string{{"password", "ak-stage-password"}, {"uid_field", "ak-stage-identification"}, {"remember_me", "ak-stage-user-login"}} {
		if strings.Contains(string(body), `name="`+ask[0]+`"`) {
			s.by.component = ask[1]
		}
	}
	if strings.Contains(string(body), "<b>no</b>") {
		w.t.Error("a message is not escaped")
	}
}

func (w *walk) readChallenge(s *sent, res *http.Response, body []byte) {
	if to := res.Header.Get("Location"); to != "" {
		s.by.component = ""
		if to != s.path {
			w.t.Errorf("%s leads to %s", s.path, to)
		}
	}
	if s.method == "HEAD" || s.method == "OPTIONS" || res.StatusCode != http.StatusOK {
		return
	}
	var c struct {
		Component string
		To        string
		Final     bool `json:"final_redirect"`
	}
	if err := json.Unmarshal(body, &c); err != nil {
		w.t.Errorf("%v in %s", err, body)
	}
	if !slices.Contains(w.components(), c.Component) {
		w.t.Errorf("the component is %q", c.Component)
	}
	s.by.component, s.by.to = c.Component, c.To
	switch {
	case c.Component == "xak-flow-redirect" && strings.HasPrefix(c.To, "/if/flow/"+behindSlug):
		w.led(s.by, c.To)
	case c.Component == "xak-flow-redirect" && c.To != elsewhere:
		w.stays(c.To)
	case c.Component == "ak-stage-access-denied":
		w.tally.denials++
	}
	s.over = !s.replay && (c.Component == "ak-stage-access-denied" || c.Final)
}

// led notes that the visitor has to look where it is, perhaps in the flow
// behind.
func (w *walk) led(v *visitor, to string) {
	v.component = ""
	v.behind = v.behind || strings.HasPrefix(to, "/if/flow/"+behindSlug)
}

// stays fails for an address that leaves the site.
func (w *walk) stays(to string) {
	base, _ := url.Parse("https://weir.test/a/")
	u, err := base.Parse(to)
	if err != nil || u.Host != base.Host || u.Scheme != base.Scheme {
		w.t.Errorf("an answer leads to %s", to)
	}
}

// components are all that a client has to know.
func (m *maze) components() []string {
	out := []string{"ak-stage-access-denied", "ak-stage-flow-error", "xak-flow-redirect"}
	for _, t := range m.site.stageTypes {
		for _, x := range t.Exchanges {
			out = append(out, x.Challenge.Component())
		}
	}
	return out
}
