package weir_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/weir-id/weir"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/store/storetest"
)

// program is a program that embeds Weir, and a browser in front of it.
type program struct {
	t    *testing.T
	site *weir.Server
	base string
	http *http.Client
}

const bootstrapToken = "a-bootstrap-token-of-some-length"

// settingsOf are those of a test: hashing costs as little as it may.
func settingsOf(t *testing.T) weir.Settings {
	s := weir.DefaultSettings()
	s.Data = t.TempDir()
	s.Hashing.MemoryKiB, s.Hashing.Time = 7168, 1
	s.Bootstrap.Password, s.Bootstrap.Token = "correct horse", bootstrapToken
	return s
}

// embed starts the program with a database and blueprints.
func embed(t *testing.T, c weir.Config, blueprints ...string) *program {
	t.Helper()
	c.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	site, err := weir.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := site.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for _, text := range blueprints {
		name := filepath.Join(t.TempDir(), "acme.yaml")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := site.Apply(t.Context(), []string{name}, false); err != nil {
			t.Fatal(err)
		}
	}
	srv := httptest.NewServer(site)
	t.Cleanup(srv.Close)
	p := &program{t: t, site: site, base: srv.URL}
	p.forget()
	return p
}

// forget makes the browser a new one.
func (p *program) forget() {
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.http = &http.Client{Jar: jar}
}

// eachDatabase runs a test with either database.
func eachDatabase(t *testing.T, f func(t *testing.T, s weir.Settings)) {
	t.Run("sqlite", func(t *testing.T) { f(t, settingsOf(t)) })
	t.Run("postgres", func(t *testing.T) {
		s := settingsOf(t)
		s.DatabaseURL, s.SecretKey = weir.Secret(storetest.Postgres(t)), weir.Secret(strings.Repeat("k", 32))
		f(t, s)
	})
}

// send does a request and follows redirects; a token goes with calls of the API
// that are no step of a flow.
func (p *program) send(method, path, kind, body string, header ...string) (int, string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.base+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", kind)
	}
	if strings.HasPrefix(path, "/api/") && !strings.Contains(path, "/executor/") {
		r.Header.Set("Authorization", "Bearer "+bootstrapToken)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := p.http.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return res.StatusCode, string(raw)
}

// json does a call with a JSON body, empty for none, and returns the object.
func (p *program) json(method, path, body string) map[string]any {
	p.t.Helper()
	status, raw := p.send(method, path, "application/json", body)
	out := map[string]any{}
	if err := json.Unmarshal([]byte(raw), &out); err != nil || status >= 300 {
		p.t.Fatalf("%s %s = %d %s (%v)", method, path, status, raw, err)
	}
	return out
}

// TestAStageTypeOfTheProgram: it has pages in all languages, a place in the API, its
// description and in blueprints, validation and events, as the types of Weir.
func TestAStageTypeOfTheProgram(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s weir.Settings) {
		p := embed(t, weir.Config{Settings: s, Stages: []flow.StageType{Terms()}, PageFiles: acmeTexts}, acmeFlow)
		const executor, page = "/api/v3/flows/executor/terms/?query=", "/if/flow/terms/"

		if r := p.json("POST", executor, `{"agree":false}`); r["component"] != "acme-stage-terms" || r["response_errors"] == nil {
			t.Errorf("who does not agree gets %v", r)
		}
		if r := p.json("POST", executor, `{"agree":"perhaps"}`); r["component"] != "acme-stage-terms" || r["response_errors"] == nil {
			t.Errorf("an answer that is none gets %v", r)
		}
		if r := p.json("POST", executor, `{"agree":true}`); r["component"] != "xak-flow-redirect" {
			t.Errorf("who agrees gets %v", r)
		}
		if n := p.json("GET", "/api/v3/events/events/?action=custom_terms_agreed", "")["pagination"].(map[string]any)["count"]; n != 1.0 {
			t.Errorf("%v events tell that somebody agreed", n)
		}

		p.forget()
		for lang, want := range map[string]string{"en": "Read the terms", "de": "Bedingungen lesen", "fr": "Read the terms"} {
			if status, html := p.send("GET", page, "", "", "Accept-Language", lang); status != 200 || !strings.Contains(html, want) || !strings.Contains(html, `href="https://acme.example/terms"`) {
				t.Errorf("the page in %s: %d\n%s", lang, status, html)
			}
		}
		const form = "application/x-www-form-urlencoded"
		if status, html := p.send("POST", page, form, "", "Accept-Language", "de", "Origin", p.base, "Content-Type", form); status != http.StatusUnprocessableEntity || !strings.Contains(html, "Stimmen Sie zu") {
			t.Errorf("an empty form: %d\n%s", status, html)
		}
		if status, html := p.send("POST", page, form, url.Values{"agree": {"on"}}.Encode(), "Origin", p.base); strings.Contains(html, "Read the terms") {
			t.Errorf("a filled form: %d\n%s", status, html)
		}

		made := p.json("POST", "/api/v3/stages/acme_terms/", `{"name":"second","url":"https://acme.example/more"}`)
		if made["url"] != "https://acme.example/more" || made["meta_model_name"] != "acme_stages_terms.termsstage" {
			t.Errorf("made %v", made)
		}
		if status, raw := p.send("POST", "/api/v3/stages/acme_terms/", "application/json", `{"name":"third","url":"no address"}`); status != 400 || !strings.Contains(raw, `"url"`) {
			t.Errorf("a wrong configuration: %d %s", status, raw)
		}
		description := p.json("GET", "/api/v3/schema/?format=json", "")
		schemas := description["components"].(map[string]any)["schemas"].(map[string]any)
		for _, name := range []string{"TermsStage", "TermsStageRequest", "AcmeTermsChallenge", "AcmeTermsChallengeResponseRequest"} {
			if schemas[name] == nil {
				t.Errorf("the description has no %s", name)
			}
		}
		if _, exported := p.send("GET", "/api/v3/flows/instances/terms/export/", "", ""); !strings.Contains(exported, "acme_stages_terms.termsstage") || !strings.Contains(exported, "https://acme.example/terms") {
			t.Errorf("exported\n%s", exported)
		}
	})
}

