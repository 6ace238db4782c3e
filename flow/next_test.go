package flow

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// hostile builds addresses that have fooled checks of real products: every
// way of naming another host, behind every prefix that a sloppy parser drops.
func hostile() []string {
	var out []string
	hosts := []string{"evil.example", "evil.example/x", "evil.example%2fx", "[::1]", "127.0.0.1", "evil.example:443", "localhost.evil.example",
		"xn--e1aybc.example", "ｅvil.example", "evil。example"}
	prefixes := []string{"//", "///", "////", `/\`, `\/`, `\\`, `/\/`, "/\t/", "/\n/", "\t//", " //", "/%2f", "/%2F", "/%5c", "/%5C", "/%09/",
		"/.//", "/..//", "/./..//", "/x/..//", "https://", "https:", "https:/", "http:///", "HTTPS://", "javascript://", "data:text/html,//", "https://weir.test@",
		"//weir.test@", "/%0d%0aLocation:%20https://", "/\x00/", "/ /../\\", "@", "mailto:a@"}
	for _, p := range prefixes {
		for _, h := range hosts {
			out = append(out, p+h)
		}
	}
	return append(out, "", "x", "foo/bar", "?next=/", "#x", ".", "..", "javascript:alert(1)", "/"+strings.Repeat("a", 3000), "/\u007f", "/%00", "/a\\b")
}

func TestRule36NextStaysOnThisSite(t *testing.T) {
	corpus := hostile()
	if len(corpus) < 200 {
		t.Fatalf("only %d hostile addresses", len(corpus))
	}
	base, err := url.Parse("https://weir.test/if/flow/x/")
	if err != nil {
		t.Fatal(err)
	}
	for _, next := range corpus {
		to, ok := SafeNext(next)
		if !ok {
			continue
		}
		// What passes must stay here, read the way browsers read it: without
		// tabs and line ends, backslashes as slashes.
		read := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(to)
		u, err := base.Parse(read)
		if err != nil || u.Host != "weir.test" || strings.HasPrefix(u.Path, "//") {
			t.Errorf("%q passes as %q and leads to %v", next, to, u)
		}
		for _, bad := range []string{"//", `/\`, "%2f", "%5c"} {
			if strings.HasPrefix(strings.ToLower(next), "/"+strings.TrimPrefix(bad, "/")) && bad != "//" {
				t.Errorf("%q passes", next)
			}
		}
	}
	for _, bad := range []string{"/..//evil.example", "/.//evil.example", "/./..//evil.example", "/../..//evil.example"} {
		if to, ok := SafeNext(bad); ok {
			t.Errorf("%q passes as %q", bad, to)
		}
	}
	for _, good := range []string{"/", "/x", "/if/user/?a=b&c=%2F%2Fx#y", "/a/b/../c", "/../c", "/./c", "/grüße", "/search?q=https://x.example/"} {
		if _, ok := SafeNext(good); !ok {
			t.Errorf("%q is refused", good)
		}
	}
}

func TestRule36TargetsOfConfiguration(t *testing.T) {
	rows := map[string]bool{
		"https://app.example/x": true, "http://app.example": true, "/x": true, "com.example.app:/done": true, "myapp://cb": true,
		"javascript:alert(1)": false, "JavaScript:alert(1)": false, "data:text/html,x": false, "https:": false, "https:///x": false,
		"//evil": false, `/\evil`: false, "": false, "word": false, "java\nscript:x": false, "file:///etc/passwd": false,
	}
	for to, want := range rows {
		if _, got := SafeTarget(to); got != want {
			t.Errorf("SafeTarget(%q) = %v, want %v", to, got, want)
		}
	}
}

// FuzzSafeNext looks for addresses that lead away (rule 36), and for
// configured ones that a browser would run.
func FuzzSafeNext(f *testing.F) {
	for _, s := range hostile()[:50] {
		f.Add(s)
	}
	for _, s := range []string{"/", "/a?b=//c#d", "/%2e%2e//x", "https://app.example", "app:x", "JAVASCRIPT:x", "http:x", "/:80", "/a;b@c", "/" + strings.Repeat("*", 2000) + "//é"} {
		f.Add(s)
	}
	base, _ := url.Parse("https://weir.test/")
	f.Fuzz(func(t *testing.T, next string) {
		if target, ok := SafeTarget(next); ok {
			u, err := base.Parse(target)
			if err != nil || slices.Contains([]string{"", "javascript", "data", "vbscript", "blob", "file"}, u.Scheme) || strings.ContainsAny(target, "\r\n\t\x00\\") {
				t.Fatalf("%q is sent as %q", next, target)
			}
		}
		to, ok := SafeNext(next)
		if !ok {
			return
		}
		if again, ok := SafeNext(to); !ok || again != to {
			t.Fatalf("%q is sent as %q, which would be %q, %v", next, to, again, ok)
		}
		u, err := base.Parse(to)
		if err != nil || u.Host != "weir.test" || u.Scheme != "https" {
			t.Fatalf("%q leads to %v", next, u)
		}
	})
}
