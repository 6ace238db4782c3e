package captcha_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/flow/flowtest"
	"github.com/weir-id/weir/internal/stages/captcha"
	"github.com/weir-id/weir/internal/stages/captcha/captchatest"
)

// ask returns the piece of work that a browser is shown.
func ask(t *testing.T, b *flowtest.Browser, slug string) string {
	t.Helper()
	c, ok := b.Get(t, slug, "").Challenge.Body.(*captcha.Challenge)
	if !ok || !c.Work() || c.JSURL == "" {
		t.Fatalf("challenge %+v", c)
	}
	return c.SiteKey
}

// TestRule02OnlyWorkOfThisPlaceCounts: a token is good for the browser, the flow
// and the binding that it was made for, for its time, and as it was asked for.
func TestRule02OnlyWorkOfThisPlaceCounts(t *testing.T) {
	w, f, b := world(t, &captcha.Config{}, t.Output())
	stage, _ := w.Stage(w.Bindings(f.ID)[0].Stage)
	other := w.AddFlow("other", nil)
	w.Bind(other, stage, nil)
	w.Bind(other, stage, nil) // the same stage once more
	w.Bind(other, w.AddStage("dummy", "end", nil), nil)

	piece := ask(t, b, "f")
	token := captchatest.Solve(piece)
	numbers := strings.TrimPrefix(token, piece+"~")
	parts := strings.Split(piece, ".")
	with := func(i int, text string) string {
		changed := append([]string{}, parts...)
		changed[i] = text
		return strings.Join(changed, ".")
	}
	const again, late = "token invalid captcha.error.again", "token invalid captcha.error.late"
	for _, row := range []struct{ name, slug, token, want string }{
		{"nothing found", "f", piece, again},
		{"numbers that do not fit", "f", piece + "~" + strings.Repeat("0,", 15) + "0", again},
		{"one number too few", "f", piece + "~" + numbers[:strings.LastIndexByte(numbers, ',')], again},
		{"one too many", "f", token + ",0", again},
		{"a number beyond 32 bits", "f", piece + "~zzzzzzzzzz" + strings.Repeat(",0", 15), again},
		{"less work than was asked for", "f", with(2, "1") + "~" + numbers, again},
		{"fewer rounds", "f", with(3, "1") + "~" + numbers[:strings.IndexByte(numbers, ',')], again},
		{"another time", "f", with(1, "zzzzzz") + "~" + numbers, again},
		{"another signature", "f", with(5, strings.Repeat("0", 32)) + "~" + numbers, again},
		{"a piece without end", "f", strings.Repeat(".", 2000), again},
		{"another flow", "other", token, again},
	} {
		r := b.Post(t, row.slug, "", map[string]any{"token": row.token})
		if got := problem(r); r.Next || got != row.want {
			t.Errorf("%s: %s, problem %q, want %q", row.name, flowtest.Describe(r), got, row.want)
		}
	}
	if r := w.NewBrowser().Post(t, "f", "", map[string]any{"token": token}); r.Next {
		t.Error("another browser passes with it")
	}
	w.Time = w.Time.Add(10 * time.Minute)
	if got := problem(b.Post(t, "f", "", map[string]any{"token": token})); got != late {
		t.Errorf("after its time: problem %q", got)
	}
	w.Time = w.Time.Add(-2 * time.Second)
	if r := b.Post(t, "f", "", map[string]any{"token": token}); !r.Next {
		t.Fatalf("the right token in time gets %s", problem(r))
	}

	token = captchatest.Solve(ask(t, b, "other"))
	if r := b.Post(t, "other", "", map[string]any{"token": token}); !r.Next {
		t.Fatalf("the first of two gets %s", problem(r))
	}
	if got := problem(b.Post(t, "other", "", map[string]any{"token": token})); got != again {
		t.Errorf("the same token at the second binding: problem %q", got)
	}
}

// TestAPieceOfWorkIsGoodOnce: not for answers at the same time, and not for a flow
// that begins anew.
func TestAPieceOfWorkIsGoodOnce(t *testing.T) {
	_, _, b := world(t, &captcha.Config{}, t.Output())
	token := captchatest.Solve(ask(t, b, "f"))
	var passed atomic.Int32
	var all sync.WaitGroup
	same := make([]*flow.Request, 50)
	for i := range same {
		same[i] = b.Request("f", "")
		same[i].Answer, same[i].Body = true, map[string]any{"token": token}
	}
	for _, req := range same {
		all.Go(func() {
			r, err := b.Do(t.Context(), req)
			if err != nil {
				t.Error(err)
			} else if r.Next && !r.Stale {
				passed.Add(1)
			}
		})
	}
	all.Wait()
	if n := passed.Load(); n != 1 {
		t.Errorf("%d answers passed", n)
	}
	// The flow ends, and begins anew.
	if r := b.Post(t, "f", "", map[string]any{}); flowtest.Describe(r) != "redirect / final" {
		t.Fatalf("got %s", flowtest.Describe(r))
	}
	if got := problem(b.Post(t, "f", "", map[string]any{"token": token})); got != "token invalid captcha.error.late" {
		t.Errorf("once more: problem %q", got)
	}
}

func TestWorkIsAskedAnewAfterAProblem(t *testing.T) {
	w, _, b := world(t, &captcha.Config{}, t.Output())
	first := ask(t, b, "f")
	r := b.Post(t, "f", "", map[string]any{"token": "x"})
	c := r.Challenge.Body.(*captcha.Challenge)
	if c.SiteKey == first {
		t.Error("the same piece again")
	}
	if len(w.Store.Commits) != 0 {
		t.Error("a wrong token was written down")
	}
	if r := b.Post(t, "f", "", map[string]any{"token": captchatest.Solve(c.SiteKey)}); !r.Next {
		t.Errorf("the new piece gets %s", problem(r))
	}
	got, _ := b.Request("f", "").Execution.Plan.Context.Values()["captcha"].(map[string]any)
	if response, _ := got["response"].(map[string]any); response["success"] != true || got["stage"] != "check" {
		t.Errorf("policies see %v", got)
	}
}
