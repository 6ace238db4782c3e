package flow_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/policy"
)

// A GET or HEAD that would log in or out and did not come from our own pages
// asks for one click.
func TestRule05NoCrossSiteRequestActs(t *testing.T) {
	for _, typ := range []string{"login", "logout"} {
		t.Run(typ, func(t *testing.T) {
			w := newWorld(t)
			max := member(w.People, "max")
			_, b := stages(w, "f", typ)
			w.BindPolicy(b[0].ID, writes(policy.Writes{Set: map[string]any{"pending_user": max}}), nil)
			browser := w.NewBrowser()
			req := browser.Request("f", "")
			req.Passive = true
			result, err := browser.Do(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			if !result.Confirm || result.Session != nil || len(w.Store.Commits) != 0 {
				t.Fatalf("a passive request acted: %s", flowtest.Describe(result))
			}
			if got := flowtest.Describe(browser.Post(t, "f", "", map[string]any{})); got != "redirect / final" {
				t.Errorf("the click answers %s", got)
			}
		})
	}
}

// A login gives another session id, whoever chose the old one.
func TestRule05LoginChangesTheSession(t *testing.T) {
	w := newWorld(t)
	member(w.People, "max")
	stages(w, "f", "identify", "login")
	b := w.NewBrowser()
	planted := b.Token
	b.Answer(t, "f", "", map[string]any{"uid_field": "max"})
	if b.Token == planted {
		t.Error("the session kept its id")
	}
	if _, ok := w.Store.UserOf(flowtest.SessionKey(planted)); ok {
		t.Error("the old session id still works")
	}
}

// An answer is bound to the browser that the execution belongs to: another
// session cannot continue it, whatever handle it carries.
func TestRule05HandleIsBoundToTheSession(t *testing.T) {
	w := newWorld(t)
	member(w.People, "max")
	stages(w, "f", "identify", "gate", "login")
	victim, attacker := w.NewBrowser(), w.NewBrowser()
	victim.Answer(t, "f", "", map[string]any{"uid_field": "max"})
	stolen := victim.Request("f", "").Execution

	req := attacker.Request("f", "")
	req.Answer, req.Body, req.Handle, req.Step = true, map[string]any{"password": "right"}, new(stolen.ID), stolen.Version
	result, err := attacker.Do(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if !result.Stale || result.Session != nil {
		t.Errorf("a stolen handle was taken: %s", flowtest.Describe(result))
	}
}

// A handle is used up with its step.
func TestRule07HandlesAreSingleLife(t *testing.T) {
	w := newWorld(t)
	member(w.People, "max")
	stages(w, "f", "identify", "gate", "ask")
	b := w.NewBrowser()
	b.Answer(t, "f", "", map[string]any{"uid_field": "max"})
	used := b.Request("f", "").Execution
	answer := func() *flow.Result {
		req := b.Request("f", "")
		req.Answer, req.Body, req.Handle, req.Step = true, map[string]any{"password": "right"}, new(used.ID), used.Version
		result, err := b.Do(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	if result := answer(); !result.Next || result.Stale {
		t.Fatalf("first use: %s", flowtest.Describe(result))
	}
	commits := len(w.Store.Commits)
	if result := answer(); !result.Stale || len(w.Store.Commits) != commits {
		t.Errorf("second use: %s, stale %v", flowtest.Describe(result), result.Stale)
	}
}

// Whatever breaks, no run ends logged in: every place where a policy can sit
// is broken in turn, and every denied action is tried.
func TestRule08PolicyErrorDenies(t *testing.T) {
	places := []string{"flow", "gate on plan", "gate at run", "login at run", "deleted policy"}
	for _, place := range places {
		for _, action := range []flow.DeniedAction{flow.MessageContinue, flow.Message, flow.Continue} {
			for _, mode := range []policy.Mode{policy.Any, policy.All} {
				t.Run(fmt.Sprintf("%s, %s, %s", place, action, mode), func(t *testing.T) {
					w := newWorld(t)
					member(w.People, "max")
					f, b := stages(w, "f", "identify", "gate", "login")
					f.DeniedAction, f.PolicyEngineMode = action, mode
					b[1].PolicyEngineMode, b[2].PolicyEngineMode = mode, mode
					broken := &verdict{v: policy.Error}
					switch place {
					case "flow":
						w.BindPolicy(f.ID, broken, nil)
					case "gate on plan":
						b[1].EvaluateOnPlan = true
						w.BindPolicy(b[1].ID, broken, nil)
					case "gate at run":
						w.BindPolicy(b[1].ID, broken, func(p *policy.Binding) { p.Negate = true })
					case "login at run":
						w.BindPolicy(b[2].ID, broken, nil)
					case "deleted policy":
						w.BindSubject(b[1].ID, func(p *policy.Binding) { p.Policy = new(f.ID) })
					}
					browser := w.NewBrowser()
					for range 4 {
						req := browser.Request("f", "next=%2Fx")
						req.Answer, req.DeniedNext = true, "/x"
						req.Body = map[string]any{"uid_field": "max", "password": "right"}
						result, err := browser.Do(t.Context(), req)
						if err != nil {
							t.Fatal(err)
						}
						if result.Session != nil {
							t.Fatal("somebody was logged in")
						}
						if d, ok := denial(result); ok {
							if d.ID == "" {
								t.Error("the denial carries no id")
							}
							return
						}
						if !result.Next {
							t.Fatalf("answers %s, want a denial", flowtest.Describe(result))
						}
					}
					t.Fatal("never denied")
				})
			}
		}
	}
}

func denial(r *flow.Result) (*flow.AccessDenied, bool) {
	if r.Challenge == nil {
		return nil, false
	}
	d, ok := r.Challenge.Body.(*flow.AccessDenied)
	return d, ok
}

// failure_result true is the administrator's word that an error may pass.
func TestRule08FailureResultTurnsAnErrorIntoAPass(t *testing.T) {
	w := newWorld(t)
	_, b := stages(w, "f", "ask")
	w.BindPolicy(b[0].ID, &verdict{v: policy.Error}, func(p *policy.Binding) { p.FailureResult = true })
	if got := flowtest.Describe(w.NewBrowser().Get(t, "f", "")); got != "ak-stage-dummy" {
		t.Errorf("answers %s", got)
	}
}

// What one policy writes into its context is gone for the next one, unless it
// went through the plan, and a policy that errs writes nothing.
func TestRule09PolicyContextIsNotShared(t *testing.T) {
	w := newWorld(t)
	f, _ := stages(w, "f", "ask")
	f.PolicyEngineMode = policy.All
	var seen []any
	look := policy.Func(func(_ context.Context, r *policy.Request) (policy.Result, error) {
		seen = append(seen, r.Context["polluted"], r.Context["written"], r.Context["discarded"])
		r.Context["polluted"] = true
		return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: map[string]any{"written": "yes"}}}, nil
	})
	w.BindPolicy(f.ID, policy.Func(func(_ context.Context, r *policy.Request) (policy.Result, error) {
		r.Context["polluted"] = true
		return policy.Result{Writes: policy.Writes{Set: map[string]any{"discarded": true}}}, errors.New("provoked")
	}), func(b *policy.Binding) { b.FailureResult = true })
	w.BindPolicy(f.ID, look, nil)
	w.BindPolicy(f.ID, look, nil)
	w.NewBrowser().Get(t, "f", "")
	if got, want := fmt.Sprint(seen), "[<nil> <nil> <nil> <nil> yes <nil>]"; got != want {
		t.Errorf("the policies saw %s, want %s", got, want)
	}
}

// A link with another token is another run, whatever the browser had begun.
func TestRule10PlanIdentityIncludesTokens(t *testing.T) {
	for _, name := range []string{"flow_token", "itoken", "token"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			stages(w, "f", "remember", "ask", "ask")
			b := w.NewBrowser()
			b.Get(t, "f", name+"=one")
			b.Answer(t, "f", name+"=one", map[string]any{})
			left := func(query string) int {
				b.Get(t, "f", query)
				return len(b.Request("f", query).Execution.Plan.Entries)
			}
			if n := left(name + "=one"); n != 1 {
				t.Errorf("the same token: %d stages left, want 1", n)
			}
			if n := left(""); n != 1 {
				t.Errorf("no token: %d stages left, want 1", n)
			}
			if n := left(name + "=two"); n != 2 {
				t.Errorf("another token: %d stages left, want a new run with 2", n)
			}
		})
	}
}

