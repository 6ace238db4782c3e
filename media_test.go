package weir_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/weir-id/weir"
)

func TestMediaFiles(t *testing.T) {
	c := weir.Config{Settings: weir.DefaultSettings()}
	c.Data = t.TempDir()
	s, err := weir.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(t.Context()) })
	folder := filepath.Join(c.Data, "media")
	for path, text := range map[string]string{"a.svg": "<svg/>", "sub/b.png": "png", ".hidden": "no"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(c.Data, "secret.key"), filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]int{
		"/media/a.svg": http.StatusOK, "/media/sub/b.png": http.StatusOK, "/media/": http.StatusNotFound, "/media/sub/": http.StatusNotFound,
		"/media/sub": http.StatusNotFound, "/media/.hidden": http.StatusNotFound, "/media/link": http.StatusNotFound,
		"/media/..%2fsecret.key": http.StatusNotFound, "/media/nothing": http.StatusNotFound,
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://127.0.0.1:9000"+path, nil))
		if w.Code != want {
			t.Errorf("%s answers %d, want %d", path, w.Code, want)
		}
		if want == http.StatusOK && w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s may be sniffed", path)
		}
	}
}
