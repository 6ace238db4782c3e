package expression_test

import (
	"reflect"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/policy"
)

func TestWrites(t *testing.T) {
	to := "https://example.com/"
	rows := []struct {
		name, body string
		want       policy.Writes
	}{
		{"reading writes nothing", `return len(context["flow_plan"].context) + len(context["prompt_data"])`, policy.Writes{}},
		{"the top level of the context is a copy", `context["x"] = 1; context["prompt_data"] = {}; request.context["y"] = 2`, policy.Writes{}},
		{"what hangs below the copy is a copy", `context["tags"].append("y")`, policy.Writes{}},
		{"the plan's context is written", `context["flow_plan"].context["x"] = [1, {"a": (2,)}]`, policy.Writes{Set: map[string]any{"x": []any{int64(1), map[string]any{"a": []any{int64(2)}}}}}},
		{"a value set to what it was is written again only when it differs", `context["flow_plan"].context["auth_method"] = "auth_mfa"`, policy.Writes{Set: map[string]any{"auth_method": "auth_mfa"}}},
		{"a list inside the plan's context is changed in place", `context["flow_plan"].context["tags"].append("y")`, policy.Writes{Set: map[string]any{"tags": []any{"x", "y"}}}},
		{"a key is removed", `request.context["flow_plan"].context.pop("auth_method")`, policy.Writes{Delete: []string{"auth_method"}}},
		{"prompt data through the context", `context["prompt_data"]["email"] = "a@b.c"`, policy.Writes{Set: map[string]any{"prompt_data": map[string]any{"email": "a@b.c", "attributes": map[string]any{"a": int64(1)}}}}},
		{"prompt data through the plan, seen through the context", "context[\"flow_plan\"].context[\"prompt_data\"][\"email\"] = \"z\"\nassert context[\"prompt_data\"][\"email\"] == \"z\"", policy.Writes{Set: map[string]any{"prompt_data": map[string]any{"email": "z", "attributes": map[string]any{"a": int64(1)}}}}},
		{"deep prompt data", `context["prompt_data"]["attributes"]["b"] = 2`, policy.Writes{Set: map[string]any{"prompt_data": map[string]any{"email": "new@example.com", "attributes": map[string]any{"a": int64(1), "b": int64(2)}}}}},
		{"prompt data replaced through the plan", `context["flow_plan"].context["prompt_data"] = {"only": 1}`, policy.Writes{Set: map[string]any{"prompt_data": map[string]any{"only": int64(1)}}}},
		{"redirect", `return context["flow_plan"].redirect("https://example.com/")`, policy.Writes{Redirect: &to}},
		{"groups are kept as references", "from authentik.core.models import Group\ncontext[\"flow_plan\"].context[\"groups\"] = Group.objects.filter(name=\"staff\")", policy.Writes{Set: map[string]any{"groups": []any{&flow.Ref{Kind: "group", ID: staffID, Name: "staff"}}}}},
		{"writes of a called policy", `ak_call_policy("other")`, policy.Writes{Set: map[string]any{"by_other": true}}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := request()
			v, err := run(t, row.body, expression.Scope{Request: r, Policy: true})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, v.Writes); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
		})
	}
}

