package weir

import (
	"context"
	"crypto/sha1"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/store"
)

// hashOf is the stored hash of a user.
func (o *office) hashOf(user int64) (hash string) {
	o.t.Helper()
	if err := o.site.db.QueryRow(o.t.Context(), "select password_hash from users where id = $1", user).Scan(&hash); err != nil {
		o.t.Fatal(err)
	}
	return hash
}

func (o *office) count(sql string, args ...any) (n int) {
	o.t.Helper()
	if err := o.site.db.QueryRow(o.t.Context(), sql, args...).Scan(&n); err != nil {
		o.t.Fatal(err)
	}
	return n
}

// member makes a user with a password.
func (o *office) member(name, password string) int64 {
	o.t.Helper()
	id := o.user(name, nil)
	o.must("POST", fmt.Sprintf("core/users/%d/set_password/", id), m{"password": password})
	return id
}

// try runs a policy by its test endpoint and returns whether it passes and what
// it says.
func (o *office) try(policy string, user int64, context m) string {
	o.t.Helper()
	got := o.must("POST", "policies/all/"+policy+"/test/", m{"user": user, "context": context})
	return fmt.Sprint(got["passing"], " ", got["messages"])
}

// An expired password ends where a person meets the policy, and nowhere else.
func TestAnExpiredPasswordEndsWhereSomebodyActs(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, `
entries:
  - {model: authentik_policies_expiry.passwordexpirypolicy, id: expiry, identifiers: {name: expiry}, attrs: {days: 0}}
  - {model: authentik_policies_unique_password.uniquepasswordpolicy, id: unique, identifiers: {name: unique}}
  - {model: authentik_core.application, id: closed, identifiers: {slug: closed}, attrs: {name: Closed, meta_launch_url: "https://closed.example.com/"}}
  - {model: authentik_core.application, id: other, identifiers: {slug: other}, attrs: {name: Other}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf closed, policy: !KeyOf expiry, order: 0}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf other, policy: !KeyOf unique, order: 0}}
  - {model: authentik_flows.flow, id: renew, identifiers: {slug: renew}, attrs: {name: Renew, title: Renew, designation: stage_configuration, denied_action: message}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf renew, policy: !KeyOf expiry, order: 0}}
`)
		policy := results(o.must("GET", "policies/password_expiry/", nil))[0]["pk"].(string)
		ended := func(user int64) bool { return o.hashOf(user) == "!" }
		events := func(user int64) int {
			return o.count("select count(*) from events where action = 'password_set' and app = 'expiry' and user_id = $1", user)
		}
		const says = "false [Your password expired today. Set a new one.]"

		ada := o.member("ada", "the old password")
		if got := o.try(policy, ada, m{}); got != says {
			t.Errorf("tried out: %s", got)
		}
		about := fmt.Sprintf("?for_user=%d", ada)
		if got := o.must("GET", "core/applications/closed/check_access/"+about, nil); got["passing"] != false {
			t.Errorf("asked about: %v", got)
		}
		o.must("GET", "core/applications/"+about, nil)
		if ended(ada) || events(ada) != 0 {
			t.Fatal("questions about a person end the password")
		}

		// Her own question, and the walk through a flow.
		walk := map[string]func(user int64, c *client, key string){
			"an application": func(_ int64, _ *client, key string) {
				if a := o.call(key, "GET", "core/applications/closed/check_access/", nil); a.object["passing"] != false {
					t.Errorf("check_access: %s", a.raw)
				}
			},
			"the list": func(_ int64, _ *client, key string) {
				if a := o.call(key, "GET", "core/applications/", nil); strings.Contains(a.raw, "closed.example.com") {
					t.Errorf("the list: %s", a.raw)
				}
			},
			"a flow": func(_ int64, c *client, _ string) {
				if r := c.do("GET", "/api/v3/flows/executor/renew/?query=", ""); !strings.Contains(string(r.raw), "expired today") {
					t.Errorf("the flow: %s", r.raw)
				}
			},
			"a page after its click": func(user int64, c *client, _ string) {
				c.do("GET", "/if/flow/renew/", "", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
				c.do("HEAD", "/application/launch/closed/", "")
				c.do("GET", "/application/launch/closed/", "", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate")
				if ended(user) {
					t.Error("a page that another site opened ends the password")
				}
				c.do("GET", "/if/flow/renew/", "", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate")
			},
		}
		n := 0
		for name, meet := range walk {
			n++
			who := fmt.Sprintf("person%d", n)
			user := o.member(who, "the old password")
			key := o.token(user)
			c := visit(t, o.site)
			c.signIn(who, "the old password")
			meet(user, c, key)
			if !ended(user) || events(user) != 1 {
				t.Errorf("%s: ended is %v, %d events", name, ended(user), events(user))
			}
			if a := c.do("GET", "/api/v3/core/users/me/", ""); a.status != 200 {
				t.Errorf("%s: the session has ended", name)
			}
			if r := visit(t, o.site).signIn(who, "the old password"); r.component() != "ak-stage-password" {
				t.Errorf("%s: signing in with the old password shows %s", name, r.component())
			}
			unique := results(o.must("GET", "policies/unique_password/", nil))[0]["pk"].(string)
			if got := o.try(unique, user, m{"password": "the old password"}); !strings.HasPrefix(got, "false") {
				t.Errorf("%s: the old password can be set again: %s", name, got)
			}
		}
	})
}

