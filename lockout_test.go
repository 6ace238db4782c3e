package weir

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/store"
)

// key is the id of the object of a kind that has a value in a field.
func (o *office) key(kind, name, value string) uuid.UUID {
	o.t.Helper()
	for _, one := range o.site.catalog.Snapshot().Objects(kind) {
		if v, _ := o.site.catalog.Snapshot().Value(one, name); fmt.Sprint(v) == value {
			return one.ID
		}
	}
	o.t.Fatalf("no %s has the %s %q", kind, name, value)
	return uuid.Nil
}

// locked checks that a call is refused by the guard and changes nothing.
func (o *office) locked(name, token, method, path string, body any, says string) {
	o.t.Helper()
	before := o.site.catalog.Snapshot().Revision()
	a := o.call(token, method, path, body)
	if a.status != 400 || a.object["code"] != "lockout" || !strings.Contains(fmt.Sprint(a.object["non_field_errors"]), says) {
		o.t.Errorf("%s: %d %s, want %q", name, a.status, a.raw, says)
	}
	if after := o.site.catalog.Snapshot().Revision(); after != before {
		o.t.Errorf("%s: revision %d became %d", name, before, after)
	}
}

// file writes a blueprint of these entries and returns its path.
func (o *office) file(entries string) string {
	o.t.Helper()
	path := filepath.Join(o.t.TempDir(), "change.yaml")
	if err := os.WriteFile(path, []byte("version: 1\nentries:\n"+entries), 0o600); err != nil {
		o.t.Fatal(err)
	}
	return path
}

// besides are objects that a way in can be changed with.
const besides = `
version: 1
entries:
- {model: authentik_flows.flow, id: other, identifiers: {slug: other}, attrs: {name: Other, title: Other, designation: authorization}}
- {model: authentik_flows.flow, id: open, identifiers: {slug: an-open-door}, attrs: {name: Open, title: Open, designation: authorization}}
- {model: authentik_flows.flow, id: good, identifiers: {slug: good}, attrs: {name: Good, title: Good, designation: authorization}}
- {model: authentik_stages_deny.denystage, identifiers: {name: deny}}
- {model: authentik_policies_dummy.dummypolicy, identifiers: {name: never}, attrs: {result: false}}
- {model: authentik_policies_expression.expressionpolicy, identifiers: {name: maybe}, attrs: {expression: return request.user.is_active}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf open, order: 0, stage: !Find [authentik_stages_identification.identificationstage, [name, default-authentication-identification]]}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf open, order: 1, stage: !Find [authentik_stages_user_login.userloginstage, [name, default-authentication-login]]}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf good, order: 0, stage: !Find [authentik_stages_identification.identificationstage, [name, default-authentication-identification]]}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf good, order: 1, stage: !Find [authentik_stages_password.passwordstage, [name, default-authentication-password]]}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf good, order: 2, stage: !Find [authentik_stages_user_login.userloginstage, [name, default-authentication-login]]}}
`

// unbinds takes a stage out of the default sign-in.
const unbinds = `
- model: authentik_flows.flowstagebinding
  state: absent
  identifiers:
    target: !Find [authentik_flows.flow, [slug, default-authentication-flow]]
    stage: !Find [authentik_stages_user_login.userloginstage, [name, default-authentication-login]]
`

