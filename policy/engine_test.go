package policy_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// source holds one target's bindings.
type source struct {
	bindings []*policy.Binding
	policies map[uuid.UUID]*policy.Object
}

func (s *source) PolicyBindings(uuid.UUID) []*policy.Binding { return s.bindings }

func (s *source) Policy(id uuid.UUID) (*policy.Object, bool) { p, ok := s.policies[id]; return p, ok }

// bind describes a binding in a row: the policy's behaviour in its name, and
// what the binding adds.
func (s *source) bind(p policy.Policy, change func(*policy.Binding)) {
	b := policy.NewBinding()
	b.ID = uuid.New()
	if p != nil {
		o := &policy.Object{Name: "p", Policy: p}
		o.ID = uuid.New()
		s.policies[o.ID] = o
		b.Policy = &o.ID
	}
	if change != nil {
		change(&b)
	}
	s.bindings = append(s.bindings, &b)
}

func says(v policy.Verdict, messages ...string) policy.Policy {
	return policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: v, Messages: messages}, nil
	})
}

var errs = policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
	return policy.Result{Messages: []string{"secret detail"}}, errors.New("division by zero")
})

func negate(b *policy.Binding)        { b.Negate = true }
func failureResult(b *policy.Binding) { b.FailureResult = true }
func disabled(b *policy.Binding)      { b.Enabled = false }

