package e2e

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// perOperation is how many requests are made up for each operation.
const perOperation = 24

// TestGeneratedRequestsAreAnsweredHonestly sends requests made from the
// published schema, valid ones and broken ones, to every operation that Weir
// has. Whatever comes, the answer is JSON and blames nobody but the caller.
func TestGeneratedRequestsAreAnsweredHonestly(t *testing.T) {
	p := publishedSchema(t)
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, db)
			g := &generator{t: t, p: p, url: s.URL + "/api/v3", r: rand.New(rand.NewPCG(seed(t), 1))}
			g.furnish()
			done := 0
			// What deletes comes last, so that there is something to speak of.
			for _, destructive := range []bool{false, true} {
				for _, path := range slices.Sorted(maps.Keys(p.Paths)) {
					if strings.HasPrefix(path, "/flows/executor/") {
						continue // answers with challenges; package flow has its own tests
					}
					for method, op := range p.Paths[path] {
						if (method == "delete") != destructive || !g.served(path, method) {
							continue
						}
						done++
						for i := range perOperation {
							g.send(method, path, op, i)
						}
					}
				}
			}
			if done < 150 {
				t.Errorf("only %d operations were asked", done)
			}
			if status, text := g.do("GET", "/core/users/", nil, ""); status != 200 {
				t.Errorf("the caller was not the administrator to the end: %d %s", status, text)
			}
			t.Logf("%d requests to %d operations, answered with %v", g.sent, done, g.statuses)
		})
	}
}

// seed is where tests begin that throw dice: 1, or what WEIR_SEED says.
func seed(t *testing.T) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(cmp.Or(os.Getenv("WEIR_SEED"), "1"), 10, 64)
	if err != nil {
		t.Fatalf("WEIR_SEED: %v", err)
	}
	return n
}

type generator struct {
	t    *testing.T
	p    *published
	url  string
	r    *rand.Rand
	sent int
	// ids are keys of objects by the first words of their addresses.
	ids      map[string][]string
	statuses map[int]int
}

// furnish makes objects that requests can be about, and collects their keys,
// without those that the caller lives by.
func (g *generator) furnish() {
	g.ids, g.statuses = map[string][]string{}, map[int]int{}
	for path, body := range map[string]string{
		"/core/users/":         `{"username": "generated", "name": "G"}`,
		"/core/groups/":        `{"name": "generated"}`,
		"/core/tokens/":        `{"identifier": "generated"}`,
		"/rbac/roles/":         `{"name": "generated"}`,
		"/core/applications/":  `{"name": "generated", "slug": "generated"}`,
		"/managed/blueprints/": `{"name": "generated", "content": "version: 1\nentries: []\n"}`,
		"/stages/deny/":        `{"name": "generated"}`,
		"/stages/redirect/":    `{"name": "generated redirect", "mode": "static"}`,
		"/stages/dummy/":       `{"name": "generated dummy"}`,
		"/policies/dummy/":     `{"name": "generated", "wait_min": 0, "wait_max": 0}`,
		"/core/brands/":        `{"domain": "generated.example.org"}`,
	} {
		if status, text := g.do("POST", path, []byte(body), "application/json"); status != 201 {
			g.t.Fatalf("POST %s: %d %s", path, status, text)
		}
	}
	for path := range g.p.Paths {
		base, param, _ := strings.Cut(path, "{")
		if g.ids[base] != nil || param == "" || !g.served(base, "get") {
			continue
		}
		_, text := g.do("GET", base+"?page_size=100", nil, "")
		var page struct{ Results []map[string]any }
		if json.Unmarshal([]byte(text), &page) != nil {
			continue // no list of objects
		}
		for _, o := range page.Results {
			id := fmt.Sprint(cmp.Or(o["pk"], o["brand_uuid"], o["uuid"], o["id"]))
			if key, ok := o[strings.TrimRight(param, "}/")]; ok {
				id = fmt.Sprint(key)
			}
			if base == "/core/users/" && id == "1" || o["is_superuser"] == true || id == "authentik-bootstrap-token" {
				continue // the caller lives by these
			}
			g.ids[base] = append(g.ids[base], id)
		}
	}
}

