// Package captcha holds the stage that makes it cost something to try things by
// the thousand: a person does not notice it, or clicks once. The identification
// stage can ask its question on its own page.
//
// There are two ways. With keys of a provider (reCAPTCHA, hCaptcha, Turnstile,
// or anybody who speaks siteverify) the browser shows that one's widget, and the
// provider tells us whether it was passed. Without keys the browser does a piece
// of work that takes it a second, and nobody else is involved; see work.
package captcha

import (
	"context"
	"embed"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
)

//go:embed *.html
var pages embed.FS

// ContentType is how a provider is asked.
type ContentType string

// The content types on the wire.
const (
	Form ContentType = "application/x-www-form-urlencoded"
	JSON ContentType = "application/json"
)

// Choices lists the content types.
func (ContentType) Choices() []string { return []string{string(Form), string(JSON)} }

// Config is the configuration of a captcha stage.
type Config struct {
	// PublicKey and PrivateKey are the keys that the provider gave out. Without
	// a public key the browser does a piece of work instead.
	PublicKey  string `json:"public_key" field:"blank,max=1024"`
	PrivateKey string `json:"private_key" field:"secret,blank,max=1024"`
	// JSURL is the script of the provider's widget, APIURL where answers are
	// verified.
	JSURL              string      `json:"js_url" field:"max=2048"`
	APIURL             string      `json:"api_url" field:"max=2048"`
	RequestContentType ContentType `json:"request_content_type"`
	// Interactive waits for the person's click even where the check does not
	// need it.
	Interactive bool `json:"interactive"`
	// ScoreMin and ScoreMax bound the score of providers that give one; a bound
	// of -1 or less is none.
	ScoreMin float64 `json:"score_min_threshold"`
	ScoreMax float64 `json:"score_max_threshold"`
	// ErrorOnInvalidScore refuses who did not pass. Without it everybody whom
	// the provider has an answer for goes on, and policies look at the answer.
	ErrorOnInvalidScore bool `json:"error_on_invalid_score"`
}

func defaults() Config {
	return Config{JSURL: "https://www.recaptcha.net/recaptcha/api.js", APIURL: "https://www.recaptcha.net/recaptcha/api/siteverify",
		RequestContentType: Form, ScoreMin: .5, ScoreMax: 1, ErrorOnInvalidScore: true}
}

// Validate refuses half a pair of keys and addresses that cannot be asked.
func (c *Config) Validate() field.Errors {
	var errs field.Errors
	for name, address := range map[string]string{"js_url": c.JSURL, "api_url": c.APIURL} {
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil {
			errs = errs.Merge(field.Errorf(name, field.CodeInvalid, "Enter an address that begins with https://."))
		}
	}
	switch {
	case c.PublicKey != "" && c.PrivateKey == "":
		errs = errs.Merge(field.Errorf("private_key", field.CodeRequired, "Enter the private key that belongs to the public one."))
	case c.PublicKey == "" && c.PrivateKey != "":
		errs = errs.Merge(field.Errorf("public_key", field.CodeRequired, "Enter the public key that belongs to the private one, or leave both empty."))
	}
	return errs
}

// Env is what the stage needs.
type Env struct {
	// Client asks providers.
	Client *http.Client
	// Key authenticates pieces of work.
	Key []byte
	// Log receives why a provider could not be asked; slog.Default when nil.
	Log *slog.Logger
}

// Type returns the stage type.
func Type(env Env) flow.StageType {
	if env.Log == nil {
		env.Log = slog.Default()
	}
	return flow.NewStageType(flow.StageType{
		Name:        "captcha",
		Path:        "captcha",
		Model:       "authentik_stages_captcha.captchastage",
		Component:   "ak-stage-captcha-form",
		Label:       "Captcha Stage",
		Description: "Checks that somebody is there, with a provider or by a piece of work for the browser.",
		Filters:     []string{"public_key"},
		Exchanges:   []flow.Exchange{{Name: "Captcha", Challenge: &Challenge{}, Answer: answer{}}},
		Pages:       pages,
	}, defaults, func(Config) flow.Effects { return flow.Effects{} }, func(_ string, c Config) flow.Stage { return &stage{c, env} })
}

// Challenge asks for a token. For a piece of work SiteKey is the work and JSURL
// a script of this site.
type Challenge struct {
	flow.UserInfo
	SiteKey     string `json:"site_key" field:"required"`
	JSURL       string `json:"js_url" field:"required"`
	Interactive bool   `json:"interactive" field:"required"`
}

