package web_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

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
		if name := r.PathValue("name"); strings.HasPrefix(name, "redirect") {
			w = &noRefresh{w}
		}
		s.ServeHTTP(w, get("/if/flow/x/?next=/"))
	})
	mux.Handle("/", s)
	l := httptest.NewServer(mux)
	defer l.Close()
	ctx, stop := chromedp.NewContext(t.Context(), chromedp.WithAllocatorOptions(chromedp.NoSandbox))
	defer stop()
	var names []string
	for n := range all {
		names = append(names, "/show/"+n)
	}
	sort.Strings(names)
	names = append(names, "/if/user/", "/nothing", "/flows/-/cancel/")
	for _, lay := range flow.Layout("").Choices() {
		names = append(names, "/show/identification-all?layout="+lay+"&bg=/static/dist/assets/images/flow_background.jpg?x")
	}
	if only := os.Getenv("ONLY"); only != "" {
		var kept []string
		for _, n := range names {
			if strings.Contains(n, only) {
				kept = append(kept, n)
			}
		}
		names = kept
	}
	for _, n := range names {
		for _, width := range []int64{360, 1280} {
			for _, theme := range []string{"light", "dark"} {
				err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 760))
				if err == nil {
					_, err = chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}}})
				}
				if err == nil {
					err = chromedp.Do(ctx, chromedp.Navigate(l.URL+n))
				}
				if err != nil {
					t.Fatal(n, err)
				}
				png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
				if err != nil {
					t.Fatal(n, err)
				}
				f := strings.NewReplacer("/", "_", "?", "_", "&", "_", ".", "_").Replace(strings.Split(n, "&")[0])
				os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d-%s.png", f, width, theme)), png, 0o600)
			}
		}
	}
}

type noRefresh struct{ http.ResponseWriter }

func (n *noRefresh) Write(b []byte) (int, error) {
	return n.ResponseWriter.Write([]byte(strings.Replace(string(b), `http-equiv="refresh"`, `name="x"`, 1)))
}
