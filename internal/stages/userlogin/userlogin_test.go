package userlogin_test

import (
	"context"
	"crypto/rand"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/seal"
	"github.com/weir-id/weir/internal/stages/userlogin"
	"github.com/weir-id/weir/policy"
)

// house is where the stage looks things up: people, and where ann was last
// seen.
type house struct {
	people flowtest.People
	seen   netip.Addr
	// off switches the account off between the reading and the writing.
	off func()
}

func (h *house) SeenFrom(_ context.Context, _ int64, addr netip.Addr) (bool, error) {
	return addr == h.seen, nil
}

func (h *house) Active(_ context.Context, _ flow.Tx, id int64) (bool, error) {
	if h.off != nil {
		h.off()
		h.off = nil
	}
	p, ok := h.people[id]
	return ok && p.Active, nil
}

type fixture struct {
	*flowtest.World
	house   *house
	browser *flowtest.Browser
	flow    *flow.Flow
	stage   *flow.StageObject
	config  *userlogin.Config
	ann     *identity.Person
}

// newFixture has a flow of one login stage for ann, whom context may replace.
func newFixture(t *testing.T, change func(*userlogin.Config), written map[string]any) *fixture {
	key := make([]byte, seal.KeyBytes)
	rand.Read(key)
	box, err := seal.NewBox(key)
	if err != nil {
		t.Fatal(err)
	}
	fx := &fixture{house: &house{}}
	typ := userlogin.Type(fx.house, fx.house, box)
	fx.World = flowtest.New(t, typ)
	fx.house.people = fx.People
	fx.ann = fx.People.Add(identity.User{ID: 7, UUID: uuid.New(), Username: "ann", Active: true})
	fx.config = typ.Defaults().(*userlogin.Config)
	if change != nil {
		change(fx.config)
	}
	set := map[string]any{"pending_user": fx.ann}
	for k, v := range written {
		set[k] = v
		if v == nil {
			delete(set, k)
		}
	}
	fx.flow = fx.AddFlow("login", nil)
	fx.BindPolicy(fx.flow.ID, policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: set}}, nil
	}), nil)
	fx.stage = fx.AddStage("user_login", "in", fx.config)
	fx.Bind(fx.flow, fx.stage, nil)
	fx.browser = fx.NewBrowser()
	return fx
}

func (fx *fixture) signedIn() int64 {
	id, _ := fx.Store.UserOf(flowtest.SessionKey(fx.browser.Token))
	return id
}

// login returns the one login that was written.
func (fx *fixture) login(t *testing.T) *flow.Login {
	t.Helper()
	var found *flow.Login
	for _, c := range fx.Store.Commits {
		if c.Login != nil {
			if found != nil {
				t.Fatal("two logins")
			}
			found = c.Login
		}
	}
	if found == nil {
		t.Fatal("no login")
	}
	return found
}

func TestUserLogin(t *testing.T) {
	const onward, denied = "redirect / final", "denied: Unknown error"
	for _, row := range []struct {
		name    string
		written map[string]any
		want    string
		user    int64
	}{
		{"an active person is signed in", nil, onward, 7},
		{"without a pending person nobody is", map[string]any{"pending_user": nil}, denied, 0},
		{"an inactive person is not", map[string]any{"pending_user": identity.NewPerson(identity.User{ID: 8}, nil)}, denied, 0},
		{"a deleted person is not", map[string]any{"pending_user": identity.NewPerson(identity.User{ID: 9}, nil)}, "", 0},
		{"a person who was only typed is not", map[string]any{"pending_user": identity.NewPerson(identity.User{Username: "ann", Active: true}, nil)}, denied, 0},
	} {
		for _, method := range []string{"GET", "POST"} {
			t.Run(row.name+" by "+method, func(t *testing.T) {
				fx := newFixture(t, nil, row.written)
				fx.People.Add(identity.User{ID: 8, Username: "off"})
				before := fx.browser.Token
				var r *flow.Result
				if method == "GET" {
					r = fx.browser.Get(t, "login", "")
				} else {
					r = fx.browser.Answer(t, "login", "", map[string]any{"remember_me": true})
				}
				if got := flowtest.Describe(r); row.want != "" && got != row.want {
					t.Errorf("got %s, want %s", got, row.want)
				}
				if got := fx.signedIn(); got != row.user {
					t.Errorf("user %d is signed in, want %d", got, row.user)
				}
				if (fx.browser.Token != before) != (row.user != 0) {
					t.Error("a new session belongs to a login and to nothing else")
				}
			})
		}
	}
}

func TestUserLoginRecord(t *testing.T) {
	fx := newFixture(t, func(c *userlogin.Config) {
		c.NetworkBinding, c.GeoIPBinding, c.TerminateOtherSessions = userlogin.ASN, userlogin.ContinentCountry, true
	}, map[string]any{"user_backend": "ldap", "auth_method": "password", "auth_method_args": map[string]any{"mfa_devices": []any{}}})
	other := fx.NewBrowser()
	fx.Store.SignIn(flowtest.SessionKey(other.Token), 7)
	fx.browser.Get(t, "login", "")
	l := fx.login(t)
	if l.User.ID != 7 || l.Backend != "ldap" || l.Method != "password" || !l.Expires.IsZero() || !l.TerminateOthers ||
		l.NetworkBinding != "bind_asn" || l.GeoIPBinding != "bind_continent_country" {
		t.Errorf("login is %+v", l)
	}
	if _, ok := fx.Store.UserOf(flowtest.SessionKey(other.Token)); ok {
		t.Error("the other session goes on")
	}
	args := map[string]any{"mfa_devices": []any{}, "known_device": false}
	if diff := cmp.Diff(args, l.MethodArgs); diff != "" {
		t.Error(diff)
	}
	commit := fx.Store.Commits[len(fx.Store.Commits)-1]
	want := []flow.Event{{Action: "login", User: l.User, Context: map[string]any{"auth_method": "password", "auth_method_args": args}}}
	if len(commit.Events) != 1 || commit.Events[0].Action != "login" || commit.Events[0].User.ID != 7 ||
		!cmp.Equal(commit.Events[0].Context, want[0].Context) {
		t.Errorf("events are %+v", commit.Events)
	}
}

