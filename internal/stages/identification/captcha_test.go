package identification_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/stages/captcha"
	"github.com/weir-id/weir/internal/stages/captcha/captchatest"
	"github.com/weir-id/weir/internal/stages/identification"
	"github.com/weir-id/weir/internal/stages/password"
)

// withCaptcha is a fixture whose page asks for a captcha, too.
func withCaptcha(t *testing.T, config *captcha.Config, change func(*identification.Config)) *fixture {
	fx := newFixture(t, change)
	typ := identification.Type(fx.users, fx.users)
	fx.World = flowtest.New(t, typ, password.Type(fx.users), captcha.Type(captcha.Env{Client: http.DefaultClient, Key: []byte("key")}))
	fx.users.person = fx.People.Add(identity.User{ID: 7, Username: "ann", Email: "ann@example.com", Active: true})
	fx.flow = fx.AddFlow("login", nil)
	fx.config.CaptchaStage = &fx.AddStage("captcha", "check", config).ID
	fx.stage = fx.AddStage("identification", "who", fx.config)
	fx.Bind(fx.flow, fx.stage, nil)
	fx.browser = fx.NewBrowser()
	return fx
}

// TestEmbeddedCaptcha: whoever does not pass it is told so, before anything is
// looked at, for a name that somebody has and for one that nobody has (rule 18).
func TestEmbeddedCaptcha(t *testing.T) {
	verdict := map[string]string{"good": `{"success":true}`, "bad": `{"success":false}`, "again": `{"success":false,"error-codes":["timeout-or-duplicate"]}`}
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		_, _ = io.WriteString(w, verdict[r.FormValue("response")])
	}))
	defer srv.Close()
	provided := &captcha.Config{PublicKey: "site", PrivateKey: "hush", JSURL: srv.URL + "/api.js", APIURL: srv.URL, RequestContentType: captcha.Form, ErrorOnInvalidScore: true}
	for _, row := range []struct {
		name  string
		embed bool
		body  map[string]any
		// want is the problem of the whole form; empty where the flow goes on.
		want string
		work int
	}{
		{"passed", false, map[string]any{"uid_field": "ann", "captcha_token": "good"}, "", 0},
		{"passed, with a password", true, map[string]any{"uid_field": "ann", "password": "right", "captcha_token": "good"}, "", 1},
		{"passed, with a wrong one", true, map[string]any{"uid_field": "ann", "password": "wrong", "captcha_token": "good"}, "identification.error.invalid", 1},
		{"not passed", true, map[string]any{"uid_field": "ann", "password": "right", "captcha_token": "bad"}, "captcha.error.failed", 0},
		{"not passed, by nobody", true, map[string]any{"uid_field": "nobody", "password": "right", "captcha_token": "bad"}, "captcha.error.failed", 0},
		{"not passed, by somebody pretended", false, map[string]any{"uid_field": "nobody", "captcha_token": "bad"}, "captcha.error.failed", 0},
		{"used before", true, map[string]any{"uid_field": "ann", "password": "right", "captcha_token": "again"}, "captcha.error.again", 0},
		{"no token", true, map[string]any{"uid_field": "ann", "password": "right"}, "captcha.error.again", 0},
		{"null", true, map[string]any{"uid_field": "ann", "password": "right", "captcha_token": nil}, "captcha.error.again", 0},
		{"no name", true, map[string]any{"captcha_token": "good"}, "identification.error.empty", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			fx := withCaptcha(t, provided, nil)
			if row.embed {
				fx.embed(false)
			}
			asked = 0
			r := fx.browser.Answer(t, "login", "", row.body)
			if row.want == "" {
				if flowtest.Describe(r) != "redirect / final" {
					t.Fatalf("got %s, %v", flowtest.Describe(r), r.Challenge.Errors)
				}
			} else if list := r.Challenge.Errors["non_field_errors"]; len(list) != 1 || list[0].Code != "invalid" || list[0].Message != row.want || len(r.Challenge.Errors) != 1 {
				t.Fatalf("errors %v, want %s", r.Challenge.Errors, row.want)
			}
			if fx.users.work != row.work {
				t.Errorf("%d passwords' worth of work, want %d", fx.users.work, row.work)
			}
			if strings.HasPrefix(row.want, "captcha") && (len(fx.users.unknown) > 0 || len(fx.Store.Events()) > 0) {
				t.Errorf("it cost %v and was recorded as %v", fx.users.unknown, fx.Store.Events())
			}
			if row.body["captcha_token"] == nil && asked > 0 {
				t.Error("the provider was asked about nothing")
			}
		})
	}
}

func TestEmbeddedCaptchaIsAWholeChallenge(t *testing.T) {
	fx := withCaptcha(t, &captcha.Config{Interactive: true}, nil)
	fx.embed(false)
	r := fx.browser.Get(t, "login", "login_hint=ann")
	body, err := json.Marshal(r.Challenge)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Captcha map[string]any `json:"captcha_stage"`
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for key := range got.Captcha {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if want := []string{"component", "interactive", "js_url", "pending_user", "pending_user_avatar", "site_key"}; !slices.Equal(keys, want) {
		t.Errorf("keys %q", keys)
	}
	if got.Captcha["component"] != "ak-stage-captcha" || got.Captcha["pending_user"] != "" || got.Captcha["pending_user_avatar"] != "/avatar/.svg" || got.Captcha["interactive"] != true {
		t.Errorf("captcha %v", got.Captcha)
	}
	// One piece of work is one guess.
	answer := map[string]any{"uid_field": "ann", "password": "wrong", "captcha_token": captchatest.Solve(got.Captcha["site_key"].(string))}
	if r := fx.browser.Answer(t, "login", "", answer); r.Challenge.Errors["non_field_errors"][0].Message != "identification.error.invalid" {
		t.Fatalf("errors %v", r.Challenge.Errors)
	}
	answer["password"] = "right"
	if r := fx.browser.Answer(t, "login", "", answer); r.Challenge.Errors["non_field_errors"] == nil || r.Challenge.Errors["non_field_errors"][0].Message != "captcha.error.late" {
		t.Fatalf("the same work for a second guess: %s, %v", flowtest.Describe(r), r.Challenge.Errors)
	}
	if fx.users.work != 1 {
		t.Errorf("%d passwords were looked at", fx.users.work)
	}
}

func TestAHintIsNoCaptcha(t *testing.T) {
	fx := withCaptcha(t, &captcha.Config{}, nil)
	if r := fx.browser.Get(t, "login", "login_hint=ann"); flowtest.Describe(r) != "ak-stage-identification" {
		t.Errorf("got %s", flowtest.Describe(r))
	}
}

func TestIdentificationWithoutItsCaptchaStageFails(t *testing.T) {
	fx := withCaptcha(t, &captcha.Config{}, nil)
	for what, id := range map[string]uuid.UUID{"a stage that is gone": uuid.New(), "a stage of another type": fx.stage.ID} {
		fx.config.CaptchaStage = &id
		fx.rebuild()
		for _, r := range []*flow.Result{fx.browser.Get(t, "login", ""), fx.browser.Answer(t, "login", "", map[string]any{"uid_field": "ann", "captcha_token": "x"})} {
			if got := flowtest.Describe(r); got != "ak-stage-flow-error" {
				t.Errorf("%s: got %s", what, got)
			}
		}
	}
}
