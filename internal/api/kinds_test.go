package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

// peer is the API on one node, called by one person after another.
type peer struct {
	t   *testing.T
	api *API
	run *runner
	mux *http.ServeMux
}

func newPeer(t *testing.T, db store.DB, more ...flow.StageType) *peer {
	n := &peer{t: t, run: &runner{result: dummy()}, mux: http.NewServeMux()}
	n.api = newAPI(t, db, n.run, more...)
	n.api.Mount(n.mux)
	n.as(n.user("root", true))
	return n
}

// as lets a person make the calls that follow.
func (n *peer) as(p *identity.Person) { n.run.user = p }

// user stores a person, a superuser by a group of their own or with these
// permissions for everything.
func (n *peer) user(name string, super bool, permissions ...string) *identity.Person {
	n.t.Helper()
	id, group := int64(0), uuid.New()
	n.tx(func(ctx context.Context, tx store.Tx) error {
		err := tx.QueryRow(ctx, `insert into users (uuid, username, username_key, name, email, email_key, upn_key, is_active, type, path, attributes,
			password_hash, password_changed_at, date_joined, last_updated) values ($1, $2, $2, '', '', '', '', $4, 'internal', 'users', '{}', '!', $3, $3, $3)
			returning id`, uuid.New(), name, n.api.Now(), true).Scan(&id)
		if err != nil {
			return err
		}
		if super {
			if _, err := tx.Exec(ctx, `insert into groups (id, name, name_key, is_superuser, attributes, created, updated) values ($1, $2, $2, $4, '{}', $3, $3)`,
				group, "admins of "+name, n.api.Now(), true); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `insert into group_members (group_id, user_id) values ($1, $2)`, group, id)
		}
		return err
	})
	p := identity.NewPerson(identity.User{ID: id, Username: name, Active: true}, func(context.Context) ([]identity.Group, error) {
		if super {
			return []identity.Group{{ID: group, Superuser: true}}, nil
		}
		return nil, nil
	})
	n.grant(p, "", "", permissions...)
	return p
}

// grant gives a person permissions, for one object if its kind and id are given.
func (n *peer) grant(p *identity.Person, kind, id string, permissions ...string) {
	n.t.Helper()
	if len(permissions) == 0 {
		return
	}
	n.tx(func(ctx context.Context, tx store.Tx) error {
		role, err := n.api.Access.CreateRole(ctx, tx, uuid.NewString())
		if err != nil {
			return err
		}
		for _, name := range permissions {
			if err := n.api.Access.Grant(ctx, tx, access.Grant{Role: role, Permission: name, Kind: kind, ID: id}); err != nil {
				return err
			}
		}
		return n.api.Access.AddUser(ctx, tx, role, p.ID)
	})
}

func (n *peer) tx(fn func(ctx context.Context, tx store.Tx) error) {
	n.t.Helper()
	if err := n.api.DB.Write(n.t.Context(), fn); err != nil {
		n.t.Fatal(err)
	}
}

type answered struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (n *peer) call(method, path, body string, header ...string) answered {
	n.t.Helper()
	r := httptest.NewRequest(method, prefix+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	n.mux.ServeHTTP(w, r)
	a := answered{status: w.Code, header: w.Header(), text: w.Body.String()}
	_ = json.Unmarshal(w.Body.Bytes(), &a.body) // lists have no members to look at
	return a
}

// must makes a call that has to answer with the status.
func (n *peer) must(status int, method, path, body string, header ...string) answered {
	n.t.Helper()
	a := n.call(method, path, body, header...)
	if a.status != status {
		n.t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, a.status, a.text, status)
	}
	return a
}

// names are the names on a page.
func (a answered) names() []string {
	out := []string{}
	for _, o := range a.results() {
		name, _ := o["name"].(string)
		out = append(out, name)
	}
	return out
}

func (a answered) results() []map[string]any {
	list, _ := a.body["results"].([]any)
	out := make([]map[string]any, len(list))
	for i := range list {
		out[i], _ = list[i].(map[string]any)
	}
	return out
}

