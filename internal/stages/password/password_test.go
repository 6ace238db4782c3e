package password_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/stages/password"
	"github.com/weir-id/weir/policy"
)

// verifier accepts the password "right" of active users, in the first back end.
type verifier struct {
	mu    sync.Mutex
	asked []string
	err   error
}

func (v *verifier) Authenticate(_ context.Context, _ guard.Guess, backends []string, p *identity.Person, plain string) (directory.Verdict, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked = append(v.asked, fmt.Sprintf("%s:%q", p.Username, plain))
	if v.err != nil {
		return directory.Verdict{}, v.err
	}
	if !p.Active || plain != "right" {
		return directory.Verdict{}, nil
	}
	return directory.Verdict{OK: true, Backend: backends[0], Method: "password", Args: map[string]any{"strength": "good"}}, nil
}

// pending makes a policy that names the pending user.
func pending(p *identity.Person) policy.Policy {
	return policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: map[string]any{"pending_user": p}}}, nil
	})
}

// world has a flow of one password stage, and one to stop at behind it.
func world(t *testing.T, v *verifier, person *identity.Person, change func(*password.Config)) (*flowtest.World, *flowtest.Browser) {
	w := flowtest.New(t, password.Type(v))
	c := &password.Config{Backends: []password.Backend{password.Inbuilt, password.Token}, FailedAttemptsBeforeCancel: 3}
	if change != nil {
		change(c)
	}
	f := w.AddFlow("login", nil)
	if person != nil {
		if person.Saved() {
			w.People[person.ID] = person
		}
		w.BindPolicy(f.ID, pending(person), nil)
	}
	w.Bind(f, w.AddStage("password", "ask", c), nil)
	return w, w.NewBrowser()
}

func ann(change func(*identity.User)) *identity.Person {
	u := identity.User{ID: 7, Username: "ann", Active: true}
	if change != nil {
		change(&u)
	}
	return identity.NewPerson(u, nil)
}

func TestPassword(t *testing.T) {
	const again = "ak-stage-password"
	for _, row := range []struct {
		name   string
		person *identity.Person
		body   map[string]any
		want   string
		code   string
		asked  []string
		events []string
	}{
		{"the right password goes on", ann(nil), map[string]any{"password": "right"}, "redirect / final", "", []string{`ann:"right"`}, nil},
		{"a wrong password is asked for again", ann(nil), map[string]any{"password": "wrong"}, again, field.CodeInvalid, []string{`ann:"wrong"`}, []string{"login_failed"}},
		{"blanks around the password count", ann(nil), map[string]any{"password": " right"}, again, field.CodeInvalid, []string{`ann:" right"`}, []string{"login_failed"}},
		{"an inactive person is refused like a wrong password", ann(func(u *identity.User) { u.Active = false }), map[string]any{"password": "right"},
			again, field.CodeInvalid, []string{`ann:"right"`}, []string{"login_failed"}},
		{"a pretended person is checked and refused alike", ann(func(u *identity.User) { u.ID = 0; u.Active = false }), map[string]any{"password": "right"},
			again, field.CodeInvalid, []string{`ann:"right"`}, []string{"login_failed"}},
		{"an empty password is not worth a check", ann(nil), map[string]any{"password": ""}, again, field.CodeBlank, nil, nil},
		{"no password is not worth a check", ann(nil), map[string]any{"uid_field": "ann"}, again, field.CodeRequired, nil, nil},
		{"a list is no password", ann(nil), map[string]any{"password": []any{"right"}}, again, field.CodeInvalid, nil, nil},
		{"without a pending person the flow is denied", nil, map[string]any{"password": "right"}, "denied: Unknown error", "", nil, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			v := &verifier{}
			w, b := world(t, v, row.person, nil)
			r := b.Answer(t, "login", "", row.body)
			if got := flowtest.Describe(r); got != row.want {
				t.Fatalf("got %s, want %s", got, row.want)
			}
			if row.code != "" {
				if errs := r.Challenge.Errors["password"]; len(errs) != 1 || errs[0].Code != row.code {
					t.Errorf("errors %v, want code %s", r.Challenge.Errors, row.code)
				}
			}
			if !slices.Equal(v.asked, row.asked) {
				t.Errorf("checked %v, want %v", v.asked, row.asked)
			}
			if got := w.Store.Events(); !slices.Equal(got, row.events) {
				t.Errorf("events %v, want %v", got, row.events)
			}
		})
	}
}

