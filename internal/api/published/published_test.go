// Package published compares the description that the program gives of its API
// with the one of authentik that it is compatible with. The differences that are
// meant stand in docs/compatibility.md with their reasons; every other one fails,
// and so does one that is listed and gone.
package published

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/weir-id/weir"
)

const (
	root = "../../../"
	// schemaFile comes with the official client: npm ci in e2e/client.
	schemaFile = root + "e2e/client/node_modules/@goauthentik/api/schema.yml"
	listFile   = root + "docs/compatibility.md"
	listHead   = "## API schema"
)

func TestTheDescriptionIsThePublishedOne(t *testing.T) {
	text, err := os.ReadFile(filepath.FromSlash(schemaFile))
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") != "true" {
		t.Skip("the published description is not here; run npm ci in e2e/client")
	}
	if err != nil {
		t.Fatal(err)
	}
	found := compare(document(t, describe(t)), document(t, text))
	listed := meant(t)
	for _, difference := range found {
		if !listed[difference] {
			t.Errorf("a difference that %s does not list: %s", listFile, difference)
		}
	}
	for difference := range listed {
		if !slices.Contains(found, difference) {
			t.Errorf("listed in %s, but there is no such difference: %s", listFile, difference)
		}
	}
}

// TestWhatIsNotThereSaysWhy asks for every published address that Weir does not
// have: each is listed, or its answer says what is missing.
func TestWhatIsNotThereSaysWhy(t *testing.T) {
	text, err := os.ReadFile(filepath.FromSlash(schemaFile))
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") != "true" {
		t.Skip("the published description is not here; run npm ci in e2e/client")
	}
	if err != nil {
		t.Fatal(err)
	}
	site, listed := start(t), meant(t)
	here := at(document(t, get(site, "/api/v3/schema/").Body.Bytes()), "paths")
	asked := 0
	for path := range at(document(t, text), "paths") {
		if here[path] != nil {
			continue
		}
		asked++
		w := get(site, "/api/v3"+strings.NewReplacer("{", "", "}", "").Replace(path), "Authorization", "Bearer "+token)
		named := slices.ContainsFunc(slices.Collect(maps.Keys(listed)), func(line string) bool {
			return strings.HasPrefix(line, strings.TrimPrefix(path, "/")+" ") && strings.HasSuffix(line, ": missing")
		})
		if !named && (w.Code != http.StatusNotFound || strings.Contains(w.Body.String(), "nothing at this address")) {
			t.Errorf("%s answers %d %s", path, w.Code, w.Body)
		}
	}
	if asked < 100 {
		t.Errorf("only %d addresses are missing", asked)
	}
}

// token is the API token of the administrator.
const token = "the-token-of-the-administrator"

// start starts the program.
func start(t *testing.T) http.Handler {
	t.Helper()
	settings := weir.DefaultSettings()
	settings.Limits.ClientRate = 0
	settings.Data = t.TempDir()
	settings.Hashing.MemoryKiB, settings.Hashing.Time = 7168, 1
	settings.Bootstrap.Token = token
	site, err := weir.Open(t.Context(), weir.Config{Settings: settings, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := site.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return site
}

// get asks for an address, with pairs of header names and values.
func get(site http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	site.ServeHTTP(w, r)
	return w
}

// describe asks the program for its description.
func describe(t *testing.T) []byte {
	t.Helper()
	w := get(start(t), "/api/v3/schema/")
	if w.Code != 200 {
		t.Fatalf("the description answers %d %s", w.Code, w.Body)
	}
	return w.Body.Bytes()
}

func document(t *testing.T, text []byte) object {
	t.Helper()
	var d map[string]any
	if err := yaml.NewDecoder(bytes.NewReader(text)).Decode(&d); err != nil {
		t.Fatal(err)
	}
	return d
}

// quoted matches one difference in a cell.
var quoted = regexp.MustCompile("`([^`]+)`")

// meant reads the list: the table below the heading, of which the first column
// holds differences in backquotes and the second one says why.
func meant(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(listFile))
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), listHead+"\n")
	if !ok {
		t.Fatalf("%s has no section %q", listFile, listHead)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	out := map[string]bool{}
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) != 4 {
			continue
		}
		for _, difference := range quoted.FindAllStringSubmatch(cells[1], -1) {
			if strings.TrimSpace(cells[2]) == "" {
				t.Errorf("%s gives no reason for: %s", listFile, difference[1])
			}
			if out[difference[1]] {
				t.Errorf("%s lists twice: %s", listFile, difference[1])
			}
			out[difference[1]] = true
		}
	}
	return out
}
