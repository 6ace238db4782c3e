package weir_test

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing/fstest"

	"github.com/weir-id/weir"
	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
)

// TermsConfig is how an administrator configures a terms stage.
type TermsConfig struct {
	// URL leads to the text.
	URL string `json:"url" field:"required,format=uri,max=2048"`
}

// Validate refuses what is no address. It is asked whenever a stage is stored.
func (c *TermsConfig) Validate() field.Errors {
	if u, err := url.Parse(c.URL); err != nil || u.Scheme != "https" || u.Host == "" {
		return field.Errorf("url", field.CodeInvalid, "Enter an https address.")
	}
	return nil
}

// TermsChallenge asks whether the person agrees.
type TermsChallenge struct {
	URL string `json:"url" field:"required"`
}

// Component names the challenge, and its page.
func (*TermsChallenge) Component() string { return "acme-stage-terms" }

// termsAnswer is what the page and other clients send.
type termsAnswer struct {
	Agree bool `json:"agree"`
}

// terms is a stage that nobody passes without agreeing.
type terms struct{ TermsConfig }

func (s terms) Challenge(context.Context, *flow.Exec) (flow.Outcome, error) {
	return flow.Ask(&TermsChallenge{URL: s.URL}), nil
}

func (s terms) Respond(_ context.Context, x *flow.Exec, r flow.Response) (flow.Outcome, error) {
	var a termsAnswer
	if errs := r.Decode(&a); errs != nil {
		return flow.AskAgain(errs), nil
	}
	if !a.Agree {
		return flow.AskAgain(field.Errors{"agree": {{Code: field.CodeInvalid, String: "Agree to go on.", Message: "acme.terms.needed"}}}), nil
	}
	return flow.Done().Record(flow.Event{Action: "custom_terms_agreed", User: x.RequestUser, Context: map[string]any{"url": s.URL}}), nil
}

// Terms is the stage type. Its page is a template as docs/embedding.md tells.
func Terms() flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:        "acme_terms",
		Path:        "acme_terms",
		Model:       "acme_stages_terms.termsstage",
		Component:   "acme-stage-terms-form",
		Label:       "Terms Stage",
		Description: "Asks the person to agree to the terms of Acme.",
		Exchanges:   []flow.Exchange{{Name: "AcmeTerms", Challenge: &TermsChallenge{}, Answer: termsAnswer{}}},
		Pages: fstest.MapFS{"acme-stage-terms.html": {Data: []byte(`{{define "title"}}{{t "acme.terms.title"}}{{end}}
{{define "content"}}<p><a href="{{.Challenge.URL}}">{{t "acme.terms.read"}}</a></p>
{{template "check-field" (field . "agree" "label" (t "acme.terms.agree"))}}
{{template "submit" (t "form.continue")}}{{end}}`)}},
	}, func() TermsConfig { return TermsConfig{} },
		func(TermsConfig) flow.Effects { return flow.Effects{} },
		func(_ string, c TermsConfig) flow.Stage { return terms{c} })
}

// acmeTexts are the texts of the page. A real program embeds files.
var acmeTexts = fstest.MapFS{
	"locales/en.yaml": {Data: []byte("acme.terms.title: Our terms\nacme.terms.read: Read the terms\nacme.terms.agree: I agree\nacme.terms.needed: Agree to go on.\n")},
	"locales/de.yaml": {Data: []byte("acme.terms.title: Unsere Bedingungen\nacme.terms.read: Bedingungen lesen\nacme.terms.agree: Ich stimme zu\nacme.terms.needed: Stimmen Sie zu, um fortzufahren.\n")},
}

// acmeFlow is a flow with the stage, as a blueprint.
const acmeFlow = `version: 1
metadata: {name: Acme}
entries:
  - model: authentik_flows.flow
    id: flow
    identifiers: {slug: terms}
    attrs: {name: Terms, title: Terms, designation: stage_configuration, authentication: none}
  - model: acme_stages_terms.termsstage
    id: stage
    identifiers: {name: terms}
    attrs: {url: https://acme.example/terms}
  - model: authentik_flows.flowstagebinding
    identifiers: {target: !KeyOf flow, stage: !KeyOf stage, order: 0}
`

