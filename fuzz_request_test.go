package weir

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
)

// sent is one request of a run.
type sent struct {
	by           *visitor
	method, path string
	slug         string
	header       http.Header
	body         map[string]any
	raw          string
	page, passes bool
	cookie       string
	// replay tells that the cookie is one of before, over that the answer ends
	// the run.
	replay, over bool
}

func (w *walk) request() {
	v := w.visitors[0]
	if w.in.odds(50) {
		v = pick(w.in, w.visitors)
	}
	s := &sent{by: v, method: "POST", slug: w.slug, header: http.Header{}, cookie: v.cookie}
	if v.behind != w.in.odds(20) {
		s.slug = behindSlug
	}
	s.page = w.in.odds(80)
	look := 50
	if v.component == "" {
		look = 200
	}
	if w.in.odds(look) {
		s.method = pick(w.in, []string{"GET", "GET", "GET", "GET", "HEAD", "OPTIONS"})
	}
	if s.method == "POST" {
		w.answer(s)
	}
	w.address(s)
	w.headers(s)
	w.send(s)
}

// answer fills the body: mostly what the newest challenge asks for.
func (w *walk) answer(s *sent) {
	v := s.by
	s.body = map[string]any{}
	name := pick(w.in, []string{"ann", "bob", "ann", "ANN", " bob ", "ann@example.org", "ivy", "nobody", "", "BOB@example.org"})
	whose := spellings[name]
	if v.last != "" && !w.in.odds(30) {
		whose = v.last
	}
	switch component := v.component; {
	case w.in.odds(40):
		w.chaos(s.body)
	case component == "ak-stage-identification":
		s.body["uid_field"] = name
		if w.in.odds(170) {
			s.body["password"] = passwords[spellings[name]]
		}
	case component == "ak-stage-password":
		s.body["password"] = passwords[whose]
	case component == "ak-stage-user-login":
		s.body["remember_me"] = w.in.odds(128)
	case component == "xak-flow-redirect":
		s.body["to"] = v.to
	}
	if w.in.odds(20) {
		s.body["component"] = pick(w.in, []any{"ak-stage-dummy", "ak-stage-user-login", nil, "", 1, []any{}})
	}
	if w.in.odds(20) {
		s.body["password"] = pick(w.in, []any{"wrong", passwords["bob"], passwords["ann"], passwords["ivy"], nil, true, []any{passwords["ann"]}, " " + passwords["ann"]})
	}
}

// chaos adds fields of any stage with values of any type.
func (w *walk) chaos(body map[string]any) {
	fields := []string{"uid_field", "password", "captcha_token", "passkey", "remember_me", "to", "code", "webauthn", "duo", "selected_stage",
		"selected_challenge", "component", "pending_user", "user", "token", "", "\x00", "response_errors", "flow_info"}
	values := []any{nil, "", "ann", "bob", true, false, 0, 1, -1.5, 1e300, []any{}, []any{"ann"}, map[string]any{}, map[string]any{"pk": 1, "username": "ann"},
		elsewhere, "javascript:alert(1)", w.stages["dummy"].String(), w.stages["login"].String(), strings.Repeat("x", 3000), "\x00", "\ufffe", "<script>"}
	for range w.in.n(4) {
		body[pick(w.in, fields)] = pick(w.in, values)
	}
}

var hostileNext = []string{"/", "/x?y=1", "//evil.example", `/\evil.example`, "https://evil.example", "javascript:alert(1)", "/%2f/evil.example", "", "/\tx", "\x00", "/if/flow/behind/"}

// address chooses the query and puts the address together.
func (w *walk) address(s *sent) {
	inner := url.Values{}
	for _, name := range []string{"next", "flow_token", "inspector", "itoken", "uid_field"} {
		if w.in.odds(25) {
			inner.Set(name, pick(w.in, hostileNext))
		}
	}
	query := inner.Encode()
	if w.in.odds(10) {
		query = pick(w.in, []string{"%", "a=%zz&;", "next=/a&next=//b", strings.Repeat("a=b&", 300)})
	}
	if s.page {
		s.path = "/if/flow/" + s.slug + "/?" + query
		return
	}
	outer := url.Values{"query": {query}}
	if w.in.odds(25) {
		outer.Set("next", pick(w.in, hostileNext))
	}
	s.path = "/api/v3/flows/executor/" + s.slug + "/?" + outer.Encode()
}

