package web_test

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/flowhttp"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/passkey"
	"github.com/weir-id/weir/internal/stages"
	"github.com/weir-id/weir/internal/stages/authenticatorduo"
	"github.com/weir-id/weir/internal/stages/authenticatoremail"
	"github.com/weir-id/weir/internal/stages/authenticatorsms"
	"github.com/weir-id/weir/internal/stages/authenticatorstatic"
	"github.com/weir-id/weir/internal/stages/authenticatortotp"
	"github.com/weir-id/weir/internal/stages/authenticatorvalidate"
	"github.com/weir-id/weir/internal/stages/authenticatorwebauthn"
	"github.com/weir-id/weir/internal/stages/captcha"
	"github.com/weir-id/weir/internal/stages/consent"
	"github.com/weir-id/weir/internal/stages/dummy"
	"github.com/weir-id/weir/internal/stages/email"
	"github.com/weir-id/weir/internal/stages/identification"
	"github.com/weir-id/weir/internal/stages/password"
	"github.com/weir-id/weir/internal/stages/prompt"
	"github.com/weir-id/weir/internal/stages/userlogin"
	"github.com/weir-id/weir/internal/web"
	"github.com/weir-id/weir/policy"
)

// engine answers steps from a list, the last one again and again, and keeps
// what it was asked.
type engine struct {
	results []*flow.Result
	err     error
	calls   []flowhttp.Call
	before  func(w http.ResponseWriter, r *http.Request)
}

func (e *engine) Step(w http.ResponseWriter, r *http.Request, c flowhttp.Call) (*flow.Result, error) {
	e.calls = append(e.calls, c)
	if e.before != nil {
		e.before(w, r)
	}
	if e.err != nil {
		return nil, e.err
	}
	return e.results[min(len(e.calls), len(e.results))-1], nil
}

// visits is a browser with or without a person.
type visits struct {
	person     *identity.Person
	flow       *flow.Flow
	settings   []web.Setting
	inspection *web.Inspection
	sessions   []web.Session
	cancelled  []uuid.UUID
	// configured are the stages whose flow was started; configurable is the
	// one that has a flow, which refused prevents.
	configured   []uuid.UUID
	configurable uuid.UUID
	refused      error
	ended        []uuid.UUID
	err          error
	own          account
	apps         []*flow.Application
	verdict      policy.Result
	asked        []*policy.HTTPRequest
	invites      invites
}

func (v *visits) Listed(context.Context, *identity.Person, *policy.HTTPRequest) ([]*flow.Application, error) {
	return v.apps, v.err
}

func (v *visits) Check(_ context.Context, _ *flow.Application, _ *identity.Person, h *policy.HTTPRequest) policy.Result {
	v.asked = append(v.asked, h)
	return v.verdict
}

func (v *visits) BySlug(slug string) *flow.Application {
	for _, a := range v.apps {
		if a.Slug == slug {
			return a
		}
	}
	return nil
}

func (v *visits) ByID(id uuid.UUID) *flow.Application {
	for _, a := range v.apps {
		if a.ID == id {
			return a
		}
	}
	return nil
}

func (v *visits) Person(http.ResponseWriter, *http.Request) (*identity.Person, error) {
	if v.person == nil {
		return identity.Anonymous(), v.err
	}
	return v.person, v.err
}

func (v *visits) Choose(http.ResponseWriter, *http.Request, flow.Designation) (*flow.Flow, error) {
	return v.flow, v.err
}

func (v *visits) Cancel(_ http.ResponseWriter, _ *http.Request, id uuid.UUID) error {
	v.cancelled = append(v.cancelled, id)
	return v.err
}

func (v *visits) EndImpersonation(http.ResponseWriter, *http.Request) error { return v.err }

func (v *visits) Whom(_ *http.Request, key string) (*identity.Person, error) {
	if key != "good" || v.person == nil {
		return nil, web.ErrNoLink
	}
	return v.person, v.err
}

func (v *visits) SignIn(_ http.ResponseWriter, r *http.Request, key string) error {
	_, err := v.Whom(r, key)
	return err
}

func (v *visits) Configure(_ http.ResponseWriter, _ *http.Request, stage uuid.UUID) (*flow.Flow, error) {
	v.configured = append(v.configured, stage)
	if stage != v.configurable {
		return nil, nil
	}
	return v.flow, v.refused
}

func (v *visits) Settings(http.ResponseWriter, *http.Request) ([]web.Setting, error) {
	return v.settings, v.err
}

func (v *visits) Sessions(http.ResponseWriter, *http.Request) ([]web.Session, error) {
	return v.sessions, v.err
}

