package weir

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/catalog"
)

// tape is the input of a fuzz target, one choice a byte. At its end all
// choices are the first one.
type tape []byte

func (t *tape) byte() byte {
	if len(*t) == 0 {
		return 0
	}
	b := (*t)[0]
	*t = (*t)[1:]
	return b
}

// n chooses a number below max.
func (t *tape) n(max int) int { return int(t.byte()) % max }

// odds is true so many times out of 256.
func (t *tape) odds(n int) bool { return int(t.byte()) >= 256-n }

// pick chooses one of a list.
func pick[T any](t *tape, list []T) T { return list[t.n(len(list))] }

// part is a stage that made-up flows consist of.
type part struct {
	name, typ string
	deed      deed
	config    func(m *maze) map[string]any
}

func fixed(config map[string]any) func(*maze) map[string]any {
	return func(*maze) map[string]any { return config }
}

const inbuilt = "authentik.core.auth.InbuiltBackend"

// parts are the stages, each after those that it refers to.
var parts = []part{
	{"names", "identification", names, fixed(map[string]any{"user_fields": []any{"username", "email"}, "pretend_user_exists": false})},
	{"password", "password", proves, fixed(map[string]any{"backends": []any{inbuilt}})},
	{"login", "user_login", signsIn, fixed(map[string]any{})},
	{"names and password", "identification", names | proves, func(m *maze) map[string]any {
		return map[string]any{"user_fields": []any{"username"}, "password_stage": m.stages["password"]}
	}},
	{"login with a question", "user_login", signsIn, fixed(map[string]any{"remember_me_offset": "days=1"})},
	{"names with pretence", "identification", names, fixed(map[string]any{"user_fields": []any{"username"}, "show_matched_user": false})},
	{"one try", "password", proves, fixed(map[string]any{"backends": []any{inbuilt, "authentik.core.auth.TokenBackend"}, "failed_attempts_before_cancel": 1})},
	{"login alone", "user_login", signsIn, fixed(map[string]any{"terminate_other_sessions": true, "session_duration": "hours=1", "network_binding": "bind_asn_network_ip"})},
	{"dummy", "dummy", 0, fixed(map[string]any{})},
	{"factor, skipping", "authenticator_validate", 0, fixed(map[string]any{"not_configured_action": "skip"})},
	{"factor, setting up", "authenticator_validate", 0, func(m *maze) map[string]any {
		return map[string]any{"not_configured_action": "configure", "configuration_stages": []any{m.stages["dummy"]}}
	}},
	{"factor, denying", "authenticator_validate", blocksKnown, fixed(map[string]any{"not_configured_action": "deny"})},
	{"logout", "user_logout", 0, fixed(map[string]any{})},
	{"elsewhere", "redirect", 0, fixed(map[string]any{"mode": "static", "target_static": elsewhere})},
	{"deny", "deny", blocks, fixed(map[string]any{"deny_message": "<b>no</b>"})},
	{"broken", "dummy", blocks, fixed(map[string]any{"throw_error": true})},
	{"behind, with the context", "redirect", leads, func(m *maze) map[string]any { return map[string]any{"mode": "flow", "target_flow": m.behind} }},
	{"behind", "redirect", leads, func(m *maze) map[string]any {
		return map[string]any{"mode": "flow", "target_flow": m.behind, "keep_context": false}
	}},
}

const (
	elsewhere  = "https://app.example/elsewhere"
	behindSlug = "behind"
)

// mazePolicies are the expressions, and what they may come to. "asks" looks at
// what a stranger sends, and breaks on most of it. The last is no policy but a
// person.
var mazePolicies = []struct {
	name, body string
	may        verdicts
}{
	{"passes", "return True", mayPass},
	{"fails", "return False", mayFail},
	{"errs", "return 1 / 0", mayErr},
	{"asks", "return int(request.http_request.headers['User-Agent']) > 0", mayPass | mayFail | mayErr},
	{"errs", "return 1 / 0", mayErr}, // once more often
	{name: "is for ann"},
}

// passwords are those of the people of the maze. ivy is not active.
var passwords = map[string]string{"ann": "the right of ann", "bob": "the right of bob", "ivy": "the right of ivy"}

