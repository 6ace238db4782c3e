package weir

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/blueprint"
	"github.com/weir-id/weir/internal/session/token"
	"github.com/weir-id/weir/internal/store"
)

const adminKey = "a-bootstrap-token-of-some-length"

// caller is somebody who calls the API with a token.
type caller struct {
	*client
	id  int64
	key string
}

func (c *caller) call(method, path, body string) reply {
	c.t.Helper()
	return c.do(method, "/api/v3/"+path, body, "Authorization", "Bearer "+c.key)
}

// send posts a form with a file, unless it is empty, and values.
func (c *caller) send(path, file string, values ...string) (int, map[string]any) {
	c.t.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	if file != "" {
		part, err := form.CreateFormFile("file", "upload.yaml")
		if err != nil {
			c.t.Fatal(err)
		}
		if _, err := io.WriteString(part, file); err != nil {
			c.t.Fatal(err)
		}
	}
	for i := 0; i < len(values); i += 2 {
		if err := form.WriteField(values[i], values[i+1]); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		c.t.Fatal(err)
	}
	r := c.do("POST", "/api/v3/"+path, b.String(), "Authorization", "Bearer "+c.key, "Content-Type", form.FormDataContentType())
	return r.status, r.body
}

func admin(t *testing.T, site *Server) *caller {
	return &caller{visit(t, site), 1, adminKey}
}

// delegate is somebody who holds the permissions for all objects.
func delegate(t *testing.T, site *Server, name string, permissions ...string) *caller {
	t.Helper()
	id, err := site.CreateUser(t.Context(), NewUser{Username: name, Name: name})
	if err != nil {
		t.Fatal(err)
	}
	key := "a-token-of-some-length-for-" + name
	err = site.db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
		role, err := site.access.CreateRole(ctx, tx, "role of "+name)
		if err != nil {
			return err
		}
		for _, p := range permissions {
			if err := site.access.Grant(ctx, tx, access.Grant{Role: role, Permission: p}); err != nil {
				return err
			}
		}
		if err := site.access.AddUser(ctx, tx, role, id); err != nil {
			return err
		}
		_, err = site.tokens.Create(ctx, tx, &token.Token{Identifier: name, Intent: token.API, UserID: id}, key)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return &caller{visit(t, site), id, key}
}

// writing are the permissions to write objects of the kinds through a file.
func writing(kinds ...string) []string {
	var out []string
	for _, kind := range kinds {
		out = append(out, "view_"+kind, "add_"+kind, "change_"+kind, "delete_"+kind)
	}
	return out
}