func TestNobodyTakesTheSignInAway(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		o.must("DELETE", "flows/instances/default-passwordless-authentication/", nil) // another way in
		apply(t, o.site, besides)
		const flows, bindings = "flows/instances/default-authentication-flow/", "flows/bindings/"
		signIn := o.key(catalog.KindFlow, "slug", "default-authentication-flow")
		other, good := o.key(catalog.KindFlow, "slug", "other"), o.key(catalog.KindFlow, "slug", "good")
		brand := fmt.Sprintf("core/brands/%s/", o.key(catalog.KindBrand, "default", "true"))
		stage := func(name string) uuid.UUID { return o.key(catalog.KindStage, "name", name) }
		policy := func(name string) uuid.UUID { return o.key(catalog.KindPolicy, "name", name) }
		bound := func(name string) string {
			for _, b := range o.site.view().Bindings(signIn) {
				if b.Stage == stage("default-authentication-"+name) {
					return b.ID.String()
				}
			}
			t.Fatalf("%s is not bound", name)
			return ""
		}
		const credential = "checks a password or another credential"
		for _, row := range []struct {
			name, method, path string
			body               any
			says               string
		}{
			{"the login is unbound", "DELETE", bindings + bound("login") + "/", nil, `the flow "default-authentication-flow", and no path of it reaches a login`},
			{"the login is deleted", "DELETE", fmt.Sprintf("stages/user_login/%s/", stage("default-authentication-login")), nil, "reaches a login"},
			{"the login is left out for sure", "POST", "policies/bindings/", m{"policy": policy("never"), "target": bound("login"), "order": 0}, "reaches a login"},
			{"a denial comes first", "POST", bindings, m{"target": signIn, "stage": stage("deny"), "order": 0}, "reaches a login"},
			{"policies refuse everybody", "POST", "policies/bindings/", m{"policy": policy("never"), "target": signIn, "order": 0}, "its policies always fail"},
			{"only people who are signed in come in", "PATCH", flows, m{"authentication": "require_authenticated"}, "without a session or a link"},
			{"the flow is deleted", "DELETE", flows, nil, "no flow is left that signs people in"},
			{"the brand names another flow", "PATCH", brand, m{"flow_authentication": other}, `the flow "other", and no path of it reaches a login`},
			{"the brand names one that asks for nothing", "PATCH", brand, m{"flow_authentication": o.key(catalog.KindFlow, "slug", "an-open-door")}, credential},
			{"the identification is unbound", "DELETE", bindings + bound("identification") + "/", nil, "reaches a login"},
		} {
			o.locked(row.name, root, row.method, row.path, row.body, row.says)
		}
		// What is left without a password is a way in for those who have a second factor.
		o.must("DELETE", bindings+bound("password")+"/", nil)
		o.locked("the last credential is unbound", root, "DELETE", bindings+bound("mfa-validation")+"/", nil, credential)
		o.must("POST", bindings, m{"target": signIn, "stage": stage("default-authentication-password"), "order": 20, "re_evaluate_policies": true})

		for name, dry := range map[string]bool{"files": false, "a dry run of files": true} {
			_, err := o.site.Apply(t.Context(), []string{o.file(unbinds)}, dry)
			var problems BlueprintErrors
			if !errors.As(err, &problems) || len(problems) != 1 || problems[0].Code != "lockout" || !strings.Contains(err.Error(), "reaches a login") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if r := visit(t, o.site).signIn("akadmin", "correct horse"); r.component() != "xak-flow-redirect" {
			t.Fatalf("signing in after all that was refused: %s", r.raw)
		}

		// What may still let somebody in.
		for _, body := range []m{{"policy": policy("maybe"), "target": signIn, "order": 0}, {"policy": policy("maybe"), "target": bound("login"), "order": 0},
			{"policy": policy("never"), "target": bound("mfa-validation"), "order": 0}, {"policy": policy("never"), "target": signIn, "order": 1, "enabled": false}} {
			o.must("POST", "policies/bindings/", body)
		}
		o.must("POST", bindings, m{"target": signIn, "stage": stage("deny"), "order": 200})
		o.must("PATCH", brand, m{"flow_authentication": good})
		o.must("DELETE", flows, nil)
		o.must("PATCH", "flows/instances/good/", m{"designation": "authentication"})
		o.must("PATCH", brand, m{"flow_authentication": nil})
		o.locked("the last flow of the designation is given another", root, "PATCH", "flows/instances/good/", m{"designation": "authorization"}, "no flow is left")
	})
}

