package stages_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/guard"
	store "github.com/weir-id/weir/internal/invitation"
	"github.com/weir-id/weir/internal/mail"
	"github.com/weir-id/weir/internal/passkey"
	"github.com/weir-id/weir/internal/prompt"
	"github.com/weir-id/weir/internal/stages"
	"github.com/weir-id/weir/internal/stages/accountlockdown"
	"github.com/weir-id/weir/internal/stages/authenticatorduo"
	"github.com/weir-id/weir/internal/stages/authenticatoremail"
	"github.com/weir-id/weir/internal/stages/authenticatorsms"
	"github.com/weir-id/weir/internal/stages/authenticatorstatic"
	"github.com/weir-id/weir/internal/stages/authenticatortotp"
	"github.com/weir-id/weir/internal/stages/authenticatorvalidate"
	"github.com/weir-id/weir/internal/stages/authenticatorwebauthn"
	"github.com/weir-id/weir/internal/stages/captcha"
	"github.com/weir-id/weir/internal/stages/consent"
	"github.com/weir-id/weir/internal/stages/deny"
	"github.com/weir-id/weir/internal/stages/dummy"
	"github.com/weir-id/weir/internal/stages/email"
	"github.com/weir-id/weir/internal/stages/identification"
	"github.com/weir-id/weir/internal/stages/invitation"
	"github.com/weir-id/weir/internal/stages/mtls"
	"github.com/weir-id/weir/internal/stages/password"
	promptstage "github.com/weir-id/weir/internal/stages/prompt"
	"github.com/weir-id/weir/internal/stages/redirect"
	"github.com/weir-id/weir/internal/stages/userdelete"
	"github.com/weir-id/weir/internal/stages/userlogin"
	"github.com/weir-id/weir/internal/stages/userlogout"
	"github.com/weir-id/weir/internal/stages/userwrite"
	"github.com/weir-id/weir/policy"
)

// house is everything that stages ask the rest of the program: there is ann,
// whose password is "right".
type house struct{ ann *identity.Person }

func (h house) Lookup(_ context.Context, _ []string, typed string, _ bool) (*identity.Person, error) {
	if typed == h.ann.Username {
		return h.ann, nil
	}
	return nil, nil
}

func (h house) Authenticate(_ context.Context, _ guard.Guess, backends []string, p *identity.Person, plain string) (directory.Verdict, error) {
	if p == nil || p.ID != h.ann.ID || plain != "right" || len(backends) == 0 {
		return directory.Verdict{}, nil
	}
	return directory.Verdict{OK: true, Backend: backends[0], Method: "password"}, nil
}

func (house) Unknown(string, netip.Addr) func(context.Context, flow.Tx) error { return nil }

func (house) RemoveUser(context.Context, flow.Tx, *identity.Person, userdelete.Cause) error {
	return nil
}

func (house) WriteUser(_ context.Context, _ flow.Tx, u identity.User, c directory.Change) (identity.User, error) {
	c.Edit(&u)
	return u, nil
}

func (house) HashPassword(_ context.Context, plain string) (string, error) { return plain, nil }

func (house) EndOthers(context.Context, flow.Tx, int64, string) error { return nil }
func (house) DeleteOf(context.Context, flow.Tx, int64) error          { return nil }

// Write sends no mail.
func (h house) Write(context.Context, *email.Letter) (email.Sendable, error) { return h, nil }
func (house) Send(context.Context, flow.Tx) error                            { return nil }

// nobody is invited.
type nobody struct{}

func (nobody) Valid(context.Context, uuid.UUID) (*store.Invitation, error) { return nil, nil }
func (nobody) Consume(context.Context, flow.Tx, uuid.UUID) error           { return nil }

func (house) SeenFrom(context.Context, int64, netip.Addr) (bool, error) { return false, nil }
func (house) Active(context.Context, flow.Tx, int64) (bool, error)      { return true, nil }
func (house) Seal(plain []byte, _ string) []byte                        { return plain }
func (house) Open(sealed []byte, _ string) ([]byte, error)              { return sealed, nil }

// byMail sends through the server of the installation.
var byMail = mail.StageConfig{UseGlobalSettings: true, TokenExpiry: "minutes=5"}

// phones take the code that is their name.
type phones struct{}

func (phones) Type() authenticator.Type {
	return authenticator.Type{Class: "sms", Model: "tests.phone"}
}
func (phones) Offer(_ context.Context, v *authenticator.Validation) ([]authenticator.Offer, error) {
	return authenticator.First(v.Devices), nil
}
func (phones) Check(d *authenticator.Device, code string, _ time.Time) (bool, error) {
	return code == d.Name, nil
}

// provider verifies the captcha token "good".
type provider struct{}