func TestListsArePaged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		n := newPeer(t, db)
		for i := range 45 {
			n.must(201, "POST", "stages/dummy/", fmt.Sprintf(`{"name": "stage %02d", "throw_error": %t}`, i, i%10 == 0))
			n.must(201, "POST", "core/groups/", fmt.Sprintf(`{"name": "group %02d", "is_superuser": %t}`, i, i%10 == 0))
		}
		for _, kind := range []struct{ path, word, flag string }{{"stages/dummy/", "stage", "throw_error"}, {"core/groups/", "group", "is_superuser"}} {
			rows := []struct {
				name, query string
				status      int
				first, last string
				count       float64
				next, prev  float64
				start, end  float64
			}{
				{"a first page of twenty", "?search=" + kind.word, 200, " 00", " 19", 45, 2, 0, 1, 20},
				{"the next", "?search=" + kind.word + "&page=2", 200, " 20", " 39", 45, 3, 1, 21, 40},
				{"the last by number", "?search=" + kind.word + "&page=3", 200, " 40", " 44", 45, 0, 2, 41, 45},
				{"the last by name", "?search=" + kind.word + "&page=last", 200, " 40", " 44", 45, 0, 2, 41, 45},
				{"beyond the last", "?search=" + kind.word + "&page=4", 404, "", "", 0, 0, 0, 0, 0},
				{"no number", "?page=x", 404, "", "", 0, 0, 0, 0, 0},
				{"page zero", "?page=0", 404, "", "", 0, 0, 0, 0, 0},
				{"a number beyond all", "?page=99999999999999999999", 404, "", "", 0, 0, 0, 0, 0},
				{"a size", "?search=" + kind.word + "&page_size=7", 200, " 00", " 06", 45, 2, 0, 1, 7},
				{"a size that is too large is capped", "?search=" + kind.word + "&page_size=100000", 200, " 00", " 44", 45, 0, 0, 1, 45},
				{"a size that is none counts as none", "?search=" + kind.word + "&page_size=-1", 200, " 00", " 19", 45, 2, 0, 1, 20},
				{"descending", "?search=" + kind.word + "&ordering=-name", 200, " 44", " 25", 45, 2, 0, 1, 20},
				{"by two fields", "?search=" + kind.word + "&ordering=-" + kind.flag + ",-name&page_size=6", 200, " 40", " 44", 45, 2, 0, 1, 6},
				{"by a field that is none", "?search=" + kind.word + "&ordering=nonsense", 200, " 00", " 19", 45, 2, 0, 1, 20},
				{"every word must be found", "?search=" + kind.word + "+07", 200, " 07", " 07", 1, 0, 0, 1, 1},
				{"a phrase", "?search=%22" + kind.word + "+1%22", 200, " 10", " 19", 10, 0, 0, 1, 10},
				{"case does not matter", "?search=" + strings.ToUpper(kind.word), 200, " 00", " 19", 45, 2, 0, 1, 20},
				{"a search for what is not there", "?search=nothing", 200, "", "", 0, 0, 0, 0, 0},
				{"a search with a wildcard finds none", "?search=" + kind.word + "%25", 200, "", "", 0, 0, 0, 0, 0},
				{"a filter", "?search=" + kind.word + "&" + kind.flag + "=true", 200, " 00", " 40", 5, 0, 0, 1, 5},
				{"a filter by name", "?name=" + kind.word + "+07", 200, " 07", " 07", 1, 0, 0, 1, 1},
				{"an empty filter counts as none", "?search=" + kind.word + "&name=", 200, " 00", " 19", 45, 2, 0, 1, 20},
				{"a filter of the wrong type", "?" + kind.flag + "=maybe", 400, "", "", 0, 0, 0, 0, 0},
				{"unknown parameters say nothing", "?search=" + kind.word + "&colour=red", 200, " 00", " 19", 45, 2, 0, 1, 20},
			}
			for _, row := range rows {
				t.Run(kind.word+" "+row.name, func(t *testing.T) {
					a := n.call("GET", kind.path+row.query, "")
					if a.status != row.status {
						t.Fatalf("%d %s, want %d", a.status, a.text, row.status)
					}
					if a.status != 200 {
						return
					}
					names := a.names()
					if row.first == "" && len(names) != 0 || row.first != "" && (len(names) == 0 || names[0] != kind.word+row.first || names[len(names)-1] != kind.word+row.last) {
						t.Errorf("names are %v, want %q to %q", names, row.first, row.last)
					}
					p, _ := a.body["pagination"].(map[string]any)
					for name, want := range map[string]float64{"count": row.count, "next": row.next, "previous": row.prev, "start_index": row.start, "end_index": row.end} {
						if p[name] != want {
							t.Errorf("%s is %v, want %v", name, p[name], want)
						}
					}
					if _, ok := a.body["autocomplete"].(map[string]any); !ok {
						t.Errorf("autocomplete is %v", a.body["autocomplete"])
					}
				})
			}
		}
	})
}

