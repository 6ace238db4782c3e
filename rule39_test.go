package weir

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"strings"
	"testing"
	"time"
)

const reauthFlow = "/api/v3/flows/executor/default-reauthentication-flow/"

// age makes all sessions as old as that.
func (o *office) age(by time.Duration) {
	o.t.Helper()
	if _, err := o.site.db.Exec(o.t.Context(), "update sessions set created = $1", time.Now().UTC().Add(-by)); err != nil {
		o.t.Fatal(err)
	}
}

// imports uploads a blueprint from the browser.
func (c *client) imports(file string) reply {
	c.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "own.yaml")
	if err == nil {
		_, err = part.Write([]byte(file))
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return c.do("POST", "/api/v3/managed/blueprints/import/", body.String(), "Content-Type", form.FormDataContentType())
}

func TestRule39TheAPIAsksForARecentSignIn(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openRecovery(t, s)
		max := o.member("max", "first")
		boss := o.number("akadmin")
		c, chief := o.signedIn("max", "first"), o.signedIn("akadmin", "correct horse")
		const tokens = "/api/v3/core/tokens/"
		o.age(14 * time.Minute)
		for who, name := range map[*client]string{c: "of-max", chief: "of-chief"} {
			if r := who.do("POST", tokens, fmt.Sprintf(`{"identifier":%q}`, name)); r.status != 201 {
				t.Fatalf("within the quarter of an hour: %d %s", r.status, r.raw)
			}
		}
		if r := c.do("GET", tokens+"of-max/view_key/", ""); r.status != 200 {
			t.Errorf("the key within the quarter of an hour: %d", r.status)
		}
		o.age(16 * time.Minute)
		own, others := fmt.Sprintf("/api/v3/core/users/%d/", boss), fmt.Sprintf("/api/v3/core/users/%d/", max)
		for _, row := range []struct {
			name, method, path, body string
			c                        *client
			status                   int
		}{
			{"a token of one's own", "POST", tokens, `{"identifier":"t1"}`, c, 403},
			{"an app password", "POST", tokens, `{"identifier":"t2","intent":"app_password"}`, c, 403},
			{"by naming oneself", "POST", tokens, fmt.Sprintf(`{"identifier":"t3","user":%d}`, max), c, 403},
			{"also for administrators", "POST", tokens, `{"identifier":"t4"}`, chief, 403},
			{"a key of one's choice", "POST", tokens + "of-max/set_key/", `{"key":"a key of my own choice"}`, c, 403},
			{"a look at the key", "GET", tokens + "of-max/view_key/", "", c, 403},
			{"a longer life", "PATCH", tokens + "of-max/", `{"expires":"2099-01-01T00:00:00Z"}`, c, 403},
			{"for ever", "PATCH", tokens + "of-max/", `{"expiring":false}`, c, 403},
			{"the own password", "POST", own + "set_password/", `{"password":"another one"}`, chief, 403},
			{"the own hash", "POST", own + "set_password_hash/", `{"password":"!x"}`, chief, 403},
			{"the own address", "PATCH", own, `{"email":"new@example.com"}`, chief, 403},
			{"the own user name", "PATCH", own, `{"username":"new"}`, chief, 403},
			{"a link back into the own account", "POST", own + "recovery/", "{}", chief, 403},

			{"another description", "PATCH", tokens + "of-max/", `{"description":"new"}`, c, 200},
			{"the own name", "PATCH", own, `{"name":"The chief"}`, chief, 200},
			{"a token of somebody else", "POST", tokens, fmt.Sprintf(`{"identifier":"t5","user":%d}`, max), chief, 201},
			{"somebody else's key", "GET", tokens + "of-max/view_key/", "", chief, 200},
			{"a link for somebody else", "POST", others + "recovery/", "{}", chief, 200},
			{"somebody else's address", "PATCH", others, `{"email":"max@example.org"}`, chief, 200},
			{"deleting", "DELETE", tokens + "of-chief/", "", chief, 204},
		} {
			r := row.c.do(row.method, row.path, row.body)
			if detail := fmt.Sprint(r.body["detail"]); r.status != row.status || r.status == 403 && !strings.Contains(detail, "/if/flow/default-reauthentication-flow/") {
				t.Errorf("%s: %d %s", row.name, r.status, r.raw)
			}
		}
		blueprint := "entries: [{model: authentik_core.token, identifiers: {identifier: %s}, attrs: {intent: api, user: %d}}]\n"
		if r := chief.imports(fmt.Sprintf(blueprint, "filed", boss)); r.body["success"] == true || o.call(root, "GET", "core/tokens/filed/", nil).status != 404 {
			t.Errorf("by a blueprint: %d %s", r.status, r.raw)
		}
		if r := chief.imports(fmt.Sprintf(blueprint, "filed", max)); r.body["success"] != true {
			t.Errorf("by a blueprint, for somebody else: %d %s", r.status, r.raw)
		}
		if r := chief.imports("entries: [{model: authentik_core.user, identifiers: {username: akadmin}, attrs: {password: another one}}]\n"); r.body["success"] == true {
			t.Errorf("the own password by a blueprint: %d %s", r.status, r.raw)
		}
		if r := visit(t, o.site).signIn("akadmin", "correct horse"); r.component() != "xak-flow-redirect" {
			t.Errorf("with the password of before: %v", r.body)
		}
		if r := chief.imports("entries: [{model: authentik_core.user, identifiers: {username: akadmin}, attrs: {password: correct horse}}]\n"); r.body["success"] != true {
			t.Errorf("the password that they have: %d %s", r.status, r.raw)
		}
		// A program has no sign-in that could be old.
		if a := o.call(root, "POST", "core/tokens/", m{"identifier": "t6"}); a.status != 201 {
			t.Errorf("with a token: %d %s", a.status, a.raw)
		}
		if r := c.fills("default-reauthentication-flow", `{"password":"first"}`); r.component() != "xak-flow-redirect" {
			t.Fatalf("signed in again: %v", r.body)
		}
		if r := c.do("POST", tokens, `{"identifier":"t7"}`); r.status != 201 {
			t.Errorf("afterwards: %d %s", r.status, r.raw)
		}
		if r := chief.do("POST", tokens, `{"identifier":"t8"}`); r.status != 403 {
			t.Errorf("after the sign-in of somebody else: %d", r.status)
		}
	})
}