// A refused answer and a stage that forgot what it promised let nobody pass.
func TestRule01StagesPassOnlyOnEvidence(t *testing.T) {
	bodies := map[string]map[string]any{
		"empty": {}, "nil": nil, "unknown field": {"x": 1}, "wrong type": {"password": []any{"right"}}, "wrong": {"password": "wrong"},
		"null component": {"component": nil, "password": "right"}, "blank component": {"component": "", "password": "right"},
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			stages(w, "f", "gate", "ask")
			b := w.NewBrowser()
			for range 3 {
				if result := b.Post(t, "f", "", body); result.Next || !result.Rejected {
					t.Fatalf("answers %s", flowtest.Describe(result))
				}
			}
		})
	}
	t.Run("a stage that is done without its proof", func(t *testing.T) {
		w := newWorld(t)
		stages(w, "f", "forgetful", "ask")
		if got := flowtest.Describe(w.NewBrowser().Post(t, "f", "", map[string]any{"password": "right"})); got != "ak-stage-flow-error" {
			t.Errorf("answers %s", got)
		}
	})
}

func TestTheLoserOfARace(t *testing.T) {
	t.Run("at the same position takes its step again", func(t *testing.T) {
		w := newWorld(t)
		stages(w, "f", "remember", "ask", "ask")
		b := w.NewBrowser()
		b.Get(t, "f", "")
		req := b.Request("f", "")
		req.Answer, req.Body = true, map[string]any{}
		// Another request stores context at the same stage meanwhile.
		w.Store.BeforeCommit = func() { w.Store.Touch(req.Session.Key, req.Flow.ID) }
		result, err := b.Do(t.Context(), req)
		if err != nil || !result.Next || result.Stale {
			t.Fatalf("answers %v, %v", result, err)
		}
		if n := len(result.Execution.Plan.Entries); n != 1 {
			t.Errorf("%d stages left, want 1", n)
		}
	})
	t.Run("behind the winner looks where it is", func(t *testing.T) {
		w := newWorld(t)
		stages(w, "f", "ask", "ask", "ask")
		b := w.NewBrowser()
		b.Post(t, "f", "", map[string]any{})
		req := b.Request("f", "")
		req.Answer, req.Body = true, map[string]any{}
		w.Store.BeforeCommit = func() { b.Post(t, "f", "", map[string]any{}) }
		result, err := b.Do(t.Context(), req)
		if err != nil || !result.Next || !result.Stale {
			t.Fatalf("answers %v, %v", result, err)
		}
		if n := len(b.Request("f", "").Execution.Plan.Entries); n != 1 {
			t.Errorf("%d stages left, want 1: a double click counts once", n)
		}
	})
}