func TestPasswordProofAndContext(t *testing.T) {
	w, b := world(t, &verifier{}, ann(nil), nil)
	f, _ := w.FlowBySlug("login")
	w.Bind(f, w.AddStage("password", "again", &password.Config{Backends: []password.Backend{password.Inbuilt}}), nil)
	b.Answer(t, "login", "", map[string]any{"password": "right"})
	plan := b.Request("login", "").Execution.Plan
	if !plan.Has(flow.FactPassword, 7) || plan.Proofs[0].Channel != string(password.Inbuilt) {
		t.Errorf("proofs are %v", plan.Proofs)
	}
	got := plan.Context.Values()
	want := map[string]any{
		"pending_user": &flow.PersonRef{ID: 7, Backend: string(password.Inbuilt)}, "user_backend": string(password.Inbuilt),
		"auth_method": "password", "auth_method_args": map[string]any{"strength": "good"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPasswordChallenge(t *testing.T) {
	w, b := world(t, &verifier{}, ann(nil), func(c *password.Config) { c.AllowShowPassword = true })
	recovery := w.AddFlow("recover", func(f *flow.Flow) { f.Designation = flow.Recovery })
	c := b.Get(t, "login", "next=%2Fapp").Challenge.Body.(*password.Challenge)
	if c.RecoveryURL != "" || !c.AllowShowPassword || c.PendingUser != "ann" {
		t.Errorf("challenge is %+v", c)
	}
	w.Catalog.Brand.Recovery = &recovery.ID
	c = b.Get(t, "login", "next=%2Fapp").Challenge.Body.(*password.Challenge)
	if c.RecoveryURL != "/if/flow/recover/?next=%2Fapp" {
		t.Errorf("recovery is at %q", c.RecoveryURL)
	}
}

func TestPasswordLastAttemptEndsTheFlow(t *testing.T) {
	for _, row := range []struct {
		limit int32
		tries int
	}{{3, 3}, {1, 1}, {0, 1}} {
		v := &verifier{}
		_, b := world(t, v, ann(nil), func(c *password.Config) { c.FailedAttemptsBeforeCancel = row.limit })
		for i := 1; i < row.tries; i++ {
			body := map[string]any{"password": "wrong"}
			if i == 2 {
				body = map[string]any{"password": ""} // an empty one counts too
			}
			if got := flowtest.Describe(b.Post(t, "login", "", body)); got != "ak-stage-password" {
				t.Fatalf("limit %d, try %d: %s", row.limit, i, got)
			}
		}
		if got := flowtest.Describe(b.Post(t, "login", "", map[string]any{"password": "wrong"})); got != "denied: Invalid password" {
			t.Errorf("limit %d, last try: %s", row.limit, got)
		}
		if b.Request("login", "").Execution != nil {
			t.Errorf("limit %d: the plan is still there", row.limit)
		}
	}
}

func TestPasswordOverloadPassesThrough(t *testing.T) {
	_, b := world(t, &verifier{err: fmt.Errorf("queue is full: %w", flow.ErrOverloaded)}, ann(nil), nil)
	req := b.Request("login", "")
	req.Answer, req.Body = true, map[string]any{"password": "right"}
	if _, err := b.Do(t.Context(), req); !errors.Is(err, flow.ErrOverloaded) {
		t.Errorf("error is %v", err)
	}
}

func TestRule28PasswordIsInNoAnswerOrEvent(t *testing.T) {
	w, b := world(t, &verifier{}, ann(nil), nil)
	r := b.Post(t, "login", "", map[string]any{"password": "s3cret-wrong"})
	body, err := r.Challenge.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	events := fmt.Sprintf("%+v", w.Store.Commits[0].Events)
	if strings.Contains(string(body), "s3cret") || strings.Contains(events, "s3cret") {
		t.Errorf("the password is in %s or %s", body, events)
	}
	stage, _ := w.Store.Commits[0].Events[0].Context["stage"].(map[string]any)
	if stage["name"] != "ask" || stage["model_name"] != "passwordstage" || w.Store.Commits[0].Events[0].Context["username"] != "ann" {
		t.Errorf("event is %s", events)
	}
}

func TestRule32ParallelGuessesAreAllCounted(t *testing.T) {
	const guesses = 50
	v := &verifier{}
	w, b := world(t, v, ann(nil), func(c *password.Config) { c.FailedAttemptsBeforeCancel = 1 << 20 })
	var wg sync.WaitGroup
	for range guesses {
		req := b.Request("login", "")
		req.Answer, req.Body = true, map[string]any{"password": "wrong"}
		wg.Go(func() {
			if _, err := b.Do(t.Context(), req); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// A guess that lost a race is taken anew and counts again, so there may be
	// more, but never fewer.
	n, err := w.Store.Count(t.Context(), flowtest.SessionKey(b.Token), "password")
	if err != nil || n < guesses+1 {
		t.Errorf("counted %d failures of %d, %v", n-1, guesses, err)
	}
}

func TestConfig(t *testing.T) {
	for _, row := range []struct {
		name  string
		data  map[string]any
		field string
	}{
		{"all four back ends are known", map[string]any{"backends": []any{"authentik.core.auth.InbuiltBackend", "authentik.core.auth.TokenBackend",
			"authentik.sources.ldap.auth.LDAPBackend", "authentik.sources.kerberos.auth.KerberosBackend"}}, ""},
		{"back ends must be named", map[string]any{}, "backends"},
		{"an unknown back end is refused", map[string]any{"backends": []any{"os.system"}}, "backends"},
		{"the limit is a number", map[string]any{"backends": []any{}, "failed_attempts_before_cancel": "many"}, "failed_attempts_before_cancel"},
	} {
		t.Run(row.name, func(t *testing.T) {
			typ := password.Type(&verifier{})
			c := typ.Defaults().(*password.Config)
			if c.FailedAttemptsBeforeCancel != 5 {
				t.Errorf("default limit is %d", c.FailedAttemptsBeforeCancel)
			}
			_, errs := field.Decode(c, row.data, field.Create)
			if (row.field == "") != (errs == nil) || (row.field != "" && len(errs[row.field]) == 0) {
				t.Errorf("errors %v, want some on %q", errs, row.field)
			}
		})
	}
}