func TestUserLoginDefaults(t *testing.T) {
	fx := newFixture(t, nil, nil)
	fx.browser.Get(t, "login", "")
	l := fx.login(t)
	if l.Backend != "authentik.core.auth.InbuiltBackend" || l.NetworkBinding != "" || l.GeoIPBinding != "" || l.TerminateOthers {
		t.Errorf("login is %+v", l)
	}
}

func TestUserLoginDuration(t *testing.T) {
	for _, row := range []struct {
		name             string
		duration, offset field.Duration
		answer           map[string]any
		// after is when the session ends; 0 with the browser.
		after  time.Duration
		cookie bool
	}{
		{"no duration ends with the browser", "seconds=0", "seconds=0", nil, 0, true},
		{"a duration counts from now", "seconds=2", "seconds=0", nil, 2 * time.Second, true},
		{"yes to the question adds the offset", "seconds=2", "seconds=2", map[string]any{"remember_me": true}, 4 * time.Second, false},
		{"no to the question leaves the duration", "seconds=2", "seconds=2", map[string]any{"remember_me": false}, 2 * time.Second, false},
		{"yes without a duration is the offset", "seconds=0", "days=1", map[string]any{"remember_me": true}, 24 * time.Hour, false},
		{"no without a duration ends with the browser", "seconds=0", "days=1", map[string]any{"remember_me": false}, 0, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			fx := newFixture(t, func(c *userlogin.Config) { c.SessionDuration, c.RememberMeOffset = row.duration, row.offset }, nil)
			r := fx.browser.Get(t, "login", "")
			if row.answer != nil {
				if got := flowtest.Describe(r); got != "ak-stage-user-login" {
					t.Fatalf("the question is %s", got)
				}
				if r.Challenge.Body.(*userlogin.Challenge).PendingUser != "ann" {
					t.Error("the question does not say whom it is about")
				}
				r = fx.browser.Answer(t, "login", "", row.answer)
			}
			var want time.Time
			if row.after != 0 {
				want = fx.Time.Add(row.after)
			}
			if got := fx.login(t).Expires; !got.Equal(want) {
				t.Errorf("ends at %v, want %v", got, want)
			}
			if (len(r.Cookies) == 1) != row.cookie {
				t.Errorf("cookies %v", r.Cookies)
			}
		})
	}
}

func TestUserLoginQuestionWantsAnAnswer(t *testing.T) {
	for _, body := range []map[string]any{{}, {"remember_me": nil}, {"remember_me": "maybe"}, {"remember_me": []any{true}}} {
		fx := newFixture(t, func(c *userlogin.Config) { c.RememberMeOffset = "days=1" }, nil)
		r := fx.browser.Post(t, "login", "", body)
		if len(r.Challenge.Errors["remember_me"]) == 0 || fx.signedIn() != 0 {
			t.Errorf("%v: errors %v, user %d", body, r.Challenge.Errors, fx.signedIn())
		}
	}
}

func TestRule24AccountSwitchedOffMeanwhileIsNotSignedIn(t *testing.T) {
	fx := newFixture(t, nil, nil)
	fx.house.off = func() { fx.People.Add(identity.User{ID: 7, Username: "ann"}) }
	if got := flowtest.Describe(fx.browser.Get(t, "login", "")); got != "denied: Unknown error" {
		t.Errorf("got %s", got)
	}
	if fx.signedIn() != 0 {
		t.Error("an inactive person is signed in")
	}
}

func TestRule06AnotherPersonGetsAnotherSession(t *testing.T) {
	fx := newFixture(t, nil, nil)
	fx.flow.Designation = flow.Enrollment // a signed-in person may use it
	bob := fx.People.Add(identity.User{ID: 8, Username: "bob", Active: true})
	before := fx.browser.Token
	fx.Store.SignIn(flowtest.SessionKey(before), bob.ID)
	fx.browser.Get(t, "login", "")
	if fx.signedIn() != 7 || fx.browser.Token == before {
		t.Errorf("user %d in session %s", fx.signedIn(), fx.browser.Token)
	}
	if id, ok := fx.Store.UserOf(flowtest.SessionKey(before)); ok {
		t.Errorf("the old session still belongs to user %d", id)
	}
}

func TestConfig(t *testing.T) {
	for _, row := range []struct {
		name  string
		data  map[string]any
		field string
	}{
		{"nothing need be given", map[string]any{}, ""},
		{"a negative duration is refused", map[string]any{"session_duration": "hours=-1"}, "session_duration"},
		{"a duration in words is refused", map[string]any{"remember_device": "a month"}, "remember_device"},
		{"an unknown binding is refused", map[string]any{"network_binding": "bind_cable"}, "network_binding"},
	} {
		t.Run(row.name, func(t *testing.T) {
			typ := userlogin.Type(nil, nil, nil)
			_, errs := field.Decode(typ.Defaults(), row.data, field.Create)
			if (row.field == "") != (errs == nil) || (row.field != "" && len(errs[row.field]) == 0) {
				t.Errorf("errors %v, want some on %q", errs, row.field)
			}
		})
	}
}