func quote(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

const dummyStage = "version: 1\nmetadata: {name: A stage}\nentries: [{model: authentik_stages_dummy.dummystage, id: the-stage, identifiers: {name: %s}}]\n"

func stageNames(site *Server) string {
	var names []string
	for _, o := range site.catalog.Snapshot().Objects("stage") {
		if o.Type == "dummy" {
			names = append(names, site.catalog.Snapshot().DisplayName(o))
		}
	}
	return strings.Join(names, " ")
}

func withFolder(t *testing.T, s *Settings, files map[string]string) {
	t.Helper()
	s.Bootstrap.Token, s.Blueprints = adminKey, t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(s.Blueprints, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

const byHand = "version: 1\nmetadata: {name: By hand, labels: {blueprints.goauthentik.io/instantiate: \"false\"}}\n"

func TestInstancesOfBlueprints(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		withFolder(t, &s, map[string]string{"hand.yaml": byHand + "entries: [{model: authentik_stages_dummy.dummystage, identifiers: {name: !Context [who, hand]}}]\n"})
		site := start(t, s)
		c := admin(t, site)

		made := c.call("POST", "managed/blueprints/", `{"name":"one","content":`+quote(t, fmt.Sprintf(dummyStage, "one"))+`}`)
		if made.status != 201 || made.body["status"] != "successful" || len(fmt.Sprint(made.body["last_applied_hash"])) != 128 || stageNames(site) != "one" {
			t.Fatalf("created: %d %v, stages %q", made.status, made.body, stageNames(site))
		}
		if meta, _ := made.body["metadata"].(map[string]any); meta["name"] != "A stage" {
			t.Errorf("metadata %v", made.body["metadata"])
		}
		if _, shown := made.body["authors"]; shown {
			t.Error("the answer shows who wrote it")
		}
		if at, err := time.Parse(time.RFC3339, fmt.Sprint(made.body["last_applied"])); err != nil || at.Year() < 2020 {
			t.Errorf("last_applied %v", made.body["last_applied"])
		}
		path := fmt.Sprintf("managed/blueprints/%v/", made.body["pk"])

		rows := []struct {
			name, method, path, body string
			status                   int
			field, holds             string
		}{
			{"oci", "POST", "managed/blueprints/", `{"name":"x","path":"oci://ghcr.io/x"}`, 400, "path", "OCI"},
			{"a path that is not there", "POST", "managed/blueprints/", `{"name":"x","path":"none.yaml"}`, 400, "path", "none.yaml"},
			{"a path outside", "POST", "managed/blueprints/", `{"name":"x","path":"../hand.yaml"}`, 400, "path", "available"},
			{"neither", "POST", "managed/blueprints/", `{"name":"x"}`, 400, "non_field_errors", "path or content"},
			{"a taken name", "POST", "managed/blueprints/", `{"name":"one","path":"hand.yaml"}`, 400, "name", "exists"},
			{"no blueprint", "POST", "managed/blueprints/", `{"name":"x","content":"version: 2\nentries: [{}]\n"}`, 400, "content", "line 2, column 11"},
			{"a trial that fails", "POST", "managed/blueprints/", `{"name":"x","content":"entries:\n- {model: authentik_flows.flow, identifiers: {slug: s}}\n"}`, 400, "content", "In line 2, column 3: entry 1 (authentik_flows.flow): field designation"},
			{"all problems at once", "POST", "managed/blueprints/", `{"name":"x","content":"entries:\n- {model: authentik_flows.flow, identifiers: {slug: s}}\n- {model: x}\n"}`, 400, "content", "field designation"},
			{"the same on a change", "PATCH", path, `{"content":"entries:\n- {model: authentik_flows.flow, identifiers: {slug: s}}\n"}`, 400, "content", "designation"},
			{"only enabled", "PATCH", path, `{"enabled":false}`, 200, "", ""},
			{"apply leaves it alone", "POST", path + "apply/", "", 200, "", ""},
		}
		for _, row := range rows {
			r := c.call(row.method, row.path, row.body)
			if r.status != row.status || !strings.Contains(fmt.Sprint(r.body[row.field]), row.holds) {
				t.Errorf("%s: %d %v", row.name, r.status, r.body)
			}
		}
		if list := c.call("GET", "managed/blueprints/", ""); fmt.Sprint(list.body["pagination"].(map[string]any)["count"]) != "1" {
			t.Errorf("refused instances were stored: %v", list.body)
		}

		// What is stored can stop being possible; that is told by the status.
		apply(t, site, "entries: [{model: authentik_blueprints.blueprintinstance, identifiers: {name: file}, attrs: {path: hand.yaml, context: {who: context}, enabled: false}}]\n")
		found := c.call("GET", "managed/blueprints/?name=file", "").body["results"].([]any)[0].(map[string]any)
		file := fmt.Sprintf("managed/blueprints/%v/", found["pk"])
		if r := c.call("PATCH", file, `{"enabled":true}`); r.status != 200 || r.body["status"] != "successful" || !strings.Contains(stageNames(site), "context") {
			t.Errorf("a file with a context: %d %v, stages %s", r.status, r.body, stageNames(site))
		}
		if err := os.Remove(filepath.Join(s.Blueprints, "hand.yaml")); err != nil {
			t.Fatal(err)
		}
		if r := c.call("POST", file+"apply/", ""); r.status != 200 || r.body["status"] != "error" {
			t.Errorf("the file is gone: %d %v", r.status, r.body)
		}
		if r := c.call("PATCH", file, `{"enabled":false}`); r.status != 200 || r.body["enabled"] != false {
			t.Errorf("an instance whose file is gone cannot be switched off: %d %v", r.status, r.body)
		}
		if r := c.call("DELETE", file, ""); r.status != 204 {
			t.Errorf("delete: %d", r.status)
		}
	})
}

func TestAFileRefusesInstancesLikeTheAPI(t *testing.T) {
	s := settings(t)
	site := start(t, s)
	for entry, holds := range map[string]string{
		`{name: x}, attrs: {path: none.yaml}`:                 `field path: Name one of the available files; "none.yaml" is none.`,
		`{name: x}, attrs: {path: "oci://a/b"}`:               "field path: Name a file of the server or give the text as content; OCI registries are not supported.",
		`{name: x}, attrs: {content: "version: 2"}`:           "field content: In line 1, column 10: the version must be the number 1",
		`{name: x}, attrs: {content: "entries: [{a: !B c}]"}`: "field content: In line 1, column 15",
	} {
		path := filepath.Join(t.TempDir(), "x.yaml")
		text := "entries: [{model: authentik_blueprints.blueprintinstance, identifiers: " + entry + "}]\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := site.Apply(t.Context(), []string{path}, false); err == nil || !strings.Contains(err.Error(), holds) {
			t.Errorf("%s: %v", entry, err)
		}
	}
}

