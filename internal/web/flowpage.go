package web

import (
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"reflect"
	"slices"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/flowhttp"
)

// maxHops bounds the steps that one page load takes on its own.
const maxHops = 16

// flowPage shows the current step of a flow and takes answers.
func (s *Site) flowPage(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		s.answerFlow(w, r)
		return
	}
	call := flowhttp.Call{Slug: r.PathValue("slug"), RawQuery: r.URL.RawQuery, Passive: r.Method == http.MethodHead || !fromOurPages(r)}
	for range maxHops {
		result, err := s.Runner.Step(w, r, call)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		if !result.Next {
			s.showResult(w, r, result, nil)
			return
		}
		carryCookies(w, r)
	}
	s.fail(w, r, fmt.Errorf("flow %q asks for more than %d steps at once", call.Slug, maxHops))
}

// answerFlow takes a submitted form.
func (s *Site) answerFlow(w http.ResponseWriter, r *http.Request) {
	f, err := readForm(w, r)
	if err != nil {
		s.refuseForm(w, r, err)
		return
	}
	result, err := s.Runner.Step(w, r, flowhttp.Call{Slug: r.PathValue("slug"), RawQuery: r.URL.RawQuery,
		Answer: true, Body: f.body, Handle: &f.execution, Step: f.step})
	switch {
	case err != nil:
		s.fail(w, r, err)
	case result.Next:
		redirect(w, http.StatusSeeOther, pageAddress(r))
	default:
		s.showResult(w, r, result, f.values)
	}
}

func (s *Site) refuseForm(w http.ResponseWriter, r *http.Request, err error) {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge), errors.Is(err, errFormFields):
		s.Problem(w, r, http.StatusRequestEntityTooLarge, "")
	case errors.Is(err, errFormType):
		s.Problem(w, r, http.StatusUnsupportedMediaType, "")
	default:
		s.Problem(w, r, http.StatusBadRequest, "")
	}
}

// showResult shows what the engine answered; values are what was submitted.
func (s *Site) showResult(w http.ResponseWriter, r *http.Request, result *flow.Result, values Values) {
	p := &Page{Action: pageAddress(r), StartURL: pageAddress(r), Stale: result.Stale, Lapsed: result.Lapsed, Impersonated: impersonated(result.Impersonated)}
	if result.Execution != nil {
		p.Execution, p.Step = result.Execution.ID, result.Execution.Version
	}
	if result.Confirm {
		s.show(w, r, http.StatusOK, "confirm", p)
		return
	}
	c := result.Challenge
	if c == nil || c.Body == nil {
		s.fail(w, r, fmt.Errorf("flow %q answered with nothing to show", r.PathValue("slug")))
		return
	}
	if to, ok := c.Body.(*flow.RedirectTo); ok {
		s.leave(w, r, to.To, p)
		return
	}
	if !s.renderer.has(c.Component) {
		s.fail(w, r, fmt.Errorf("no page for component %q", c.Component))
		return
	}
	p.Challenge, p.Info, p.User = c.Body, c.Info, userInfo(c.Body)
	if c.Info != nil {
		p.Layout = c.Info.Layout
		if _, denied := c.Body.(*flow.AccessDenied); denied && c.Info.CancelURL != "" {
			p.StartURL = c.Info.CancelURL
		}
	}
	status := http.StatusOK
	if result.Rejected {
		p.Errors, p.Values = atFields(c.Errors), values
		status = http.StatusUnprocessableEntity
		if text, ok := notice(p.Errors); ok {
			p.Notice, status = text, http.StatusOK
		}
	}
	s.show(w, r, status, c.Component, p)
}

// impersonated is the name of a person as whom somebody else is here.
func impersonated(p *identity.Person) string {
	if p == nil || p.Impersonator == nil {
		return ""
	}
	return p.Username
}

// notices are texts that clients of the API get as errors, although nothing is
// wrong. A silent one says what the page shows anyway.
var (
	notices = []string{"email.again", "validate.sent"}
	silent  = []string{"validate.chosen"}
)