func (provider) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	body := fmt.Sprintf(`{"success":%v}`, r.PostForm.Get("response") == "good")
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// provided is a captcha stage that asks the provider.
func provided() *captcha.Config {
	return &captcha.Config{PublicKey: "site", PrivateKey: "secret", JSURL: "https://captcha.example/api.js", APIURL: "https://captcha.example/verify",
		RequestContentType: captcha.Form, ErrorOnInvalidScore: true}
}

// subject is one configuration of a stage type.
type subject struct {
	name   string
	typ    string
	config func(w *flowtest.World) any
	// right is the answer that the stage is done with; nil when there is none.
	right map[string]any
	// ignores says why any answer at all may move the flow on; empty when it
	// must not.
	ignores string
}

var subjects = []subject{
	{"identification that pretends nothing", "identification", func(*flowtest.World) any {
		return &identification.Config{UserFields: []identification.UserField{identification.Username}}
	}, map[string]any{"uid_field": "ann"}, ""},
	{"identification with a password", "identification", func(w *flowtest.World) any {
		s := w.AddStage("password", "embedded", &password.Config{Backends: []password.Backend{password.Inbuilt}})
		return &identification.Config{UserFields: []identification.UserField{identification.Username}, PasswordStage: &s.ID, PretendUserExists: true}
	}, map[string]any{"uid_field": "ann", "password": "right"}, ""},
	{"identification with a captcha", "identification", func(w *flowtest.World) any {
		s := w.AddStage("captcha", "embedded", provided())
		return &identification.Config{UserFields: []identification.UserField{identification.Username}, CaptchaStage: &s.ID, PretendUserExists: true}
	}, map[string]any{"uid_field": "ann", "captcha_token": "good"}, ""},
	{"captcha of a provider", "captcha", func(*flowtest.World) any { return provided() }, map[string]any{"token": "good"}, ""},
	{"captcha of a provider, whatever its verdict", "captcha", func(*flowtest.World) any {
		c := provided()
		c.ErrorOnInvalidScore = false
		return c
	}, map[string]any{"token": "good"}, "it goes on after any verdict, which policies look at"},
	{"captcha by a piece of work", "captcha", func(*flowtest.World) any { return &captcha.Config{ErrorOnInvalidScore: true} }, nil, ""},
	{"mutual TLS", "mtls", func(*flowtest.World) any { return &mtls.Config{Mode: mtls.Required} }, nil, ""},
	{"password", "password", func(*flowtest.World) any {
		return &password.Config{Backends: []password.Backend{password.Inbuilt}, FailedAttemptsBeforeCancel: 1 << 20}
	}, map[string]any{"password": "right"}, ""},
	{"login with a question", "user_login", func(*flowtest.World) any {
		return &userlogin.Config{RememberMeOffset: "days=1"}
	}, map[string]any{"remember_me": false}, ""},
	{"login", "user_login", func(*flowtest.World) any { return &userlogin.Config{} }, map[string]any{},
		"it asks nothing: whom the stages before it named is signed in"},
	{"logout", "user_logout", func(*flowtest.World) any { return &userlogout.Config{} }, map[string]any{},
		"it asks nothing"},
	{"deny", "deny", func(*flowtest.World) any { return &deny.Config{} }, nil, ""},
	{"redirect to an address", "redirect", func(*flowtest.World) any {
		return &redirect.Config{Mode: redirect.Static, TargetStatic: "/elsewhere"}
	}, map[string]any{"to": "/elsewhere"}, ""},
	{"redirect without a target", "redirect", func(*flowtest.World) any { return &redirect.Config{Mode: redirect.Flow} }, nil, ""},
	{"dummy", "dummy", func(*flowtest.World) any { return &dummy.Config{} }, map[string]any{},
		"it proves nothing and is there to be passed"},
	{"dummy that fails", "dummy", func(*flowtest.World) any { return &dummy.Config{ThrowError: true} }, nil, ""},
	{"consent", "consent", func(*flowtest.World) any { return &consent.Config{Mode: consent.AlwaysRequire} }, nil, ""},
	{"a link by mail", "email", func(*flowtest.World) any {
		return &email.Config{StageConfig: byMail, RecoveryMaxAttempts: 5, RecoveryCacheTimeout: "minutes=5"}
	}, nil, ""},
	{"setting codes by mail up", "authenticator_email", func(*flowtest.World) any { return &authenticatoremail.Config{StageConfig: byMail} },
		nil, ""},
	{"setting codes by text message up", "authenticator_sms", func(*flowtest.World) any {
		return &authenticatorsms.Config{Provider: authenticatorsms.Generic, AccountSID: "https://sms.invalid/"}
	}, nil, ""},
	{"setting Duo up", "authenticator_duo", func(*flowtest.World) any { return &authenticatorduo.Config{APIHostname: "duo.invalid"} }, nil, ""},
	{"an invitation that nobody has", "invitation", func(*flowtest.World) any { return &invitation.Config{} }, nil, ""},
	{"deleting the user", "user_delete", func(*flowtest.World) any { return &userdelete.Config{} }, map[string]any{}, "it asks nothing: whom the stages before it named is deleted"},
	{"locking the account", "account_lockdown", func(*flowtest.World) any { return &accountlockdown.Config{DeactivateUser: true, DeleteSessions: true} }, map[string]any{}, "it asks nothing: whom the stages before it named is locked out"},
	{"writing a user without anything to write", "user_write", func(*flowtest.World) any { return &userwrite.Config{} }, nil, ""},
	{"a form with a new password", "prompt", func(w *flowtest.World) any {
		c := &promptstage.Config{}
		for _, key := range []string{"password", "password_repeat"} {
			p := prompt.New()
			p.FieldKey, p.Type = key, prompt.Password
			p.SetIdentity(uuid.New(), 1)
			w.Documents[p.ID] = &p
			c.Fields = append(c.Fields, p.ID)
		}
		return c
	}, map[string]any{"password": "new", "password_repeat": "new"}, ""},
	{"second factor", "authenticator_validate", func(*flowtest.World) any {
		return &authenticatorvalidate.Config{NotConfiguredAction: authenticatorvalidate.Deny, DeviceClasses: []authenticatorvalidate.Class{"sms"}}
	}, map[string]any{"code": "right"}, ""},
	{"second factor by push", "authenticator_validate", func(w *flowtest.World) any {
		w.PutStage(duoStage, "authenticator_duo", "push", &authenticatorduo.Config{APIHostname: "duo.invalid"})
		return &authenticatorvalidate.Config{NotConfiguredAction: authenticatorvalidate.Deny, DeviceClasses: []authenticatorvalidate.Class{"duo"}}
	}, map[string]any{"duo": 2}, ""},
	{"making a passkey", "authenticator_webauthn", func(*flowtest.World) any {
		return &authenticatorwebauthn.Config{UserVerification: passkey.Preferred, ResidentKey: passkey.Preferred}
	}, nil, ""},
	{"setting up an app", "authenticator_totp", func(*flowtest.World) any { return &authenticatortotp.Config{Digits: "6"} }, nil, ""},
	{"giving out recovery codes", "authenticator_static", func(*flowtest.World) any {
		return &authenticatorstatic.Config{TokenCount: 6, TokenLength: 12}
	}, nil, "it asks nothing: whoever has seen the codes goes on"},
	{"second factor for a person without one, denying", "authenticator_validate", func(*flowtest.World) any {
		return &authenticatorvalidate.Config{NotConfiguredAction: authenticatorvalidate.Deny}
	}, nil, ""},
	{"second factor for a person without one, with a choice", "authenticator_validate", func(w *flowtest.World) any {
		return &authenticatorvalidate.Config{NotConfiguredAction: authenticatorvalidate.Configure, ConfigurationStages: []uuid.UUID{
			w.AddStage("dummy", "one", nil).ID, w.AddStage("dummy", "two", nil).ID}}
	}, nil, ""},
	{"second factor for a person without one, skipping", "authenticator_validate", func(*flowtest.World) any {
		return &authenticatorvalidate.Config{NotConfiguredAction: authenticatorvalidate.Skip}
	}, nil, "it asks nothing of people without a device"},
}