func TestAvailableBlueprints(t *testing.T) {
	s := settings(t)
	withFolder(t, &s, map[string]string{"hand.yaml": byHand, "broken.yaml": "entries: [", "plain.yaml": "entries: []\n", ".hidden.yaml": byHand})
	site := start(t, s)
	c := admin(t, site)
	r, err := http.NewRequestWithContext(t.Context(), "GET", c.base+"/api/v3/managed/blueprints/available/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+adminKey)
	res, err := c.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var files []struct {
		Path, Hash string
		Modified   time.Time `json:"last_m"`
		Meta       struct {
			Name   string
			Labels map[string]string
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&files); err != nil {
		t.Fatal(err)
	}
	names := map[string]string{}
	for _, f := range files {
		names[f.Path] = f.Meta.Name
		if len(f.Hash) != 128 {
			t.Errorf("hash of %s: %q", f.Path, f.Hash)
		}
		if f.Path == "hand.yaml" && (f.Modified.Year() < 2020 || f.Meta.Labels[blueprint.LabelInstantiate] != "false") {
			t.Errorf("file %+v", f)
		}
	}
	_, broken := names["broken.yaml"]
	_, hidden := names[".hidden.yaml"]
	if names["hand.yaml"] != "By hand" || names["plain.yaml"] != "plain.yaml" || broken || hidden || len(files) < 4 {
		t.Errorf("files %v", names)
	}
	if r := delegate(t, site, "nobody").call("GET", "managed/blueprints/available/", ""); r.status != 403 {
		t.Errorf("somebody without permission gets %d", r.status)
	}
}

func logTexts(body map[string]any) string {
	var out []string
	logs, _ := body["logs"].([]any)
	for _, l := range logs {
		e := l.(map[string]any)
		out = append(out, fmt.Sprintf("%v: %v", e["log_level"], e["event"]))
	}
	return strings.Join(out, "\n")
}

func TestImportingABlueprint(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		withFolder(t, &s, map[string]string{"hand.yaml": byHand + "entries: [{model: authentik_stages_dummy.dummystage, identifiers: {name: !Context [who, hand]}}]\n"})
		site := start(t, s)
		c := admin(t, site)
		keeper := delegate(t, site, "keeper", writing("dummystage")...)
		viewer := delegate(t, site, "viewer", "view_dummystage", "add_dummystage", "change_dummystage")
		two := "entries:\n- {model: authentik_flows.flow, id: a, identifiers: {slug: a}}\n- {model: authentik_stages_dummy.dummystage, identifiers: {name: [b]}}\n"
		rows := []struct {
			name    string
			who     *caller
			file    string
			values  []string
			status  int
			success any
			holds   string
			stages  string
		}{
			{"neither file nor path", c, "", nil, 400, nil, "Send a file", ""},
			{"an unknown path", c, "", []string{"path", "none.yaml"}, 400, nil, "none.yaml", ""},
			{"an OCI address is no file", c, "", []string{"path", "oci://a/b"}, 400, nil, "available", ""},
			{"a context that is no JSON", c, "", []string{"path", "hand.yaml", "context", "{"}, 400, nil, "JSON", ""},
			{"a context that is no object", c, "", []string{"path", "hand.yaml", "context", "[1]"}, 400, nil, "context", ""},
			{"two problems at once", c, two, nil, 200, false, "entry 1 (authentik_flows.flow \"a\"): field designation", ""},
			{"what is wrong with the file does not hide what its entries lack", c, "entries:\n- {model: authentik_flows.flow, identifiers: {slug: a}}\n- {model: x}\n", nil, 200, false, "entry 1 (authentik_flows.flow): field designation", ""},
			{"no YAML", c, "entries: [", nil, 200, false, "error: In line", ""},
			{"a permission is missing", viewer, fmt.Sprintf(dummyStage, "x"), nil, 403, nil, "the-stage:You need the permission authentik_stages_dummy.delete_dummystage.", ""},
			{"also for an entry whose condition is not met", viewer, "entries: [{model: authentik_stages_dummy.dummystage, id: the-stage, conditions: [false], identifiers: {name: x}}]\n", nil, 403, nil, "the-stage:", ""},
			{"a model in disguise", viewer, "entries: [{model: !Format [\"authentik_stages_%s\", dummy.dummystage], identifiers: {name: x}}]\n", nil, 200, false, "you need the permission authentik_stages_dummy.delete_dummystage", ""},
			{"applied at once", keeper, fmt.Sprintf(dummyStage, "x"), nil, 200, true, "info: + authentik_stages_dummy.dummystage x", "x"},
			{"a file of the server with a context; blank is none", c, "", []string{"path", "hand.yaml", "context", " "}, 200, true, "", "x hand"},
			{"the context wins", c, "", []string{"path", "hand.yaml", "context", `{"who":"we"}`}, 200, true, "", "x hand we"},
			{"the file wins", c, fmt.Sprintf(dummyStage, "y"), []string{"path", "hand.yaml"}, 200, true, "", "x hand we y"},
		}
		for _, row := range rows {
			status, body := row.who.send("managed/blueprints/import/", row.file, row.values...)
			if status != row.status || body["success"] != row.success || !strings.Contains(fmt.Sprint(body)+logTexts(body), row.holds) {
				t.Errorf("%s: %d %v", row.name, status, body)
			}
			want := strings.Fields(row.stages)
			got := strings.Fields(stageNames(site))
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("%s: stages %v, want %v", row.name, got, want)
			}
		}
		_, body := c.send("managed/blueprints/import/", two)
		logs := body["logs"].([]any)
		places := map[any]any{}
		for _, l := range logs {
			at := l.(map[string]any)["attributes"].(map[string]any)
			places[at["entry"]] = at["line"]
			if at["file"] != "upload.yaml" || at["column"] == 0.0 || at["field"] == nil {
				t.Errorf("attributes %v", at)
			}
		}
		if places[1.0] != 2.0 || places[2.0] != 3.0 {
			t.Errorf("not all problems are told: %v", logs)
		}
		if r := c.call("POST", "managed/blueprints/import/", `{"path":"hand.yaml"}`); r.status != 415 {
			t.Errorf("JSON instead of a form: %d %v", r.status, r.body)
		}
		if r := visit(t, site).do("POST", "/api/v3/managed/blueprints/import/", ""); r.status != 403 {
			t.Errorf("a stranger gets %d", r.status)
		}
		if status, _ := c.send("managed/blueprints/import/", "# "+strings.Repeat("x", 1<<20)); status != 413 {
			t.Errorf("too large a form: %d", status)
		}
	})
}

