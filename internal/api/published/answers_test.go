package published

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

func TestTheDescriptionComesAsAskedFor(t *testing.T) {
	const yamlType, jsonType, path = "application/vnd.oai.openapi", "application/vnd.oai.openapi+json", "/api/v3/schema/"
	site := start(t)
	rows := []struct {
		name, path, accept, typ string
	}{
		{"by default", path, "", yamlType},
		{"by a browser", path, "text/html,application/xhtml+xml,*/*;q=0.8", yamlType},
		{"with format=json", path + "?format=json", "application/yaml", jsonType},
		{"with format=yaml", path + "?format=yaml", "application/json", yamlType},
		{"as JSON", path, "application/json", "application/json"},
		{"as YAML of the short name", path, "application/yaml", "application/yaml"},
		{"JSON rather than YAML", path, "application/yaml;q=0.3, application/json;q=0.7", "application/json"},
		{"anything but the first", path, "application/*;q=0.5, application/vnd.oai.openapi;q=0", "application/yaml"},
		{"in no format that there is", path, "image/png", yamlType},
		{"with a header that is none", path, ";;;,/,q=x", yamlType},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := get(site, row.path, "Accept", row.accept)
			if w.Code != 200 || w.Header().Get("Content-Type") != row.typ {
				t.Fatalf("status %d, type %q, want %q", w.Code, w.Header().Get("Content-Type"), row.typ)
			}
			if isJSON := json.Valid(w.Body.Bytes()); isJSON != strings.HasSuffix(row.typ, "json") {
				t.Errorf("the body is JSON: %t", isJSON)
			}
			again := get(site, row.path, "Accept", row.accept, "If-None-Match", w.Header().Get("ETag"))
			if again.Code != 304 || again.Body.Len() > 0 {
				t.Errorf("asked again: status %d and %d bytes", again.Code, again.Body.Len())
			}
		})
	}
	if w := get(site, path+"?format=xml"); w.Code != 400 || !strings.Contains(w.Body.String(), `"format"`) {
		t.Errorf("format=xml: status %d, %s", w.Code, w.Body)
	}
	if a, b := get(site, path+"?format=json"), get(site, path+"?format=yaml"); a.Header().Get("ETag") == b.Header().Get("ETag") {
		t.Error("JSON and YAML have one tag")
	}
}

var (
	anchors = regexp.MustCompile(` id="([^"]+)"`)
	links   = regexp.MustCompile(` href="#([^"]+)"`)
	inline  = regexp.MustCompile(`(?i)<script>| style=| on[a-z]+=|javascript:`)
)

func TestThePageListsEveryOperation(t *testing.T) {
	site := start(t)
	w := get(site, "/api/v3/")
	page := w.Body.String()
	if w.Code != 200 || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("status %d, type %q", w.Code, w.Header().Get("Content-Type"))
	}
	if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	if found := inline.FindString(page); found != "" {
		t.Errorf("the page holds %q", found)
	}
	ids := map[string]bool{}
	for _, m := range anchors.FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("two things have the id %s", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range links.FindAllStringSubmatch(page, -1) {
		if !ids[m[1]] {
			t.Errorf("a link leads to %s, which is not there", m[1])
		}
	}
	described := document(t, get(site, "/api/v3/schema/").Body.Bytes())
	for path := range at(described, "paths") {
		for method := range at(described, "paths", path) {
			id, _ := at(described, "paths", path, method)["operationId"].(string)
			if !ids[id] {
				t.Errorf("%s %s is not on the page", method, path)
			}
		}
	}
	if w := get(site, "/api/v3/nothing/"); w.Code != 404 || !strings.Contains(w.Body.String(), "detail") {
		t.Errorf("an address below the page answers %d %s", w.Code, w.Body)
	}
}
