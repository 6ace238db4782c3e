package weir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// dot is a whole picture.
const dot = "GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"

// stores sends a picture as a form, and returns the status and the answer.
func (o *office) stores(token, file, name, content string) (int, string) {
	o.t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("file", file)
	if err == nil {
		_, err = io.WriteString(part, content)
	}
	if err == nil && name != "" {
		err = w.WriteField("name", name)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		o.t.Fatal(err)
	}
	a := o.send(token, "POST", "admin/file/", w.FormDataContentType(), &form)
	return a.status, a.raw
}

func TestPicturesAreStoredShownAndDeleted(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		if status, raw := o.stores(root, "dot.gif", "", dot); status != 200 || raw != "" {
			t.Fatalf("storing: %d %s", status, raw)
		}
		if status, raw := o.stores(root, "x.gif", "icons/light.gif", dot); status != 200 {
			t.Fatalf("storing in a folder: %d %s", status, raw)
		}
		if status, raw := o.stores(root, "dot.gif", "", dot); status != 400 || !strings.Contains(raw, "exists") {
			t.Errorf("storing twice: %d %s", status, raw)
		}
		listed := func(query string) string {
			var names []string
			for _, f := range o.call(root, "GET", "admin/file/"+query, nil).list {
				names = append(names, f.(m)["name"].(string)+" "+f.(m)["mime_type"].(string)+" "+f.(m)["url"].(string))
			}
			return strings.Join(names, ", ")
		}
		for query, want := range map[string]string{
			"":                                 "dot.gif image/gif /media/dot.gif, icons/light.gif image/gif /media/icons/light.gif",
			"?search=DOT&manageable_only=true": "dot.gif image/gif /media/dot.gif",
			"?search=none&usage=media":         "",
		} {
			if got := listed(query); got != want {
				t.Errorf("%s: %s, want %s", query, got, want)
			}
		}
		if got := o.call(root, "GET", "admin/file/?usage=reports", nil).status; got != 400 {
			t.Errorf("another usage: status %d", got)
		}
		// What names a picture keeps doing so.
		o.must("POST", "core/applications/", m{"name": "Wiki", "slug": "wiki", "meta_icon": "dot.gif"})
		o.must("POST", "core/applications/", m{"name": "Shop", "slug": "shop", "meta_icon": "icons/%(theme)s.gif"})
		for name, want := range map[string]string{"dot.gif": "Wiki", "icons/light.gif": "Shop", "none.gif": ""} {
			var names []string
			for _, u := range o.call(root, "GET", "admin/file/used_by/?name="+name, nil).list {
				names = append(names, u.(m)["name"].(string))
			}
			if got := strings.Join(names, ", "); got != want {
				t.Errorf("%s is used by %q, want %q", name, got, want)
			}
		}
		if got := o.page("/media/dot.gif", nil); !strings.HasSuffix(got, "\r\n\r\n"+dot) {
			t.Errorf("shown as %q", got)
		}
		for _, want := range []int{200, 404} {
			if got := o.call(root, "DELETE", "admin/file/?name=dot.gif", nil).status; got != want {
				t.Errorf("deleting: status %d, want %d", got, want)
			}
		}
		if got := listed("?search=dot"); got != "" {
			t.Errorf("after its end: %s", got)
		}
		if got := o.must("GET", "core/applications/wiki/", nil)["meta_icon"]; got != "dot.gif" {
			t.Errorf("the application has the icon %v", got)
		}
		var told []string
		for _, action := range []string{"model_created", "model_deleted"} {
			about, err := json.Marshal(o.must("GET", "events/events/?action="+action+"&page_size=100", nil)["results"])
			if err != nil {
				t.Fatal(err)
			}
			told = append(told, fmt.Sprint(strings.Count(string(about), "authentik_admin_files")))
		}
		if got := strings.Join(told, " "); got != "2 1" {
			t.Errorf("events of creation and deletion: %s, want 2 1", got)
		}
	})
}