func TestNobodyTakesTheLastAdministratorAway(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		group := results(o.must("GET", "core/groups/?is_superuser=true", nil))[0]["pk"].(string)
		admin := o.admin()
		user, groups := fmt.Sprintf("core/users/%d/", admin), "core/groups/"+group+"/"
		// None of these can sign in and administer.
		robot := o.user("robot", m{"groups": []string{group}})
		o.member("gone", "words")
		o.must("PATCH", fmt.Sprintf("core/users/%v/", o.find("gone")), m{"groups": []string{group}, "is_active": false})
		o.member("plain", "words")
		token := o.token(robot)
		refused := func(name, method, path string, body any) {
			t.Helper()
			o.locked(name, token, method, path, body, "no active administrator would have a password or a passkey")
		}
		refused("they are deactivated", "PATCH", user, m{"is_active": false})
		refused("they are deleted", "DELETE", user, nil)
		refused("they lose their groups", "PATCH", user, m{"groups": []string{}})
		refused("they are taken out of the group", "POST", groups+"remove_user/", m{"pk": admin})
		refused("the group loses them", "PATCH", groups, m{"users": []int64{robot}})
		refused("the group makes no superusers any more", "PATCH", groups, m{"is_superuser": false})
		refused("the group is deleted", "DELETE", groups, nil)
		for name, file := range map[string]string{
			"deactivated by a file":           "- {model: authentik_core.user, identifiers: {username: akadmin}, attrs: {is_active: false}}\n",
			"deleted by a file":               "- {model: authentik_core.user, identifiers: {username: akadmin}, state: absent}\n",
			"an unusable password by a file":  "- {model: authentik_core.user, identifiers: {username: akadmin}, attrs: {password_hash: \"!\"}}\n",
			"a group without power by a file": "- {model: authentik_core.group, identifiers: {pk: " + group + "}, attrs: {is_superuser: false}}\n",
		} {
			var problems BlueprintErrors
			if _, err := o.site.Apply(t.Context(), []string{o.file(file)}, false); !errors.As(err, &problems) || problems[0].Code != "lockout" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if r := visit(t, o.site).signIn("akadmin", "correct horse"); r.component() != "xak-flow-redirect" {
			t.Fatalf("signing in after all that was refused: %s", r.raw)
		}

		// A second one, by a group in the group, with a passkey alone.
		below := o.group("below", m{"parents": []string{group}})
		pat := o.user("pat", m{"groups": []string{below}})
		device := fmt.Sprintf("authenticators/admin/webauthn/%d/", o.passkey(pat, true))
		o.passkey(robot, false)
		if a := o.call(token, "PATCH", user, m{"is_active": false}); a.status != 200 {
			t.Errorf("with a second administrator: %d %s", a.status, a.raw)
		}
		refused("their last passkey is deleted", "DELETE", device, nil)
		refused("their group leaves the other", "PATCH", "core/groups/"+below+"/", m{"parents": []string{}})
		if a := o.call(token, "PATCH", user, m{"is_active": true}); a.status != 200 {
			t.Errorf("the first one is back: %d %s", a.status, a.raw)
		}
		if a := o.call(token, "DELETE", device, nil); a.status != 204 {
			t.Errorf("the passkey of one of two: %d %s", a.status, a.raw)
		}
		refused("the first one is the last again", "DELETE", user, nil)
	})
}

// Of those who take each other away at the same time one is left.
func TestOneOfManyAdministratorsStays(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		group := results(o.must("GET", "core/groups/?is_superuser=true", nil))[0]["pk"].(string)
		token := o.token(o.user("robot", m{"groups": []string{group}}))
		users := []int64{o.admin()}
		for i := range 7 {
			id := o.member(fmt.Sprintf("admin%d", i), "words")
			o.must("PATCH", fmt.Sprintf("core/users/%d/", id), m{"groups": []string{group}})
			users = append(users, id)
		}
		ends := make([]int, len(users))
		var wg sync.WaitGroup
		for i, id := range users {
			wg.Go(func() {
				ends[i] = o.call(token, "PATCH", fmt.Sprintf("core/users/%d/", id), m{"is_active": false}).status
			})
		}
		wg.Wait()
		slices.Sort(ends)
		if want := append(slices.Repeat([]int{200}, len(users)-1), 400); !slices.Equal(ends, want) {
			t.Errorf("answers %v, want %v", ends, want)
		}
	})
}

// find is the key of a user.
func (o *office) find(name string) int64 {
	o.t.Helper()
	return int64(results(o.must("GET", "core/users/?username="+name, nil))[0]["pk"].(float64))
}

func (o *office) admin() int64 { return o.find("akadmin") }

// passkey stores one, which nobody has, and returns its key.
func (o *office) passkey(user int64, confirmed bool) int64 {
	o.t.Helper()
	d := &authenticator.Device{User: user, Class: "webauthn", Name: "key", Confirmed: confirmed, Handle: uuid.NewString()}
	if err := o.site.db.Write(o.t.Context(), func(ctx context.Context, tx store.Tx) error { return o.site.authenticators.Add(ctx, tx, d) }); err != nil {
		o.t.Fatal(err)
	}
	return d.ID
}

