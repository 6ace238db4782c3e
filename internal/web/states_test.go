package web_test

import (
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/api/openapi"
	"github.com/weir-id/weir/internal/stages"
	"github.com/weir-id/weir/internal/stages/captcha"
	"github.com/weir-id/weir/internal/stages/password"
)

// states is a server that shows each state of each page at an address of its
// own, /state/<language>/<name>: the samples of flow pages and what else there
// is. names lists them in order.
func states(t *testing.T) (base string, names []string) {
	t.Helper()
	frame := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/widget.js" {
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = w.Write([]byte(widget))
			return
		}
		_, _ = w.Write([]byte("<!doctype html><title>Frame</title><body>Elsewhere"))
	}))
	t.Cleanup(frame.Close)
	page := func(r *flow.Result) http.HandlerFunc {
		return at("/if/flow/x/", newSite(t, nil, &engine{results: []*flow.Result{r}}, nil))
	}
	all := map[string]http.HandlerFunc{}
	for name, result := range samples() {
		all[name] = page(result)
	}
	for name, who := range map[string]string{"name-long": strings.Repeat("unbroken", 8), "name-address": strings.Repeat("somebody.", 8) + "@example.com", "name-arabic": "كاتب الرسائل"} {
		all[name] = page(show(&password.Challenge{UserInfo: flow.UserInfo{PendingUser: who}, AllowShowPassword: true}))
	}
	all["captcha-widget"] = page(show(&captcha.Challenge{UserInfo: max(), SiteKey: "site", JSURL: frame.URL + "/widget.js", Interactive: true}))
	for _, layout := range flow.Layout("").Choices() {
		r := samples()["identification-all"]
		r.Challenge.Info.Layout, r.Challenge.Info.Background = flow.Layout(layout), "/static/dist/assets/images/flow_background.jpg?of=flow"
		if strings.HasSuffix(layout, "_frame_background") {
			r.Challenge.Info.Background = frame.URL + "/"
		}
		all["layout-"+strings.ReplaceAll(layout, "_", "-")] = page(r)
	}
	for name, p := range map[string]func(*visits){"home-empty": func(*visits) {}, "home-applications": withApplications} {
		v := homeVisits()
		p(v)
		all[name] = at("/if/user/", newSite(t, footerBrand(), &engine{}, v))
	}
	all["home-impersonated"] = at("/if/user/", newSite(t, footerBrand(), &engine{}, impersonatedVisits()))
	refused := show(&flow.AccessDenied{UserInfo: max(), Message: "You cannot do this while you act as somebody else."})
	refused.Impersonated = impersonatedVisits().person
	all["denied-impersonated"] = page(refused)
	all["home-ended"] = sends("/if/user/", url.Values{"session": {uuid.NewString()}}, newSite(t, footerBrand(), &engine{}, homeVisits()))
	maps.Copy(all, settingsStates(t))
	maps.Copy(all, authenticatorStates(t))
	maps.Copy(all, invitationStates(t))
	maps.Copy(all, inspectorStates(t))
	plain := newSite(t, footerBrand(), &engine{results: []*flow.Result{show(askWho())}}, nil)
	all["sign-in-link"] = at("/if/sign-in/?key=good", newSite(t, footerBrand(), &engine{}, homeVisits()))
	all["problem-link"] = at("/if/sign-in/?key=used", newSite(t, footerBrand(), &engine{}, homeVisits()))
	all["footer"] = at("/if/flow/x/", plain)
	all["cancel"] = func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		at("/flows/-/cancel/?next=%2F", plain)(w, r)
	}
	for _, status := range []int{400, 403, 404, 405, 413, 415, 429, 500, 503} {
		all[fmt.Sprint("problem-", status)] = func(w http.ResponseWriter, r *http.Request) {
			id := ""
			switch status {
			case 500:
				id = "k3f9-20a1-77b2"
			case 429, 503:
				w.Header().Set("Retry-After", "5")
			}
			plain.Problem(w, r, status, id)
		}
	}
	all["reference"] = func(w http.ResponseWriter, r *http.Request) { plain.Reference(w, r, smallAPI()) }

	mux := http.NewServeMux()
	mux.HandleFunc("/state/{language}/{name}", func(w http.ResponseWriter, r *http.Request) {
		show, known := all[r.PathValue("name")]
		if !known {
			http.NotFound(w, r)
			return
		}
		r.Header.Set("Accept-Language", r.PathValue("language"))
		// Nothing may lead the browser away before it has looked.
		got := httptest.NewRecorder()
		show(got, r)
		maps.Copy(w.Header(), got.Header())
		w.WriteHeader(got.Code)
		_, _ = w.Write(refresh.ReplaceAll(got.Body.Bytes(), nil))
	})
	mux.Handle("/static/", plain)
	mux.Handle("/avatar/", plain)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("/state/en/faulty", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "testdata/faulty.html") })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, slices.Sorted(maps.Keys(all))
}

// widget is the script of a provider, as they all are.
const widget = `window.turnstile = { render(place, o) {
  const button = document.createElement("button");
  button.type = "button"; button.className = "secondary"; button.textContent = "I am a person, says " + o.sitekey;
  button.addEventListener("click", () => o.callback("token of " + o.sitekey));
  place.append(button);
} };`

