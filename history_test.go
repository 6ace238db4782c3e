package weir

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/seal"
	"github.com/weir-id/weir/internal/stages/captcha"
)

const (
	firstSecret  = "the first secret of a captcha"
	secondSecret = "the second secret of a captcha"
)

// difference is one object of a list of differences, by its name.
func difference(all any, name string) m {
	list, _ := all.([]any)
	for _, one := range list {
		if d := one.(m); d["name"] == name {
			return d
		}
	}
	return nil
}

// told are the fields of a difference as "name: old -> new", in their order.
func told(d m) string {
	var out []string
	fields, _ := d["fields"].([]any)
	for _, one := range fields {
		f := one.(m)
		switch lines := f["lines"].([]any); {
		case f["secret"] == true:
			out = append(out, fmt.Sprintf("%v: secret %v %v", f["name"], f["old"], f["new"]))
		case len(lines) > 0:
			out = append(out, fmt.Sprintf("%v: %v", f["name"], lines))
		default:
			out = append(out, fmt.Sprintf("%v: %v -> %v", f["name"], f["old"], f["new"]))
		}
	}
	return strings.Join(out, "; ")
}

// captchaSecret is the secret of the stage as the node has it.
func captchaSecret(site *Server) string {
	o, err := site.catalog.Snapshot().Named("stage:check")
	if err != nil || o == nil {
		return "no stage"
	}
	return o.Doc.(*flow.StageObject).Config.(*captcha.Config).PrivateKey
}