// newFlow is the least that a flow needs.
func newFlow(slug string) string {
	return fmt.Sprintf(`{"name": "n", "slug": %q, "title": "t", "designation": "authentication"}`, slug)
}

func TestWhatAWriteNeeds(t *testing.T) {
	n := newPeer(t, storetest.SQLite(t))
	made := n.must(201, "POST", "flows/instances/", newFlow("one"))
	stage := n.must(201, "POST", "stages/dummy/", `{"name": "s"}`)
	bind := func(flags string) string {
		return fmt.Sprintf(`{"target": %q, "stage": %q, "order": 1%s}`, made.body["pk"], stage.body["pk"], flags)
	}
	binding := n.must(201, "POST", "flows/bindings/", bind(""))
	one := "flows/bindings/" + binding.body["pk"].(string) + "/"
	rows := []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"nothing at all", "POST", "flows/instances/", `{}`, 400, `"slug":["Fill in this field."]`},
		{"an empty body", "POST", "flows/instances/", ``, 400, `"code":"required"`},
		{"each field has its code", "POST", "flows/instances/", `{"name": "", "slug": "a b", "title": null, "designation": "x"}`, 400,
			`"codes":{"designation":["invalid_choice"],"name":["blank"],"slug":["invalid"],"title":["null"]}`},
		{"a taken slug", "POST", "flows/instances/", newFlow("one"), 400, `"slug":["Choose another value; a flow with this slug exists."]`},
		{"a taken name of a stage of another type", "POST", "stages/deny/", `{"name": "s"}`, 400, `"name":[`},
		{"a taken set of fields", "POST", "flows/bindings/", bind(""), 400, `"non_field_errors":["The fields target, stage, order must make a unique set."]`},
		{"neither evaluation", "PATCH", one, `{"re_evaluate_policies": false}`, 400, `"non_field_errors"`},
		{"a reference to nothing", "PATCH", one, `{"stage": "11111111-1111-4111-8111-111111111111"}`, 400, `"codes":{"stage":["does_not_exist"]}`},
		{"a reference to another kind", "PATCH", one, fmt.Sprintf(`{"stage": %q}`, made.body["pk"]), 400, `"codes":{"stage":["does_not_exist"]}`},
		{"a reference that is no id", "PATCH", one, `{"stage": 5}`, 400, `"codes":{"stage":["incorrect_type"]}`},
		{"a number out of range", "PATCH", one, `{"order": 3000000000}`, 400, `"codes":{"order":["max_value"]}`},
		{"a list", "POST", "flows/instances/", `[]`, 400, `"non_field_errors"`},
		{"no JSON", "POST", "flows/instances/", `{`, 400, `"detail"`},
		{"PUT demands what a creation demands", "PUT", one, `{"order": 2}`, 400, `"codes":{"stage":["required"],"target":["required"]}`},
		{"PATCH demands nothing", "PATCH", one, `{}`, 200, `"order":1`},
		{"unknown and read-only members are ignored", "PATCH", one, `{"pk": "x", "colour": "red", "stage_obj": {}}`, 200, `"order":1`},
		{"another method", "PUT", "flows/bindings/", `{}`, 405, `"detail"`},
		{"an object that is not there", "GET", "flows/bindings/11111111-1111-4111-8111-111111111111/", ``, 404, `"detail"`},
		{"an id that is none", "GET", "flows/bindings/x/", ``, 404, `"detail"`},
		{"a key with a NUL", "GET", "core/tokens/a%00b/", ``, 404, `"detail"`},
		{"a user by no number", "GET", "core/users/x/", ``, 404, `"detail"`},
		{"a user by a number beyond all", "GET", "core/users/99999999999999999999/", ``, 404, `"detail"`},
		{"text with a NUL", "POST", "core/users/", `{"username": "a\u0000", "name": "x"}`, 400, `"username"`},
		{"attributes with a NUL", "POST", "core/groups/", `{"name": "g", "attributes": {"a": ["\u0000"]}}`, 400, `"attributes"`},
		{"a password is for files only", "POST", "core/users/", `{"username": "ada", "name": "Ada", "password": "x", "password_hash": "y", "permissions": ["nonsense"]}`, 201, `"username":"ada"`},
		{"a taken user name in other letters", "POST", "core/users/", `{"username": "ADA", "name": ""}`, 400, `"codes":{"username":["unique"]}`},
		{"what the program makes cannot be made", "POST", "core/authenticated_sessions/", `{}`, 405, `"detail"`},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			a := n.call(row.method, row.path, row.body)
			if a.status != row.status || !strings.Contains(a.text, row.want) {
				t.Errorf("%d %s\nwant %d with %s", a.status, a.text, row.status, row.want)
			}
		})
	}
	t.Run("a form is no JSON", func(t *testing.T) {
		if a := n.call("POST", "flows/instances/", "name=x", "Content-Type", "application/x-www-form-urlencoded"); a.status != 415 {
			t.Errorf("%d %s", a.status, a.text)
		}
	})
	t.Run("PUT keeps what it does not name", func(t *testing.T) {
		n.must(200, "PATCH", one, `{"invalid_response_action": "restart"}`)
		if a := n.must(200, "PUT", one, bind(`, "policy_engine_mode": "all"`)); a.body["invalid_response_action"] != "restart" || a.body["policy_engine_mode"] != "all" {
			t.Errorf("%s", a.text)
		}
	})
	t.Run("a renamed flow moves", func(t *testing.T) {
		n.must(200, "PATCH", "flows/instances/one/", `{"slug": "two"}`)
		n.must(404, "GET", "flows/instances/one/", "")
		n.must(200, "GET", "flows/instances/two/", "")
	})
}

