package flow_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/policy"
)

// call is one request of a situation and what it must answer.
type call struct {
	post  map[string]any // nil: GET
	query string
	next  string // the direct next parameter
	want  string
	hop   bool // do not follow Next
}

// situation is a row of the table of situations and outcomes that existing
// clients rely on; the number is the row's.
type situation struct {
	row   string
	name  string
	setup func(t *testing.T, w *flowtest.World, b *flowtest.Browser)
	calls []call
	after func(t *testing.T, w *flowtest.World, b *flowtest.Browser)
}

func stages(w *flowtest.World, slug string, types ...string) (*flow.Flow, []*flow.Binding) {
	f := w.AddFlow(slug, nil)
	var out []*flow.Binding
	for i, typ := range types {
		out = append(out, w.Bind(f, w.AddStage(typ, slug+"-"+typ+string(rune('0'+i)), nil), nil))
	}
	return f, out
}

func deniedFlow(action flow.DeniedAction) func(*testing.T, *flowtest.World, *flowtest.Browser) {
	return func(_ *testing.T, w *flowtest.World, _ *flowtest.Browser) {
		f, _ := stages(w, "f", "ask")
		f.DeniedAction = action
		w.BindPolicy(f.ID, fail("not you", "not today"), nil)
	}
}

func emptyFlow(_ *testing.T, w *flowtest.World, _ *flowtest.Browser) { stages(w, "f") }

// turning binds policies that tests turn between requests.
func turning(types []string, at ...int) (func(*testing.T, *flowtest.World, *flowtest.Browser), []*verdict) {
	verdicts := make([]*verdict, len(at))
	for i := range verdicts {
		verdicts[i] = pass()
	}
	return func(_ *testing.T, w *flowtest.World, _ *flowtest.Browser) {
		_, bindings := stages(w, "f", types...)
		for i, n := range at {
			w.BindPolicy(bindings[n].ID, verdicts[i], nil)
		}
	}, verdicts
}

const denied = "denied: not you|not today"