// Nor do they go by themselves, as a flow lets people do.
func TestTheLastAdministratorDoesNotLeave(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := recipes(t, s, "unenrollment.yaml")
		c := o.signedIn("akadmin", "correct horse")
		if r := c.fills("default-unenrollment-flow", `{"confirmation":"akadmin"}`); r.component() != "ak-stage-access-denied" || !strings.Contains(fmt.Sprint(r.body["error_message"]), "last administrator") {
			t.Errorf("leaving ends with %s", r.raw)
		}
		group := results(o.must("GET", "core/groups/?is_superuser=true", nil))[0]["pk"]
		o.must("PATCH", fmt.Sprintf("core/users/%d/", o.member("second", "words")), m{"groups": []any{group}})
		if r := o.signedIn("akadmin", "correct horse").fills("default-unenrollment-flow", `{"confirmation":"akadmin"}`); r.component() != "xak-flow-redirect" {
			t.Errorf("leaving the house to another ends with %s", r.raw)
		}
	})
}

func TestALockoutIsForced(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		o.must("DELETE", "flows/instances/default-passwordless-authentication/", nil)
		c := visit(t, o.site)
		const path = "/api/v3/flows/instances/default-authentication-flow/"
		deny := `{"authentication":"require_authenticated"}`
		_, clerk := o.clerk("clerk", "authentik_flows.view_flow", "authentik_flows.change_flow")
		for name, header := range map[string][]string{"another value": {rootToken, "yes"}, "no superuser": {clerk, "lockout"}} {
			if r := c.as(header[0], "PATCH", path, deny, "Weir-Force", header[1]); r.status != 400 || r.body["code"] != "lockout" {
				t.Errorf("%s: %d %s", name, r.status, r.raw)
			}
		}
		if strings.Contains(o.events(), "configuration_warning") {
			t.Error("a refusal is recorded as a change")
		}
		if r := c.as(rootToken, "PATCH", path, deny, "Weir-Force", "lockout"); r.status != 200 {
			t.Fatalf("by force: %d %s", r.status, r.raw)
		}
		e := o.latest("configuration_warning")
		if said := fmt.Sprint(e["context"]); !strings.Contains(said, "without a session or a link") || !strings.Contains(said, "cause:api") || e["user"].(m)["username"] != "akadmin" {
			t.Errorf("the event says %v", e)
		}
		shut := o.site.catalog.Snapshot().Revision()
		// What does not work is built up in any order, and nothing else is held up.
		o.must("PATCH", "core/brands/"+o.key(catalog.KindBrand, "default", "true").String()+"/", m{"branding_title": "Shut"})
		o.must("DELETE", "flows/instances/default-authentication-flow/", nil)
		flow := o.must("POST", "flows/instances/", m{"name": "new", "slug": "new", "title": "new", "designation": "authentication"})["pk"]
		for i, name := range []string{"identification", "login", "password"} {
			o.must("POST", "flows/bindings/", m{"target": flow, "stage": o.key(catalog.KindStage, "name", "default-authentication-"+name), "order": []int{0, 20, 10}[i]})
		}
		o.locked("as soon as it works it is kept", root, "DELETE", "flows/instances/new/", nil, "no flow is left")

		for name, dry := range map[string]bool{"going back": false, "a dry run of it": true} {
			if _, _, err := o.site.Rollback(t.Context(), Rollback{To: shut, DryRun: dry}); err == nil || !strings.Contains(err.Error(), "nobody could sign in") {
				t.Errorf("%s to where nobody could sign in: %v", name, err)
			}
		}
		o.locked("going back by the API", root, "POST", fmt.Sprintf("weir/history/%d/rollback/", shut), m{}, "nobody could sign in")
		if _, changes, err := o.site.Rollback(t.Context(), Rollback{To: shut, Force: true, DryRun: true}); err != nil || len(changes) == 0 {
			t.Errorf("going back by force: %v, %v", changes, err)
		}

		file := o.file("- {model: authentik_core.user, identifiers: {username: akadmin}, attrs: {is_active: false}}\n")
		n := strings.Count(o.events(), "configuration_warning")
		if _, err := o.site.ForceApply(t.Context(), []string{file}, true); err != nil {
			t.Errorf("a dry run by force: %v", err)
		}
		if strings.Count(o.events(), "configuration_warning") != n {
			t.Error("a dry run leaves an event")
		}
		if _, err := o.site.ForceApply(t.Context(), []string{file}, false); err != nil {
			t.Errorf("a file by force: %v", err)
		}
		if strings.Count(o.events(), "configuration_warning") != n+1 {
			t.Error("no event tells of the file")
		}
	})
}

