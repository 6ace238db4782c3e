package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed static
var staticFiles embed.FS

// Assets are the addresses of the files that every page uses. They hold a hash
// of the content, so that browsers may keep them for a year.
type Assets struct {
	Stylesheet, Module string
	// Captcha is the module of pages with a captcha, Passkey that of those that ask
	// for a passkey, Duo that of the set-up of Duo, Codes that of recovery codes, Known that
	// of the list of passkeys.
	Captcha, Passkey, Duo, Codes, Known string
}

// asset is a file in memory, compressed where that helps.
type asset struct {
	kind        string
	plain, zip  []byte
	contentHash string
}

func newAsset(kind string, data []byte) asset {
	sum := sha256.Sum256(data)
	a := asset{kind: kind, plain: data, contentHash: hex.EncodeToString(sum[:8])}
	if !strings.HasPrefix(kind, "image/") || kind == "image/svg+xml" {
		var b bytes.Buffer
		w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level exists
		_, _ = w.Write(data)                                  // a buffer takes all
		_ = w.Close()
		a.zip = b.Bytes()
	}
	return a
}

func (a asset) serve(w http.ResponseWriter, r *http.Request, cache string) {
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Cache-Control", cache)
	h.Set("X-Content-Type-Options", "nosniff")
	// A picture opened by itself is a document; it may do nothing.
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Vary", "Accept-Encoding")
	body := a.plain
	if a.zip != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = a.zip
	}
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // a visitor who left needs no answer
	}
}

const (
	forever = "public, max-age=31536000, immutable"
	aDay    = "public, max-age=86400"
	anHour  = "public, max-age=3600"
	// current is for an address with an old hash: a page of an older version
	// gets today's file, and keeps it no longer than the page.
	current = "no-cache"
)

// fileKinds are the media types; those of the machine's own tables differ.
var fileKinds = map[string]string{".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".jpg": "image/jpeg"}

// static are the files below /static/: those at their published addresses by
// path, and ours by name and hash.
type static struct {
	published map[string]asset
	ours      map[string]asset // "flow.js"
}

func loadStatic(files fs.FS) (*static, error) {
	s := &static{published: map[string]asset{}, ours: map[string]asset{}}
	err := fs.WalkDir(files, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		kind, known := fileKinds[path.Ext(name)]
		if !known {
			return fmt.Errorf("static file %q is of no known kind", name)
		}
		a := newAsset(kind, data)
		if strings.HasPrefix(name, "static/dist/") {
			s.published["/"+name] = a
		} else {
			s.ours[path.Base(name)] = a
		}
		return nil
	})
	return s, err
}

// address is where a file of ours is found.
func (s *static) address(name string) string {
	ext := path.Ext(name)
	return "/static/weir/" + strings.TrimSuffix(name, ext) + "." + s.ours[name].contentHash + ext
}

// serveStatic answers /static/...
func (s *Site) serveStatic(w http.ResponseWriter, r *http.Request) {
	if a, ok := s.static.published[r.URL.Path]; ok {
		a.serve(w, r, aDay)
		return
	}
	if a, ok := s.custom.pictures[r.URL.Path]; ok {
		a.serve(w, r, anHour)
		return
	}
	name, ok := strings.CutPrefix(r.URL.Path, "/static/weir/")
	if !ok {
		s.notFound(w, r)
		return
	}
	ext := path.Ext(name)
	stem, _, _ := strings.Cut(name, ".")
	file, known := s.static.ours[stem+ext]
	want := ""
	if known {
		want = s.static.address(stem + ext)
	}
	if stem == "style" && ext == ".css" {
		sheet := s.look(s.brand(r)).stylesheet
		if plain := s.look(unbranded).stylesheet; r.URL.Path == plain.path {
			sheet = plain
		}
		file, known, want = sheet.file, true, sheet.path
	}
	switch {
	case !known:
		s.notFound(w, r)
	case r.URL.Path == want:
		file.serve(w, r, forever)
	default:
		file.serve(w, r, current)
	}
}