func TestRule43AnUploadReadsNothingOfTheServer(t *testing.T) {
	s := settings(t)
	t.Setenv("HOST_SECRET", "sesame")
	withFolder(t, &s, map[string]string{
		"secret.txt": "open", "pick.yaml": byHand + "entries:\n- {model: authentik_stages_dummy.dummystage, identifiers: {name: !Env [!Context [variable, NONE], unset]}}\n",
		"read.yaml": byHand + "entries:\n- {model: authentik_stages_dummy.dummystage, identifiers: {name: !File [!Context [file, none], unset]}}\n",
	})
	site := start(t, s)
	c := admin(t, site)
	stage := func(name string) string {
		return "entries: [{model: authentik_stages_dummy.dummystage, identifiers: {name: " + name + "}}]\n"
	}
	status, body := c.send("managed/blueprints/import/", stage("!File secret.txt"))
	if status != 200 || body["success"] != false || !strings.Contains(logTexts(body), "an uploaded blueprint may not read files of the server") {
		t.Errorf("!File: %d %v", status, body)
	}
	if _, body = c.send("managed/blueprints/import/", stage("!Env [HOST_SECRET, unset]")); body["success"] != true || stageNames(site) != "unset" {
		t.Errorf("!Env: %v, stages %q", body, stageNames(site))
	}
	if r := c.call("POST", "managed/blueprints/", `{"name":"x","content":`+quote(t, stage("!File secret.txt"))+`}`); r.status != 400 {
		t.Errorf("!File in content: %d %v", r.status, r.body)
	}
	if r := c.call("POST", "managed/blueprints/", `{"name":"y","content":`+quote(t, stage("!Env [HOST_SECRET, unset]"))+`}`); r.status != 201 || stageNames(site) != "unset" {
		t.Errorf("!Env in content: %d %v, stages %q", r.status, r.body, stageNames(site))
	}
	// Files of the server may read, but the caller does not choose what.
	if _, body = c.send("managed/blueprints/import/", "", "path", "pick.yaml", "context", `{"variable":"HOST_SECRET"}`); strings.Contains(stageNames(site), "sesame") {
		t.Errorf("a context chose the variable: %v", body)
	}
	if _, body = c.send("managed/blueprints/import/", "", "path", "read.yaml", "context", `{"file":"secret.txt"}`); body["success"] != false || stageNames(site) != "unset" {
		t.Errorf("a context chose the file: %v, stages %q", body, stageNames(site))
	}
	if r := c.call("POST", "managed/blueprints/", `{"name":"z","path":"read.yaml","context":{"file":"secret.txt"}}`); r.status != 400 || stageNames(site) != "unset" {
		t.Errorf("the context of an instance chose the file: %d %v", r.status, r.body)
	}
	apply(t, site, "entries: [{model: authentik_blueprints.metaapplyblueprint, attrs: {identifiers: {path: pick.yaml}, required: false}}]\n")
	if strings.Contains(stageNames(site), "sesame") {
		t.Error("an upload chose the variable through a file")
	}
}