// spellings are what the people may be called.
var spellings = map[string]string{"ann": "ann", "bob": "bob", "ivy": "ivy", "ANN": "ann", " bob ": "bob", "ann@example.org": "ann", "BOB@example.org": "bob"}

// maze is an installation for flows that are made up by chance.
type maze struct {
	site     *Server
	alarm    *alarm
	stages   map[string]uuid.UUID
	policies map[string]uuid.UUID
	ann      int64
	behind   uuid.UUID
}

// alarm keeps what the log says of panics.
type alarm struct {
	mu    sync.Mutex
	found []byte
}

// Write implements io.Writer.
func (a *alarm) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("panic")) {
		a.mu.Lock()
		a.found = append(a.found, line...)
		a.mu.Unlock()
	}
	return len(line), nil
}

func (a *alarm) take() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	found := string(a.found)
	a.found = nil
	return found
}

func newMaze(t testing.TB) *maze {
	t.Helper()
	m := &maze{alarm: &alarm{}, stages: map[string]uuid.UUID{}, policies: map[string]uuid.UUID{}}
	ctx := t.Context()
	var err error
	s := settings(t)
	// Every login goes on: what limits on guesses do has its own tests.
	s.Guesses.Account, s.Guesses.Address = 1<<30, 1<<30
	m.site, err = Open(ctx, Config{Settings: s, Log: slog.New(slog.NewTextHandler(m.alarm, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.site.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for name, password := range passwords {
		id, err := m.site.CreateUser(ctx, NewUser{Username: name, Name: name, Email: name + "@example.org", Password: password})
		if err != nil {
			t.Fatal(err)
		}
		if name == "ann" {
			m.ann = id
		}
	}
	if _, err := m.site.db.Exec(ctx, "update users set is_active = $1 where username = $2", false, "ivy"); err != nil {
		t.Fatal(err)
	}
	m.write(t, func(add adder) {
		m.behind = add(catalog.KindFlow, "", map[string]any{"name": behindSlug, "title": "Behind", "slug": behindSlug,
			"designation": "authentication", "authentication": "require_redirect"})
		for _, p := range parts {
			m.stages[p.name] = add(catalog.KindStage, p.typ, with(p.config(m), "name", p.name))
		}
		for n, stage := range []string{"password", "login"} {
			add(catalog.KindBinding, "", map[string]any{"target": m.behind, "stage": m.stages[stage], "order": n})
		}
		for _, p := range mazePolicies[:4] {
			m.policies[p.name] = add(catalog.KindPolicy, "expression", map[string]any{"name": p.name, "expression": p.body})
		}
	})
	return m
}

// adder adds an object to the configuration and returns its id.
type adder func(kind, typ string, data map[string]any) uuid.UUID

// write stores what fn adds, in one revision.
func (m *maze) write(t testing.TB, fn func(add adder)) {
	t.Helper()
	type object struct {
		kind, typ string
		id        uuid.UUID
		data      map[string]any
	}
	var objects []object
	fn(func(kind, typ string, data map[string]any) uuid.UUID {
		for k, v := range data {
			if id, ok := v.(uuid.UUID); ok {
				data[k] = id.String()
			}
		}
		objects = append(objects, object{kind, typ, uuid.New(), data})
		return objects[len(objects)-1].id
	})
	_, err := m.site.catalog.Update(context.Background(), catalog.Meta{Source: "test"}, func(_ context.Context, tx *catalog.Tx) error {
		for _, o := range objects {
			if _, unknown, err := tx.Create(o.kind, o.typ, o.id, o.data); err != nil || len(unknown) > 0 {
				return fmt.Errorf("%s %v: %w, unknown %v", o.kind, o.data, err, unknown)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func with(data map[string]any, key string, value any) map[string]any {
	out := map[string]any{key: value}
	for k, v := range data {
		out[k] = v
	}
	return out
}

// flow makes a flow up and stores it. It returns its model, and what removes
// it again.
func (m *maze) flow(t testing.TB, in *tape, slug string) (*model, func()) {
	t.Helper()
	out := &model{}
	requirement, designation := "none", "authentication"
	if in.odds(25) {
		requirement = pick(in, []string{"require_unauthenticated", "require_authenticated", "require_superuser", "require_redirect", "require_outpost", "require_token"})
	}
	if in.odds(60) {
		designation = pick(in, []string{"authorization", "invalidation", "recovery", "enrollment"})
	}
	out.login = designation == "authentication"
	out.signed = requirement == "require_authenticated"
	out.never = requirement != "none" && requirement != "require_unauthenticated" && !out.signed
	// Most flows have few policies, or hardly anybody would get anywhere.
	flowOdds, stepOdds := 10, 20
	if in.odds(100) {
		flowOdds, stepOdds = 80, 120
	}
	var id uuid.UUID
	m.write(t, func(add adder) {
		mode := pick(in, []string{"any", "all"})
		id = add(catalog.KindFlow, "", map[string]any{"name": slug, "title": slug + " <i>", "slug": slug, "designation": designation, "authentication": requirement,
			"denied_action": pick(in, []string{"message_continue", "message", "continue"}), "policy_engine_mode": mode})
		out.may = m.bind(in, add, id, mode, flowOdds)
		for order, p := range m.line(in) {
			mode := pick(in, []string{"any", "all"})
			when := in.n(4) // asked when reached, twice, when planned, when reached
			binding := add(catalog.KindBinding, "", map[string]any{"target": id, "stage": m.stages[p.name], "order": order, "policy_engine_mode": mode,
				"evaluate_on_plan": when == 1 || when == 2, "re_evaluate_policies": when != 2, "invalid_response_action": pick(in, []string{"retry", "restart", "restart_with_context"})})
			out.steps = append(out.steps, step{deed: p.deed, may: m.bind(in, add, binding, mode, stepOdds), onPlan: when == 1 || when == 2})
		}
	})
	return out, func() {
		_, err := m.site.catalog.Update(context.Background(), catalog.Meta{Source: "test"}, func(_ context.Context, tx *catalog.Tx) error { return tx.Delete(id) })
		if err != nil {
			t.Error(err)
		}
	}
}

// usual are lines of stages that lead somewhere.
var usual = [][]string{
	{"names", "password", "login"}, {"names and password", "login with a question"}, {"names with pretence", "one try", "login alone"},
	{"names", "login"}, {"names", "behind, with the context"}, {},
}

// line chooses stages: a usual line, with others put in anywhere.
func (m *maze) line(in *tape) []part {
	var out []part
	for _, name := range pick(in, usual) {
		out = append(out, parts[slices.IndexFunc(parts, func(p part) bool { return p.name == name })])
	}
	for len(out) == 0 || len(out) < 8 && in.odds(70) {
		out = slices.Insert(out, in.n(len(out)+1), pick(in, parts))
	}
	return out
}

// bind binds policies to a target, as often as the odds say, and returns what
// they may come to.
func (m *maze) bind(in *tape, add adder, target uuid.UUID, mode string, odds int) verdicts {
	var each []verdicts
	var person verdicts
	for order := 0; order < 3 && in.odds(odds); order++ {
		negate, onError, enabled := in.odds(50), in.odds(80), !in.odds(30)
		data := map[string]any{"target": target, "order": order, "negate": negate, "failure_result": onError, "enabled": enabled}
		p := pick(in, mazePolicies)
		if p.body == "" {
			data["user"] = m.ann
			if enabled {
				person = mayPass | mayFail
			}
		} else {
			data["policy"] = m.policies[p.name]
			may := p.may
			if negate {
				may = may&mayErr | may&mayPass<<1 | may&mayFail>>1
			}
			if onError && may&mayErr != 0 {
				may = may&^mayErr | mayPass
			}
			if enabled {
				each = append(each, may)
			}
		}
		add(catalog.KindPolicyBinding, "", data)
		odds = 128
	}
	if person != 0 {
		each = append(each, person)
	}
	return combine(mode == "all", each)
}

// who is the person whom a session cookie signs in, "" for nobody.
func (m *maze) who(t testing.TB, cookie string) string {
	if cookie == "" {
		return ""
	}
	r := httptest.NewRequest("GET", "/api/v3/core/users/me/", nil)
	r.Header.Set("Cookie", "authentik_session="+cookie)
	w := httptest.NewRecorder()
	m.site.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		return ""
	}
	var me struct {
		User struct{ Username string } `json:"user"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &me); err != nil || me.User.Username == "" {
		t.Fatalf("users/me answers %s (%v)", w.Body, err)
	}
	return me.User.Username
}