func rows(t *testing.T, site *Server, sql string, args ...any) (n int64) {
	t.Helper()
	if err := site.db.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestHistoryAndRollbackOverTheAPI(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		other := &office{t: t, site: start(t, s)}
		other.base = visit(t, other.site).base
		stage := o.must("POST", "stages/captcha/", m{"name": "check", "public_key": "a", "private_key": firstSecret})["pk"].(string)
		o.must("POST", "flows/instances/", m{"name": "Hello", "slug": "hello", "title": "Hello", "designation": "recovery"})
		then := o.site.catalog.Snapshot().Revision()
		o.must("PATCH", "stages/captcha/"+stage+"/", m{"public_key": "b", "private_key": secondSecret})
		o.must("DELETE", "flows/instances/hello/", nil)
		body := m{"name": "rule", "expression": "return True\n"}
		policy := o.must("POST", "policies/expression/", body)["pk"].(string)
		o.must("PATCH", "policies/expression/"+policy+"/", m{"expression": "x = 1\nreturn True\n"})
		now := o.site.catalog.Snapshot().Revision()

		list := o.must("GET", "weir/history/?page_size=2", nil)
		first := results(list)[0]
		if list["pagination"].(m)["count"] != float64(now) || first["revision"] != float64(now) || first["actor"] != "akadmin" || first["source"] != "api" || first["actor_pk"] == nil {
			t.Errorf("the history is %v", list)
		}
		if d := difference(first["changes"], "policy:rule"); d["op"] != "~" || fmt.Sprint(d["fields"]) != "[expression]" || d["model"] != "authentik_policies_expression.expressionpolicy" {
			t.Errorf("the newest revision is %v", first)
		}
		for filter, want := range map[string]int{"object=stage:check": 2, "object=hello": 2, "object=" + stage: 2, "kind=policy&actor=akadmin": 2, "source=first+start": 1, "actor=nobody": 0,
			"created__gt=2099-01-01T00:00:00Z": 0, "created__lt=2099-01-01T00:00:00Z&source=api": 6} {
			if got := o.must("GET", "weir/history/?"+filter, nil); len(results(got)) != want {
				t.Errorf("%s finds %d revisions, want %d", filter, len(results(got)), want)
			}
		}
		for path, status := range map[string]int{"weir/history/?created__gt=x": 400, "weir/history/?object=nothing": 400, "weir/history/77/": 404, "weir/history/0/": 404, "weir/history/x/": 404,
			"weir/diff/": 400, "weir/diff/?from=77": 404, "weir/diff/?from=1&to=x": 400, "weir/history/?page=9": 404} {
			if a := o.call(root, "GET", path, nil); a.status != status {
				t.Errorf("%s answers %d %s", path, a.status, a.raw)
			}
		}

		one := o.must("GET", fmt.Sprintf("weir/history/%d/", now), nil)
		if got := told(difference(one["changes"], "policy:rule")); got != "expression: [@@ -1,1 +1,2 @@ +x = 1  return True]" || one["known"] != true {
			t.Errorf("what the revision did: %s in %v", got, one)
		}
		diff := o.call(root, "GET", fmt.Sprintf("weir/diff/?from=%d", then), nil)
		if got := told(difference(diff.list, "stage:check")); got != "public_key: a -> b; private_key: secret <nil> <nil>" || len(diff.list) != 3 || difference(diff.list, "flow:hello")["op"] != "-" {
			t.Errorf("what has changed since: %s in %s", got, diff.raw)
		}
		if a := o.call(root, "GET", fmt.Sprintf("weir/diff/?from=%d&to=%d&object=hello", now, then), nil); len(a.list) != 1 || difference(a.list, "flow:hello")["op"] != "+" {
			t.Errorf("the other way round: %s", a.raw)
		}

		events, mails := o.events(), rows(t, o.site, "select count(*) from mails")
		path := fmt.Sprintf("weir/history/%d/rollback/", then)
		plan := o.must("POST", path, m{"dry_run": true})
		if len(plan["changes"].([]any)) != 3 || plan["revision"] != nil || plan["dry_run"] != true || captchaSecret(o.site) != secondSecret || o.site.catalog.Snapshot().Revision() != now || o.events() != events {
			t.Errorf("a dry run: %v", plan)
		}
		back := other.must("POST", path, nil) // on the other node, which has to catch up
		if back["revision"] != float64(now+1) || fmt.Sprint(back["changes"]) != fmt.Sprint(plan["changes"]) {
			t.Errorf("the rollback: %v", back)
		}
		if got := o.must("GET", "stages/captcha/"+stage+"/", nil); got["public_key"] != "a" || captchaSecret(o.site) != firstSecret || captchaSecret(other.site) != firstSecret {
			t.Errorf("the stage is %v", got)
		}
		o.must("GET", "flows/instances/hello/", nil)
		if a := o.call(root, "GET", "policies/expression/"+policy+"/", nil); a.status != 404 {
			t.Errorf("the policy of later is there: %d", a.status)
		}
		if n := rows(t, o.site, "select count(*) from mails"); n != mails {
			t.Errorf("%d mails", n-mails)
		}
		why := fmt.Sprintf("rollback to revision %d", then)
		recorded := m{}
		for _, e := range results(o.must("GET", "events/events/?page_size=3&ordering=-created", nil)) {
			context := e["context"].(m)
			recorded[fmt.Sprint(e["action"], " ", context["model"].(m)["name"])] = context["reason"]
		}
		for _, want := range []string{"model_updated check", "model_created hello", "model_deleted rule"} {
			if recorded[want] != why {
				t.Errorf("events: %v", recorded)
			}
		}
		if newest := results(o.must("GET", "weir/history/", nil))[0]; newest["source"] != why || newest["actor"] != "akadmin" {
			t.Errorf("the rollback in the history: %v", newest)
		}
		if again := o.must("POST", path, m{}); again["revision"] != nil || len(again["changes"].([]any)) != 0 {
			t.Errorf("a second time: %v", again)
		}
		only := o.must("POST", fmt.Sprintf("weir/history/%d/rollback/", now), m{"objects": []string{"hello", "policy:rule"}})
		if len(only["changes"].([]any)) != 2 || captchaSecret(o.site) != firstSecret {
			t.Errorf("two objects only: %v", only)
		}
	})
}