// notice takes the errors away where they are but a notice.
func notice(errs field.Errors) (text string, ok bool) {
	list := errs[field.NonField]
	if len(errs) != 1 || len(list) != 1 {
		return "", false
	}
	text = list[0].Message
	switch {
	case slices.Contains(silent, text):
		text = ""
	case !slices.Contains(notices, text):
		return "", false
	}
	clear(errs)
	return text, true
}

// aboutField names the field that a problem of the whole form speaks of: clients
// of the API find it there, people at the field.
var aboutField = map[string]string{"identification.error.empty": "uid_field", "identification.error.empty_email": "uid_field"}

// atFields moves problems to the fields that they speak of.
func atFields(errs field.Errors) field.Errors {
	out := field.Errors{}
	for name, list := range errs {
		for _, e := range list {
			at := name
			if of := aboutField[e.Message]; of != "" && name == field.NonField {
				at = of
			}
			out[at] = append(out[at], e)
		}
	}
	return out
}

// Redirect is a page that sends a browser on.
type Redirect struct {
	// To was checked by flow.SafeTarget, so that the address of an app passes
	// the template too.
	To template.URL
	// Host is where it leads; empty on this site and for apps.
	Host string
	// App tells that an app opens the address.
	App bool
}

// leave sends the person on: on this site by a redirect, elsewhere by a page
// that refreshes, since Chromium applies form-action to the whole chain of
// redirects after a POST and would drop it.
func (s *Site) leave(w http.ResponseWriter, r *http.Request, to string, p *Page) {
	if own, ok := flow.SafeNext(to); ok {
		redirect(w, http.StatusSeeOther, own)
		return
	}
	target, ok := flow.SafeTarget(to)
	u, err := url.Parse(target)
	if !ok || err != nil {
		s.fail(w, r, fmt.Errorf("flow %q redirects to an address that is not allowed", r.PathValue("slug")))
		return
	}
	p.Redirect = &Redirect{To: template.URL(target)}
	if u.Scheme == "http" || u.Scheme == "https" {
		p.Redirect.Host = u.Host
	} else {
		p.Redirect.App = true
	}
	s.show(w, r, http.StatusOK, "xak-flow-redirect", p)
}

// fromOurPages tells whether a page of this site led here. Browsers say so,
// except on plain http, where they leave Sec-Fetch-Site out; the referrer
// speaks then, which another site can withhold but not forge.
func fromOurPages(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	from, err := url.Parse(r.Header.Get("Referer"))
	return err == nil && (from.Scheme == "http" || from.Scheme == "https") && from.Host != "" && from.Host == r.Host
}

// pageAddress is the page's own address with its raw query.
func pageAddress(r *http.Request) string { return withQuery(r.URL.EscapedPath(), r.URL.RawQuery) }

// carryCookies gives the next hop the cookies that this one has set, as the
// browser would.
func carryCookies(w http.ResponseWriter, r *http.Request) {
	set := (&http.Response{Header: w.Header()}).Cookies()
	if len(set) == 0 {
		return
	}
	kept := map[string]*http.Cookie{}
	var names []string
	for _, c := range append(r.Cookies(), set...) {
		if _, known := kept[c.Name]; !known {
			names = append(names, c.Name)
		}
		kept[c.Name] = c
	}
	r.Header.Del("Cookie")
	for _, name := range names {
		if c := kept[name]; c.MaxAge >= 0 {
			r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
}

// userInfo is the person whom a challenge shows, zero when it shows nobody:
// challenges that do embed flow.UserInfo.
func userInfo(c flow.Challenge) flow.UserInfo {
	v := reflect.Indirect(reflect.ValueOf(c))
	if v.Kind() != reflect.Struct {
		return flow.UserInfo{}
	}
	f := v.FieldByName("UserInfo")
	if !f.IsValid() || !f.CanInterface() {
		return flow.UserInfo{}
	}
	u, _ := f.Interface().(flow.UserInfo)
	return u
}

// Denial is the text of an access-denied page. A denial with an id is one that
// nobody decided; it shows the id instead of the reason.
func (p *Page) Denial() string {
	d, ok := p.Challenge.(*flow.AccessDenied)
	if !ok || d.ID != "" {
		return ""
	}
	return d.Message
}