// Component implements flow.Challenge.
func (*Challenge) Component() string { return "ak-stage-captcha" }

// Work tells whether the browser is to do a piece of work.
func (c *Challenge) Work() bool { return c.JSURL == workScript }

// Host is whose widget the page shows; empty for a piece of work.
func (c *Challenge) Host() string {
	u, err := url.Parse(c.JSURL)
	if err != nil {
		return ""
	}
	return u.Host
}

// workScript is where the page's module is found, whatever its version.
const workScript = "/static/weir/captcha.js"

// The keys that configuration may put in place of those of the stage.
const (
	siteKeyOverride    = flow.Key[string]("goauthentik.io/stages/captcha/site_key")
	privateKeyOverride = flow.Key[string]("goauthentik.io/stages/captcha/private_key")
	// passed is what the check found out, for policies.
	passed = flow.Key[map[string]any]("captcha")
)

type stage struct {
	config Config
	env    Env
}

var _ flow.Stage = (*stage)(nil)

// keys are those of the context, else those of the stage.
func (s *stage) keys(x *flow.Exec) (public, private string) {
	public, private = s.config.PublicKey, s.config.PrivateKey
	if k, ok := siteKeyOverride.Get(x.Context); ok && k != "" {
		public = k
	}
	if k, ok := privateKeyOverride.Get(x.Context); ok && k != "" {
		private = k
	}
	return public, private
}

// Ask makes the challenge, also for a stage that shows it on its own page.
func (s *stage) Ask(x *flow.Exec) flow.Challenge {
	public, _ := s.keys(x)
	if public == "" {
		return &Challenge{SiteKey: work{s.env.Key, x.Place()}.issue(x.Now), JSURL: workScript, Interactive: s.config.Interactive}
	}
	return &Challenge{SiteKey: public, JSURL: s.config.JSURL, Interactive: s.config.Interactive}
}

// Check judges a token, also for a stage that has asked on its own page. It
// returns the problem; nil means that the token is good, and was used up.
func (s *stage) Check(ctx context.Context, x *flow.Exec, token string) (*field.Error, error) {
	response := map[string]any{"success": true}
	public, private := s.keys(x)
	var problem *field.Error
	var err error
	if public == "" {
		problem, err = s.checkWork(ctx, x, token)
	} else {
		response, problem = s.askProvider(ctx, private, token, x.ClientIP())
	}
	if problem == nil && err == nil {
		passed.Set(x.Context, map[string]any{"response": response, "stage": x.StageName})
	}
	return problem, err
}

// Challenge implements flow.Stage.
func (s *stage) Challenge(_ context.Context, x *flow.Exec) (flow.Outcome, error) {
	return flow.Ask(s.Ask(x)), nil
}

// answer is what clients send.
type answer struct {
	Token string `json:"token" field:"required"`
}

// maxToken bounds a token, in bytes; those of providers have a few thousand.
const maxToken = 16 << 10

// Respond implements flow.Stage.
func (s *stage) Respond(ctx context.Context, x *flow.Exec, r flow.Response) (flow.Outcome, error) {
	var a answer
	if errs := r.Decode(&a); errs != nil {
		return flow.AskAgain(inWords(errs)), nil
	}
	problem, err := s.Check(ctx, x, a.Token)
	if err != nil {
		return flow.Outcome{}, err
	}
	if problem != nil {
		return flow.AskAgain(field.Errors{"token": {*problem}}), nil
	}
	return flow.Done(), nil
}

// inWords tells people, who do not see the field, what is missing.
func inWords(errs field.Errors) field.Errors {
	for i := range errs["token"] {
		errs["token"][i].String, errs["token"][i].Message = again.String, again.Message
	}
	return errs
}

// The problems.
var (
	again = &field.Error{Code: field.CodeInvalid, String: "The check did not work. Try again.", Message: "captcha.error.again"}
	late  = &field.Error{Code: field.CodeInvalid, String: "The check took too long, or was used before. Try again.", Message: "captcha.error.late"}
	no    = &field.Error{Code: field.CodeInvalid, String: "The check was not passed. Ask your administrator if that is wrong.", Message: "captcha.error.failed"}
	away  = &field.Error{Code: field.CodeInvalid, String: "The check cannot be made at the moment. Try again a little later.", Message: "captcha.error.away"}
)