func TestSituations(t *testing.T) {
	three := []string{"ask", "ask", "ask"}
	second, v16 := turning([]string{"ask", "ask"}, 1)
	middle, v17 := turning(three, 1)
	stays, _ := turning(three, 1)
	four, v19 := turning([]string{"ask", "ask", "ask", "ask"}, 1, 2)
	empty := map[string]any{}

	rows := []situation{
		{row: "2", name: "policy of the flow fails with messages", setup: deniedFlow(flow.MessageContinue), calls: []call{{want: denied}}},
		{row: "3", name: "same, continue goes to the root", setup: deniedFlow(flow.Continue), calls: []call{{want: "redirect /"}}},
		{row: "4", name: "same, message ignores the direct next", setup: deniedFlow(flow.Message), calls: []call{{next: "/x", want: denied}}},
		{row: "5", name: "same, message_continue takes the direct next", setup: deniedFlow(flow.MessageContinue), calls: []call{{next: "/x", want: "redirect /x"}}},
		{row: "6", name: "same, next inside the query does not count", setup: deniedFlow(flow.MessageContinue), calls: []call{{query: "next=%2Fx", want: denied}}},
		{row: "7", name: "same, direct next to another site", setup: deniedFlow(flow.MessageContinue), calls: []call{{next: "https://evil", want: denied}}},
		{row: "7b", name: "continue, direct next to another site", setup: deniedFlow(flow.Continue), calls: []call{{next: "https://evil", want: "redirect /"}}},
		{row: "8", name: "empty flow is a success", setup: emptyFlow, calls: []call{{want: "redirect / final"}}},
		{row: "9", name: "empty flow ignores the direct next", setup: emptyFlow, calls: []call{{next: "/x", want: "redirect / final"}}},
		{row: "10", name: "empty flow takes next from the query", setup: emptyFlow, calls: []call{{query: "next=%2Fx", want: "redirect /x final"}}},
		{row: "11", name: "empty flow with an absolute next", setup: emptyFlow, calls: []call{{query: "next=https%3A%2F%2Fevil", want: "denied: Invalid next URL"}}},
		{row: "71", name: "empty next", setup: emptyFlow, calls: []call{{query: "next=", want: "denied: Invalid next URL"}}},
		{row: "12", name: "signed in at a flow for visitors only", setup: func(_ *testing.T, w *flowtest.World, b *flowtest.Browser) {
			f, _ := stages(w, "f", "ask")
			f.Authentication = flow.RequireUnauthenticated
			w.Store.SignIn(flowtest.SessionKey(b.Token), member(w.People, "max").ID)
		}, calls: []call{{query: "next=%2Fx", want: "redirect /x final"}}},
		{row: "13", name: "first GET of two stages stores nothing", setup: func(_ *testing.T, w *flowtest.World, _ *flowtest.Browser) {
			stages(w, "f", "ask", "ask")
		}, calls: []call{{want: "ak-stage-dummy"}}, after: func(t *testing.T, w *flowtest.World, _ *flowtest.Browser) {
			if n := len(w.Store.Commits); n != 0 {
				t.Errorf("%d writes for a first challenge, want none", n)
			}
		}},
		{row: "14", name: "first stage done, next one waits", setup: func(_ *testing.T, w *flowtest.World, _ *flowtest.Browser) {
			stages(w, "f", "ask", "ask")
		}, calls: []call{{post: empty, want: "next", hop: true}, {want: "ak-stage-dummy"}}, after: func(t *testing.T, w *flowtest.World, b *flowtest.Browser) {
			if n := len(b.Request("f", "").Execution.Plan.Entries); n != 1 {
				t.Errorf("%d stages left, want 1", n)
			}
		}},
		{row: "15", name: "first ever request answers the only stage", setup: func(_ *testing.T, w *flowtest.World, _ *flowtest.Browser) { stages(w, "f", "ask") },
			calls: []call{{post: empty, want: "redirect / final"}}},
		{row: "16", name: "second stage's policy turns after the first answer", setup: second,
			calls: []call{{post: empty, want: "next", hop: true}, turn(v16[0]), {post: empty, want: "redirect / final"}}},
		{row: "17", name: "an answer lands on the stage after the dropped one", setup: middle,
			calls: []call{{post: empty, want: "next", hop: true}, turn(v17[0]), {post: empty, want: "redirect / final"}}},
		{row: "18", name: "every stage needs its own answer", setup: stays,
			calls: []call{{post: empty, want: "next", hop: true}, {post: empty, want: "next", hop: true}, {post: empty, want: "redirect / final"}}},
		{row: "19", name: "two stages drop out on a GET", setup: four,
			calls: []call{{post: empty, want: "next", hop: true}, turn(v19[0]), turn(v19[1]), {want: "ak-stage-dummy"}, {post: empty, want: "redirect / final"}}},
		{row: "27", name: "unknown token on a flow that needs none", setup: func(_ *testing.T, w *flowtest.World, _ *flowtest.Browser) { stages(w, "f", "ask") },
			calls: []call{{query: "flow_token=nope", want: "ak-stage-dummy"}}},
		{row: "26", name: "flow that needs a token", setup: func(_ *testing.T, w *flowtest.World, _ *flowtest.Browser) {
			f, _ := stages(w, "f", "ask")
			f.Authentication = flow.RequireToken
		}, calls: []call{{want: "denied: This link is not valid or no longer valid. Request a new one."},
			{query: "flow_token=nope", want: "denied: This link is not valid or no longer valid. Request a new one."}}},
		{row: "66", name: "deny stage", setup: func(_ *testing.T, w *flowtest.World, _ *flowtest.Browser) { stages(w, "f", "deny") },
			calls: []call{{want: "denied: no entry"}, {post: empty, want: "denied: no entry"}}},
		{row: "70", name: "redirect in the context may leave the site", setup: func(_ *testing.T, w *flowtest.World, _ *flowtest.Browser) {
			_, b := stages(w, "f", "ask")
			w.BindPolicy(b[0].ID, writes(policy.Writes{Set: map[string]any{"redirect": "https://app.example/in"}}), nil)
		}, calls: []call{{post: empty, query: "next=%2Fx", want: "redirect https://app.example/in final"}}},
		{row: "73", name: "denial on a restart binding restarts", setup: func(_ *testing.T, w *flowtest.World, _ *flowtest.Browser) {
			_, b := stages(w, "f", "ask", "deny")
			b[1].InvalidResponseAction = flow.Restart
		}, calls: []call{{post: empty, want: "next", hop: true}, {want: "ak-stage-dummy"}}},
		{row: "73b", name: "a flow that would be denied at once again is denied", setup: func(_ *testing.T, w *flowtest.World, _ *flowtest.Browser) {
			_, b := stages(w, "f", "deny")
			b[0].InvalidResponseAction = flow.Restart
		}, calls: []call{{want: "denied: no entry"}}},
		{row: "73c", name: "also behind a stage that asks nothing", setup: func(_ *testing.T, w *flowtest.World, _ *flowtest.Browser) {
			_, b := stages(w, "f", "logout", "deny")
			b[1].InvalidResponseAction = flow.Restart
		}, calls: []call{{want: "next", hop: true}, {want: "denied: no entry"}}},
		{row: "74", name: "next of an earlier request is forgotten", setup: func(_ *testing.T, w *flowtest.World, _ *flowtest.Browser) { stages(w, "f", "ask", "ask") },
			calls: []call{{post: empty, query: "next=%2Fx", want: "next", hop: true}, {post: empty, want: "redirect / final"}}},
		{row: "45", name: "policies that are never to be asked do not count", setup: func(_ *testing.T, w *flowtest.World, _ *flowtest.Browser) {
			_, b := stages(w, "f", "ask")
			b[0].ReevaluatePolicies = false
			w.BindPolicy(b[0].ID, fail(), nil)
		}, calls: []call{{want: "ak-stage-dummy"}}},
		{row: "46", name: "policy that fails while planning leaves the stage out", setup: func(_ *testing.T, w *flowtest.World, _ *flowtest.Browser) {
			_, b := stages(w, "f", "deny", "ask")
			b[0].EvaluateOnPlan = true
			w.BindPolicy(b[0].ID, fail(), nil)
		}, calls: []call{{want: "ak-stage-dummy"}}},
		{row: "-", name: "binding whose stage is gone is left out", setup: func(_ *testing.T, w *flowtest.World, _ *flowtest.Browser) {
			_, b := stages(w, "f", "deny", "ask")
			w.Delete(b[0].Stage)
		}, calls: []call{{want: "ak-stage-dummy"}}},
		{row: "1", name: "another flow's plan stays (differs: one execution for each flow)", setup: func(_ *testing.T, w *flowtest.World, _ *flowtest.Browser) {
			stages(w, "f", "ask", "ask")
			stages(w, "empty")
		}, calls: []call{{post: empty, want: "next", hop: true}}, after: func(t *testing.T, w *flowtest.World, b *flowtest.Browser) {
			if got := flowtest.Describe(b.Get(t, "empty", "")); got != "redirect / final" {
				t.Errorf("the empty flow answers %s", got)
			}
			if got := flowtest.Describe(b.Post(t, "f", "", empty)); got != "redirect / final" {
				t.Errorf("the first flow has lost its place: %s", got)
			}
		}},
		{row: "policy-redirect", name: "a policy sends the person elsewhere", setup: func(_ *testing.T, w *flowtest.World, _ *flowtest.Browser) {
			_, b := stages(w, "f", "ask", "ask")
			to := "https://app.example/"
			w.BindPolicy(b[0].ID, policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
				return policy.Result{Verdict: policy.Fail, Writes: policy.Writes{Redirect: &to}}, nil
			}), nil)
		}, calls: []call{{want: "redirect https://app.example/"}, {post: empty, want: "redirect https://app.example/"}}},
	}
	for _, row := range rows {
		t.Run("row "+row.row+": "+row.name, func(t *testing.T) {
			w := newWorld(t)
			b := w.NewBrowser()
			row.setup(t, w, b)
			for i, c := range row.calls {
				if c.want == "" {
					c.post["turn"].(*verdict).v = policy.Fail
					continue
				}
				if got := walk(t, b, c); got != c.want {
					t.Fatalf("request %d answers %q, want %q", i+1, got, c.want)
				}
			}
			if row.after != nil {
				row.after(t, w, b)
			}
		})
	}
}