func TestEveryWriteLeavesARevisionAndAnEvent(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		n := newPeer(t, db)
		count := func(sql string) (k int) {
			if err := db.QueryRow(t.Context(), sql).Scan(&k); err != nil {
				t.Fatal(err)
			}
			return k
		}
		const revisions, events = "select count(*) from catalog_revisions where actor = 'root' and source = 'api'", "select count(*) from events where action like 'model_%' and user_id is not null"
		rows := []struct {
			method, path, body string
			status             int
			revisions, events  int
		}{
			{"POST", "flows/instances/", newFlow("one"), 201, 1, 1},
			{"PATCH", "flows/instances/one/", `{"title": "other"}`, 200, 1, 1},
			{"PATCH", "flows/instances/one/", `{"title": "other"}`, 200, 0, 0},
			{"PATCH", "flows/instances/one/", `{"title": ""}`, 400, 0, 0},
			{"DELETE", "flows/instances/one/", ``, 204, 1, 1},
			{"POST", "core/users/", `{"username": "ada", "name": ""}`, 201, 0, 1},
			{"PATCH", "core/users/2/", `{"name": "Ada"}`, 200, 0, 1},
			{"PATCH", "core/users/2/", `{"name": "Ada"}`, 200, 0, 0},
			{"DELETE", "core/users/2/", ``, 204, 0, 1},
			{"POST", "core/tokens/", `{"identifier": "t"}`, 201, 0, 1},
			{"DELETE", "core/tokens/t/", ``, 204, 0, 1},
			{"POST", "rbac/roles/", `{"name": "r"}`, 201, 0, 1},
		}
		for _, row := range rows {
			r, e := count(revisions), count(events)
			n.must(row.status, row.method, row.path, row.body)
			if gotR, gotE := count(revisions)-r, count(events)-e; gotR != row.revisions || gotE != row.events {
				t.Errorf("%s %s %s: %d revisions and %d events, want %d and %d", row.method, row.path, row.body, gotR, gotE, row.revisions, row.events)
			}
		}
	})
}

func TestIfMatchKeepsOthersChanges(t *testing.T) {
	n := newPeer(t, storetest.SQLite(t))
	n.must(201, "POST", "flows/instances/", newFlow("one"))
	user := n.must(201, "POST", "core/users/", `{"username": "ada", "name": ""}`)
	for _, path := range []string{"flows/instances/one/", fmt.Sprintf("core/users/%v/", user.body["pk"])} {
		old := n.must(200, "GET", path, "").header.Get("ETag")
		if n.must(304, "GET", path, "", "If-None-Match", old); old == "" {
			t.Errorf("%s has no tag", path)
		}
		now := n.must(200, "PATCH", path, `{"name": "by somebody else"}`, "If-Match", old).header.Get("ETag")
		n.must(412, "PATCH", path, `{"name": "mine"}`, "If-Match", old)
		n.must(412, "PUT", path, `{"name": "mine"}`, "If-Match", `"nonsense"`)
		n.must(412, "DELETE", path, "", "If-Match", old)
		if a := n.must(200, "GET", path, "", "If-None-Match", old); a.body["name"] != "by somebody else" || a.header.Get("ETag") != now {
			t.Errorf("%s: %s", path, a.text)
		}
		n.must(200, "PATCH", path, `{"name": "mine"}`, "If-Match", now)
		n.must(200, "PATCH", path, `{"name": "mine, whatever it was"}`, "If-Match", "*")
		n.must(204, "DELETE", path, "")
	}
}

