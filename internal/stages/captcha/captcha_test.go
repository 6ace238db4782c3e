package captcha_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/internal/outbound"
	"github.com/weir-id/weir/internal/stages/captcha"
	"github.com/weir-id/weir/internal/stages/dummy"
	"github.com/weir-id/weir/policy"
)

// provider is a server that speaks siteverify.
type provider struct {
	*httptest.Server
	mu sync.Mutex
	// asked are the bodies that it was sent, with their content types.
	asked []string
}

func newProvider(t *testing.T, status int, answer string) *provider {
	p := &provider{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		p.mu.Lock()
		p.asked = append(p.asked, r.Method+" "+r.Header.Get("Content-Type")+" "+string(body))
		p.mu.Unlock()
		if status/100 == 3 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(p.Close)
	return p
}

// world has the flow "f": a captcha, and a stage behind it.
func world(t *testing.T, c *captcha.Config, log io.Writer) (*flowtest.World, *flow.Flow, *flowtest.Browser) {
	w := flowtest.New(t, captcha.Type(captcha.Env{Client: outbound.Client(nil), Key: []byte("key"), Log: slog.New(slog.NewTextHandler(log, nil))}), dummy.Type())
	f := w.AddFlow("f", nil)
	s := w.AddStage("captcha", "check", c)
	w.Bind(f, s, nil)
	w.Bind(f, w.AddStage("dummy", "behind", nil), nil)
	return w, f, w.NewBrowser()
}

// provided are the settings for a provider at an address.
func provided(t *testing.T, api string, change func(*captcha.Config)) *captcha.Config {
	t.Helper()
	typ := captcha.Type(captcha.Env{})
	c := typ.Defaults().(*captcha.Config)
	c.PublicKey, c.PrivateKey, c.APIURL = "site", "hush", api
	if change != nil {
		change(c)
	}
	if errs := c.Validate(); errs != nil {
		t.Fatal(errs)
	}
	return c
}

func problem(r *flow.Result) string {
	if r.Challenge == nil {
		return ""
	}
	var out []string
	for name, list := range r.Challenge.Errors {
		for _, e := range list {
			out = append(out, name+" "+e.Code+" "+e.Message)
		}
	}
	return strings.Join(out, ", ")
}

func TestProvider(t *testing.T) {
	lenient := func(c *captcha.Config) { c.ErrorOnInvalidScore = false }
	const failed, again, away = "token invalid captcha.error.failed", "token invalid captcha.error.again", "token invalid captcha.error.away"
	for _, row := range []struct {
		name   string
		status int
		answer string
		change func(*captcha.Config)
		// want is the problem; empty where the flow goes on.
		want string
		// response is what policies see.
		response map[string]any
	}{
		{"success", 200, `{"success":true}`, nil, "", map[string]any{"success": true}},
		{"success, with a score between the bounds", 200, `{"success":true,"score":0.7}`, nil, "", map[string]any{"success": true, "score": 0.7}},
		{"a score below", 200, `{"success":true,"score":0.4}`, nil, failed, nil},
		{"a score above", 200, `{"success":true,"score":0.9}`, func(c *captcha.Config) { c.ScoreMax = .8 }, failed, nil},
		{"bounds of -1 are none", 200, `{"success":true,"score":0.1}`, func(c *captcha.Config) { c.ScoreMin, c.ScoreMax = -1, -1 }, "", map[string]any{"success": true, "score": 0.1}},
		{"a score outside, where it is no error", 200, `{"success":true,"score":0.1}`, lenient, "", map[string]any{"success": true, "score": 0.1}},
		{"no success, where it is no error", 200, `{"success":false}`, lenient, "", map[string]any{"success": false}},
		{"no success", 200, `{"success":false}`, nil, failed, nil},
		{"a code that another try may help", 200, `{"success":false,"error-codes":["timeout-or-duplicate"]}`, nil, again, nil},
		{"that and one of the configuration", 200, `{"success":false,"error-codes":["timeout-or-duplicate","invalid-input-secret"]}`, nil, failed, nil},
		{"success in words", 200, `{"success":"true"}`, nil, away, nil},
		{"another success in words, where it is no error", 200, `{"success":"yes"}`, lenient, away, nil},
		{"nothing in it", 200, `{}`, nil, failed, nil},
		{"null", 200, `null`, lenient, away, nil},
		{"no JSON", 200, `<html>`, lenient, away, nil},
		{"an answer without end", 200, `{"success":true,"x":"` + strings.Repeat("x", 1<<17) + `"}`, nil, away, nil},
		{"a status that is none", 500, `{"success":true}`, nil, away, nil},
		{"a redirect", 307, `{"success":true}`, nil, away, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := newProvider(t, row.status, row.answer)
			var log strings.Builder
			_, _, b := world(t, provided(t, p.URL, row.change), &log)
			r := b.Post(t, "f", "", map[string]any{"token": "a token"})
			if got := problem(r); got != row.want {
				t.Fatalf("problem %q, want %q", got, row.want)
			}
			if r.Next != (row.want == "") {
				t.Errorf("got %s", flowtest.Describe(r))
			}
			if len(p.asked) != 1 || p.asked[0] != "POST application/x-www-form-urlencoded remoteip=192.0.2.1&response=a+token&secret=hush" {
				t.Errorf("asked %q", p.asked)
			}
			if strings.Contains(log.String(), "hush") || strings.Contains(log.String(), "a token") {
				t.Errorf("a secret is in the log: %s", log.String())
			}
			if row.want != "" {
				return
			}
			got, _ := b.Request("f", "").Execution.Plan.Context.Values()["captcha"].(map[string]any)
			if diff := cmp.Diff(map[string]any{"response": row.response, "stage": "check"}, got); diff != "" {
				t.Errorf("context (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProviderIsAskedAsConfigured(t *testing.T) {
	p := newProvider(t, 200, `{"success":true}`)
	w, f, b := world(t, provided(t, p.URL, func(c *captcha.Config) { c.RequestContentType, c.Interactive = captcha.JSON, true }), t.Output())
	c := b.Get(t, "f", "").Challenge.Body.(*captcha.Challenge)
	if c.SiteKey != "site" || c.JSURL != "https://www.recaptcha.net/recaptcha/api.js" || !c.Interactive || c.Work() || c.Host() != "www.recaptcha.net" {
		t.Errorf("challenge %+v", c)
	}
	if len(w.Store.Commits) != 0 {
		t.Error("to look at it was written down")
	}
	for _, none := range []map[string]any{{}, {"token": ""}, {"token": nil}, {"token": []any{"x"}}, {"token": strings.Repeat("x", 17<<10)}} {
		if got := problem(b.Post(t, "f", "", none)); !strings.HasSuffix(got, "captcha.error.again") {
			t.Errorf("%.40v: problem %q", none, got)
		}
	}
	if len(p.asked) != 0 {
		t.Errorf("the provider was asked about nothing: %q", p.asked)
	}
	w.BindPolicy(f.ID, policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: map[string]any{
			"goauthentik.io/stages/captcha/site_key": "other site", "goauthentik.io/stages/captcha/private_key": "other secret"}}}, nil
	}), nil)
	b = w.NewBrowser()
	if c := b.Get(t, "f", "").Challenge.Body.(*captcha.Challenge); c.SiteKey != "other site" {
		t.Errorf("challenge %+v", c)
	}
	if r := b.Post(t, "f", "", map[string]any{"token": "t"}); !r.Next {
		t.Errorf("got %s %s", flowtest.Describe(r), problem(r))
	}
	if want := []string{`POST application/json {"remoteip":"192.0.2.1","response":"t","secret":"other secret"}`}; !cmp.Equal(p.asked, want) {
		t.Errorf("asked %q, want %q", p.asked, want)
	}
}

func TestUnreachableProviderLetsNobodyPass(t *testing.T) {
	p := newProvider(t, 200, `{"success":true}`)
	_, _, b := world(t, provided(t, p.URL, func(c *captcha.Config) { c.ErrorOnInvalidScore = false }), t.Output())
	p.Close()
	if got := problem(b.Post(t, "f", "", map[string]any{"token": "t"})); got != "token invalid captcha.error.away" {
		t.Errorf("problem %q", got)
	}
}

func TestConfig(t *testing.T) {
	for _, row := range []struct {
		name string
		data map[string]any
		want string
	}{
		{"no keys: a piece of work", map[string]any{}, ""},
		{"both keys", map[string]any{"public_key": "a", "private_key": "b"}, ""},
		{"half a pair", map[string]any{"public_key": "a"}, "private_key"},
		{"the other half", map[string]any{"private_key": "b"}, "public_key"},
		{"a script that is no address", map[string]any{"js_url": "javascript:alert(1)"}, "js_url"},
		{"an address without a host", map[string]any{"api_url": "https:///x"}, "api_url"},
		{"an address with a password", map[string]any{"api_url": "https://a:b@example.com/"}, "api_url"},
		{"another content type", map[string]any{"request_content_type": "text/plain"}, "request_content_type"},
		{"a bound that is no number", map[string]any{"score_min_threshold": "many"}, "score_min_threshold"},
	} {
		typ := captcha.Type(captcha.Env{})
		_, errs := field.Decode(typ.Defaults(), row.data, field.Create)
		if (row.want == "") != (errs == nil) || row.want != "" && errs[row.want] == nil {
			t.Errorf("%s: %v", row.name, errs)
		}
	}
}

func TestRule45PrivateKeyIsNotShown(t *testing.T) {
	c := provided(t, "https://captcha.example/", nil)
	if got := fmt.Sprint(field.Encode(c, field.Public)); strings.Contains(got, "hush") {
		t.Errorf("shown as %s", got)
	}
	_, _, b := world(t, c, t.Output())
	body, err := json.Marshal(b.Get(t, "f", "").Challenge)
	if err != nil || strings.Contains(string(body), "hush") {
		t.Errorf("%s, %v", body, err)
	}
}

func TestWhatPagesMayLoad(t *testing.T) {
	for url, want := range map[string]flow.Elsewhere{
		"https://challenges.cloudflare.com/turnstile/v0/api.js": {Scripts: []string{"https://challenges.cloudflare.com"}, Frames: []string{"https://challenges.cloudflare.com"}},
		"https://captcha.example:8443/api.js": {Scripts: []string{"https://captcha.example:8443"}, Styles: []string{"https://captcha.example:8443"},
			Frames: []string{"https://captcha.example:8443"}, Connects: []string{"https://captcha.example:8443"}},
		"/static/weir/captcha.js": {},
		"%":                       {},
	} {
		if got := (&captcha.Challenge{JSURL: url}).Elsewhere(); !cmp.Equal(got, want) {
			t.Errorf("%s: %+v", url, got)
		}
	}
	for _, url := range []string{"https://www.google.com/recaptcha/api.js", "https://www.recaptcha.net/recaptcha/api.js", "https://js.hcaptcha.com/1/api.js"} {
		e := (&captcha.Challenge{JSURL: url}).Elsewhere()
		if len(e.Scripts) < 2 || len(e.Frames) < 2 || len(e.Connects) < 2 {
			t.Errorf("%s: %+v", url, e)
		}
	}
}