var refresh = regexp.MustCompile(`<meta http-equiv="refresh"[^>]*>`)

// at answers with what a site has at an address.
func at(target string, s http.Handler) http.HandlerFunc {
	to, err := url.Parse(target)
	if err != nil {
		panic(err)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		r.Method, r.URL.Path, r.URL.RawQuery, r.RequestURI = http.MethodGet, to.Path, to.RawQuery, target
		s.ServeHTTP(w, r)
	}
}

// sends answers with what a site says to a form.
func sends(target string, form url.Values, s http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sent := post(target, form)
		sent.Header.Set("Accept-Language", r.Header.Get("Accept-Language"))
		s.ServeHTTP(w, sent)
	}
}

// shown is a page on which the offer of a passkey is seen, as where the device can make
// one.
func shown(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		got := httptest.NewRecorder()
		h(got, r)
		maps.Copy(w.Header(), got.Header())
		w.WriteHeader(got.Code)
		_, _ = w.Write([]byte(strings.Replace(got.Body.String(), " data-passkey hidden", "", 1)))
	}
}

// footerBrand is a brand with links below its pages.
func footerBrand() *flow.Brand {
	b := flow.NewBrand()
	b.Attributes = map[string]any{"weir": map[string]any{"footer_links": []any{
		map[string]any{"name": "Help", "href": "https://help.example.com/"}, map[string]any{"name": "Imprint", "href": "/imprint"}}}}
	return &b
}

func withApplications(v *visits) {
	v.sessions[0].UserAgent = strings.Repeat("LongAgentWithoutBlank", 5)
	for i, name := range []string{"Wiki", "Payroll", strings.Repeat("Application", 6), "كتاب"} {
		v.apps = append(v.apps, &flow.Application{Name: name, Slug: fmt.Sprint("app", i), Group: []string{"", "", "Finance", "Finance"}[i],
			LaunchURL: "https://app.example.com/", Description: "Where everybody writes down what they know", Publisher: "Acme", OpenInNewTab: i == 1})
	}
}

// smallAPI has one of each thing that the page about the API shows.
func smallAPI() *openapi.Document {
	d := openapi.New(openapi.Info{Title: "Weir", Version: "1"}, "/api/v3")
	zero, many := int64(0), int64(240)
	object := &openapi.Schema{Type: "object", Required: []string{"pk"}, Properties: openapi.Properties{
		{Name: "pk", Schema: &openapi.Schema{Type: "string", Format: "uuid", ReadOnly: true}},
		{Name: "name", Schema: &openapi.Schema{Type: "string", MaxLength: &many, Pattern: "^[-a-zA-Z0-9_]+$"}},
		{Name: "order", Schema: &openapi.Schema{Type: "integer", Minimum: &zero, Nullable: true}},
		{Name: "layout", Schema: openapi.RefTo("LayoutEnum")}}}
	d.Components.Schemas["Flow"] = object
	d.Components.Schemas["LayoutEnum"] = &openapi.Schema{Type: "string", Enum: []string{"stacked", "sidebar_left_frame_background"}}
	parameters := append(openapi.ListParameters(), &openapi.Parameter{In: "path", Name: "slug", Schema: &openapi.Schema{Type: "string"}, Required: true})
	d.Paths["/flows/instances/{slug}/"] = openapi.PathItem{
		"get": {ID: "flows_instances_retrieve", Summary: "Read a flow.", Tags: []string{"flows"}, Parameters: parameters, Responses: openapi.Answers("200", openapi.AsJSON(openapi.RefTo("Flow"))),
			Access: openapi.Access{Who: "permission", Permission: "authentik_flows.view_flow", Objects: "one"}},
		"put": {ID: "flows_instances_update", Tags: []string{"flows"}, Body: &openapi.Body{Content: openapi.AsJSON(openapi.RefTo("Flow"))}, Responses: openapi.Answers("204", nil),
			Access: openapi.Access{Who: "signed_in"}},
	}
	return d
}

func TestEveryPageHasAState(t *testing.T) {
	shown := map[string]bool{"cancel": true, "confirm": true, "sign-in-link": true, "home": true, "problem": true, "reference": true,
		"consents": true, "tokens": true, "token-new": true, "token-made": true, "token-delete": true, "sign-in-again": true, "authenticators": true, "authenticator-name": true, "authenticator-remove": true, "invitations": true, "invitation-new": true, "invitation": true, "inspector": true}
	for _, result := range samples() {
		if result.Challenge != nil {
			shown[result.Challenge.Component] = true
		}
	}
	folders := []fs.FS{os.DirFS("templates/pages")}
	for _, kind := range stages.All(stages.Env{}) {
		folders = append(folders, kind.Pages)
	}
	for _, folder := range folders {
		if folder == nil {
			continue
		}
		files, err := fs.Glob(folder, "*.html")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if name := strings.TrimSuffix(file, ".html"); !shown[name] {
				t.Errorf("no sample shows the page %q", name)
			}
		}
	}
}