// hostile are answers that no stage may be satisfied with.
func hostile() []map[string]any {
	keys := []string{"uid_field", "password", "captcha_token", "passkey", "remember_me", "to", "code", "webauthn", "duo",
		"selected_stage", "selected_challenge", "token", "component", "response", "email", "phone_number", "done", "stage_ok"}
	values := []any{nil, "", " ", "x", true, false, 0, -1, 1.5, []any{}, []any{"x"}, map[string]any{}, map[string]any{"id": "x"}}
	bodies := []map[string]any{nil, {}, {"unknown": "field"}, {"component": "ak-stage-dummy"}}
	for _, v := range values {
		all := map[string]any{}
		for _, k := range keys {
			bodies = append(bodies, map[string]any{k: v})
			all[k] = v
		}
		bodies = append(bodies, all)
	}
	return bodies
}

// world has a flow of the subject's stage for ann, and a stage behind it.
func (s subject) world(t *testing.T) (*flowtest.World, *flowtest.Browser) {
	h := house{identity.NewPerson(identity.User{ID: 7, UUID: uuid.New(), Username: "ann", Active: true}, nil)}
	w := flowtest.New(t, stages.All(stages.Env{Users: h, Reputation: h, Sessions: h, Accounts: h, Sealer: h, Devices: h, Kinds: []authenticator.Kind{phones{}, authenticatorduo.Kind{Env: pushes(h)}}, Duo: pushes(h), Log: slog.New(slog.DiscardHandler), Remover: h, Writer: h, Ends: h, Tokens: h, Links: h, Letters: codes{}, SMS: authenticatorsms.Env{Devices: codes{}, House: codes{}, Client: &http.Client{Transport: provider{}}}, Invitations: nobody{}, Captcha: captcha.Env{Client: &http.Client{Transport: provider{}}, Key: []byte("key")}})...)
	w.People[7] = h.ann
	f := w.AddFlow("f", nil)
	w.BindPolicy(f.ID, policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: map[string]any{"pending_user": h.ann}}}, nil
	}), nil)
	w.Bind(f, w.AddStage(s.typ, "tested", s.config(w)), nil)
	w.Bind(f, w.AddStage("dummy", "behind", nil), nil)
	return w, w.NewBrowser()
}

