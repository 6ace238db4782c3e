// Package published compares the description that the program gives of its API
// with the one of authentik that it is compatible with. The differences that are
// meant stand in docs/compatibility.md with their reasons; every other one fails,
// and so does one that is listed and gone.
package published

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
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

// describe starts the program and asks it for its description.
func describe(t *testing.T) []byte {
	t.Helper()
	settings := weir.DefaultSettings()
	settings.Data = t.TempDir()
	settings.Hashing.MemoryKiB, settings.Hashing.Time = 7168, 1
	site, err := weir.Open(t.Context(), weir.Config{Settings: settings, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := site.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	w := httptest.NewRecorder()
	site.ServeHTTP(w, httptest.NewRequest("GET", "/api/v3/schema/", nil))
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

// meant reads the list: the first column of the tables below the heading, in
// backquotes.
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
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.HasPrefix(strings.TrimSpace(cells[1]), "`") {
			continue
		}
		difference, why := strings.Trim(strings.TrimSpace(cells[1]), "`"), strings.TrimSpace(cells[2])
		if why == "" {
			t.Errorf("%s gives no reason for: %s", listFile, difference)
		}
		if out[difference] {
			t.Errorf("%s lists twice: %s", listFile, difference)
		}
		out[difference] = true
	}
	return out
}