// attacks are files that give more than their author has; MALLORY is the id of
// the author.
var attacks = map[string]string{
	"a group of superusers":            "{model: authentik_core.group, identifiers: {name: mine}, attrs: {is_superuser: true, users: [MALLORY]}}",
	"joining the superusers":           "{model: authentik_core.group, identifiers: {name: authentik Admins}, attrs: {users: [1, MALLORY]}}",
	"a group below the superusers":     "{model: authentik_core.group, identifiers: {name: mine}, attrs: {parents: [!Find [authentik_core.group, [name, authentik Admins]]], users: [MALLORY]}}",
	"a role with more permissions":     "{model: authentik_rbac.role, identifiers: {name: mine}, attrs: {permissions: [authentik_flows.delete_flow]}}",
	"a user with more permissions":     "{model: authentik_core.user, identifiers: {username: mallory}, attrs: {permissions: [authentik_core.view_token_key]}}",
	"the password of a superuser":      "{model: authentik_core.user, identifiers: {username: akadmin}, attrs: {password: mine}}",
	"a permission on an object":        "{model: authentik_core.group, identifiers: {name: plain}, permissions: [{permission: reset_group, user: MALLORY}]}",
	"a token of a superuser":           "{model: authentik_core.token, identifiers: {identifier: mine}, attrs: {user: 1, intent: api, key: a-key-that-i-know-very-well}}",
	"an internal service account":      "{model: authentik_core.user, identifiers: {username: outpost}, attrs: {name: Outpost, type: internal_service_account}}",
	"a model that is not theirs":       "{model: authentik_flows.flow, identifiers: {slug: mine}, attrs: {name: a, title: a, designation: authentication}}",
	"reading what is not theirs":       "{model: authentik_core.group, identifiers: {name: !AtIndex [!FindObject [authentik_flows.flow, [slug, default-authentication-flow]], name]}}",
	"the same through another file":    "{model: authentik_blueprints.metaapplyblueprint, attrs: {identifiers: {path: super.yaml}}}",
	"the same through an own instance": "{model: authentik_blueprints.blueprintinstance, identifiers: {name: inner}, attrs: {content: \"entries: [{model: authentik_core.group, identifiers: {name: mine}, attrs: {is_superuser: true}}]\"}}",
}

