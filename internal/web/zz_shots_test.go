package web_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/weir-id/weir/flow"
)

func TestShots(t *testing.T) {
	dir := os.Getenv("SHOTS")
	if dir == "" {
		t.Skip()
	}
	e := &engine{}
	v := homeVisits()
	b := flow.NewBrand()
	s := newSite(t, &b, e, v)
	all := samples()
	mux := http.NewServeMux()
	mux.HandleFunc("/show/{name}", func(w http.ResponseWriter, r *http.Request) {
		e.results, e.calls = []*flow.Result{all[r.PathValue("name")]}, nil
		if l := r.URL.Query().Get("layout"); l != "" {
			e.results[0].Challenge.Info.Layout = flow.Layout(l)
			e.results[0].Challenge.Info.Background = r.URL.Query().Get("bg")
		}
		r2 := get("/if/flow/x/?next=/")
		s.ServeHTTP(w, r2)
	})
	mux.Handle("/", s)
	l := httptest.NewServer(mux)
	defer l.Close()
	os.WriteFile(filepath.Join(dir, "url"), []byte(l.URL), 0o600)
	for range 2 {
		<-t.Context().Done()
	}
}