// Whichever way a password is set, the one before is remembered while a policy
// asks for it.
func TestEveryDoorRemembersThePasswordBefore(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		ada := o.member("ada", "first")
		rows := func() int { return o.count("select count(*) from password_history where user_id = $1", ada) }
		set := func(path string, body m) { o.must("POST", fmt.Sprintf("core/users/%d/%s/", ada, path), body) }
		set("set_password", m{"password": "second"})
		if rows() != 0 {
			t.Error("remembered before there is a policy")
		}
		one := o.must("POST", "policies/unique_password/", m{"name": "one", "num_historical_passwords": 2})["pk"].(string)
		set("set_password", m{"password": "third"})
		if rows() != 0 {
			t.Error("remembered for a policy that nothing uses")
		}
		app := o.must("POST", "core/applications/", m{"name": "App", "slug": "app"})["pk"].(string)
		bind := func(policy string) string {
			return o.must("POST", "policies/bindings/", m{"policy": policy, "target": app, "order": 0, "enabled": false})["pk"].(string)
		}
		bind(one)

		doors := []struct {
			name string
			set  func()
		}{
			{"set_password", func() { set("set_password", m{"password": "fourth"}) }},
			{"set_password_hash", func() { set("set_password_hash", m{"password": o.hashOf(ada)[:len(o.hashOf(ada))-2] + "AA"}) }},
			{"a blueprint with a password", func() {
				apply(t, o.site, "entries: [{model: authentik_core.user, identifiers: {username: ada}, attrs: {name: Ada, password: fifth}}]\n")
			}},
			{"the same blueprint again is no change", nil},
			{"the command", func() {
				if err := o.site.SetPassword(t.Context(), "ada", "sixth"); err != nil {
					t.Fatal(err)
				}
			}},
		}
		for _, d := range doors {
			before, newest := o.hashOf(ada), ""
			if d.set == nil {
				n := rows()
				apply(t, o.site, "entries: [{model: authentik_core.user, identifiers: {username: ada}, attrs: {name: Ada, password: fifth}}]\n")
				if rows() != n || o.hashOf(ada) != before {
					t.Errorf("%s: but it is", d.name)
				}
				continue
			}
			d.set()
			if err := o.site.db.QueryRow(t.Context(), "select hash from password_history where user_id = $1 order by id desc limit 1", ada).Scan(&newest); err != nil || newest != before {
				t.Errorf("%s: the newest entry is another hash, %v", d.name, err)
			}
			if rows() > 2 {
				t.Errorf("%s: %d entries, 2 are asked for", d.name, rows())
			}
		}
		for plain, want := range map[string]string{"sixth": "false", "fifth": "false", "fourth": "true", "new": "true"} {
			if got := o.try(one, ada, m{"prompt_data": m{"password": plain}}); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s, want %s", plain, got, want)
			}
		}

		// The policy that asks for most decides.
		two := o.must("POST", "policies/unique_password/", m{"name": "two", "num_historical_passwords": 4})["pk"].(string)
		bind(two)
		set("set_password", m{"password": "seventh"})
		if rows() != 3 {
			t.Errorf("%d entries with a policy that asks for 4", rows())
		}
		trim := func() {
			if _, err := o.site.people.TrimHistory(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		o.must("DELETE", "policies/unique_password/"+two+"/", nil)
		if trim(); rows() != 2 {
			t.Errorf("%d entries once the other is gone", rows())
		}
		hash := o.hashOf(ada)
		var earlier string
		if err := o.site.db.QueryRow(t.Context(), "select hash from password_history where user_id = $1 order by id limit 1", ada).Scan(&earlier); err != nil {
			t.Fatal(err)
		}
		if text := o.call(root, "GET", fmt.Sprintf("core/users/%d/", ada), nil).raw; strings.Contains(text, earlier) || strings.Contains(text, hash) {
			t.Error("the user shows a hash")
		}
		o.must("DELETE", fmt.Sprintf("core/users/%d/", ada), nil)
		if rows() != 0 {
			t.Errorf("%d entries outlive the person", rows())
		}
	})
}