func TestCombination(t *testing.T) {
	type bound struct {
		policy policy.Policy
		change func(*policy.Binding)
	}
	yes, no := says(policy.Pass, "dummy"), says(policy.Fail, "dummy")
	rows := []struct {
		name     string
		bound    []bound
		mode     policy.Mode
		want     policy.Verdict
		messages []string
	}{
		{"no binding passes", nil, policy.Any, policy.Pass, nil},
		{"one pass", []bound{{yes, nil}}, policy.Any, policy.Pass, []string{"dummy"}},
		{"all: one fail fails", []bound{{no, nil}, {yes, nil}}, policy.All, policy.Fail, []string{"dummy", "dummy"}},
		{"any: one pass passes", []bound{{no, nil}, {yes, nil}}, policy.Any, policy.Pass, []string{"dummy", "dummy"}},
		{"negated pass fails and keeps its message", []bound{{yes, negate}}, policy.Any, policy.Fail, []string{"dummy"}},
		{"negated fail passes", []bound{{no, negate}}, policy.Any, policy.Pass, []string{"dummy"}},
		{"error is an error without message", []bound{{errs, nil}}, policy.Any, policy.Error, nil},
		{"negated error stays an error", []bound{{errs, negate}}, policy.Any, policy.Error, nil},
		{"failure result turns an error into a pass", []bound{{errs, failureResult}}, policy.Any, policy.Pass, nil},
		{"negation does not touch the failure result", []bound{{errs, func(b *policy.Binding) { b.Negate, b.FailureResult = true, true }}}, policy.Any, policy.Pass, nil},
		{"any: a pass outweighs an error", []bound{{errs, nil}, {yes, nil}}, policy.Any, policy.Pass, []string{"dummy"}},
		{"any: an error outweighs a fail", []bound{{no, nil}, {errs, nil}}, policy.Any, policy.Error, []string{"dummy"}},
		{"all: a fail outweighs an error", []bound{{errs, nil}, {no, nil}}, policy.All, policy.Fail, []string{"dummy"}},
		{"all: an error outweighs a pass", []bound{{yes, nil}, {errs, nil}}, policy.All, policy.Error, []string{"dummy"}},
		{"a disabled binding does not count", []bound{{no, disabled}}, policy.All, policy.Pass, nil},
		{"an expired binding does not count", []bound{{no, func(b *policy.Binding) { b.Expires = new(time.Unix(1, 0)) }}}, policy.All, policy.Pass, nil},
		{"a policy that does not exist is an error", []bound{{nil, func(b *policy.Binding) { b.Policy = new(uuid.New()) }}}, policy.Any, policy.Error, nil},
		{"a panic is an error", []bound{{policy.Func(func(context.Context, *policy.Request) (policy.Result, error) { panic("boo") }), nil}}, policy.Any, policy.Error, nil},
		{"a result nobody filled in is an error", []bound{{says(policy.Error), nil}}, policy.Any, policy.Error, nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := &source{policies: map[uuid.UUID]*policy.Object{}}
			for _, b := range row.bound {
				s.bind(b.policy, b.change)
			}
			var e policy.Engine
			got := e.Evaluate(t.Context(), policy.Run{Source: s, Target: policy.Target{Mode: row.mode}, User: identity.Anonymous(), EmptyResult: policy.Pass})
			if got.Verdict != row.want {
				t.Errorf("verdict %v, want %v", got.Verdict, row.want)
			}
			if diff := cmp.Diff(row.messages, got.Messages); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGroupAndUserBindingsAreOneResult(t *testing.T) {
	staff := identity.Group{ID: uuid.New(), Name: "staff"}
	max := identity.NewPerson(identity.User{ID: 7, Active: true}, func(context.Context) ([]identity.Group, error) { return []identity.Group{staff}, nil })
	eve := identity.NewPerson(identity.User{ID: 8, Active: true}, nil)
	lost := identity.NewPerson(identity.User{ID: 9}, func(context.Context) ([]identity.Group, error) { return nil, errors.New("no database") })
	group := func(neg bool) func(*policy.Binding) {
		return func(b *policy.Binding) { b.Group, b.Negate = &staff.ID, neg }
	}
	user := func(id int64, neg bool) func(*policy.Binding) {
		return func(b *policy.Binding) { b.User, b.Negate = &id, neg }
	}
	rows := []struct {
		name  string
		who   *identity.Person
		mode  policy.Mode
		bound []func(*policy.Binding)
		want  policy.Verdict
	}{
		{"member of the group", max, policy.Any, []func(*policy.Binding){group(false)}, policy.Pass},
		{"not a member", eve, policy.Any, []func(*policy.Binding){group(false)}, policy.Fail},
		{"not a member, negated", eve, policy.Any, []func(*policy.Binding){group(true)}, policy.Pass},
		{"the user", max, policy.Any, []func(*policy.Binding){user(7, false)}, policy.Pass},
		{"any: one of two matches", max, policy.Any, []func(*policy.Binding){group(false), user(8, false)}, policy.Pass},
		{"all: one of two matches", max, policy.All, []func(*policy.Binding){group(false), user(8, false)}, policy.Fail},
		{"all: both match", max, policy.All, []func(*policy.Binding){group(false), user(8, true)}, policy.Pass},
		{"a visitor never matches", identity.Anonymous(), policy.Any, []func(*policy.Binding){group(false)}, policy.Fail},
		{"a visitor never matches, negated either", identity.Anonymous(), policy.All, []func(*policy.Binding){group(true), user(7, true)}, policy.Fail},
		{"a binding whose subject is gone matches nobody", max, policy.All, []func(*policy.Binding){func(b *policy.Binding) { b.Negate = true }}, policy.Fail},
		{"groups that cannot be read are an error", lost, policy.Any, []func(*policy.Binding){group(false)}, policy.Error},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := &source{}
			for _, change := range row.bound {
				s.bind(nil, change)
			}
			var e policy.Engine
			got := e.Evaluate(t.Context(), policy.Run{Source: s, Target: policy.Target{Mode: row.mode}, User: row.who, EmptyResult: policy.Pass})
			if got.Verdict != row.want {
				t.Errorf("verdict %v, want %v", got.Verdict, row.want)
			}
		})
	}
}

// A policy that ignores its deadline is cut off: the run goes on without it.
func TestTimeoutCutsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := &source{policies: map[uuid.UUID]*policy.Object{}}
		s.bind(policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
			<-release
			return policy.Result{Verdict: policy.Pass}, nil
		}), func(b *policy.Binding) { b.Timeout = 3 })
		begin := time.Now()
		var e policy.Engine
		got := e.Evaluate(t.Context(), policy.Run{Source: s, User: identity.Anonymous()})
		if got.Verdict != policy.Error || !strings.Contains(got.Err.Error(), "timed out") {
			t.Errorf("verdict %v (%v)", got.Verdict, got.Err)
		}
		if waited := time.Since(begin); waited != 3*time.Second {
			t.Errorf("waited %v, want the 3 s of the binding", waited)
		}
		close(release)
	})
}