// A kept blueprint is refused like a file, when it is tried and when it is applied.
func TestAKeptBlueprintLocksNobodyOut(t *testing.T) {
	o := openOffice(t, settings(t))
	content := func(of string) m { return m{"name": of, "content": "version: 1\nentries:\n" + of} }
	if a := o.call(root, "POST", "managed/blueprints/", content(unbinds)); a.status != 400 || !strings.Contains(a.raw, "reaches a login") {
		t.Errorf("one that would lock everybody out is kept: %d %s", a.status, a.raw)
	}
	status, got := admin(t, o.site).send("managed/blueprints/import/", "version: 1\nentries:\n"+unbinds)
	if status != 200 || got["success"] != false || !strings.Contains(fmt.Sprint(got["logs"]), "reaches a login") {
		t.Errorf("an import says %d %v", status, got)
	}
	other := o.member("other", "words")
	group := results(o.must("GET", "core/groups/?is_superuser=true", nil))[0]["pk"]
	o.must("PATCH", fmt.Sprintf("core/users/%d/", other), m{"groups": []any{group}})
	body := content("- {model: authentik_core.user, identifiers: {username: other}, attrs: {name: \"!\", is_active: false}}\n")
	made := o.must("POST", "managed/blueprints/", body)
	o.must("PATCH", fmt.Sprintf("core/users/%d/", other), m{"is_active": true})
	// From now on the other one is the last.
	if _, err := o.site.db.Exec(t.Context(), "update users set password_hash = '!' where username = 'akadmin'"); err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("managed/blueprints/%v/", made["pk"])
	o.must("POST", path+"apply/", nil)
	if status := o.must("GET", path, nil)["status"]; status != "error" {
		t.Errorf("the blueprint is %v", status)
	}
	if o.must("GET", fmt.Sprintf("core/users/%d/", other), nil)["is_active"] != true {
		t.Error("the last administrator was deactivated")
	}
}

// A site without an administrator who can sign in is set up in any order.
func TestASiteIsBuiltUpInAnyOrder(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.Bootstrap.Token = root
		site := start(t, s)
		o := &office{t, site, visit(t, site).base}
		if reason := noSignIn(site.catalog.Snapshot(), time.Now()); reason != "" {
			t.Errorf("as it is shipped: %s", reason)
		}
		o.must("DELETE", fmt.Sprintf("core/users/%d/", o.user("ada", nil)), nil)
		second := o.user("second", m{"groups": []any{results(o.must("GET", "core/groups/?is_superuser=true", nil))[0]["pk"]}})
		o.must("PATCH", fmt.Sprintf("core/users/%d/", second), m{"groups": []any{}})
		if kinds := o.events(); slices.Contains(strings.Fields(kinds), "configuration_warning") {
			t.Errorf("events: %s", kinds)
		}
	})
}

// between runs something after the first question of a transaction.
type between struct {
	store.Tx
	then func()
}

type betweenRow struct {
	store.Row
	then func()
}

func (b *between) QueryRow(ctx context.Context, sql string, args ...any) store.Row {
	then := b.then
	b.then = func() {}
	return betweenRow{b.Tx.QueryRow(ctx, sql, args...), then}
}

func (r betweenRow) Scan(dest ...any) error {
	err := r.Row.Scan(dest...)
	r.then()
	return err
}

// A way in that another node gives while a write looks for one is nothing that the write
// takes away. With SQLite nobody can write between.
func TestAnAdministratorWhoComesMeanwhileIsNotLost(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		if s.DatabaseURL == "" {
			return
		}
		o := openOffice(t, s)
		admin := o.admin()
		o.exec(fmt.Sprintf("update users set password_hash = '!' where id = %d", admin))
		err := o.site.db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
			lost, err := o.site.losesAdministrators(ctx, &between{tx, func() { o.password("akadmin", "a way in from elsewhere") }})
			if lost {
				t.Error("it is taken for lost")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