func TestPinning(t *testing.T) {
	t.Run("a changed stage does what it did when the plan was made", func(t *testing.T) {
		w := newWorld(t)
		_, b := stages(w, "f", "ask", "deny")
		browser := w.NewBrowser()
		browser.Post(t, "f", "", map[string]any{})
		w.PutStage(b[1].Stage, "ask", "now asks", nil)
		if got := flowtest.Describe(browser.Get(t, "f", "")); got != "denied: no entry" {
			t.Errorf("answers %s", got)
		}
	})
	for name, delete := range map[string]func(w *flowtest.World, b *flow.Binding){
		"stage": func(w *flowtest.World, b *flow.Binding) { w.Delete(b.Stage) }, "binding": func(w *flowtest.World, b *flow.Binding) { w.Delete(b.ID) },
	} {
		t.Run("a deleted "+name+" denies", func(t *testing.T) {
			w := newWorld(t)
			_, b := stages(w, "f", "ask", "ask")
			browser := w.NewBrowser()
			browser.Post(t, "f", "", map[string]any{})
			delete(w, b[1])
			if d, ok := denial(browser.Get(t, "f", "")); !ok || d.ID == "" {
				t.Error("the flow went on")
			}
		})
	}
	t.Run("a user who is deleted meanwhile denies", func(t *testing.T) {
		w := newWorld(t)
		max := member(w.People, "max")
		stages(w, "f", "identify", "gate", "login")
		b := w.NewBrowser()
		b.Answer(t, "f", "", map[string]any{"uid_field": "max"})
		delete(w.People, max.ID)
		if _, ok := denial(b.Answer(t, "f", "", map[string]any{"password": "right"})); !ok {
			t.Error("the flow went on")
		}
	})
}

// A stage can put another one in front of those that wait, without a stored
// object; it survives storage and is asked like any other.
func TestInlineStageIsAskedNext(t *testing.T) {
	inserts := stageType("inserts", flow.Effects{}, flow.Plain(func(_ context.Context, x *flow.Exec) (flow.Outcome, error) {
		return flow.Skip(), x.InsertInline("gate", "put in", none{})
	}))
	w := flowtest.New(t, inserts, stageType("ask", flow.Effects{}, asking{}), stageType("gate", flow.Effects{Always: []flow.Fact{flow.FactPassword}}, gate{}))
	stages(w, "f", "inserts", "ask")
	b := w.NewBrowser()
	b.Get(t, "f", "")
	if result := b.Post(t, "f", "", map[string]any{"password": "wrong"}); !result.Rejected {
		t.Fatalf("the inline stage was not asked: %s", flowtest.Describe(result))
	}
	if result := b.Post(t, "f", "", map[string]any{"password": "right"}); !result.Next || len(result.Execution.Plan.Entries) != 1 {
		t.Fatalf("the inline stage did not give way: %s", flowtest.Describe(result))
	}
}