// Weir is a handler like any other: a program mounts it beside what else it serves.
// The first start sets up SQLite in a folder.
func Example() {
	data, err := os.MkdirTemp("", "acme")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(data) }()
	settings := weir.DefaultSettings()
	settings.Data = data
	settings.Bootstrap.Password = "correct horse battery staple"
	site, err := weir.Open(context.Background(), weir.Config{Settings: settings, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = site.Close(context.Background()) }()

	mux := http.NewServeMux()
	mux.HandleFunc("GET /acme", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "Acme") })
	mux.Handle("/", site)

	for _, path := range []string{"/acme", "/if/flow/default-authentication-flow/"} {
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		fmt.Println(path, answer.Code)
	}
	// Output:
	// /acme 200
	// /if/flow/default-authentication-flow/ 200
}

// startAcme opens an installation with blueprints in a folder of its own; stop ends
// it and removes the folder.
func startAcme(c weir.Config, blueprints ...string) (site *weir.Server, stop func(), err error) {
	data, err := os.MkdirTemp("", "acme")
	if err != nil {
		return nil, nil, err
	}
	c.Settings, c.Log = weir.DefaultSettings(), slog.New(slog.DiscardHandler)
	c.Data, c.Bootstrap.Password = data, "correct horse battery staple"
	if site, err = weir.Open(context.Background(), c); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(data))
	}
	stop = func() {
		_ = site.Close(context.Background())
		_ = os.RemoveAll(data)
	}
	var files []string
	for i, text := range blueprints {
		files = append(files, filepath.Join(data, fmt.Sprintf("%d.yaml", i)))
		err = errors.Join(err, os.WriteFile(files[i], []byte(text), 0o600))
	}
	if err == nil {
		_, err = site.Apply(context.Background(), files, false)
	}
	if err != nil {
		stop()
	}
	return site, stop, err
}

// A stage type of the program has the API, blueprints, pages and texts that the
// types of Weir have.
func ExampleConfig_stages() {
	site, stop, err := startAcme(weir.Config{Stages: []flow.StageType{Terms()}, PageFiles: acmeTexts}, acmeFlow)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()

	answer := httptest.NewRecorder()
	site.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/api/v3/flows/executor/terms/?query=", nil))
	fmt.Println(answer.Body)
	// Output:
	// {"component":"acme-stage-terms","flow_info":{"title":"Terms","background":"/static/dist/assets/images/flow_background.jpg","background_themed_urls":null,"cancel_url":"/flows/-/cancel/","layout":"stacked"},"url":"https://acme.example/terms"}
}

// Staff are the people of Acme, by number. A real program asks its database, and
// hashes passwords as such.
type Staff map[string]struct {
	identity.StoreUser
	Password [sha256.Size]byte
}

// Find knows people by their user name.
func (s Staff) Find(_ context.Context, typed string) (*identity.StoreUser, error) {
	for _, p := range s {
		if p.Username == typed {
			return &p.StoreUser, nil
		}
	}
	return nil, nil
}

// CheckPassword does the same work for nobody.
func (s Staff) CheckPassword(_ context.Context, id, password string) (bool, error) {
	sum, p := sha256.Sum256([]byte(password)), s[id]
	return subtle.ConstantTimeCompare(sum[:], p.Password[:]) == 1, nil
}

// acmeLogin has the password stage of the default login ask the program, too.
const acmeLogin = `version: 1
metadata: {name: Acme login}
entries:
  - model: authentik_stages_password.passwordstage
    identifiers: {name: default-authentication-password}
    attrs:
      backends: [authentik.core.auth.InbuiltBackend, weir.userstore]
`

// People of the program sign in by the default flow, beside those whom Weir keeps.
func ExampleConfig_users() {
	staff := Staff{"17": {identity.StoreUser{ID: "17", Username: "grace", Name: "Grace Hopper"}, sha256.Sum256([]byte("moth"))}}
	site, stop, err := startAcme(weir.Config{Users: staff}, acmeLogin)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()

	server := httptest.NewServer(site)
	defer server.Close()
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar}
	for _, answer := range []string{`{"uid_field":"grace"}`, `{"password":"moth"}`} {
		res, err := browser.Post(server.URL+"/api/v3/flows/executor/default-authentication-flow/?query=", "application/json", strings.NewReader(answer))
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = res.Body.Close()
	}
	res, err := browser.Get(server.URL + "/api/v3/core/users/me/")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = res.Body.Close() }()
	var me struct {
		User struct{ Name string }
	}
	fmt.Println(res.StatusCode, json.NewDecoder(res.Body).Decode(&me), me.User.Name)
	// Output:
	// 200 <nil> Grace Hopper
}
