package web_test

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/weir-id/weir/flow"
)

func TestFirstPageIsSmallAndItsFilesAreKept(t *testing.T) {
	r := samples()["identification-all"]
	s := newSite(t, nil, &engine{results: []*flow.Result{r}}, nil)
	page := answer(s, get("/if/flow/x/"))
	total, zip := page.Body.Len(), zipped(page.Body.Bytes())
	if total > 8<<10 || zip > 3<<10 {
		t.Errorf("page: %d bytes, %d compressed", total, zip)
	}
	files := regexp.MustCompile(`(?:href|src)="(/static/weir/(?:style|flow)\.[^"]+)"`).FindAllStringSubmatch(page.Body.String(), -1)
	if len(files) != 2 {
		t.Fatalf("files %v", files)
	}
	for _, file := range files {
		w := answer(s, get(file[1]))
		total += w.Body.Len()
		zip += zipped(w.Body.Bytes())
		if w.Code != 200 || w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: status %d, headers %v", file[1], w.Code, w.Header())
		}
	}
	t.Logf("first page with stylesheet and module: %d bytes, %d compressed", total, zip)
	if total > 34<<10 || zip > 11<<10 {
		t.Errorf("together %d bytes, %d compressed", total, zip)
	}
}

func TestModulesOfSomePagesAreSmall(t *testing.T) {
	s := newSite(t, nil, &engine{}, nil)
	w := answer(s, get("/static/weir/captcha.js"))
	if w.Code != 200 || w.Body.Len() > 4<<10 || zipped(w.Body.Bytes()) > 2<<10 {
		t.Errorf("captcha.js: status %d, %d bytes, %d compressed", w.Code, w.Body.Len(), zipped(w.Body.Bytes()))
	}
}

func zipped(data []byte) int {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression)
	_, _ = w.Write(data)
	_ = w.Close()
	return b.Len()
}

func TestEveryOtherPageIsSmall(t *testing.T) {
	e := &engine{}
	s := newSite(t, nil, e, nil)
	for name, r := range samples() {
		e.results, e.calls = []*flow.Result{r}, nil
		w := answer(s, get("/if/flow/x/"))
		if w.Body.Len() > 12<<10 || zipped(w.Body.Bytes()) > 4<<10 {
			t.Errorf("%s: %d bytes, %d compressed", name, w.Body.Len(), zipped(w.Body.Bytes()))
		}
	}
}

func TestStaticFiles(t *testing.T) {
	brand := flow.NewBrand()
	s := newSite(t, &brand, &engine{}, nil)
	cases := map[string]struct {
		path, kind, cache string
		status            int
	}{
		"the logo at its published address":        {brand.Logo, "image/svg+xml", "public, max-age=86400", 200},
		"the favicon":                              {brand.Favicon, "image/svg+xml", "public, max-age=86400", 200},
		"the background":                           {flow.DefaultBackground, "image/jpeg", "public, max-age=86400", 200},
		"an old module: today's, not for long":     {"/static/weir/flow.0000.js", "text/javascript; charset=utf-8", "no-cache", 200},
		"an old stylesheet: likewise":              {"/static/weir/style.0000.css", "text/css; charset=utf-8", "no-cache", 200},
		"the empty picture of phones":              {"/static/weir/empty.svg", "image/svg+xml", "no-cache", 200},
		"a file that does not exist":               {"/static/weir/secret.txt", "text/html; charset=utf-8", "no-store", 404},
		"a folder":                                 {"/static/dist/", "text/html; charset=utf-8", "no-store", 404},
		"an avatar":                                {"/avatar/max.svg", "image/svg+xml", "public, max-age=86400", 200},
		"an avatar without ending":                 {"/avatar/max", "text/html; charset=utf-8", "no-store", 404},
		"an avatar of a name that is far too long": {"/avatar/" + strings.Repeat("x", 900) + ".svg", "text/html; charset=utf-8", "no-store", 404},
	}
	for name, c := range cases {
		w := answer(s, get(c.path))
		if w.Code != c.status || w.Header().Get("Content-Type") != c.kind || w.Header().Get("Cache-Control") != c.cache {
			t.Errorf("%s: status %d, %q, %q", name, w.Code, w.Header().Get("Content-Type"), w.Header().Get("Cache-Control"))
		}
	}
	r := get(brand.Logo)
	r.Header.Set("Accept-Encoding", "gzip, br")
	w := answer(s, r)
	unzip, err := gzip.NewReader(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(unzip); err != nil || !bytes.Contains(data, []byte("<svg")) {
		t.Errorf("compressed logo: %v", err)
	}
}

func TestRule12AvatarShowsMarkupAsText(t *testing.T) {
	s := newSite(t, nil, &engine{}, nil)
	for _, text := range []string{"%3Cscript%3Ealert(1)", "%22%3E%3Csvg onload=x", "&lt;b", "%00", "%FF", "%E2%80%AE", "]]%3E"} {
		w := answer(s, get("/avatar/"+strings.ReplaceAll(text, " ", "%20")+".svg"))
		if w.Code == http.StatusOK {
			if err := xml.Unmarshal(w.Body.Bytes(), new(struct{})); err != nil || strings.Count(w.Body.String(), "<") != 5 {
				t.Errorf("%s: %v in\n%s", text, err, w.Body)
			}
		}
	}
}