func TestEveryPolicyRunsAndWritesInOrder(t *testing.T) {
	s := &source{policies: map[uuid.UUID]*policy.Object{}}
	for _, text := range []string{"a", "b", "c"} {
		s.bind(policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
			return policy.Result{Verdict: policy.Fail, Writes: policy.Writes{Set: map[string]any{"last": text}}}, nil
		}), nil)
	}
	var got []any
	var e policy.Engine
	e.Evaluate(t.Context(), policy.Run{Source: s, Target: policy.Target{Mode: policy.All}, User: identity.Anonymous(),
		Apply: func(w policy.Writes) { got = append(got, w.Set["last"]) }})
	if diff := cmp.Diff([]any{"a", "b", "c"}, got); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
}

func TestEventsOfPolicies(t *testing.T) {
	s := &source{policies: map[uuid.UUID]*policy.Object{}}
	s.bind(errs, nil)
	s.bind(says(policy.Pass, "m"), negate)
	for _, b := range s.bindings {
		s.policies[*b.Policy].ExecutionLogging = true
	}
	var e policy.Engine
	target := policy.Target{Kind: "flow", Name: "login"}
	events := e.Evaluate(t.Context(), policy.Run{Source: s, Target: target, User: identity.Anonymous(), Context: func() map[string]any { return map[string]any{"x": 1} }}).Events
	if len(events) != 2 || events[0].Action != "policy_exception" || events[1].Action != "policy_execution" {
		t.Fatalf("events %+v", events)
	}
	for i, ev := range events {
		r := ev.Context["request"].(*policy.Request)
		id := strings.ReplaceAll(s.bindings[i].Policy.String(), "-", "")
		if ev.Context["policy_uuid"] != id || r.Target.Name != "login" || r.Context["x"] != 1 || ev.App != "" {
			t.Errorf("event %+v", ev)
		}
	}
	if x := events[0].Context["exception"].(map[string]any); !strings.Contains(x["exc_value"].(string), "division by zero") || x["exc_value"] != events[0].Context["message"] {
		t.Errorf("exception %v", events[0].Context)
	}
	result := events[1].Context["result"].(map[string]any)
	if diff := cmp.Diff([]string{"m"}, result["messages"]); diff != "" || result["passing"] != false {
		t.Errorf("the result before negation: %v", result)
	}
}

// A policy that reached no verdict writes nothing, whether it says so by an
// error or by its verdict, and whether or not the binding lets it pass.
func TestRule09WritesOfAnErrorAreDropped(t *testing.T) {
	for name, err := range map[string]error{"by its verdict": nil, "by an error": errors.New("provoked")} {
		for _, lenient := range []bool{false, true} {
			s := &source{policies: map[uuid.UUID]*policy.Object{}}
			s.bind(policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
				return policy.Result{Verdict: policy.Error, Writes: policy.Writes{Set: map[string]any{"x": 1}}}, err
			}), func(b *policy.Binding) { b.FailureResult = lenient })
			var e policy.Engine
			e.Evaluate(t.Context(), policy.Run{Source: s, User: identity.Anonymous(), Apply: func(w policy.Writes) {
				t.Errorf("an error %s wrote %v (failure result %v)", name, w.Set, lenient)
			}})
		}
	}
}