// A policy that cannot be read keeps what it may have asked for.
func TestABrokenPolicyLosesNoHistory(t *testing.T) {
	o := openOffice(t, settings(t))
	ada := o.member("ada", "first")
	policy := o.must("POST", "policies/unique_password/", m{"name": "unique"})["pk"].(string)
	app := o.must("POST", "core/applications/", m{"name": "App", "slug": "app"})["pk"].(string)
	o.must("POST", "policies/bindings/", m{"policy": policy, "target": app, "order": 0})
	o.must("POST", fmt.Sprintf("core/users/%d/set_password/", ada), m{"password": "second"})
	err := o.site.db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
		_, err := tx.Exec(ctx, "update catalog_versions set doc = $1 where id = $2", `{"name": "unique", "num_historical_passwords": "many"}`, policy)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.site.Installation.catalog.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := o.site.passwordHistory(); got != 1 {
		t.Fatalf("the stored version is read again already: %d", got)
	}
	again, err := Connect(t.Context(), Config{Settings: o.site.config, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := again.passwordHistory(); got != 50 {
		t.Errorf("%d are kept", got)
	}
}

// The settings name who knows leaked passwords.
func TestSettingsOfLeakedPasswords(t *testing.T) {
	sum := fmt.Sprintf("%X", sha1.Sum([]byte("leaked")))
	down := false
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down || r.URL.Path != "/mirror/"+sum[:5] {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "%s:3\r\n", sum[5:])
	}))
	defer srv.Close()
	file := filepath.Join(t.TempDir(), "hashes.txt")
	if err := os.WriteFile(file, []byte(sum+":8\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := settings(t)
	s.HIBP.URL, s.HIBP.File = srv.URL+"/mirror", file
	o := openOffice(t, s)
	policy := o.must("POST", "policies/password/", m{"name": "leaks", "check_have_i_been_pwned": true, "check_static_rules": false})["pk"].(string)
	if got := o.try(policy, 1, m{"password": "leaked"}); !strings.Contains(got, "stands 3 times") {
		t.Errorf("by the service: %s", got)
	}
	down = true
	if got := o.try(policy, 1, m{"password": "leaked"}); !strings.Contains(got, "stands 8 times") {
		t.Errorf("by the file: %s", got)
	}
	if got := o.try(policy, 1, m{"password": "fresh"}); !strings.HasPrefix(got, "true") {
		t.Errorf("in neither: %s", got)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if got := o.try(policy, 1, m{"password": "leaked"}); !strings.HasPrefix(got, "false [policy ") {
		t.Errorf("by nobody: %s", got)
	}
	s.Data = t.TempDir()
	if in, err := Connect(t.Context(), Config{Settings: s, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}); err == nil || !strings.Contains(err.Error(), "hibp_file") {
		t.Errorf("a start without the file: %v", err)
		_ = in.Close()
	}
}

// renewal lets people choose a password; the policies judge it.
const renewal = `
entries:
  - {model: authentik_policies_password.passwordpolicy, id: rules, identifiers: {name: rules}, attrs: {length_min: 8, error_message: Longer., check_zxcvbn: true, password_field: secret}}
  - {model: authentik_policies_unique_password.uniquepasswordpolicy, id: unique, identifiers: {name: unique}, attrs: {password_field: secret}}
  - {model: authentik_stages_prompt.prompt, id: secret, identifiers: {name: secret}, attrs: {field_key: secret, label: Password, type: password, order: 1}}
  - {model: authentik_policies_expression.expressionpolicy, id: copy, identifiers: {name: copy}, attrs: {expression: "context['prompt_data']['password'] = context['prompt_data']['secret']\nreturn True"}}
  - {model: authentik_stages_prompt.promptstage, id: ask, identifiers: {name: ask}, attrs: {fields: [!KeyOf secret], validation_policies: [!KeyOf rules, !KeyOf unique, !KeyOf copy]}}
  - {model: authentik_stages_user_write.userwritestage, id: write, identifiers: {name: write}, attrs: {user_creation_mode: never_create}}
  - {model: authentik_flows.flow, id: flow, identifiers: {slug: renew}, attrs: {name: Renew, title: Renew, designation: stage_configuration, authentication: require_authenticated}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf ask, order: 1}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf write, order: 2}}
`

// The policies judge what a person types into a form; a policy that is used by a
// form alone keeps a history too.
func TestPasswordPoliciesJudgeAForm(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, renewal)
		const first, second = "the first password of ada", "an altogether different one"
		ada := o.member("stargazer", first)
		c := visit(t, o.site)
		c.signIn("stargazer", first)
		const executor = "/api/v3/flows/executor/renew/?query="
		choose := func(plain string) string {
			t.Helper()
			c.do("GET", executor, "")
			r := c.do("POST", executor, fmt.Sprintf(`{"secret":%q}`, plain))
			for r.status == http.StatusFound {
				r = c.do("GET", r.header.Get("Location"), "")
			}
			return fmt.Sprint(r.component(), " ", r.body["response_errors"])
		}
		for plain, want := range map[string]string{"short": "Longer.", "stargazer": "easy to guess", first: "have not used before"} {
			if got := choose(plain); !strings.Contains(got, want) {
				t.Errorf("%s: %s, want %s", plain, got, want)
			}
		}
		if got := choose(second); !strings.HasPrefix(got, "xak-flow-redirect") {
			t.Fatalf("a good one: %s", got)
		}
		if n := o.count("select count(*) from password_history where user_id = $1", ada); n != 1 {
			t.Errorf("%d earlier passwords are kept", n)
		}
		if got := choose(first); !strings.Contains(got, "have not used before") {
			t.Errorf("the one before: %s", got)
		}
		// Guessing the present password here meets the limit of every door.
		for i := range 20 {
			if strings.Contains(choose(second), "throttled") {
				break
			}
			if i == 19 {
				t.Error("earlier passwords can be guessed without end")
			}
		}
		if got := choose("short"); !strings.Contains(got, "Longer.") {
			t.Errorf("rules that guess nothing: %s", got)
		}
		if r := visit(t, o.site).signIn("stargazer", second); r.component() != "xak-flow-redirect" {
			t.Errorf("the guesses of a known browser lock her out of another one: %v", r.body)
		}
	})
}
