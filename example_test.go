package weir_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing/fstest"

	"github.com/weir-id/weir"
	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
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

// A stage type of the program has the API, blueprints, pages and texts that the
// types of Weir have.
func ExampleConfig_stages() {
	data, err := os.MkdirTemp("", "acme")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(data) }()
	settings := weir.DefaultSettings()
	settings.Data = data
	settings.Bootstrap.Password = "correct horse battery staple"
	site, err := weir.Open(context.Background(), weir.Config{Settings: settings, Log: slog.New(slog.DiscardHandler),
		Stages: []flow.StageType{Terms()}, PageFiles: acmeTexts})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = site.Close(context.Background()) }()
	blueprint := filepath.Join(data, "acme.yaml")
	if err := os.WriteFile(blueprint, []byte(acmeFlow), 0o600); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := site.Apply(context.Background(), []string{blueprint}, false); err != nil {
		fmt.Println(err)
		return
	}

	answer := httptest.NewRecorder()
	site.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/api/v3/flows/executor/terms/?query=", nil))
	fmt.Println(answer.Body)
	// Output:
	// {"component":"acme-stage-terms","flow_info":{"title":"Terms","background":"/static/dist/assets/images/flow_background.jpg","background_themed_urls":null,"cancel_url":"/flows/-/cancel/","layout":"stacked"},"url":"https://acme.example/terms"}
}
