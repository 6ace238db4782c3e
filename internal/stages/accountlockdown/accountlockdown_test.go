package accountlockdown_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/stages/accountlockdown"
	"github.com/weir-id/weir/internal/stages/deny"
	"github.com/weir-id/weir/internal/stages/dummy"
	"github.com/weir-id/weir/internal/stages/redirect"
	"github.com/weir-id/weir/policy"
)

// house notes what is done to whom.
type house struct{ done []string }

func (h *house) note(format string, args ...any) {
	h.done = append(h.done, fmt.Sprintf(format, args...))
}

func (h *house) WriteUser(_ context.Context, _ flow.Tx, u identity.User, c directory.Change) (identity.User, error) {
	c.Edit(&u)
	h.note("%s active=%v password=%q", u.Username, u.Active, c.Hash)
	return u, nil
}

func (h *house) EndOthers(_ context.Context, _ flow.Tx, user int64, key string) error {
	h.note("sessions of %d but %q", user, key)
	return nil
}

func (h *house) DeleteOf(_ context.Context, _ flow.Tx, user int64) error {
	h.note("tokens of %d", user)
	return nil
}

// site is a flow with the stage, one behind it, and a flow to go on with.
type site struct {
	*flowtest.World
	house                   *house
	ann, bob, boss, outpost *identity.Person
	config                  *accountlockdown.Config
	completion              *flow.Flow
	context                 map[string]any
}

func open(t *testing.T, change func(*site)) *site {
	s := &site{house: &house{}, context: map[string]any{}}
	typ := accountlockdown.Type(s.house, s.house, s.house)
	s.World = flowtest.New(t, typ, dummy.Type(), redirect.Type(), deny.Type())
	s.ann = s.People.Add(identity.User{ID: 7, Username: "ann", Active: true, Type: identity.Internal})
	s.bob = s.People.Add(identity.User{ID: 8, Username: "bob", Active: true, Type: identity.Internal})
	s.boss = s.People.Add(identity.User{ID: 9, Username: "boss", Active: true, Type: identity.Internal}, identity.Group{ID: uuid.New(), Name: "admins", Superuser: true})
	s.outpost = s.People.Add(identity.User{ID: 10, Username: "outpost", Active: true, Type: identity.InternalServiceAccount})
	s.config = typ.Defaults().(*accountlockdown.Config)
	s.completion = s.AddFlow("bye", nil)
	s.Bind(s.completion, s.AddStage("dummy", "goodbye", nil), nil)
	if change != nil {
		change(s)
	}
	f := s.AddFlow("f", nil)
	s.BindPolicy(f.ID, policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: s.context}}, nil
	}), nil)
	s.Bind(f, s.AddStage("account_lockdown", "lock", s.config), nil)
	s.Bind(f, s.AddStage("dummy", "behind", nil), nil)
	return s
}

const (
	nobody    = "denied: There is no account to lock. Sign in first."
	stronger  = "denied: You cannot lock this account. Ask an administrator."
	locked    = "denied: Your account is locked and you are signed out everywhere. Ask your administrator to get it back."
	signedOut = "denied: You are signed out everywhere."
	behind    = "ak-stage-dummy"
	bye       = "redirect /if/flow/bye/"
)

func all(name string, id int64) []string {
	return []string{name + ` active=false password="!"`, fmt.Sprintf(`sessions of %d but ""`, id), fmt.Sprintf("tokens of %d", id)}
}