// In the plan of a link stands whose link it is. A body that looks at the plan, or
// writes something else into it, leaves that alone, and cannot change it.
func TestWhoseLinkItIsIsNoWrite(t *testing.T) {
	for _, row := range []struct {
		body string
		want map[string]any // nil for an error
	}{
		{`return bool(context["flow_plan"].context.get("is_restored"))`, map[string]any{}},
		{`context["flow_plan"].context["x"] = 1`, map[string]any{"x": int64(1)}},
		{`context["flow_plan"].context["is_restored"]["purpose"] = "recovery"`, nil},
		{`context["flow_plan"].context["is_restored"]["user"] = request.user`, nil},
		{`context["flow_plan"].context["x"] = context["flow_plan"].context["is_restored"]`, nil},
	} {
		r := request()
		r.Plan.(plan)["is_restored"] = map[string]any{"user": &flow.PersonRef{ID: 7}, "purpose": "mail"}
		v, err := run(t, row.body, expression.Scope{Request: r, Policy: true})
		if row.want == nil {
			if err == nil {
				t.Errorf("%s writes %v", row.body, v.Writes.Set)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", row.body, err)
		}
		if diff := cmp.Diff(row.want, v.Writes.Set, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s writes (-want +got):\n%s", row.body, diff)
		}
	}
}

func TestPendingUserIsWrittenAsPerson(t *testing.T) {
	v, err := run(t, `context["flow_plan"].context["pending_user"] = ak_user_by(username="ann")`, expression.Scope{Request: request(), Policy: true})
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := v.Writes.Set["pending_user"].(*identity.Person); !ok || p.Username != "ann" || len(v.Writes.Set) != 1 {
		t.Errorf("got %#v", v.Writes.Set)
	}
}

// An exception after a write leaves nothing to apply, and a value that a plan
// cannot keep is an exception.
func TestRule08ErrorsDiscardWrites(t *testing.T) {
	for name, body := range map[string]string{
		"exception":  "ak_message(\"m\")\ncontext[\"flow_plan\"].context[\"x\"] = 1\ncontext[\"prompt_data\"][\"y\"] = 1\nreturn 1 / 0",
		"limit":      "context[\"flow_plan\"].context[\"x\"] = 1\nwhile True: pass",
		"not a plan": `context["flow_plan"].context["x"] = len`,
	} {
		t.Run(name, func(t *testing.T) {
			v, err := run(t, body, expression.Scope{Request: request(), Policy: true})
			if err == nil {
				t.Fatal("no error")
			}
			if !reflect.DeepEqual(v, expression.Value{}) {
				t.Errorf("something is left to apply: %+v", v)
			}
		})
	}
}

// The request, its context and the plan are not touched by any body, however
// deep it writes, also when many goroutines run one program.
func TestRule09EvaluationsShareNothing(t *testing.T) {
	p, err := expression.Compile("body", `
seen = context.get("mark"), context["prompt_data"].get("mark"), context["flow_plan"].context.get("mark"), len(context["tags"]), context["prompt_data"]["attributes"]["a"]
context["mark"] = 1
context["prompt_data"]["mark"] = 1
context["prompt_data"]["attributes"]["a"] += 1
context["flow_plan"].context["mark"] = 1
context["flow_plan"].context["tags"].append("more")
context["tags"].append("more")
ak_call_policy("other", mark=3)
return seen + (context.get("mark"),)
`, env(t))
	if err != nil {
		t.Fatal(err)
	}
	r := request()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			v, err := p.Run(t.Context(), expression.Scope{Request: r, Policy: true})
			if err != nil || v.Text != "(None, None, None, 1, 1, 1)" {
				t.Errorf("got %s (%v)", v.Text, err)
			}
		})
	}
	wg.Wait()
	fresh := request()
	if diff := cmp.Diff(fresh.Context["prompt_data"], r.Context["prompt_data"]); diff != "" {
		t.Errorf("the request was changed:\n%s", diff)
	}
	if len(r.Context) != len(fresh.Context) || len(r.Plan.PlanContext()) != len(fresh.Plan.PlanContext()) {
		t.Error("keys were added to the request")
	}
}

// The headers that a body sees are exactly those of the request it was given;
// nothing is read from elsewhere.
func TestRule29OnlyVisibleHeaders(t *testing.T) {
	v, err := run(t, `return sorted(k for k in request.http_request.META if k.startswith("HTTP_")) + sorted(request.http_request.headers.keys())`,
		expression.Scope{Request: request(), Policy: true})
	if err != nil || v.Text != "['HTTP_HOST', 'HTTP_USER_AGENT', 'User-Agent']" {
		t.Errorf("got %s (%v)", v.Text, err)
	}
}
