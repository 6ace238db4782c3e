package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/store/storetest"
)

// permissions is the page that lists every route with who may call it. WEIR_UPDATE=1
// writes it anew; whoever does so has looked at each new line.
const permissions = "../../docs/permissions.md"

const permissionsHead = `# Who may call what

Every address of the API below ` + "`/api/v3/`" + `, with the permission that guards it (rule 47). The list is made from the routes themselves, and a test
fails when it is not up to date. "(objects)" means that the answer holds only objects for which the caller has the permission; "(object)" that the
permission is asked for the object in the address, which the caller must be allowed to view as well; "or own" that everybody may do this with
objects of their own. Superusers have all permissions. What a write may hand out is limited further: [nobody hands out what they do not
hold](security.md) (rule 46).

| method | address | permission |
|---|---|---|
`

func TestRule47EveryRouteNamesItsPermission(t *testing.T) {
	a := newAPI(t, storetest.SQLite(t), &runner{})
	var lines []string
	for _, r := range a.Routes() {
		if r.Guard.Level == 0 {
			t.Errorf("%s %s names nobody", r.Method, r.Path)
		}
		lines = append(lines, fmt.Sprintf("| %s | `%s` | %s |\n", r.Method, r.Path, r.Guard))
	}
	slices.SortStableFunc(lines, func(a, b string) int {
		return strings.Compare(strings.SplitN(a, "`", 2)[1], strings.SplitN(b, "`", 2)[1])
	})
	want := permissionsHead + strings.Join(lines, "")
	if os.Getenv("WEIR_UPDATE") != "" {
		if err := os.WriteFile(permissions, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(permissions)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		known := strings.Split(string(have), "\n")
		for _, line := range strings.Split(want, "\n") {
			if !slices.Contains(known, line) {
				t.Errorf("not in docs/permissions.md: %s", line)
			}
		}
		t.Error("docs/permissions.md differs from the routes")
	}
}

// A stranger, and somebody signed in without any permission, get no further
// than the guard.
func TestRule47NoRouteAnswersWithoutItsPermission(t *testing.T) {
	n := newPeer(t, storetest.SQLite(t))
	nobody := n.user("nobody", false)
	for _, r := range n.api.Routes() {
		path := r.Path
		for strings.Contains(path, "{") {
			before, rest, _ := strings.Cut(path, "{")
			_, after, _ := strings.Cut(rest, "}")
			path = before + "1" + after
		}
		n.as(identity.Anonymous())
		if a := n.call(r.Method, path, ""); r.Guard.Level != Public && a.status != http.StatusForbidden {
			t.Errorf("%s %s answers a stranger with %d", r.Method, r.Path, a.status)
		}
		n.as(nobody)
		a := n.call(r.Method, path, "")
		switch {
		case r.Guard.Level == Public, r.Guard.Level == SignedIn, r.Guard.Own:
		case ownedKind(r.Guard) && (a.status == 200 || a.status == 400 || a.status == 404):
			// Everybody may see their own tokens, sessions, notifications and consents, and has none.
		case a.status != http.StatusForbidden:
			t.Errorf("%s %s answers somebody without the permission with %d %s", r.Method, r.Path, a.status, a.text)
		}
	}
	w := httptest.NewRecorder()
	if err := n.api.serve(w, httptest.NewRequest("GET", "/", nil), &Route{serve: func(*call) error { t.Error("called"); return nil }}); err != nil || w.Code != http.StatusForbidden {
		t.Errorf("a route that names nobody answers %d, %v", w.Code, err)
	}
}

func ownedKind(g Guard) bool {
	return g.Kind != nil && slices.Contains([]string{"token", "authenticatedsession", "notification", "userconsent", "totpdevice", "staticdevice", "duodevice", "emaildevice", "smsdevice", "webauthndevice"}, g.Kind.Name())
}

// A kind with a secret: what is written is never read back, and stays when it
// is not written again.
func TestRule45SecretsAreWriteOnly(t *testing.T) {
	type config struct {
		Key   string `json:"private_key" field:"required,secret"`
		Label string `json:"label" field:"blank"`
	}
	built := ""
	secretive := flow.NewStageType(flow.StageType{Name: "secretive", Path: "secretive", Model: "authentik_stages_secretive.secretivestage", Label: "Secretive Stage"},
		func() config { return config{} }, func(config) flow.Effects { return flow.Effects{} },
		func(_ string, c config) flow.Stage { built = c.Key; return nil })
	n := newPeer(t, storetest.SQLite(t), secretive)
	made := n.must(201, "POST", "stages/secretive/", `{"name": "s", "private_key": "hush hush", "label": "x"}`)
	one := fmt.Sprintf("stages/secretive/%v/", made.body["pk"])
	changed := n.must(200, "PATCH", one, `{"label": "y"}`)
	if built != "hush hush" {
		t.Errorf("after a change of another field the stage works with %q", built)
	}
	answers := []answered{made, changed, n.must(200, "GET", one, ""), n.must(200, "GET", "stages/secretive/", ""), n.must(200, "GET", "stages/all/", ""),
		n.must(200, "PUT", one, `{"name": "s", "private_key": "hush hush"}`), n.must(400, "PATCH", one, `{"private_key": {"hush hush": 1}}`),
		n.must(400, "POST", "stages/secretive/", `{"name": "s", "private_key": "hush hush"}`)}
	for _, a := range answers {
		if strings.Contains(a.text, "hush") || strings.Contains(fmt.Sprint(a.header), "hush") {
			t.Errorf("the secret is shown: %s", a.text)
		}
	}
	// An order by the secret would tell it, letter by letter.
	n.must(201, "POST", "stages/secretive/", `{"name": "a first", "private_key": "zzzz hush"}`)
	for _, order := range []string{"private_key", "-private_key"} {
		if names := n.must(200, "GET", "stages/secretive/?private_key=hush+hush&ordering="+order, "").names(); names[0] != "a first" {
			t.Errorf("ordering by %s gives %v", order, names)
		}
	}
	if a := n.call("GET", "stages/secretive/?search=hush", ""); len(a.results()) != 0 {
		t.Errorf("a search finds the secret: %s", a.text)
	}
	k := n.api.Kinds.Model("authentik_stages_secretive.secretivestage")
	for _, f := range k.Filters {
		if f.Name == "private_key" {
			t.Error("lists can be filtered by the secret")
		}
	}
	if k.App() != "authentik_stages_secretive" || access.Permission(access.View, k.Name()) != "view_secretivestage" {
		t.Errorf("the permission is %s.%s", k.App(), access.Permission(access.View, k.Name()))
	}
}