// turn is a pseudo request that makes a policy fail from now on.
func turn(v *verdict) call { return call{post: map[string]any{"turn": v}} }

func walk(t *testing.T, b *flowtest.Browser, c call) string {
	t.Helper()
	req := b.Request("f", c.query)
	req.Answer, req.Body, req.DeniedNext = c.post != nil, c.post, c.next
	result, err := b.Do(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if result.Next && !c.hop {
		result = b.Get(t, "f", c.query)
	}
	return flowtest.Describe(result)
}

func writes(w policy.Writes) policy.Policy {
	return policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: policy.Pass, Writes: w}, nil
	})
}

func TestRequirements(t *testing.T) {
	const no, yes = "denied: This flow does not apply to you.", "ak-stage-dummy"
	rows := []struct {
		name  string
		who   string
		auth  flow.Requirement
		given string
		want  string
	}{
		{"row 34: everybody may use a flow without requirement", "", flow.RequireNone, "", yes},
		{"row 35: a visitor is not signed in", "", flow.RequireAuthenticated, "", no},
		{"row 35: a visitor is no superuser", "", flow.RequireSuperuser, "", no},
		{"a user is signed in", "max", flow.RequireAuthenticated, "", yes},
		{"a user is no superuser", "max", flow.RequireSuperuser, "", no},
		{"row 36: a superuser is one", "admin", flow.RequireSuperuser, "", yes},
		{"a user is not a visitor", "max", flow.RequireUnauthenticated, "", no},
		{"a visitor is one", "", flow.RequireUnauthenticated, "", yes},
		{"row 37: without redirect", "", flow.RequireRedirect, "", no},
		{"row 39: not an outpost", "", flow.RequireOutpost, "", no},
		{"row 39: an outpost", "", flow.RequireOutpost, "outpost", yes},
		{"an unknown requirement denies", "admin", flow.Requirement("future"), "", no},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			people := map[string]*identity.Person{"max": member(w.People, "max"), "admin": admin(w.People)}
			f, _ := stages(w, "f", "ask")
			f.Authentication, f.Designation = row.auth, flow.StageConfiguration
			b := w.NewBrowser()
			if p := people[row.who]; p != nil {
				w.Store.SignIn(flowtest.SessionKey(b.Token), p.ID)
			}
			req := b.Request("f", "")
			req.Outpost = row.given == "outpost"
			result, err := b.Do(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			if got := flowtest.Describe(result); got != row.want {
				t.Errorf("answers %q, want %q", got, row.want)
			}
		})
	}
}