// served tells whether Weir has the operation.
func (g *generator) served(path, method string) bool {
	r, err := http.NewRequestWithContext(g.t.Context(), http.MethodOptions, g.url+fill(path, func(string) string { return "1" }), nil)
	if err != nil {
		g.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	res.Body.Close()
	return slices.Contains(strings.Split(res.Header.Get("Allow"), ", "), strings.ToUpper(method))
}

// fill replaces the parameters of a path.
func fill(path string, value func(name string) string) string {
	for {
		before, rest, ok := strings.Cut(path, "{")
		if !ok {
			return path
		}
		name, after, _ := strings.Cut(rest, "}")
		path = before + url.PathEscape(value(name)) + after
	}
}

// send makes up one request. The first ones are as valid as the schema can say.
func (g *generator) send(method, path string, op operation, n int) {
	g.t.Helper()
	broken := n >= perOperation/3
	target := fill(path, func(string) string {
		if broken && g.r.IntN(3) == 0 {
			return g.pick(strange[1:]) // an empty key is another address
		}
		return g.id(path)
	})
	query := url.Values{}
	for _, q := range op.Parameters {
		q = g.p.parameter(q)
		if q.In != "query" || !q.Required && g.r.IntN(3) > 0 {
			continue
		}
		for range 1 + g.r.IntN(2) {
			v := fmt.Sprint(g.value(q.Schema, broken, 0))
			if q.Name == "page" {
				v = "1"
			}
			if broken && g.r.IntN(2) == 0 {
				v = g.pick(strange)
			}
			query.Add(q.Name, v)
		}
	}
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	var body []byte
	contentType := ""
	if c, ok := op.Body.Content["application/json"]; ok {
		v := g.value(c.Schema, broken, 0)
		body, _ = json.Marshal(v)
		if contentType = "application/json"; broken && g.r.IntN(8) == 0 {
			body = body[:g.r.IntN(len(body)+1)]
		}
	} else if len(op.Body.Content) > 0 {
		contentType = "multipart/form-data; boundary=xx"
		body = []byte("--xx\r\nContent-Disposition: form-data; name=\"" + g.pick([]string{"file\"; filename=\"a.yaml", "path", "context"}) + "\"\r\n\r\n" +
			g.pick([]string{"version: 1\nentries: []\n", "{", "version: 1\nentries: [{model: 7}]", strange[g.r.IntN(len(strange))]}) + "\r\n--xx--\r\n")
	}
	status, text := g.do(strings.ToUpper(method), target, body, contentType)
	g.statuses[status]++
	switch {
	case status >= 500 && status != http.StatusServiceUnavailable:
		g.t.Errorf("%s %s %.2000q: %d %s", method, target, body, status, text)
	case status == 204, status == 302, status == 304:
	case strings.HasSuffix(path, "/export/") && status == 200, path == "/schema/":
	case !json.Valid([]byte(text)):
		g.t.Errorf("%s %s %.500q: %d with no JSON: %.300s", method, target, body, status, text)
	}
}

// strange are values that somebody might send.
var strange = []string{"", " ", "x", "-1", "0", "1e400", "99999999999999999999999", "null", "true", "../..", "%00", "\x00", "\xff\xfe", "'; drop table users; --", "{", "[1", "$1", `\`,
	"%", "_", "a\nb", "<script>", strings.Repeat("a", 5000), "ünïcödé", "\u202e", "2026-13-45T99:99:99Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "-name,name,-", "11111111-1111-4111-8111-111111111111"}

func (g *generator) pick(from []string) string { return from[g.r.IntN(len(from))] }

// id is a key of an object at the path, if there is one.
func (g *generator) id(path string) string {
	base, _, _ := strings.Cut(path, "{")
	if strings.HasPrefix(base, "/rbac/permissions/assigned_by_roles/") {
		base = "/rbac/roles/"
	}
	if ids := g.ids[base]; len(ids) > 0 {
		return g.pick(ids)
	}
	return "11111111-1111-4111-8111-111111111111"
}

// anyID is a key of any object.
func (g *generator) anyID() string {
	all := slices.Sorted(maps.Keys(g.ids))
	return g.pick(g.ids[g.pick(all)])
}

// value makes up a value of a schema.
func (g *generator) value(s schema, broken bool, depth int) any {
	s = g.p.resolve(s)
	if broken && g.r.IntN(5) == 0 {
		return g.nonsense(depth)
	}
	if s.Nullable && g.r.IntN(4) == 0 {
		return nil
	}
	switch {
	case len(s.Enum) > 0:
		return s.Enum[g.r.IntN(len(s.Enum))]
	case s.Format == "uuid":
		if g.r.IntN(2) == 0 {
			return g.anyID()
		}
		return "11111111-1111-4111-8111-111111111111"
	case s.Format == "date-time":
		return time.Unix(g.r.Int64N(4e9), 0).UTC().Format(time.RFC3339)
	case s.Format == "email":
		return fmt.Sprintf("g%d@example.org", g.r.IntN(1000))
	case s.Format == "uri":
		return "http://127.0.0.1:1/" // the server may call it: nobody is there
	case s.Type == "string":
		return fmt.Sprintf("generated-%d", g.r.IntN(100_000))
	case s.Type == "boolean":
		return g.r.IntN(2) == 0
	case s.Type == "integer":
		least, most := -1000.0, 1000.0
		if s.Minimum != nil {
			least = max(least, *s.Minimum)
		}
		if s.Maximum != nil {
			most = min(most, *s.Maximum)
		}
		return int(least) + g.r.IntN(int(most-least)+1)
	case s.Type == "number":
		return g.r.Float64() * 10
	case s.Type == "array":
		out := []any{}
		for range g.r.IntN(3) {
			out = append(out, g.value(*s.Items, broken, depth+1))
		}
		return out
	}
	out := map[string]any{}
	for name, of := range s.Properties {
		required := slices.Contains(s.Required, name)
		if of.ReadOnly || !required && g.r.IntN(2) == 0 || broken && g.r.IntN(6) == 0 {
			continue
		}
		out[name] = g.value(of, broken, depth+1)
	}
	if len(s.Properties) == 0 && g.r.IntN(2) == 0 {
		out["generated"] = g.r.IntN(10)
	}
	return out
}

// nonsense is a value of any type.
func (g *generator) nonsense(depth int) any {
	switch g.r.IntN(9) {
	case 0:
		return nil
	case 1:
		return g.r.IntN(2) == 0
	case 2:
		return []any{-1, 0, 1e300, -1e300, 1.5, int64(1) << 62, json.Number("123456789012345678901234567890")}[g.r.IntN(7)]
	case 3:
		return []any{}
	case 4:
		return map[string]any{g.pick(strange): g.pick(strange)}
	case 5:
		var deep any = "x"
		for range 200 {
			deep = []any{deep}
		}
		return deep
	case 6:
		if depth < 3 {
			return []any{g.nonsense(depth + 1), g.nonsense(depth + 1)}
		}
	}
	return g.pick(strange)
}

func (g *generator) do(method, target string, body []byte, contentType string) (int, string) {
	g.t.Helper()
	g.sent++
	r, err := http.NewRequestWithContext(g.t.Context(), method, g.url+target, bytes.NewReader(body))
	if err != nil {
		g.t.Fatalf("%s %s: %v", method, target, err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(r)
	if err != nil {
		g.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}
