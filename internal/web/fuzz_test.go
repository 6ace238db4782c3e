package web

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// FuzzForm reads submitted forms: fields of ours stay out of the response, and
// no secret is kept to be shown again.
func FuzzForm(f *testing.F) {
	for _, s := range []string{"", "uid_field=ann&password=x", "weir.execution=11111111-1111-4111-8111-111111111111&weir.step=3&weir.x=y", "a=1&a=2", "%zz=1", "passkey=%7B%22a%22%3A1%7D&webauthn=x",
		"selected_challenge=totp:1&remember_me=on", "weir.step=99999999999999999999", strings.Repeat("a=b&", 300), "%00=%ff&;=", "password=%5B%5D&code=1&token="} {
		f.Add(s, "application/x-www-form-urlencoded")
	}
	f.Add("a=b", "text/plain;;")
	f.Add("a=b", "application/x-www-form-urlencoded; charset=\"")
	f.Fuzz(func(t *testing.T, body, kind string) {
		r := httptest.NewRequest("POST", "/if/flow/x/", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		got, err := readForm(httptest.NewRecorder(), r)
		if err != nil {
			if got != nil {
				t.Errorf("%q is refused and read: %+v", body, got)
			}
			return
		}
		for name, value := range got.body {
			if strings.HasPrefix(name, reserved) || value == nil {
				t.Errorf("%q gives %q: %v", body, name, value)
			}
			if s, ok := value.(string); ok && !slices.Contains(r.PostForm[name], s) {
				t.Errorf("%q gives %q: %q, which was not sent", body, name, s)
			}
		}
		for name := range got.values {
			if secretFields[name] {
				t.Errorf("%q shows %q again", body, name)
			}
		}
	})
}

// FuzzLanguage chooses a language for any header, always one that exists.
func FuzzLanguage(f *testing.F) {
	c, err := loadCatalog(locales, nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"", "de", "fr;q=0.1,de;q=0.9", "x-klingon", "en;q=nan", "*", "de;;q=1", strings.Repeat("de-", 100), strings.Repeat("en,", 300), "und-u-va-posix", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Language", header)
		if tag := c.pick(r); !slices.Contains(c.tags, tag) {
			t.Errorf("%q chooses %v", header, tag)
		}
	})
}
