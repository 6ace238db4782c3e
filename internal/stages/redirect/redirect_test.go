package redirect_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/internal/stages/dummy"
	"github.com/weir-id/weir/internal/stages/redirect"
	"github.com/weir-id/weir/policy"
)

func TestRedirect(t *testing.T) {
	gone := uuid.New()
	for _, row := range []struct {
		name string
		mode redirect.Mode
		to   string
		// flow is the target flow: "other", "gone" or "" for none.
		flow string
		// override is written into the context; nil for nothing.
		override any
		want     string
	}{
		{"a static address is offered", redirect.Static, "https://example.com/a?b=c", "", nil, "redirect https://example.com/a?b=c"},
		{"a path is offered", redirect.Static, "/if/user/", "", nil, "redirect /if/user/"},
		{"a static target that is empty denies", redirect.Static, "", "", nil, "denied: Unknown error"},
		{"a script is not an address", redirect.Static, "javascript:alert(1)", "", nil, "denied: Unknown error"},
		{"two slashes are not a path", redirect.Static, "//evil.example", "", nil, "denied: Unknown error"},
		{"mode flow leads into the flow, with the query", redirect.Flow, "", "other", nil, "redirect /if/flow/other/?next=%2Fx"},
		{"mode flow ignores the static target", redirect.Flow, "/if/user/", "", nil, "denied: Unknown error"},
		{"a target flow that was deleted denies", redirect.Flow, "", "gone", nil, "denied: Unknown error"},
		{"an address from the context wins", redirect.Flow, "", "other", "https://example.org/", "redirect https://example.org/"},
		{"a flow from the context wins", redirect.Static, "/if/user/", "", "ak-flow://other", "redirect /if/flow/other/?next=%2Fx"},
		{"a missing flow from the context leaves the configured target", redirect.Static, "/if/user/", "", "ak-flow://nowhere", "redirect /if/user/"},
		{"an unsafe address from the context denies", redirect.Static, "/if/user/", "", "data:text/html,x", "denied: Unknown error"},
		{"an empty text from the context is none", redirect.Static, "/if/user/", "", "", "redirect /if/user/"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := flowtest.New(t, redirect.Type(), dummy.Type())
			f := w.AddFlow("f", nil)
			other := w.AddFlow("other", nil)
			w.Bind(other, w.AddStage("dummy", "there", nil), nil)
			c := &redirect.Config{KeepContext: true, Mode: row.mode, TargetStatic: row.to}
			switch row.flow {
			case "other":
				c.TargetFlow = &other.ID
			case "gone":
				c.TargetFlow = &gone
			}
			b := w.Bind(f, w.AddStage("redirect", "go", c), nil)
			if row.override != nil {
				w.BindPolicy(b.ID, writes(map[string]any{"redirect_stage_target": row.override}), nil)
			}
			if got := flowtest.Describe(w.NewBrowser().Get(t, "f", "next=%2Fx")); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

func TestRedirectAnswer(t *testing.T) {
	for _, row := range []struct {
		name string
		body map[string]any
		want string
		code string
	}{
		{"the offered address, repeated, goes on", map[string]any{"to": "/if/user/"}, "redirect / final", ""},
		{"another address is refused", map[string]any{"to": "/elsewhere"}, "xak", field.CodeInvalid},
		{"no address is refused", map[string]any{}, "xak", field.CodeRequired},
		{"an empty address is refused", map[string]any{"to": ""}, "xak", field.CodeBlank},
		{"a list is refused", map[string]any{"to": []any{"/if/user/"}}, "xak", field.CodeInvalid},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := flowtest.New(t, redirect.Type())
			w.Bind(w.AddFlow("f", nil), w.AddStage("redirect", "go", &redirect.Config{Mode: redirect.Static, TargetStatic: "/if/user/"}), nil)
			r := w.NewBrowser().Post(t, "f", "", row.body)
			if row.code == "" {
				if got := flowtest.Describe(r); got != row.want {
					t.Errorf("got %s, want %s", got, row.want)
				}
				return
			}
			if got := flowtest.Describe(r); got != "redirect /if/user/" {
				t.Errorf("got %s, want the same offer again", got)
			}
			if errs := r.Challenge.Errors["to"]; len(errs) != 1 || errs[0].Code != row.code {
				t.Errorf("errors %v, want code %s", r.Challenge.Errors, row.code)
			}
		})
	}
}

func TestRedirectContext(t *testing.T) {
	for _, keep := range []bool{true, false} {
		w := flowtest.New(t, redirect.Type(), dummy.Type())
		f, other := w.AddFlow("f", nil), w.AddFlow("other", nil)
		w.Bind(other, w.AddStage("dummy", "there", nil), nil)
		b := w.Bind(f, w.AddStage("redirect", "go", &redirect.Config{KeepContext: keep, Mode: redirect.Flow, TargetFlow: &other.ID}), nil)
		w.BindPolicy(b.ID, writes(map[string]any{"mark": "here"}), nil)
		browser := w.NewBrowser()
		browser.Get(t, "f", "")
		execution := browser.Request("other", "").Execution
		if execution == nil {
			t.Fatal("the target flow was not planned")
		}
		if _, kept := execution.Plan.Context.Value("mark"); kept != keep {
			t.Errorf("keep_context %v, but kept is %v", keep, kept)
		}
		if from, ok := flow.KeyRedirected.Get(execution.Plan.Context); !ok || from.ID != f.ID {
			t.Errorf("is_redirected is %v", from)
		}
	}
}

func TestConfig(t *testing.T) {
	for _, row := range []struct {
		name  string
		data  map[string]any
		field string
	}{
		{"a mode is needed", map[string]any{}, "mode"},
		{"the target may be left to a policy", map[string]any{"mode": "static"}, ""},
		{"a script is refused when it is saved", map[string]any{"mode": "static", "target_static": "javascript:x"}, "target_static"},
		{"an unknown mode is refused", map[string]any{"mode": "teleport"}, "mode"},
	} {
		t.Run(row.name, func(t *testing.T) {
			typ := redirect.Type()
			_, errs := field.Decode(typ.Defaults(), row.data, field.Create)
			if (row.field == "") != (errs == nil) || (row.field != "" && len(errs[row.field]) == 0) {
				t.Errorf("errors %v, want some on %q", errs, row.field)
			}
		})
	}
}

func writes(set map[string]any) policy.Policy {
	return policy.Func(func(context.Context, *policy.Request) (policy.Result, error) {
		return policy.Result{Verdict: policy.Pass, Writes: policy.Writes{Set: set}}, nil
	})
}