// TestAStageTypeThatCannotBeUsed is refused at start, with the reason.
func TestAStageTypeThatCannotBeUsed(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*flow.StageType)
		want   string
	}{
		{"a value that was not declared", func(s *flow.StageType) { *s = flow.StageType{Name: "x"} }, "flow.NewStageType"},
		{"no name", func(s *flow.StageType) { s.Name = "" }, "a Name"},
		{"no path", func(s *flow.StageType) { s.Path = "" }, "a Path"},
		{"a path that is a pattern", func(s *flow.StageType) { s.Path = "{id}" }, "a Path"},
		{"the path of all stages", func(s *flow.StageType) { s.Path = "all" }, "a Path"},
		{"a model without an app", func(s *flow.StageType) { s.Model = "terms" }, "a Model"},
		{"the name of another", func(s *flow.StageType) { s.Name = "dummy" }, `"dummy" has the Name`},
		{"the path of another", func(s *flow.StageType) { s.Path = "password" }, `"password" has the Path`},
		{"the model of another", func(s *flow.StageType) { s.Model = "authentik_stages_deny.denystage" }, `"deny" has the Model`},
		{"the label of another", func(s *flow.StageType) { s.Label = "Deny Stage" }, `"deny" has the Label`},
		{"no pages", func(s *flow.StageType) { s.Pages = nil }, "acme-stage-terms.html"},
		{"no page of its challenge", func(s *flow.StageType) { s.Pages = fstest.MapFS{} }, "acme-stage-terms.html"},
		{"no challenge", func(s *flow.StageType) { s.Exchanges[0].Challenge = (*TermsChallenge)(nil) }, "a Challenge"},
	} {
		t.Run(row.name, func(t *testing.T) {
			own := Terms()
			row.change(&own)
			c := weir.Config{Settings: settingsOf(t), Log: slog.New(slog.DiscardHandler), Stages: []flow.StageType{own}, PageFiles: acmeTexts}
			in, err := weir.Connect(t.Context(), c)
			if err == nil {
				_ = in.Close()
			}
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
	c := weir.Config{Settings: settingsOf(t), Log: slog.New(slog.DiscardHandler), Stages: []flow.StageType{Terms(), Terms()}, PageFiles: acmeTexts}
	if _, err := weir.Connect(t.Context(), c); err == nil || !strings.Contains(err.Error(), "acme_terms") {
		t.Errorf("one type twice: %v", err)
	}
	c.Stages, c.Pages = nil, t.TempDir()
	if _, err := weir.Connect(t.Context(), c); err == nil || !strings.Contains(err.Error(), "PageFiles") {
		t.Errorf("pages twice: %v", err)
	}
}

// Settings come from where the command has them from, also those whose types cannot be
// named outside.
func TestAProgramLoadsItsSettings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(file, []byte("max_requests: 99\nmail_from: Acme <a@acme.example>\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("WEIR_SMTP_URL", "smtps://mail.acme.example")
	s, _, err := weir.LoadSettings(file)
	if err != nil || s.Limits.Requests != 99 || s.Mail.Server == nil || s.Mail.Server.Host != "mail.acme.example" || s.Mail.From.Address != "a@acme.example" {
		t.Errorf("got %+v, %v", s, err)
	}
	t.Setenv("WEIR_MAX_BODY", "none")
	if _, _, err := weir.LoadSettings(file); err == nil || !strings.Contains(err.Error(), "WEIR_MAX_BODY") {
		t.Errorf("a wrong one: %v", err)
	}
}

// brokenStaff is a user store that is away while down is set.
type brokenStaff struct {
	Staff
	down *bool
}

func (s brokenStaff) CheckPassword(ctx context.Context, id, password string) (bool, error) {
	if *s.down {
		return false, errors.New("the staff office is closed")
	}
	return s.Staff.CheckPassword(ctx, id, password)
}

// TestAWalkWithAStageAndUsersOfTheProgram: somebody of the program's store signs in
// through a flow with the program's stage, and others as always.
func TestAWalkWithAStageAndUsersOfTheProgram(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s weir.Settings) {
		down := false
		staff := brokenStaff{Staff{"17": {identity.StoreUser{ID: "17", Username: "grace", Name: "Grace Hopper", Email: "grace@acme.example"}, sha256.Sum256([]byte("moth"))}}, &down}
		const bind = `version: 1
metadata: {name: Bind}
entries:
  - model: authentik_flows.flowstagebinding
    identifiers:
      target: !Find [authentik_flows.flow, [slug, default-authentication-flow]]
      stage: !Find [authentik_stages_password.passwordstage, [name, default-authentication-password]]
      order: 20
  - model: authentik_flows.flowstagebinding
    identifiers:
      target: !Find [authentik_flows.flow, [slug, default-authentication-flow]]
      stage: !Find [acme_stages_terms.termsstage, [name, terms]]
      order: 25
`
		p := embed(t, weir.Config{Settings: s, Stages: []flow.StageType{Terms()}, PageFiles: acmeTexts, Users: staff}, acmeLogin, acmeFlow, bind)
		const login = "/api/v3/flows/executor/default-authentication-flow/?query="
		walk := func(steps ...string) {
			t.Helper()
			p.forget()
			for i := 0; i < len(steps); i += 2 {
				if r := p.json("POST", login, steps[i]); r["component"] != steps[i+1] {
					t.Fatalf("%s leads to %v, want %s", steps[i], r, steps[i+1])
				}
			}
		}
		me := func() (who map[string]any) {
			t.Helper()
			res, err := p.http.Get(p.base + "/api/v3/core/users/me/")
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			if err := json.NewDecoder(res.Body).Decode(&who); err != nil {
				t.Fatal(err)
			}
			who, _ = who["user"].(map[string]any)
			return who
		}
		const password, terms, in = "ak-stage-password", "acme-stage-terms", "xak-flow-redirect"
		walk(`{"uid_field":"grace"}`, password, `{"password":"wrong"}`, password, `{"password":"moth"}`, terms, `{"agree":false}`, terms)
		if who := me(); who != nil {
			t.Fatalf("before the terms it is %v", who)
		}
		walk(`{"uid_field":"grace"}`, password, `{"password":"moth"}`, terms, `{"agree":true}`, in)
		who := me()
		if who["username"] != "grace" || who["name"] != "Grace Hopper" || who["email"] != "grace@acme.example" {
			t.Fatalf("signed in is %v", who)
		}
		walk(`{"uid_field":"akadmin"}`, password, `{"password":"moth"}`, password, `{"password":"correct horse"}`, terms, `{"agree":true}`, in)
		if who := me(); who["username"] != "akadmin" {
			t.Fatalf("signed in is %v", who)
		}
		walk(`{"uid_field":"nobody"}`, password, `{"password":"moth"}`, password)

		// A store that is away is an error, no wrong password.
		down = true
		walk(`{"uid_field":"grace"}`, password, `{"password":"moth"}`, "ak-stage-flow-error")
		down = false
		if r := p.json("POST", login, `{"password":"moth"}`); r["component"] != terms {
			t.Errorf("once it is back the same flow leads to %v", r)
		}

		for action, want := range map[string]float64{"user_write": 1, "login_failed": 3} {
			if n := p.json("GET", "/api/v3/events/events/?action="+action, "")["pagination"].(map[string]any)["count"]; n != want {
				t.Errorf("%v events %s, want %v", n, action, want)
			}
		}
		_, events := p.send("GET", "/api/v3/events/events/?page_size=100", "", "")
		if strings.Contains(events, "moth") {
			t.Error("an event holds a password")
		}
	})
}

// TestTheExamplesAreAStrangersProgram builds and runs them in another module, which
// can import nothing internal.
func TestTheExamplesAreAStrangersProgram(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a program")
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	there := t.TempDir()
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	const module = "module github.com/weir-id/weir\n"
	if !strings.Contains(string(mod), module) {
		t.Fatalf("go.mod does not say %q", module)
	}
	// The versions are those of this module, so that nothing is looked up.
	text := strings.Replace(string(mod), module, "module acme.example/login\n", 1) +
		"\nrequire github.com/weir-id/weir v0.0.0\n\nreplace github.com/weir-id/weir => " + here + "\n"
	if err := os.WriteFile(filepath.Join(there, "go.mod"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.sum", "example_test.go"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(there, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-mod=mod", "-count=1", "-v", "-run", "^Example", ".")
	cmd.Dir, cmd.Env = there, append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOPROXY=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"Example", "ExampleConfig_stages", "ExampleConfig_users"} {
		if !strings.Contains(string(out), "--- PASS: "+name+" ") {
			t.Errorf("%s did not run:\n%s", name, out)
		}
	}
}
