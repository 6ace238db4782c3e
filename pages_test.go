package weir_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-id/weir"
)

// The folder of own pages reads nothing that lies outside of it, and what is
// wrong with it is said at start.
func TestOwnPagesComeFromTheirFolderAlone(t *testing.T) {
	pages := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(pages, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(pages, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open := func() (*weir.Server, error) {
		c := weir.Config{Settings: weir.DefaultSettings()}
		c.Data, c.Pages = t.TempDir(), pages
		s, err := weir.Open(t.Context(), c)
		if err == nil {
			t.Cleanup(func() { _ = s.Close(t.Context()) })
		}
		return s, err
	}
	write("locales/en.yaml", "problem.404.title: Lost at Acme\n")
	s, err := open()
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1:9000/nothing", nil))
	if w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "Lost at Acme") {
		t.Errorf("status %d:\n%s", w.Code, w.Body)
	}

	outside := filepath.Join(t.TempDir(), "secret.svg")
	if err := os.WriteFile(outside, []byte("the secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	write("static/here.svg", "<svg/>")
	if err := os.Symlink(outside, filepath.Join(pages, "static", "seal.svg")); err != nil {
		t.Fatal(err)
	}
	if _, err := open(); err == nil || !strings.Contains(err.Error(), "static/seal.svg") {
		t.Errorf("a link out of the folder: %v", err)
	}
	pages = filepath.Join(pages, "missing")
	if _, err := open(); err == nil {
		t.Error("a folder that is not there starts")
	}
}
