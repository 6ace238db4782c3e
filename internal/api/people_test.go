package api

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

// The two databases search text and JSON each in their own way; they have to
// find the same people.
func TestPeopleAreFoundAlikeOnBothDatabases(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		n := newPeer(t, db)
		for _, body := range []string{
			`{"username": "ada", "name": "Ada Lovelace", "email": "ada@example.org", "attributes": {"city": "London", "age": 36, "tags": ["a", {"b": 1}], "nested": {"x": {"y": null}}}}`,
			`{"username": "bob_100", "name": "Bób 100%", "email": "Bob@Example.org", "attributes": {"city": "Ulm", "age": 36.0, "ok": true, "quo\"te": "it's"}}`,
			`{"username": "bobx100", "name": "Bob 1000", "attributes": {"city": "ulm", "age": "36", "ok": false, "empty": {}}}`,
			`{"username": "zoë", "name": "Ζωή STRASSE", "path": "staff/é", "attributes": {"ok": 1}}`,
		} {
			n.must(201, "POST", "core/users/", body)
		}
		rows := []struct {
			query string
			want  []string
		}{
			{"search=ada", []string{"ada"}},
			{"search=LOVELACE", []string{"ada"}},
			{"search=lovelace+ada", []string{"ada"}},
			{"search=lovelace+bob", nil},
			{"search=%22ada+lovelace%22", []string{"ada"}},
			{"search=example.org", []string{"ada", "bob_100"}},
			{"search=EXAMPLE", []string{"ada", "bob_100"}},
			{"search=bob_1", []string{"bob_100"}},
			{"search=100%25", []string{"bob_100"}},
			{"search=%25", []string{"bob_100"}},
			{"search=_", []string{"bob_100"}},
			{"search=b", []string{"bob_100", "bobx100"}},
			{"search=ze", nil},
			{"search=zo%C3%AB", []string{"zoë"}},
			{"search=strasse", []string{"zoë"}},
			{"search=stra%C3%9Fe", []string{"zoë"}},
			{"search=%CE%96%CF%89%CE%AE", []string{"zoë"}},
			{"search=%5C", nil},
			{"search='", nil},
			{"attributes=" + url.QueryEscape(`{"city": "Ulm"}`), []string{"bob_100"}},
			{"attributes=" + url.QueryEscape(`{"age": 36}`), []string{"ada", "bob_100"}},
			{"attributes=" + url.QueryEscape(`{"age": "36"}`), []string{"bobx100"}},
			{"attributes=" + url.QueryEscape(`{"ok": true}`), []string{"bob_100"}},
			{"attributes=" + url.QueryEscape(`{"ok": 1}`), []string{"zoë"}},
			{"attributes=" + url.QueryEscape(`{"quo\"te": "it's"}`), []string{"bob_100"}},
			{"attributes=" + url.QueryEscape(`{"tags": ["a"]}`), []string{"ada"}},
			{"attributes=" + url.QueryEscape(`{"tags": [{"b": 1}, "a"]}`), []string{"ada"}},
			{"attributes=" + url.QueryEscape(`{"tags": ["c"]}`), nil},
			{"attributes=" + url.QueryEscape(`{"tags": []}`), []string{"ada"}},
			{"attributes=" + url.QueryEscape(`{"nested": {"x": {}}}`), []string{"ada"}},
			{"attributes=" + url.QueryEscape(`{"nested": {"x": {"y": null}}}`), []string{"ada"}},
			{"attributes=" + url.QueryEscape(`{"empty": {}}`), []string{"bobx100"}},
			{"attributes=" + url.QueryEscape(`{"none": null}`), nil},
			{"attributes=" + url.QueryEscape(`{"$.city": "Ulm"}`), nil},
			{"attributes=" + url.QueryEscape(`{"tags": [{}]}`), []string{"ada"}},
			{"attributes=" + url.QueryEscape(`{"tags": [["a"]]}`), nil},
			{"attributes=" + url.QueryEscape(`{"tags": [1, true, null]}`), nil},
			{"email=Bob@Example.org", []string{"bob_100"}},
			{"email=bob@example.org", nil},
			{"username=ADA", nil},
			{"path=staff/%C3%A9", []string{"zoë"}},
			{"path_startswith=staff", []string{"zoë"}},
			{"path_startswith=staff%25", nil},
			{"is_superuser=true", []string{"root"}},
			{"search=o&is_superuser=false&ordering=-username", []string{"zoë", "bobx100", "bob_100", "ada"}},
			{"search=bob&ordering=name", []string{"bobx100", "bob_100"}},
			{"search=example&ordering=-email", []string{"bob_100", "ada"}},
		}
		for _, bad := range []string{"nonsense", "[1]", `{"a": ` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "}", "{" + strings.Repeat(`"a": 1, `, 3) + "}"} {
			n.must(400, "GET", "core/users/?attributes="+url.QueryEscape(bad), "")
		}
		for _, row := range rows {
			var got []string
			for _, u := range n.must(200, "GET", "core/users/?"+row.query, "").results() {
				name, _ := u["username"].(string)
				got = append(got, name)
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("%s finds %v, want %v", row.query, got, row.want)
			}
		}
		// The index follows changes and deletions.
		ada := n.must(200, "GET", "core/users/?search=lovelace", "").results()[0]
		one := fmt.Sprintf("core/users/%v/", ada["pk"])
		n.must(200, "PATCH", one, `{"name": "Adele Blanc"}`)
		for query, want := range map[string]int{"lovelace": 0, "blanc": 1} {
			if got := len(n.must(200, "GET", "core/users/?search="+query, "").results()); got != want {
				t.Errorf("after a change %q finds %d people, want %d", query, got, want)
			}
		}
		n.must(204, "DELETE", one, "")
		if got := len(n.must(200, "GET", "core/users/?search=blanc", "").results()); got != 0 {
			t.Errorf("after the deletion %d people are found", got)
		}
	})
}