// What cannot be as it was is named, and nothing is changed.
func TestARollbackIsRefusedForPeopleWhoAreGone(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		flow := o.must("GET", "flows/instances/default-recovery-flow/", nil)["policybindingmodel_ptr_id"]
		ada, friends := o.user("ada", nil), o.group("Friends", nil)
		o.must("POST", "policies/bindings/", m{"target": flow, "user": ada, "order": 1})
		o.must("POST", "policies/bindings/", m{"target": flow, "group": friends, "order": 2})
		stage := o.must("POST", "stages/user_write/", m{"name": "write", "create_users_group": friends})["pk"].(string)
		then := o.site.catalog.Snapshot().Revision()
		if d := o.call(root, "GET", fmt.Sprintf("weir/diff/?from=%d", then-3), nil); !strings.Contains(d.raw, `"user:ada"`) || !strings.Contains(d.raw, `"group:Friends"`) {
			t.Errorf("people are not named: %s", d.raw)
		}
		o.must("DELETE", fmt.Sprintf("core/users/%d/", ada), nil)
		o.must("DELETE", "core/groups/"+friends+"/", nil)
		now := o.site.catalog.Snapshot().Revision()
		path := fmt.Sprintf("weir/history/%d/rollback/", then)
		a := o.call(root, "POST", path, m{})
		for _, want := range []string{fmt.Sprintf("there is no user %d any more", ada), "there is no group " + friends + " any more", "stage:write: create_users_group", "non_field_errors"} {
			if a.status != 400 || !strings.Contains(a.raw, want) {
				t.Errorf("%q is missing in %d %s", want, a.status, a.raw)
			}
		}
		if o.site.catalog.Snapshot().Revision() != now {
			t.Error("the refused rollback changed something")
		}
		o.must("DELETE", "stages/user_write/"+stage+"/", nil)
		o.must("POST", path, m{"unlink": true})
		if got := o.must("GET", "stages/user_write/"+stage+"/", nil); got["create_users_group"] != nil {
			t.Errorf("the stage is %v", got)
		}
		if n := len(results(o.must("GET", fmt.Sprintf("policies/bindings/?target=%v", flow), nil))); n != 0 {
			t.Errorf("%d bindings of people who are gone", n)
		}
	})
}

func TestRule46AndRule47OnlySuperusersSeeAndUndoTheHistory(t *testing.T) {
	o := openOffice(t, settings(t))
	then := o.site.catalog.Snapshot().Revision()
	o.must("POST", "stages/dummy/", m{"name": "later"})
	var everything []string
	for _, p := range o.site.kinds.Permissions() {
		everything = append(everything, p.Codename)
	}
	_, clerk := o.clerk("clerk", everything...)
	if a := o.call(clerk, "GET", "stages/dummy/", nil); a.status != 200 {
		t.Fatalf("the clerk holds nothing: %s", a.raw)
	}
	for _, r := range o.site.api.Routes() {
		if !strings.HasPrefix(r.Path, "weir/history/") && r.Path != "weir/diff/" && r.Path != "weir/drift/" {
			continue
		}
		path := strings.Replace(r.Path, "{revision}", fmt.Sprint(then), 1)
		if path == "weir/diff/" {
			path += "?from=1"
		}
		if a := o.call(clerk, r.Method, path, m{}); a.status != 403 {
			t.Errorf("%s %s answers somebody with all permissions with %d", r.Method, path, a.status)
		}
		if a := o.call("", r.Method, path, m{}); a.status != 403 {
			t.Errorf("%s %s answers a stranger with %d", r.Method, path, a.status)
		}
	}
	if o.site.catalog.Snapshot().Revision() != then+1 {
		t.Error("somebody went back")
	}
	if a := o.call(root, "POST", fmt.Sprintf("weir/history/%d/rollback/", then), m{}); a.status != 200 {
		t.Errorf("a superuser may not: %s", a.raw)
	}
}

func TestRule45TheHistoryAndPlansShowNoSecret(t *testing.T) {
	o := openOffice(t, settings(t))
	const entry = "version: 1\nentries:\n- {model: authentik_stages_captcha.captchastage, identifiers: {name: check}, attrs: {public_key: a, private_key: %s}}\n" +
		"- {model: authentik_core.user, identifiers: {username: bob}, attrs: {name: Bob, password: %s}}\n"
	first, second := fmt.Sprintf(entry, firstSecret, "the password of bob"), fmt.Sprintf(entry, secondSecret, "another password of bob")
	c := admin(t, o.site)
	var shown []string
	dry := func(file string) {
		t.Helper()
		status, body := c.send("managed/blueprints/import/", file, "dry_run", "true")
		if status != 200 || body["success"] != true {
			t.Fatalf("%d %v", status, body)
		}
		shown = append(shown, fmt.Sprint(body))
	}
	dry(first)
	apply(t, o.site, first)
	then := o.site.catalog.Snapshot().Revision()
	dry(second)
	apply(t, o.site, second)
	if captchaSecret(o.site) != secondSecret {
		t.Fatal("the secret is not stored, so the test proves nothing")
	}
	for _, path := range []string{"weir/history/", fmt.Sprintf("weir/history/%d/", then), fmt.Sprintf("weir/history/%d/", then+1), "weir/diff/?from=0", "weir/drift/"} {
		shown = append(shown, o.call(root, "GET", path, nil).raw)
	}
	shown = append(shown, o.call(root, "POST", fmt.Sprintf("weir/history/%d/rollback/", then), m{"dry_run": true}).raw, o.call(root, "POST", fmt.Sprintf("weir/history/%d/rollback/", then), m{}).raw,
		o.call(root, "GET", "events/events/?page_size=100", nil).raw)
	for _, text := range shown {
		for _, secret := range []string{firstSecret, secondSecret, "password of bob"} {
			if strings.Contains(text, secret) {
				t.Errorf("a secret is shown: %s", text)
			}
		}
	}
	if !strings.Contains(shown[1], "private_key") || captchaSecret(o.site) != firstSecret {
		t.Errorf("the change of a secret is not told, or not undone: %s", shown[1])
	}
}