// powers is what a file could have changed for the worse.
func powers(t *testing.T, site *Server) string {
	t.Helper()
	out := ""
	for _, sql := range []string{"select count(*) from groups where is_superuser", "select count(*) from groups", "select count(*) from group_members", "select count(*) from group_parents",
		"select count(*) from role_grants", "select count(*) from roles", "select count(*) from tokens", "select count(*) from users"} {
		var n int
		if err := site.db.QueryRow(t.Context(), sql).Scan(&n); err != nil {
			t.Fatal(err)
		}
		out += fmt.Sprintln(sql, n)
	}
	var hash string
	if err := site.db.QueryRow(t.Context(), "select password_hash from users where id = 1").Scan(&hash); err != nil {
		t.Fatal(err)
	}
	return out + hash + fmt.Sprint(len(site.catalog.Snapshot().Objects("flow")))
}

func TestRule46ABlueprintGivesNothingThatItsCallerLacks(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		withFolder(t, &s, map[string]string{"super.yaml": byHand + "entries: [{model: authentik_core.group, identifiers: {name: mine}, attrs: {is_superuser: true}}]\n"})
		site := start(t, s)
		mallory := delegate(t, site, "mallory", writing("blueprintinstance", "group", "user", "role", "token")...)
		stranger := delegate(t, site, "stranger", writing("blueprintinstance")...)
		before := powers(t, site)
		for name, entry := range attacks {
			text := "entries:\n- " + strings.ReplaceAll(entry, "MALLORY", fmt.Sprint(mallory.id)) + "\n"
			status, body := mallory.send("managed/blueprints/import/", text)
			if name == "the same through an own instance" || name == "the same through another file" {
				// Whether this is refused or left out, nothing may come of it.
			} else if status != 403 && body["success"] != false {
				t.Errorf("%s was imported: %d %v", name, status, body)
			}
			if now := powers(t, site); now != before {
				t.Fatalf("%s by import changed\n%s\nto\n%s", name, before, now)
			}
			kept := mallory.call("POST", "managed/blueprints/", `{"name":`+quote(t, name)+`,"content":`+quote(t, text)+`}`)
			if now := powers(t, site); now != before {
				t.Fatalf("%s in an instance (%d %v) changed\n%s\nto\n%s", name, kept.status, kept.body, before, now)
			}
			if r := stranger.call("POST", "managed/blueprints/", `{"name":"stranger","content":`+quote(t, "entries:\n- {model: authentik_core.group, identifiers: {name: plain}}\n")+`}`); r.status != 400 {
				t.Fatalf("a permission for instances alone made a group: %d %v", r.status, r.body)
			}
		}
		if r := mallory.call("POST", "managed/blueprints/", `{"name":"from disk","path":"super.yaml"}`); r.status != 400 || powers(t, site) != before {
			t.Errorf("a file of the server through an instance: %d %v", r.status, r.body)
		}
		if r := mallory.call("POST", "managed/blueprints/", `{"name":"plain","content":"entries: [{model: authentik_core.group, identifiers: {name: plain}}]"}`); r.status != 201 || r.body["status"] != "successful" {
			t.Errorf("what they may do is refused too: %d %v", r.status, r.body)
		}
		// The attacks are worth something: a superuser can do all of it.
		root := admin(t, site)
		for name, entry := range attacks {
			if status, body := root.send("managed/blueprints/import/", "entries:\n- "+strings.ReplaceAll(entry, "MALLORY", fmt.Sprint(mallory.id))+"\n"); body["success"] != true {
				t.Errorf("%s is no attack: %d %s", name, status, logTexts(body))
			}
		}
	})
}