// passed tells whether the stage behind the tested one was reached.
func passed(b *flowtest.Browser, r *flow.Result) bool {
	e := b.Request("f", "").Execution
	return r.Next || (e != nil && len(e.Plan.Entries) == 1)
}

func TestRule01NoHostileAnswerPassesAStage(t *testing.T) {
	for _, s := range subjects {
		if s.ignores != "" {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			for _, body := range hostile() {
				if isRight(s, body) {
					continue
				}
				w, b := s.world(t)
				for n := range 3 { // repeated, with and without a look in between
					req := b.Request("f", "")
					req.Answer, req.Body = true, maps.Clone(body)
					r, err := b.Do(t.Context(), req)
					if errors.Is(err, flow.ErrMissing) {
						continue
					}
					if err != nil {
						t.Fatalf("%v: %v", body, err)
					}
					if passed(b, r) {
						t.Fatalf("%v passed at try %d", body, n+1)
					}
					if n == 1 {
						b.Get(t, "f", "")
					}
				}
				if user, _ := w.Store.UserOf(flowtest.SessionKey(b.Token)); user != 0 {
					t.Fatalf("%v signed user %d in", body, user)
				}
			}
		})
	}
}

// isRight tells whether a body happens to hold an answer to the question: any
// clear yes or no to "Stay signed in?" is one.
func isRight(s subject, body map[string]any) bool {
	if _, asked := s.right["remember_me"]; !asked {
		return false
	}
	v := body["remember_me"]
	return v == true || v == false || v == 0
}

// What is exempt from rule 1 is exempt because its answers mean nothing, so
// they must not prove anything either.
func TestRule01ExemptStagesProveNothingByAnAnswer(t *testing.T) {
	for _, s := range subjects {
		if s.ignores == "" {
			continue
		}
		t.Run(s.name+": "+s.ignores, func(t *testing.T) {
			_, b := s.world(t)
			b.Post(t, "f", "", map[string]any{"password": "right", "code": "123456", "to": "/x"})
			for _, p := range b.Request("f", "").Execution.Plan.Proofs {
				if p.Fact != flow.FactLogin && p.Fact != flow.FactLogout {
					t.Errorf("it proved %s", p.Fact)
				}
			}
		})
	}
}

func TestDoneStagesKeepTheirPromises(t *testing.T) {
	for _, s := range subjects {
		if s.right == nil {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			w, b := s.world(t)
			r := b.Post(t, "f", "", s.right)
			if !passed(b, r) {
				t.Fatalf("the right answer got %s", flowtest.Describe(r))
			}
			typ, _ := w.StageType(s.typ)
			plan := b.Request("f", "").Execution.Plan
			for _, fact := range typ.Effects(s.config(w)).Always {
				if !slices.ContainsFunc(plan.Proofs, func(p flow.Proof) bool { return p.Fact == fact && p.At.Equal(w.Time) }) {
					t.Errorf("%s is promised but not among %v", fact, plan.Proofs)
				}
			}
		})
	}
}

func TestAll(t *testing.T) {
	types := stages.All(stages.Env{})
	if !slices.IsSortedFunc(types, func(a, b flow.StageType) int { return cmp.Compare(a.Name, b.Name) }) {
		t.Error("the list is not in alphabetical order")
	}
	for _, typ := range types {
		if !slices.ContainsFunc(subjects, func(s subject) bool { return s.typ == typ.Name }) {
			t.Errorf("%s is not tested for rule 1: add it to subjects", typ.Name)
		}
		for what, value := range map[string]string{"path": typ.Path, "model": typ.Model, "form": typ.Component, "label": typ.Label} {
			if value == "" {
				t.Errorf("%s has no %s", typ.Name, what)
			}
		}
		if _, err := typ.Build("x", typ.Defaults()); err != nil {
			t.Errorf("%s cannot be built from its defaults: %v", typ.Name, err)
		}
		if got := fmt.Sprintf("authentik_stages_%s.", typ.Name); len(typ.Model) <= len(got) || typ.Model[:len(got)] != got {
			t.Errorf("%s has the model %s", typ.Name, typ.Model)
		}
	}
}