func TestSituations(t *testing.T) {
	for _, row := range []struct {
		name   string
		signed int64
		change func(*site)
		want   string
		done   []string
		events []string
	}{
		{"nobody", 0, nil, nobody, nil, nil},
		{"a name that was only typed", 0, func(s *site) { s.context["pending_user"] = identity.NewPerson(identity.User{Username: "ghost"}, nil) }, nobody, nil, nil},
		{"one's own account, with a completion flow", 7, func(s *site) { s.config.CompletionFlow = &s.completion.ID }, bye, all("ann", 7), []string{"user_write", "password_set", "logout"}},
		{"one's own account, without one", 7, nil, locked, all("ann", 7), []string{"user_write", "password_set", "logout"}},
		{"one's own account, with one that is gone", 7, func(s *site) { s.config.CompletionFlow = new(uuid.UUID) }, locked, all("ann", 7), []string{"user_write", "password_set", "logout"}},
		{"one's own account, keeping the sessions", 7, func(s *site) { s.config.DeleteSessions = false; s.config.CompletionFlow = &s.completion.ID }, behind,
			[]string{`ann active=false password="!"`, "tokens of 7"}, []string{"user_write", "password_set"}},
		{"another's, pending", 8, func(s *site) { s.context["pending_user"] = s.ann }, behind, all("ann", 7), []string{"user_write", "password_set"}},
		{"another's, named by a policy rather than pending", 8, func(s *site) { s.context["pending_user"], s.context["lockdown_target_users"] = s.bob, s.ann }, behind, all("ann", 7), []string{"user_write", "password_set"}},
		{"the first of a list", 8, func(s *site) {
			s.context["lockdown_target_users"] = []any{&flow.PersonRef{ID: 7}, &flow.PersonRef{ID: 8}}
		}, behind, all("ann", 7), []string{"user_write", "password_set"}},
		{"an empty list is nobody", 8, func(s *site) { s.context["lockdown_target_users"] = []any{} }, nobody, nil, nil},
		{"a text is nobody", 8, func(s *site) { s.context["lockdown_target_users"] = "ann" }, nobody, nil, nil},
		{"nothing is nobody", 8, func(s *site) { s.context["lockdown_target_users"] = nil }, nobody, nil, nil},
		{"a visitor's own, as a policy says", 0, func(s *site) { s.context["pending_user"], s.context["lockdown_self_service"] = s.ann, true }, locked, all("ann", 7), []string{"user_write", "password_set"}},
		{"an outpost's", 9, func(s *site) { s.context["pending_user"] = s.outpost }, nobody, nil, nil},
		{"a superuser's, by somebody else (rule 46)", 8, func(s *site) { s.context["pending_user"] = s.boss }, stronger, nil, nil},
		{"a superuser's, by a visitor (rule 46)", 0, func(s *site) { s.context["pending_user"] = s.boss }, stronger, nil, nil},
		{"a superuser's own", 9, nil, locked, all("boss", 9), []string{"user_write", "password_set", "logout"}},
		{"only deactivation", 8, func(s *site) {
			s.context["pending_user"] = s.ann
			*s.config = accountlockdown.Config{DeactivateUser: true}
		}, behind, []string{`ann active=false password=""`}, []string{"user_write"}},
		{"only the password", 8, func(s *site) {
			s.context["pending_user"] = s.ann
			*s.config = accountlockdown.Config{SetUnusablePassword: true}
		}, behind, []string{`ann active=true password="!"`}, []string{"user_write", "password_set"}},
		{"only the sessions", 8, func(s *site) {
			s.context["pending_user"] = s.ann
			*s.config = accountlockdown.Config{DeleteSessions: true}
		}, behind, []string{`ann active=true password=""`, `sessions of 7 but ""`}, []string{"user_write"}},
		{"only one's own sessions", 7, func(s *site) { *s.config = accountlockdown.Config{DeleteSessions: true} }, signedOut, []string{`ann active=true password=""`, `sessions of 7 but ""`}, []string{"user_write", "logout"}},
		{"only the tokens", 8, func(s *site) {
			s.context["pending_user"] = s.ann
			*s.config = accountlockdown.Config{RevokeTokens: true}
		}, behind, []string{`ann active=true password=""`, "tokens of 7"}, []string{"user_write"}},
	} {
		for _, post := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, answered %v", row.name, post), func(t *testing.T) {
				s := open(t, row.change)
				b := s.NewBrowser()
				before := b.Token
				if row.signed != 0 {
					s.Store.SignIn(flowtest.SessionKey(before), row.signed)
				}
				var r *flow.Result
				if post {
					r = b.Answer(t, "f", "", map[string]any{"lockdown_target_users": 8, "pending_user": 8, "reason": "x"})
				} else {
					r = b.Get(t, "f", "")
				}
				if got := flowtest.Describe(r); got != row.want {
					t.Errorf("%s, want %s", got, row.want)
				}
				if !slices.Equal(s.house.done, row.done) {
					t.Errorf("done %q, want %q", s.house.done, row.done)
				}
				if got := s.Store.Events(); !slices.Equal(got, row.events) {
					t.Errorf("events %v, want %v", got, row.events)
				}
				if out := slices.Contains([]string{bye, locked, signedOut}, row.want); out != (b.Token != before) {
					t.Errorf("signed out: %v, want %v", !out, out)
				}
			})
		}
	}
}

func TestReasonAndResult(t *testing.T) {
	for _, row := range []struct {
		name        string
		form, given any
		want        string
	}{
		{"typed", map[string]any{"reason": "lost"}, "other", "lost"},
		{"of a policy", map[string]any{"reason": ""}, "other", "other"},
		{"none", nil, nil, ""},
		{"a number is none", map[string]any{"reason": 5}, 6, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := open(t, nil)
			s.context["pending_user"], s.context["prompt_data"], s.context["lockdown_reason"] = s.ann, row.form, row.given
			b := s.NewBrowser()
			s.Store.SignIn(flowtest.SessionKey(b.Token), 8)
			b.Get(t, "f", "")
			var told []string
			for _, c := range s.Store.Commits {
				for _, e := range c.Events {
					if e.Action == "user_write" {
						told = append(told, fmt.Sprint(e.User.Username, e.User.Active, e.Context["action_id"], e.Context["reason"], e.Context["self_service"]))
					}
				}
			}
			if got, want := strings.Join(told, "; "), "annfalseaccount_lockdown"+row.want+"false"; got != want {
				t.Errorf("told %s, want %s", got, want)
			}
			result, _ := b.Request("f", "").Execution.Plan.Context.Value("lockdown_result")
			if got := fmt.Sprint(result); got != "map[error:<nil> success:true user:ann]" {
				t.Errorf("result %s", got)
			}
		})
	}
}

// A page that somebody else's site opens must not lock anybody out (rule 5).
func TestRule05APassiveRequestLocksNobody(t *testing.T) {
	s := open(t, nil)
	b := s.NewBrowser()
	s.Store.SignIn(flowtest.SessionKey(b.Token), 7)
	req := b.Request("f", "")
	req.Passive = true
	r, err := b.Do(t.Context(), req)
	if err != nil || flowtest.Describe(r) != "confirm" || s.house.done != nil {
		t.Errorf("%v, %v, done %v", r, err, s.house.done)
	}
}