// headers chooses type, encoding of the body, origin and cookie.
func (w *walk) headers(s *sent) {
	h := s.header
	s.passes = s.method == "GET" || s.method == "HEAD"
	if w.in.odds(40) {
		site := pick(w.in, []string{"same-origin", "cross-site", "none", "same-site", "x"})
		h.Set("Sec-Fetch-Site", site)
		s.passes = s.passes && site != "same-origin"
	} else if s.page && w.in.odds(128) {
		h.Set("Sec-Fetch-Site", "same-origin")
		s.passes = s.method == "HEAD"
	} else {
		s.passes = s.passes && (s.page || s.method == "HEAD")
	}
	if w.in.odds(40) {
		h.Set("User-Agent", pick(w.in, []string{"1", "0", "-1", "x", "", "\u00e9"}))
	} else {
		h.Set("User-Agent", "1")
	}
	if w.in.odds(20) {
		h.Set(pick(w.in, []string{"Accept-Language", "X-Forwarded-For", "X-Forwarded-Proto", "X-Original-URI", "Cookie2", "X-Forwarded-Host"}),
			pick(w.in, []string{"de", "fr;q=0,en;q=x", "https", "127.0.0.1", "::1%eth0", strings.Repeat("en,", 200), "evil.example"}))
	}
	if w.in.odds(8) {
		h.Set("Authorization", pick(w.in, []string{"Bearer x", "Bearer", "Basic YTpi", "bearer " + s.by.cookie}))
	}
	w.encode(s)
	w.attack(s)
}

// encode writes the body as a form or as JSON.
func (w *walk) encode(s *sent) {
	if s.method != "POST" {
		return
	}
	if s.page {
		s.header.Set("Content-Type", "application/x-www-form-urlencoded")
		form := url.Values{}
		for k, v := range s.body {
			form.Set(k, fmt.Sprint(v))
		}
		form.Set("weir.execution", s.by.handle)
		form.Set("weir.step", s.by.step)
		if w.in.odds(30) {
			other := pick(w.in, w.visitors)
			form.Set("weir.execution", pick(w.in, []string{other.handle, uuid.NewString(), "x", uuid.Nil.String()}))
			form.Set("weir.step", pick(w.in, []string{other.step, "99", "-1", "x"}))
		}
		s.raw = form.Encode()
		return
	}
	raw, err := json.Marshal(s.body)
	if err != nil {
		w.t.Fatal(err)
	}
	s.raw = string(raw)
	s.header.Set("Content-Type", "application/json")
	if w.in.odds(12) {
		s.raw = pick(w.in, []string{"", "null", "[]", "{", `"x"`, "1", strings.Repeat("[", 2000), `{"password":` + `"a","password":"b"}`, "\xff"})
		s.body = nil
	}
	if w.in.odds(6) {
		s.header.Set("Content-Type", pick(w.in, []string{"text/plain", "application/x-www-form-urlencoded", ";", "multipart/form-data; boundary=x"}))
	}
}

// attack sends another cookie than the visitor's own.
func (w *walk) attack(s *sent) {
	if s.cookie != "" {
		s.header.Set("Cookie", "authentik_session="+s.cookie)
	}
	if !w.in.odds(24) || s.cookie == "" {
		return
	}
	switch w.in.n(5) {
	case 0: // none: somebody new
		s.by = newVisitor()
		w.visitors = append(w.visitors, s.by)
		s.cookie = ""
		s.header.Del("Cookie")
	case 1: // flipped
		b := []byte(s.cookie)
		b[w.in.n(len(b))] ^= 1
		s.by, s.cookie = newVisitor(), string(b)
	case 2: // cut
		s.by, s.cookie = newVisitor(), s.cookie[:w.in.n(len(s.cookie))]
	case 3: // sent twice, of which the first one counts
		s.header.Set("Cookie", "authentik_session="+s.cookie+"; authentik_session="+pick(w.in, w.visitors).cookie)
		return
	case 4: // from before
		if len(w.old) > 0 {
			s.cookie, s.replay = pick(w.in, w.old), true
		}
	}
	if s.cookie != "" {
		s.header.Set("Cookie", "authentik_session="+s.cookie)
	}
}