// An app password that was found must not make another, which would outlive it.
func TestRule39AnAppPasswordIsNoRecentSignIn(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		o.member("max", "first")
		c := o.signedIn("max", "first")
		if r := c.do("POST", "/api/v3/core/tokens/", `{"identifier":"mail","intent":"app_password"}`); r.status != 201 {
			t.Fatalf("%d %s", r.status, r.raw)
		}
		password := c.do("GET", "/api/v3/core/tokens/mail/view_key/", "").body["key"].(string)
		found := o.signedIn("max", password)
		for name, r := range map[string]reply{
			"an API token":    found.do("POST", "/api/v3/core/tokens/", `{"identifier":"x"}`),
			"a longer life":   found.do("PATCH", "/api/v3/core/tokens/mail/", `{"expiring":false}`),
			"the key of this": found.do("GET", "/api/v3/core/tokens/mail/view_key/", ""),
		} {
			if r.status != 403 {
				t.Errorf("%s: %d %s", name, r.status, r.raw)
			}
		}
		found.do("GET", reauthFlow, "")
		if r := found.follow(found.do("POST", reauthFlow, fmt.Sprintf(`{"password":%q}`, password))); r.component() != "ak-stage-password" {
			t.Errorf("signing in again with it: %v", r.body)
		}
		if r := found.follow(found.do("POST", reauthFlow, `{"password":"first"}`)); r.component() != "xak-flow-redirect" {
			t.Fatalf("signing in again with the password: %v", r.body)
		}
		if r := found.do("POST", "/api/v3/core/tokens/", `{"identifier":"x"}`); r.status != 201 {
			t.Errorf("afterwards: %d %s", r.status, r.raw)
		}
	})
}

// Signing in again gives the same person another session, and nobody else a
// place in it.
func TestRule06SigningInAgainIsForTheSamePerson(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		const next, to = "?query=next%3D%252Fif%252Fuser%252Fx%252F", "/if/user/x/"
		o := openOffice(t, s)
		max := o.member("max", "first")
		c := o.signedIn("max", "first")
		o.age(time.Hour)
		if r := visit(t, o.site).do("GET", reauthFlow, ""); r.component() != "ak-stage-access-denied" {
			t.Errorf("a stranger gets %v", r.body)
		}
		before := c.session()
		for name, wrong := range map[string]string{"another person's password": `{"password":"correct horse"}`, "with their name": `{"uid_field":"akadmin","password":"correct horse"}`,
			"with their number": `{"pending_user":1,"password":"correct horse"}`} {
			c.do("GET", reauthFlow, "")
			if r := c.follow(c.do("POST", reauthFlow, wrong)); r.component() != "ak-stage-password" || c.who() != "max" || c.session() != before {
				t.Errorf("%s: %v as %s", name, r.body, c.who())
			}
		}
		if r := c.do("POST", "/api/v3/core/tokens/", `{"identifier":"x"}`); r.status != 403 {
			t.Errorf("after wrong passwords: %d", r.status)
		}
		c.do("GET", reauthFlow+next, "")
		if r := c.follow(c.do("POST", reauthFlow+next, `{"password":"first"}`)); r.component() != "xak-flow-redirect" || r.body["to"] != to {
			t.Fatalf("signed in again: %v", r.body)
		}
		if c.who() != "max" || c.session() == before {
			t.Errorf("now %s, in the same session: %v", c.who(), c.session() == before)
		}
		if r := visit(t, o.site).do("GET", "/api/v3/core/users/me/", "", "Cookie", "authentik_session="+before); r.status != 403 {
			t.Errorf("the old session still opens: %d", r.status)
		}
		if n, err := o.site.CountSessions(t.Context(), max); err != nil || n != 1 {
			t.Errorf("%d sessions: %v", n, err)
		}
	})
}

// number is the key of a user.
func (o *office) number(name string) int64 {
	o.t.Helper()
	return int64(results(o.must("GET", "core/users/?username="+name, nil))[0]["pk"].(float64))
}