func TestNodesReadEachOthersWrites(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		a, b := newPeer(t, db), &peer{t: t, run: &runner{}, mux: http.NewServeMux()}
		b.api = newAPI(t, db, b.run)
		b.api.Mount(b.mux)
		b.as(a.run.user)
		// No node watches here, so only the request itself can have looked.
		for i := range 5 {
			slug := fmt.Sprintf("flow-%d", i)
			a.must(201, "POST", "flows/instances/", newFlow(slug))
			b.must(200, "GET", "flows/instances/"+slug+"/", "")
			b.must(200, "PATCH", "flows/instances/"+slug+"/", `{"title": "b was here"}`)
			if got := a.must(200, "GET", "flows/instances/"+slug+"/", ""); got.body["title"] != "b was here" {
				t.Errorf("%s", got.text)
			}
			b.must(204, "DELETE", "flows/instances/"+slug+"/", "")
			a.must(404, "GET", "flows/instances/"+slug+"/", "")
		}
	})
}

func TestWhoMayDoWhat(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		n := newPeer(t, db)
		pk := func(a answered) string { return fmt.Sprint(a.body["pk"]) }
		one := pk(n.must(201, "POST", "flows/instances/", newFlow("one")))
		n.must(201, "POST", "flows/instances/", newFlow("two"))
		nobody, viewer, adder := n.user("nobody", false), n.user("viewer", false, "view_flow"), n.user("adder", false, "add_flow")
		single, keeper := n.user("single", false), n.user("keeper", false)
		n.grant(single, "flow", one, "view_flow")
		n.grant(keeper, "flow", one, "view_flow", "change_flow", "delete_flow")
		n.must(201, "POST", "core/tokens/", fmt.Sprintf(`{"identifier": "theirs", "user": %d}`, keeper.ID))
		rows := []struct {
			name               string
			who                *identity.Person
			method, path, body string
			status             int
			names              int
		}{
			{"a stranger lists", identity.Anonymous(), "GET", "flows/instances/", "", 403, 0},
			{"nobody lists", nobody, "GET", "flows/instances/", "", 403, 0},
			{"nobody reads what is there", nobody, "GET", "flows/instances/one/", "", 403, 0},
			{"nobody reads what is not there", nobody, "GET", "flows/instances/none/", "", 403, 0},
			{"nobody creates", nobody, "POST", "flows/instances/", newFlow("x"), 403, 0},
			{"a viewer lists all", viewer, "GET", "flows/instances/", "", 200, 2},
			{"a viewer misses what is not there", viewer, "GET", "flows/instances/none/", "", 404, 0},
			{"a viewer changes", viewer, "PATCH", "flows/instances/one/", `{}`, 403, 0},
			{"a viewer deletes", viewer, "DELETE", "flows/instances/one/", "", 403, 0},
			{"who may view one sees that one", single, "GET", "flows/instances/", "", 200, 1},
			{"who may view one reads it", single, "GET", "flows/instances/one/", "", 200, 0},
			{"who may view one misses the other", single, "GET", "flows/instances/two/", "", 404, 0},
			{"who may view one may not change it", single, "PATCH", "flows/instances/one/", `{}`, 403, 0},
			{"who may change one changes it", keeper, "PATCH", "flows/instances/one/", `{"title": "k"}`, 200, 0},
			{"who may change one misses the other", keeper, "PATCH", "flows/instances/two/", `{}`, 404, 0},
			{"who may change one may not create", keeper, "POST", "flows/instances/", newFlow("x"), 403, 0},
			{"who may only create does not list", adder, "GET", "flows/instances/", "", 403, 0},
			{"who may only create creates", adder, "POST", "flows/instances/", newFlow("three"), 201, 0},
			{"everybody lists their tokens", keeper, "GET", "core/tokens/", "", 200, 1},
			{"everybody has a list of tokens", nobody, "GET", "core/tokens/", "", 200, 0},
			{"nobody reads the token of another", nobody, "GET", "core/tokens/theirs/", "", 404, 0},
			{"nobody deletes the token of another", nobody, "DELETE", "core/tokens/theirs/", "", 404, 0},
			{"everybody makes tokens of their own", nobody, "POST", "core/tokens/", `{"identifier": "own"}`, 201, 0},
			{"nobody makes tokens for another", nobody, "POST", "core/tokens/", fmt.Sprintf(`{"identifier": "o", "user": %d}`, keeper.ID), 403, 0},
			{"everybody deletes their own", keeper, "DELETE", "core/tokens/theirs/", "", 204, 0},
			{"nobody lists people", nobody, "GET", "core/users/", "", 403, 0},
		}
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				n.as(row.who)
				a := n.call(row.method, row.path, row.body)
				if a.status != row.status || len(a.results()) != row.names {
					t.Errorf("%d %s\nwant %d with %d objects", a.status, a.text, row.status, row.names)
				}
			})
		}
	})
}