func (v *visits) EndSession(_ http.ResponseWriter, _ *http.Request, id uuid.UUID) error {
	v.ended = append(v.ended, id)
	return v.err
}

func newSite(t testing.TB, brand *flow.Brand, e *engine, v *visits) *web.Site {
	t.Helper()
	var pages []fs.FS
	for _, kind := range stages.All(stages.Env{}) {
		pages = append(pages, kind.Pages)
	}
	if v == nil {
		v = &visits{}
	}
	s, err := web.New(web.Config{Runner: e, Visits: v, Account: &v.own, Applications: v, Invitations: &v.invites, Inspector: v, Pages: pages, Brand: func(*http.Request) *flow.Brand { return brand },
		Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// get and post are requests of a browser on a page of this site.
func get(target string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

func post(target string, form url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

func answer(s http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func show(c flow.Challenge) *flow.Result {
	return &flow.Result{Challenge: &flow.Envelope{Component: c.Component(), Body: c, Info: &flow.Info{
		Title: "Welcome to Acme", Background: flow.DefaultBackground, CancelURL: "/flows/-/cancel/?next=%2F", Layout: flow.Stacked}}}
}

func refused(c flow.Challenge, errs field.Errors) *flow.Result {
	r := show(c)
	r.Rejected, r.Challenge.Errors = true, errs
	return r
}

func max() flow.UserInfo {
	return flow.UserInfo{PendingUser: "max", PendingUserAvatar: "/avatar/M.svg"}
}

func askWho() *identification.Challenge {
	return &identification.Challenge{UserFields: []string{"username", "email"}, PrimaryAction: "Log in", Sources: []identification.Source{},
		FlowDesignation: flow.Authentication, RecoveryURL: "/if/flow/recovery/", EnrollURL: "/if/flow/enrollment/"}
}

// sessionEnd has the keys of the wire; application providers make it.
type sessionEnd struct {
	flow.UserInfo
	ApplicationName, ApplicationLaunchURL, InvalidationFlowURL, OverviewURL string
}

func (*sessionEnd) Component() string { return "ak-stage-session-end" }

// samples are all pages that the program has, by file name.
func enrolment() *prompt.Challenge {
	return &prompt.Challenge{Fields: []prompt.Field{
		{FieldKey: "username", Label: "User name", Type: "username", Required: true, Placeholder: "User name"},
		{FieldKey: "name", Label: "Name", Type: "text", Placeholder: "As others should see it"},
		{FieldKey: "email", Label: "E-mail address", Type: "email", Required: true},
		{FieldKey: "password", Label: "Password", Type: "password", Required: true},
		{FieldKey: "password_repeat", Label: "Password (again)", Type: "password", Required: true},
	}}
}

// everyField has a field of each type.
func everyField() *prompt.Challenge {
	c := &prompt.Challenge{}
	choices := []prompt.Choice{{Value: "1", Label: "Sales"}, {Value: "2", Label: "Research and development"}}
	many := choices
	for i := range 8 {
		many = append(many, prompt.Choice{Value: fmt.Sprint("m", i), Label: fmt.Sprint("Team ", i)})
	}
	for _, f := range []prompt.Field{
		{Type: "alert_info", InitialValue: "We need <strong>some details</strong>."}, {Type: "alert_warning", InitialValue: "Think twice."},
		{Type: "alert_danger", InitialValue: "<ul><li>First</li><li>Second</li></ul>"}, {Type: "static", InitialValue: "<p>Read the <a href=\"https://example.com/terms\">terms</a>.</p>"},
		{Type: "text", Label: "Nickname", SubText: "Shown to <em>everybody</em>."}, {Type: "text_area", Label: "About you", Placeholder: "A few sentences"}, {Type: "text_read_only", Label: "Personnel number", InitialValue: "4711"},
		{Type: "text_area_read_only", Label: "Your contract", InitialValue: "First line\nSecond line"}, {Type: "username", Label: "User name"}, {Type: "email", Label: "E-mail address"},
		{Type: "password", Label: "Password"}, {Type: "number", Label: "Years with us"}, {Type: "checkbox", Label: "Send me the newsletter", InitialValue: "True"},
		{Type: "separator", Placeholder: "More"}, {Type: "radio-button-group", Label: "Department", Choices: choices, InitialValue: "2"}, {Type: "radio-button-group", Label: "Team", Choices: many},
		{Type: "dropdown", Label: "Country", Choices: choices, InitialValue: "1"}, {Type: "dropdown", Label: "Nothing"}, {Type: "date", Label: "Birthday"}, {Type: "date-time", Label: "First day", InitialValue: "2026-12-01T09:00:00Z"},
		{Type: "file", Label: "Photo"}, {Type: "hidden", InitialValue: "not shown"}, {Type: "ak-locale", Label: "Language", InitialValue: "de"},
	} {
		f.FieldKey = fmt.Sprintf("attributes.%d-%s", len(c.Fields), f.Type)
		c.Fields = append(c.Fields, f)
	}
	return c
}

func samples() map[string]*flow.Result {
	who := askWho()
	site := passkey.Site{Origin: "https://id.example", Host: "id.example", Name: "Acme Works"}
	whoAll := askWho()
	whoAll.PasswordFields, whoAll.AllowShowPassword, whoAll.EnableRememberMe = true, true, true
	whoAll.Passkey = site.Request("Y2hhbGxlbmdl", nil, passkey.Required, nil)
	whoAll.PasswordlessURL, whoAll.ApplicationPre = "/if/flow/passwordless/", "Wiki"
	ways := []authenticatorvalidate.DeviceChallenge{{Class: "totp", UID: "1"}, {Class: "static", UID: "2"}}
	code := &authenticatorvalidate.Challenge{UserInfo: max(), DeviceChallenges: ways[:1], Chosen: &ways[0]}
	beside := &authenticatorvalidate.Challenge{UserInfo: max(), DeviceChallenges: ways, Chosen: &ways[0]}
	recovery := &authenticatorvalidate.Challenge{UserInfo: max(), DeviceChallenges: ways, Chosen: &ways[1]}
	list := &authenticatorvalidate.Challenge{UserInfo: max(), DeviceChallenges: ways}
	signs := append([]authenticatorvalidate.DeviceChallenge{{Class: "webauthn", UID: "3", Challenge: site.Request("Y2hhbGxlbmdl", []string{"a2V5"}, passkey.Preferred, nil)}}, ways...)
	key := &authenticatorvalidate.Challenge{UserInfo: max(), DeviceChallenges: signs, Chosen: &signs[0]}
	made := &authenticatorwebauthn.Challenge{UserInfo: max(), Registration: site.Creation(passkey.Owner{Handle: []byte("handle"), Name: "max"}, "Y2hhbGxlbmdl", passkey.Wanted{
		UserVerification: passkey.Preferred, ResidentKey: passkey.Preferred})}
	restricted := &authenticatorwebauthn.Challenge{UserInfo: max(), Registration: made.Registration, Allowed: []string{"Google Titan Security Key v2", "YubiKey 5 Series with NFC"}}
	app := &authenticatortotp.Challenge{UserInfo: max(), Key: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", Digits: 6,
		ConfigURL: "otpauth://totp/Acme%20Works:max.mustermann%40example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&algorithm=SHA1&digits=6&period=30&issuer=Acme%20Works"}
	wrongCode := field.Errors{"code": {{String: "Invalid", Code: "invalid", Message: "validate.error.code"}}}
	mailbox := "m***@e***.com"
	sends := []authenticatorvalidate.DeviceChallenge{{Class: "email", UID: "1", Sends: true, Target: mailbox}, {Class: "email", UID: "2", Sends: true, Target: "w***@e***.org"}, ways[1]}
	mails := &authenticatorvalidate.Challenge{UserInfo: max(), DeviceChallenges: sends}
	mailed := &authenticatorvalidate.Challenge{UserInfo: max(), DeviceChallenges: sends, Chosen: &sends[0]}
	enrols := &authenticatorduo.Challenge{UserInfo: max(), Barcode: "https://api-12345678.duosecurity.com/frame/qr?value=x", StageID: uuid.NewString(),
		Code: "duo://8LIRa5danrICkhHtkLxi-YXBpLTEyMzQ1Njc4LmR1b3NlY3VyaXR5LmNvbQ"}
	pushes := append([]authenticatorvalidate.DeviceChallenge{{Class: "duo", UID: "3", Name: "Duo Authenticator"}, {Class: "duo", UID: "4", Name: "My old phone"}}, ways...)
	push := &authenticatorvalidate.Challenge{UserInfo: max(), DeviceChallenges: pushes, Chosen: &pushes[0]}
	choice := &authenticatorvalidate.Challenge{UserInfo: max(), ConfigurationStages: []authenticatorvalidate.SelectableStage{
		{PK: uuid.New(), Name: "Authenticator app"}, {PK: uuid.New(), Name: "Passkey"}}}
	wrong := field.Errors{field.NonField: {{String: "Failed to authenticate.", Code: "invalid", Message: "identification.error.invalid"}}}
	nameless := field.Errors{field.NonField: {{String: "Enter your user name", Code: "invalid", Message: "identification.error.empty"}}}
	empty := field.Errors{"password": {{String: "This field may not be blank.", Code: "blank", Message: "password.error.empty"}}}
	piece := captcha.Challenge{UserInfo: max(), SiteKey: "weir1.zzzzzz.4.16.AAAAAAAAAAAA.0123456789abcdef0123456789abcdef", JSURL: "/static/weir/captcha.js", Interactive: true}
	provider := captcha.Challenge{UserInfo: max(), SiteKey: "site", JSURL: "https://captcha.invalid/api.js", Interactive: true}
	withPiece := askWho()
	withPiece.PasswordFields, withPiece.Captcha = true, &identification.Captcha{Envelope: flow.Envelope{Component: "ak-stage-captcha", Body: &piece}}
	lapsed := show(who)
	lapsed.Lapsed = true
	stale := show(&dummy.Challenge{Name: "Read this"})
	stale.Stale = true
	return map[string]*flow.Result{
		"identification":         show(who),
		"identification-refused": refused(who, wrong),
		"identification-empty":   refused(who, nameless),
		"identification-all":     show(whoAll),
		"identification-two":     refused(whoAll, field.Errors{"uid_field": {{String: "Enter your user name", Code: "blank"}}, "password": empty["password"]}),
		"identification-none":    show(&identification.Challenge{PrimaryAction: "Continue"}),
		"password":               show(&password.Challenge{UserInfo: max(), AllowShowPassword: true, RecoveryURL: "/if/flow/recovery/"}),
		"password-wait": refused(&password.Challenge{UserInfo: max(), RecoveryURL: "/if/flow/recovery/"},
			guard.Refusal(&guard.LimitedError{Kind: guard.Account, Wait: 3 * time.Minute})),
		"password-refused":         refused(&password.Challenge{UserInfo: max(), AllowShowPassword: true}, empty),
		"captcha":                  show(&piece),
		"captcha-refused":          refused(&piece, field.Errors{"token": {{String: "The check did not work.", Code: "invalid", Message: "captcha.error.again"}}}),
		"captcha-blocked":          show(&provider),
		"captcha-embedded":         show(withPiece),
		"user-login":               show(&userlogin.Challenge{UserInfo: max()}),
		"validate-code":            show(code),
		"validate-refused":         refused(code, wrongCode),
		"validate-ways":            show(beside),
		"validate-list":            show(list),
		"validate-static":          refused(recovery, field.Errors{"code": {{String: "Wait", Code: "invalid", Message: "guard.seconds", Count: 8}}}),
		"validate-passkey":         show(key),
		"validate-passkey-refused": refused(key, field.Errors{"webauthn": {{String: "Unknown", Code: "invalid", Message: "webauthn.error.unknown"}}}),
		"webauthn":                 show(made),
		"webauthn-restricted":      refused(restricted, field.Errors{"response": {{String: "Not allowed", Code: "invalid", Message: "webauthn.error.make"}}}),
		"totp":                     show(app),
		"totp-refused":             refused(app, field.Errors{"code": {{String: "Invalid", Code: "invalid", Message: "totp.error.code"}}}),
		"static":                   show(&authenticatorstatic.Challenge{UserInfo: max(), Codes: []string{"k3f9a20a77b2", "m4n5p6q7r8s9", "tuvwxyz23456", "abcdefghijkm", "q2w3e4r5t6y7", "zzxxccvvbbnn"}}),
		"validate-choice":          show(choice),
		"prompt":                   show(enrolment()),
		"validate-mails":           show(mails),
		"validate-mailed":          refused(mailed, field.Errors{field.NonField: {{String: "Empty response", Code: "invalid", Message: authenticatorvalidate.TextSent}}}),
		"mailbox-address":          refused(&authenticatoremail.Challenge{UserInfo: max(), Required: true}, field.Errors{"email": {{String: "Enter", Code: "invalid", Message: "email_device.error.taken"}}}),
		"mailbox-code":             show(&authenticatoremail.Challenge{UserInfo: max(), Email: &mailbox, Typed: true}),
		"mailbox-refused":          refused(&authenticatoremail.Challenge{UserInfo: max(), Email: &mailbox}, field.Errors{field.NonField: {{String: "Wrong", Code: "invalid", Message: "code.error.spent"}}}),
		"phone-number":             refused(&authenticatorsms.Challenge{UserInfo: max(), Required: true}, field.Errors{"phone_number": {{String: "Enter", Code: "invalid", Message: "phone.error.number"}}}),
		"phone-unsent":             show(&authenticatorsms.Challenge{UserInfo: max(), Required: true, Problem: &field.Error{Message: "code.send"}}),
		"phone-code":               show(&authenticatorsms.Challenge{UserInfo: max(), Target: "+49***67", Typed: true}),
		"duo":                      show(enrols),
		"duo-waiting":              refused(enrols, field.Errors{field.NonField: {{String: "Not yet", Code: "invalid", Message: "duo.error.waiting"}}}),
		"validate-duo":             show(push),
		"validate-duo-declined":    refused(push, field.Errors{"duo": {{String: "Declined", Code: "denied", Message: "validate.error.duo.declined"}}}),
		"validate-duo-limited":     refused(push, field.Errors{"duo": {{String: "Wait", Code: "throttled", Message: "validate.error.duo.limited", Count: 3}}}),
		"mailbox-limited":          show(&authenticatoremail.Challenge{UserInfo: max(), Email: &mailbox, Problem: &field.Error{Message: "code.limited", Count: 5}}),
		"prompt-refused": refused(enrolment(), field.Errors{"username": {{String: "This user name is taken.", Code: "invalid", Message: "prompt.error.username_taken"}},
			field.NonField: {{String: "The passwords are not the same.", Code: "invalid", Message: "prompt.error.passwords"}}}),
		"prompt-all": show(everyField()),
		"consent":    show(&consent.Challenge{UserInfo: max(), HeaderText: "Continue as max?", Token: "t"}),
		"consent-list": show(&consent.Challenge{UserInfo: max(), HeaderText: "Let the wiki know who you are?", Token: "t", Permissions: []consent.Permission{{Name: "See your name and user name", ID: "profile"}},
			Additional: []consent.Permission{{Name: "See your e-mail address", ID: "email"}}}),
		"email":             show(&email.Challenge{UserInfo: max()}),
		"email-again":       refused(&email.Challenge{UserInfo: max(), Secret: true}, field.Errors{field.NonField: {{String: "email-sent", Code: "email-sent", Message: email.TextSent}}}),
		"email-limited":     refused(&email.Challenge{UserInfo: max()}, field.Errors{field.NonField: {{String: "Wait.", Code: "email-limited", Message: "email.limited", Count: 5}}}),
		"email-off":         show(&email.Challenge{UserInfo: max(), Secret: true, State: email.State{Problem: "off"}}),
		"email-gate":        show(&consent.Challenge{UserInfo: max(), HeaderText: "Continue.", Mailed: true, Token: "t"}),
		"dummy":             show(&dummy.Challenge{Name: "Read this"}),
		"lapsed":            lapsed,
		"stale":             stale,
		"denied":            show(&flow.AccessDenied{UserInfo: max(), Message: "Only people of the sales team\nmay go on."}),
		"denied-unexpected": show(&flow.AccessDenied{Message: "could not be decided: 17ab", ID: "17ab"}),
		"flow-error":        show(&flow.FlowError{RequestID: "k3f9-20a1", Error: "boom", Traceback: "dummy.go:12"}),
		"redirect":          show(&flow.RedirectTo{To: "https://wiki.example.com/callback?code=1"}),
		"redirect-app":      show(&flow.RedirectTo{To: "acme-app://done?code=1"}),
		"session-end":       show(&sessionEnd{UserInfo: max(), ApplicationName: "Wiki", ApplicationLaunchURL: "https://wiki.example.com/", InvalidationFlowURL: "/if/flow/out/", OverviewURL: "/"}),
		"confirm":           {Confirm: true},
	}
}

// impersonatedVisits is the browser of somebody who acts as Max.
func impersonatedVisits() *visits {
	v := homeVisits()
	v.person.Impersonator = identity.NewPerson(identity.User{ID: 1, Username: "akadmin", Active: true}, nil)
	return v
}

func homeVisits() *visits {
	p := identity.NewPerson(identity.User{ID: 7, Username: "max", Name: "Max Mustermann", Active: true}, nil)
	at := time.Date(2026, 11, 24, 14, 35, 0, 0, time.UTC)
	settings := []web.Setting{{Name: "Your details", URL: "/if/flow/default-user-settings-flow/"}, {Name: "Change password", URL: "/flows/-/configure/" + uuid.NewString() + "/"}}
	return &visits{person: p, flow: &flow.Flow{Slug: "default-invalidation-flow"}, settings: settings, sessions: []web.Session{
		{ID: uuid.New(), UserAgent: "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Mobile Safari/604.1", IP: netip.MustParseAddr("2001:db8::7"), LastUsed: at.Add(-26 * time.Hour)},
		{ID: uuid.New(), Current: true, UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:150.0) Gecko/20100101 Firefox/150.0", IP: netip.MustParseAddr("192.0.2.10"), LastUsed: at},
	}}
}
