package web_test

import (
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/stages"
	"github.com/weir-id/weir/internal/stages/captcha"
	"github.com/weir-id/weir/internal/stages/identification"
)

// populate makes a value with everything in it: two elements in every list, no
// nil pointer, on for every switch, and text in every string.
func populate(v reflect.Value, text string, on bool) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		populate(v.Elem(), text, on)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				populate(v.Field(i), text, on)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			populate(v.Index(i), text, on)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		populate(key, text, on)
		populate(value, text, on)
		v.SetMapIndex(key, value)
	case reflect.Interface:
		if v.NumMethod() == 0 {
			v.Set(reflect.ValueOf(text))
		}
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(on)
	}
}

// Every field of every challenge that any stage type declares, whatever may be
// added to them: markup in it stays text, and the policy of the page is strict.
func TestRule12EveryFieldOfEveryChallengeIsFuzzed(t *testing.T) {
	exchanges := flow.Exchanges()
	for _, kind := range stages.All(stages.Env{}) {
		if kind.Pages != nil && len(kind.Exchanges) == 0 {
			t.Errorf("the stage type %s has pages and declares no challenge", kind.Name)
		}
		exchanges = append(exchanges, kind.Exchanges...)
	}
	exchanges = append(exchanges, flow.Exchange{Name: "SessionEnd", Challenge: &sessionEnd{}})
	e := &engine{}
	s := newSite(t, nil, e, nil)
	shown := 0
	for _, exchange := range exchanges {
		for _, text := range hostile {
			for _, on := range []bool{true, false} {
				v := reflect.New(reflect.TypeOf(exchange.Challenge).Elem())
				populate(v.Elem(), text, on)
				if names := v.Elem().FieldByName("UserFields"); names.IsValid() {
					names.Set(reflect.ValueOf([]string{"username"})) // a choice of the program
				}
				r := show(v.Interface().(flow.Challenge))
				populate(reflect.ValueOf(r.Challenge.Info).Elem(), text, on)
				e.results, e.calls = []*flow.Result{r}, nil
				w := answer(s, get("/if/flow/x/"))
				if bad := harmful.FindString(w.Body.String()); bad != "" {
					t.Errorf("%s, text %q: found %q in\n%s", exchange.Name, text, bad, w.Body)
				}
				strict(t, exchange.Name, w.Header(), text)
				if _, leads := r.Challenge.Body.(*flow.RedirectTo); leads {
					continue
				}
				if shown++; w.Code >= http.StatusInternalServerError {
					t.Errorf("%s, text %q: status %d", exchange.Name, text, w.Code)
				}
			}
		}
	}
	if shown < 90 {
		t.Errorf("only %d pages were shown", shown)
	}
}

// sources are what a page may load: its own files, and pictures from named places.
// One with a captcha of another site may load what that needs, instead of
// demanding Trusted Types of its scripts.
var (
	sources = regexp.MustCompile(`^default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'(?: https?://[\w.:-]+)*; ` +
		`(?:frame-src (?:'self'|https?://[\w.:-]+); )?form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'$`)
	// Pages that ask this site how something stands, connect to it.
	polls   = regexp.MustCompile(strings.Replace(sources.String(), "form-action", "connect-src 'self'; form-action", 1))
	widgets = regexp.MustCompile(`^default-src 'none'; script-src 'self'( https?://[\w.:*-]+)+; style-src 'self'( https?://[\w.:*-]+)*; img-src 'self'; ` +
		`(connect-src 'self'( https?://[\w.:*-]+)+; )?frame-src( https?://[\w.:*-]+)+; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$`)
)

func strict(t *testing.T, name string, h http.Header, text string) {
	t.Helper()
	may := sources
	switch name {
	case "captcha-blocked", "captcha-widget":
		may = widgets
	case "AuthenticatorDuo", "duo", "duo-waiting":
		may = polls
	}
	if got := h.Values("Content-Security-Policy"); len(got) != 1 || !may.MatchString(got[0]) {
		t.Errorf("%s, text %q: policy %q", name, text, got)
	}
}

// What a challenge names as the place of a script goes into the policy of its
// page only where it is an origin.
func TestRule12PlacesOfScriptsAreOrigins(t *testing.T) {
	e := &engine{}
	s := newSite(t, nil, e, nil)
	for url, want := range map[string]bool{
		"https://captcha.example/api.js": true, "https://js.hcaptcha.com/1/api.js": true, "https://www.recaptcha.net/recaptcha/api.js": true,
		"https://challenges.cloudflare.com/turnstile/v0/api.js": true, "http://[::1]:8080/api.js": true,
		"https://evil.example;script-src%20*/": false, "https://a'b/": false, "https://*/": false, "https:///x": false, "/static/weir/captcha.js": false,
		"javascript:alert(1)": false, "https://a.example\n; script-src *": false,
	} {
		for _, c := range []flow.Challenge{&captcha.Challenge{JSURL: url}, &identification.Challenge{UserFields: []string{"username"},
			Captcha: &identification.Captcha{Envelope: flow.Envelope{Body: &captcha.Challenge{JSURL: url}}}}} {
			e.results, e.calls = []*flow.Result{show(c)}, nil
			w := answer(s, get("/if/flow/x/"))
			policy := w.Header().Get("Content-Security-Policy")
			if loads := !strings.Contains(policy, "require-trusted-types-for"); loads != want || strings.Contains(policy, "unsafe") || strings.Contains(policy, " *") {
				t.Errorf("%s: policy %s", url, policy)
			}
		}
	}
}

// Each state of each page has the strict policy, errors included.
func TestRule12EveryStateHasTheStrictPolicy(t *testing.T) {
	base, names := states(t)
	for _, name := range names {
		for _, language := range []string{"en", "de", "fr", "es"} {
			res, err := http.Get(fmt.Sprintf("%s/state/%s/%s", base, language, name))
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			strict(t, name, res.Header, "")
			if !strings.HasPrefix(res.Header.Get("Content-Language"), language) {
				t.Errorf("%s: language %q, want %q", name, res.Header.Get("Content-Language"), language)
			}
		}
	}
}