func TestPicturesAreChecked(t *testing.T) {
	s := settings(t)
	o := openOffice(t, s)
	_, viewer := o.clerk("viewer", "authentik_rbac.view_media_files")
	_, manager := o.clerk("manager", "authentik_rbac.manage_media_files")
	const svg = `<svg xmlns="http://www.w3.org/2000/svg">`
	for name, row := range map[string]struct {
		token, file, content string
		want                 int
	}{
		"nobody":                    {"", "a.gif", dot, 403},
		"who may look":              {viewer, "a.gif", dot, 403},
		"who may manage":            {manager, "a.gif", dot, 200},
		"a drawing":                 {root, "a.svg", svg + `<path d="M0 0"/></svg>`, 200},
		"a page":                    {root, "a.html", "<html>", 400},
		"a page that is called gif": {root, "b.gif", "<html><script>alert(1)</script></html>", 400},
		"a page that is called svg": {root, "b.svg", "<html><script/></html>", 400},
		"another kind of picture":   {root, "b.png", dot, 400},
		"a script":                  {root, "c.svg", svg + `<script>alert(1)</script></svg>`, 400},
		"a script in capitals":      {root, "d.svg", svg + `<SCRIPT>alert(1)</SCRIPT></svg>`, 400},
		"a handler":                 {root, "e.svg", `<svg onload="alert(1)"/>`, 400},
		"a link to a script":        {root, "f.svg", svg + `<a href=" java&#10;script:alert(1)"/></svg>`, 400},
		"a page inside":             {root, "g.svg", svg + `<foreignObject/></svg>`, 400},
		"a document type":           {root, "h.svg", `<!DOCTYPE svg [<!ENTITY x "y">]>` + svg + `</svg>`, 400},
		"half a drawing":            {root, "i.svg", svg, 400},
		"nothing":                   {root, "j.gif", "", 400},
		"a large one":               {root, "k.gif", dot + strings.Repeat("x", 2<<20), 400},
	} {
		if status, raw := o.stores(row.token, row.file, "", row.content); status != row.want && !(name == "a large one" && status == 413) {
			t.Errorf("%s: %d, want %d: %s", name, status, row.want, raw)
		}
	}
	for _, name := range []string{"../a.gif", "/a.gif", "a/../../b.gif", ".hidden.gif", "a/.b.gif", "a//b.gif", "b\\c.gif", "a.gif/b.gif", strings.Repeat("n", 200) + ".gif", "é.gif", "x.gif\x00.png", "a/b/c/d/e/f.gif"} {
		if status, raw := o.stores(root, "x.gif", name, dot); status != 400 {
			t.Errorf("%q: %d %s", name, status, raw)
		}
	}
	// Only what is listed can be deleted.
	secret := filepath.Join(s.Data, "outside.gif")
	if err := os.WriteFile(secret, []byte(dot), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(s.Data, mediaFolder, "link.gif")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../outside.gif", "link.gif", "", ".", "none.gif"} {
		if got := o.call(root, "DELETE", "admin/file/?name="+name, nil).status; got != 404 {
			t.Errorf("deleting %q: status %d", name, got)
		}
	}
	if _, err := os.Stat(secret); err != nil {
		t.Error(err)
	}
	if got := o.call(viewer, "DELETE", "admin/file/?name=a.gif", nil).status; got != 403 {
		t.Errorf("who may look deletes: status %d", got)
	}
	if got := o.call(manager, "GET", "admin/file/", nil).status; got != 403 {
		t.Errorf("who may only manage looks: status %d", got)
	}
	left, err := filepath.Glob(filepath.Join(s.Data, mediaFolder, ".*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	res, err := http.Get(o.base + "/media/a.svg")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if policy := res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "sandbox") || !strings.Contains(policy, "default-src 'none'") || res.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("a drawing is served with %v", res.Header)
	}
}