// A blueprint can wait: what it does depends on what there is when it runs, so
// passing a trial promises nothing, and it is others who make it run later.
func TestRule46NobodyLendsTheirAuthorityToABlueprintOfSomebodyElse(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		withFolder(t, &s, nil)
		site := start(t, s)
		root := admin(t, site)
		mallory := delegate(t, site, "mallory", writing("blueprintinstance", "group")...)
		waiting := "entries: [{model: authentik_core.group, identifiers: {name: mine}, conditions: [!Find [authentik_core.group, [name, signal]]], attrs: {is_superuser: true}}]\n"
		made := mallory.call("POST", "managed/blueprints/", `{"name":"sleeper","content":`+quote(t, waiting)+`}`)
		if made.status != 201 || made.body["status"] != "successful" {
			t.Fatalf("while it waits it does no harm: %d %v", made.status, made.body)
		}
		path := fmt.Sprintf("managed/blueprints/%v/", made.body["pk"])
		if status, body := mallory.send("managed/blueprints/import/", "entries: [{model: authentik_core.group, identifiers: {name: signal}}]\n"); status != 200 || body["success"] != true {
			t.Fatalf("%d %v", status, body)
		}
		supers := func() (n int) {
			t.Helper()
			if err := site.db.QueryRow(t.Context(), "select count(*) from groups where is_superuser").Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if r := root.call("POST", path+"apply/", ""); r.status != 200 || r.body["status"] != "error" || supers() != 1 {
			t.Errorf("a superuser applies it: %d %v", r.status, r.body)
		}
		if r := root.call("PATCH", path, `{"enabled":false}`); r.status != 200 {
			t.Errorf("a superuser cannot switch it off: %d %v", r.status, r.body)
		}
		meta := "entries: [{model: authentik_blueprints.metaapplyblueprint, attrs: {identifiers: {name: sleeper}}}]\n"
		if _, body := root.send("managed/blueprints/import/", meta); supers() != 1 {
			t.Errorf("a superuser imports what applies it: %v", body)
		}
		apply(t, site, meta)
		if supers() != 1 {
			t.Error("the program applies it")
		}
		inner := "entries: [{model: authentik_blueprints.blueprintinstance, identifiers: {name: inner}, attrs: {content: \"entries: [{model: authentik_core.group, identifiers: {name: mine}, attrs: {is_superuser: true}}]\"}}]\n"
		if status, body := mallory.send("managed/blueprints/import/", inner); status != 200 || body["success"] != true {
			t.Fatalf("%d %v", status, body)
		}
		apply(t, site, strings.ReplaceAll(meta, "sleeper", "inner"))
		if supers() != 1 {
			t.Error("the program applies an instance that a blueprint of theirs made")
		}
		if r := mallory.call("PATCH", path, `{"enabled":true}`); r.status != 400 || supers() != 1 {
			t.Errorf("its author switches it on: %d %v", r.status, r.body)
		}
		// Whoever gives the source anew answers for it.
		if r := root.call("PATCH", path, `{"enabled":true,"content":`+quote(t, waiting)+`}`); r.status != 200 || r.body["status"] != "successful" || supers() != 2 {
			t.Errorf("a superuser takes it over: %d %v, %d groups of superusers", r.status, r.body, supers())
		}
		// And what a superuser keeps is not lent to who may merely apply it.
		if err := site.db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Exec(ctx, "delete from groups where name = 'mine'")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if r := mallory.call("POST", path+"apply/", ""); r.status != 200 || r.body["status"] != "error" || supers() != 1 {
			t.Errorf("somebody else applies what a superuser keeps: %d %v", r.status, r.body)
		}
	})
}