func TestBindingsOfGroupAndUserCountOncePersonIsKnown(t *testing.T) { // row 23
	for who, want := range map[string]string{"member": "ak-stage-dummy", "named": "ak-stage-dummy", "other": "denied: no entry"} {
		t.Run(who, func(t *testing.T) {
			w := newWorld(t)
			group := identity.Group{ID: [16]byte{7}, Name: "staff"}
			member(w.People, "member", group)
			named := member(w.People, "named")
			member(w.People, "other")
			_, b := stages(w, "f", "identify", "ask", "deny")
			w.BindSubject(b[1].ID, func(p *policy.Binding) { p.Group = &group.ID })
			w.BindSubject(b[1].ID, func(p *policy.Binding) { p.User = &named.ID })
			if got := flowtest.Describe(w.NewBrowser().Answer(t, "f", "", map[string]any{"uid_field": who})); got != want {
				t.Errorf("answers %q, want %q", got, want)
			}
		})
	}
}

func TestFlowInfo(t *testing.T) { // row 25
	w := newWorld(t)
	f, _ := stages(w, "f", "ask", "ask")
	f.Title = "Hello %(user)s at 100%%"
	b := w.NewBrowser()
	want := &flow.Info{Title: "Hello AnonymousUser at 100%", Background: "/static/dist/assets/images/flow_background.jpg",
		CancelURL: "/flows/-/cancel/?next=%2Ffoo", Layout: flow.Stacked}
	for range 2 {
		got := b.Get(t, "f", "next=%2Ffoo").Challenge.Info
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("flow_info (-want +got):\n%s", diff)
		}
		b.Post(t, "f", "next=%2Ffoo", map[string]any{})
	}
}

func TestErrorsOfStages(t *testing.T) { // rows 24, 72
	for _, typ := range []string{"broken", "panics", "forgetful"} {
		for _, who := range []string{"", "admin"} {
			t.Run(typ+" for "+who, func(t *testing.T) {
				w := newWorld(t)
				stages(w, "f", typ)
				b := w.NewBrowser()
				if who != "" {
					w.Store.SignIn(flowtest.SessionKey(b.Token), admin(w.People).ID)
				}
				result := b.Post(t, "f", "", map[string]any{"password": "right"})
				body, ok := result.Challenge.Body.(*flow.FlowError)
				if !ok || body.RequestID == "" {
					t.Fatalf("answers %s", flowtest.Describe(result))
				}
				if shown := body.Error != "" || body.Traceback != ""; shown != (who == "admin") {
					t.Errorf("details shown: %v", shown)
				}
			})
		}
	}
	t.Run("row 24: a body that cannot be read", func(t *testing.T) {
		w := newWorld(t)
		stages(w, "f", "ask")
		req := w.NewBrowser().Request("f", "")
		req.Answer, req.BodyErr = true, errors.New("broken JSON")
		result, err := w.Executor.Step(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if got := flowtest.Describe(result); got != "ak-stage-flow-error" {
			t.Errorf("answers %s", got)
		}
	})
}