func TestUsedByTellsWhatWouldHappen(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		n := newPeer(t, db)
		text := func(a answered, name string) string { s, _ := a.body[name].(string); return s }
		login := n.must(201, "POST", "flows/instances/", newFlow("one"))
		stage := n.must(201, "POST", "stages/password/", `{"name": "pw", "backends": ["authentik.core.auth.InbuiltBackend"], "configure_flow": "`+text(login, "pk")+`"}`)
		n.must(201, "POST", "stages/identification/", `{"name": "who", "user_fields": ["email"], "password_stage": "`+text(stage, "pk")+`"}`)
		n.must(201, "POST", "flows/bindings/", fmt.Sprintf(`{"target": %q, "stage": %q, "order": 0}`, login.body["pk"], stage.body["pk"]))
		n.must(201, "POST", "stages/authenticator/validate/", `{"name": "mfa", "not_configured_action": "configure", "configuration_stages": ["`+text(stage, "pk")+`"]}`)
		group := n.must(201, "POST", "core/groups/", `{"name": "g"}`)
		n.must(201, "POST", "policies/bindings/", fmt.Sprintf(`{"target": %q, "group": %q, "order": 0}`, login.body["pk"], group.body["pk"]))
		uses := func(path string) []string {
			var list []map[string]string
			if err := json.Unmarshal([]byte(n.must(200, "GET", path+"used_by/", "").text), &list); err != nil {
				t.Fatal(err)
			}
			out := []string{}
			for _, u := range list {
				out = append(out, u["model_name"]+" "+u["action"])
			}
			slices.Sort(out)
			return out
		}
		for path, want := range map[string][]string{
			"flows/instances/one/":                       {"flowstagebinding cascade", "passwordstage set_null", "policybinding cascade"},
			"stages/password/" + text(stage, "pk") + "/": {"authenticatorvalidatestage cascade_many", "flowstagebinding cascade", "identificationstage cascade"},
			"stages/all/" + text(stage, "pk") + "/":      {"authenticatorvalidatestage cascade_many", "flowstagebinding cascade", "identificationstage cascade"},
			"core/groups/" + text(group, "pk") + "/":     {"policybinding cascade"},
			fmt.Sprintf("core/users/%d/", n.run.user.ID): {},
		} {
			if got := uses(path); !slices.Equal(got, want) {
				t.Errorf("%s is used by %v, want %v", path, got, want)
			}
		}
		n.must(204, "DELETE", "stages/all/"+text(stage, "pk")+"/", "")
		n.must(404, "GET", "stages/password/"+text(stage, "pk")+"/", "")
		if a := n.must(200, "GET", "stages/authenticator/validate/", ""); len(a.results()[0]["configuration_stages"].([]any)) != 0 {
			t.Errorf("%s", a.text)
		}
	})
}

func TestWhatWeirIsNotSaysSo(t *testing.T) {
	n := newPeer(t, storetest.SQLite(t))
	for path, want := range map[string]string{
		"sources/oauth/": "Sources", "providers/oauth2/": "Providers", "outposts/instances/": "Outposts", "enterprise/license/": "enterprise",
		"stages/source/": "source stage", "stages/endpoints/": "endpoints stage", "stages/authenticator/endpoint_gdtc/": "Google", "nonsense/": "nothing at this address",
	} {
		if a := n.call("GET", path, ""); a.status != 404 || !strings.Contains(a.text, want) {
			t.Errorf("%s: %d %s, want 404 that says %q", path, a.status, a.text, want)
		}
	}
}