// Another secret key seals the data key anew and nothing else, so old versions
// can still be opened.
func TestARollbackOpensSecretsOfBeforeAnotherSecretKey(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.SecretKey = Secret(strings.Repeat("k", 32))
		const entry = "version: 1\nentries: [{model: authentik_stages_captcha.captchastage, identifiers: {name: check}, attrs: {public_key: a, private_key: %s}}]\n"
		site, err := Open(t.Context(), Config{Settings: s, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		apply(t, site, fmt.Sprintf(entry, firstSecret))
		then := site.catalog.Snapshot().Revision()
		apply(t, site, fmt.Sprintf(entry, secondSecret))
		err = seal.Rewrap(t.Context(), site.db, []byte(s.SecretKey.Reveal()), []byte(strings.Repeat("n", 32)))
		if err := site.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		s.SecretKey = Secret(strings.Repeat("n", 32))
		site = start(t, s)
		if _, _, err := site.Rollback(t.Context(), Rollback{To: then}); err != nil || captchaSecret(site) != firstSecret {
			t.Errorf("the secret is %q, %v", captchaSecret(site), err)
		}
	})
}

// The address of the site is set where the program starts, whatever the settings
// once said.
func TestARollbackOfSettingsKeepsTheAddress(t *testing.T) {
	o := openOffice(t, settings(t))
	then := o.site.catalog.Snapshot().Revision()
	_, err := o.site.catalog.Update(t.Context(), catalog.Meta{Actor: "test"}, func(_ context.Context, tx *catalog.Tx) error {
		_, _, err := tx.Create(catalog.KindSettings, "", [16]byte{5}, m{"base_url": "https://old.example.com", "flags": m{"core_default_app_access": true,
			"enterprise_audit_include_expanded_diff": false, "flows_continuous_login": false, "flows_refresh_others": false}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	o.must("POST", fmt.Sprintf("weir/history/%d/rollback/", then), m{})
	a := o.call(root, "POST", fmt.Sprintf("weir/history/%d/rollback/", then+1), m{})
	if a.status != http.StatusBadRequest || !strings.Contains(a.raw, "base_url") {
		t.Errorf("the old address: %d %s", a.status, a.raw)
	}
}

func TestOldVersionsGoWhenTheyAreNotWanted(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		now := time.Now()
		site, err := Open(t.Context(), Config{Settings: s, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = site.Close(context.Background()) })
		for range 3 {
			apply(t, site, strings.NewReplacer("NAME", now.Format("02 Jan"), "VERDICT", "True").Replace(twoPages))
			now = now.Add(72 * time.Hour)
		}
		versions := func() int64 { return rows(t, site, "select count(*) from catalog_versions where not current") }
		before := versions()
		if n, err := site.forgetConfiguration(t.Context()); n != 0 || err != nil || versions() != before {
			t.Errorf("without a limit %d rows went, %v", n, err)
		}
		site.config.HistoryKeep = 100 * time.Hour
		if n, err := site.forgetConfiguration(t.Context()); n == 0 || err != nil || versions() >= before || versions() == 0 {
			t.Errorf("%d rows went, %v; %d of %d versions are left", n, err, versions(), before)
		}
		list, err := site.History(t.Context(), "", 100)
		if err != nil {
			t.Fatal(err)
		}
		oldest := list[len(list)-1].Number
		if _, _, err := site.Rollback(t.Context(), Rollback{To: oldest - 1}); !errors.Is(err, catalog.ErrNoRevision) {
			t.Errorf("back to what is forgotten: %v", err)
		}
		if _, _, err := site.Rollback(t.Context(), Rollback{To: oldest}); err != nil {
			t.Errorf("back to the oldest one: %v", err)
		}
	})
}