func TestTheWatcherTellsInstances(t *testing.T) {
	s := settings(t)
	withFolder(t, &s, map[string]string{"a.yaml": fmt.Sprintf(dummyStage, "a")})
	site := start(t, s)
	c := admin(t, site)
	made := c.call("POST", "managed/blueprints/", `{"name":"file","path":"a.yaml"}`)
	path := fmt.Sprintf("managed/blueprints/%v/", made.body["pk"])
	importer, err := site.importer()
	if err != nil {
		t.Fatal(err)
	}
	f := site.newFolder(importer)
	f.apply(t.Context())
	for _, row := range []struct{ text, status string }{{fmt.Sprintf(dummyStage, "b"), "successful"}, {"entries: [", "error"}, {fmt.Sprintf(dummyStage, "c"), "successful"}} {
		before := c.call("GET", path, "").body
		if err := os.WriteFile(filepath.Join(s.Blueprints, "a.yaml"), []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		f.apply(t.Context())
		now := c.call("GET", path, "").body
		if now["status"] != row.status || (now["last_applied_hash"] != before["last_applied_hash"]) != (row.status == "successful") || now["last_applied"] == before["last_applied"] {
			t.Errorf("after %q: %v", row.text, now)
		}
	}
}

func TestInstancesAreFoundByOtherBlueprints(t *testing.T) {
	s := settings(t)
	withFolder(t, &s, nil)
	site := start(t, s)
	c := admin(t, site)
	text := "entries: [{model: authentik_stages_dummy.dummystage, identifiers: {name: !Context [who, nobody]}}]\n"
	if r := c.call("POST", "managed/blueprints/", `{"name":"kept","content":`+quote(t, text)+`,"context":{"who":"ada"}}`); r.status != 201 {
		t.Fatalf("%d %v", r.status, r.body)
	}
	apply(t, site, "entries: [{model: authentik_stages_dummy.dummystage, state: absent, identifiers: {name: ada}}]\n")
	meta := "entries: [{model: authentik_blueprints.metaapplyblueprint, attrs: {identifiers: {name: kept}}}]\n"
	apply(t, site, meta)
	if stageNames(site) != "ada" {
		t.Errorf("stages %q: not applied with the context of the instance", stageNames(site))
	}
	if r := c.call("POST", "managed/blueprints/", `{"name":"mirror","content":`+quote(t, strings.ReplaceAll(meta, "kept", "mirror"))+`}`); r.status != 400 && r.body["status"] != "successful" {
		t.Errorf("a blueprint that applies itself: %d %v", r.status, r.body)
	}
}
