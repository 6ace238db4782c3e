package weir

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/catalog"
	"github.com/weir-id/weir/internal/store"
)

// signInLink makes a link and returns its address on the test's server, and its key.
func (o *office) signInLink(name string) (page, key string) {
	o.t.Helper()
	link, err := o.site.SignInLink(o.t.Context(), name, 10*time.Minute)
	if err != nil {
		o.t.Fatal(err)
	}
	u, err := url.Parse(link)
	if err != nil || u.Path != "/if/sign-in/" || len(u.Query().Get("key")) != 64 {
		o.t.Fatalf("link %q, %v", link, err)
	}
	return u.RequestURI(), u.Query().Get("key")
}

// presses sends the form of a page, and returns where that leads.
func (c *client) presses(page string) (status int, to string) {
	c.t.Helper()
	_, key, _ := strings.Cut(page, `name="key" value="`)
	key, _, _ = strings.Cut(key, `"`)
	r := c.post("/if/sign-in/", page, url.Values{"key": {key}})
	return r.status, r.header.Get("Location")
}

// nobody is who is there for want of a session.
const nobody = "403"

const deadLink = "This link does not work"

// Breaking the configuration in every way leaves the link as it is.
func TestASignInLinkNeedsNoConfiguration(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		brand := "core/brands/" + o.key(catalog.KindBrand, "default", "true").String() + "/"
		o.must("PATCH", brand, m{"branding_title": "Elsewhere", "branding_custom_css": "form { display: none }"})
		for _, row := range []struct{ name, sql string }{
			{"as it is shipped", ""},
			{"every document unreadable", "update catalog_versions set doc = '{}'"},
			{"of unknown types", "update catalog_versions set type = 'nothing'"},
			{"nothing configured", "delete from catalog_versions"},
		} {
			if row.sql != "" {
				if _, err := o.site.db.Exec(t.Context(), row.sql); err != nil {
					t.Fatal(err)
				}
			}
			// A node that starts reads what the database has.
			site := start(t, s)
			broken := &office{t, site, ""}
			page, key := broken.signInLink("akadmin")
			c := visit(t, site)
			shown := c.page(t, page)
			if !strings.Contains(shown, "Sign in as akadmin") || c.who() != nobody {
				t.Fatalf("%s: the page says %s", row.name, shown)
			}
			if style := c.page(t, styleOf.FindStringSubmatch(shown)[1]); strings.Contains(shown, "Elsewhere") || strings.Contains(style, "form { display: none }") {
				t.Errorf("%s: the brand has a say: %s", row.name, shown)
			}
			before := c.session()
			if status, to := c.presses(shown); status != http.StatusSeeOther || to != "/if/user/" {
				t.Fatalf("%s: the button leads to %d %q", row.name, status, to)
			}
			if c.who() != "akadmin" || c.session() == before {
				t.Errorf("%s: signed in as %q, or in the old session (rule 5)", row.name, c.who())
			}
			if home := c.do("GET", "/if/user/", ""); home.status != 200 {
				t.Errorf("%s: the home page is %d", row.name, home.status)
			}
			if again := visit(t, site).page(t, page); !strings.Contains(again, deadLink) {
				t.Errorf("%s: the used link says %s", row.name, again)
			}
			var told int
			if err := site.db.QueryRow(t.Context(), "select count(*) from events where "+textOf(site, "context")+" like '%"+key+"%'").Scan(&told); err != nil || told > 0 {
				t.Errorf("%s: %d events show the key, %v", row.name, told, err)
			}
		}
	})
}

var styleOf = regexp.MustCompile(`<link rel="stylesheet" href="([^"]+)"`)

// textOf is a JSON column as text.
func textOf(site *Server, column string) string {
	if site.db.Dialect() == store.Postgres {
		return column + "::text"
	}
	return column
}

func TestASignInLinkIsRecorded(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		ada := o.user("ada", nil)
		page, _ := o.signInLink("ada")
		if e := o.latest("secret_view"); !strings.Contains(fmt.Sprint(e["context"]), "A sign-in link was made.") {
			t.Errorf("making it: %v", e)
		}
		c := visit(t, o.site)
		c.presses(c.page(t, page))
		e := o.latest("login")
		if u := e["user"].(m); u["pk"] != float64(ada) || e["context"].(m)["auth_method"] != "sign_in_link" {
			t.Errorf("using it: %v", e)
		}
		// It proves nothing, so flows that ask for a factor still do.
		if got := c.assurance(); got != "[]" {
			t.Errorf("the session knows %s", got)
		}
	})
}

// Looking changes nothing, whoever looks and how; another site presses no button, and
// no address leads on with the key.
func TestRule05OnlyTheButtonUsesASignInLink(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		page, key := o.signInLink("akadmin")
		c := visit(t, o.site)
		for _, method := range []string{"HEAD", "GET", "GET"} {
			r := c.do(method, page, "")
			if r.status != 200 || r.header.Get("Referrer-Policy") != "same-origin" || r.header.Get("Cache-Control") != "no-store" || c.who() != nobody {
				t.Errorf("%s: %d %v", method, r.status, r.header)
			}
			if method == "GET" && strings.Count(string(r.raw), key) != 1 {
				t.Errorf("the key is on the page %d times", strings.Count(string(r.raw), key))
			}
		}
		body := url.Values{"key": {key}}.Encode()
		const form = "application/x-www-form-urlencoded"
		for _, row := range []struct {
			name, body string
			header     []string
			status     int
		}{
			{"another site", body, []string{"Content-Type", form, "Sec-Fetch-Site", "cross-site"}, 403},
			{"another origin", body, []string{"Content-Type", form, "Origin", "https://evil.example"}, 403},
			{"JSON", `{"key":"` + key + `"}`, nil, 415},
			{"the key in the address", "x=y", []string{"Content-Type", form}, 404},
			{"an empty key", "key=", []string{"Content-Type", form}, 404},
		} {
			if r := c.do("POST", page, row.body, row.header...); r.status != row.status || c.who() != nobody {
				t.Errorf("%s: %d, signed in as %q", row.name, r.status, c.who())
			}
		}
		if status, _ := c.presses(c.page(t, page)); status != http.StatusSeeOther || c.who() != "akadmin" {
			t.Errorf("the button: %d, signed in as %q", status, c.who())
		}
	})
}

func TestRule13FiftyUsesOfOneSignInLinkSignInOnce(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		page, _ := o.signInLink("akadmin")
		shown := visit(t, o.site).page(t, page)
		ends := make([]int, 50)
		var wg sync.WaitGroup
		for i := range ends {
			c := visit(t, o.site)
			wg.Go(func() { ends[i], _ = c.presses(shown) })
		}
		wg.Wait()
		in := 0
		for i, status := range ends {
			switch status {
			case http.StatusSeeOther:
				in++
			case http.StatusNotFound:
			default:
				t.Errorf("use %d ends with %d", i, status)
			}
		}
		if n := strings.Count(o.events(), "login"); in != 1 || n != 1 {
			t.Errorf("%d of 50 are signed in, with %d events", in, n)
		}
	})
}

func TestRule14ASignInLinkEndsInTime(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		page, _ := o.signInLink("akadmin")
		c := visit(t, o.site)
		shown := c.page(t, page)
		if _, err := o.site.db.Exec(t.Context(), "update flow_tokens set expires = $1", time.Now().Add(-time.Second)); err != nil {
			t.Fatal(err)
		}
		if status, _ := c.presses(shown); status != http.StatusNotFound || c.who() != nobody {
			t.Errorf("the button after the time: %d, signed in as %q", status, c.who())
		}
		if late := c.page(t, page); !strings.Contains(late, deadLink) {
			t.Errorf("the page after the time: %s", late)
		}
	})
}

func TestRule15ASignInLinkIsOfOnePersonAndPurpose(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openRecovery(t, s)
		ada, bob := o.user("ada", nil), o.user("bob", nil)
		dead := func(name, page string) {
			t.Helper()
			if shown := visit(t, o.site).page(t, page); !strings.Contains(shown, deadLink) {
				t.Errorf("%s says %s", name, shown)
			}
		}
		first, _ := o.signInLink("ada")
		_, key := o.signInLink("ada")
		dead("a link that another one replaced", first)
		dead("a made-up key", "/if/sign-in/?key="+strings.Repeat("x", 64))
		dead("no key", "/if/sign-in/")
		dead("a recovery link", "/if/sign-in/?key="+o.recoveryLink(ada, nil))
		if r := visit(t, o.site).do("GET", recoverPath("recover", key), ""); r.component() != "ak-stage-access-denied" {
			t.Errorf("as a token of a flow it shows %v", r.body)
		}
		recovery := o.recoveryLink(ada, nil)
		for _, row := range []struct{ name, key, change string }{
			{"handed to somebody else", key, fmt.Sprintf("update flow_tokens set user_id = %d where purpose = 'sign-in'", bob)},
			{"given another purpose", recovery, "update flow_tokens set purpose = 'sign-in' where purpose = 'recovery'"},
		} {
			if _, err := o.site.db.Exec(t.Context(), row.change); err != nil {
				t.Fatal(err)
			}
			c := visit(t, o.site)
			if r := c.do("POST", "/if/sign-in/", url.Values{"key": {row.key}}.Encode(), "Content-Type", "application/x-www-form-urlencoded"); r.status != 500 || c.who() != nobody {
				t.Errorf("a row that was %s: %d, signed in as %q", row.name, r.status, c.who())
			}
		}
		page, _ := o.signInLink("ada")
		o.must("POST", fmt.Sprintf("core/users/%d/set_password/", ada), m{"password": "by the office"})
		dead("a link older than the password", page)
		page, _ = o.signInLink("bob")
		c := o.signedIn("ada", "by the office")
		before := c.session()
		if status, _ := c.presses(c.page(t, page)); status != http.StatusSeeOther || c.who() != "bob" || c.session() == before {
			t.Errorf("in the browser of somebody else: %d, %q", status, c.who())
		}
		if r := visit(t, o.site).do("GET", "/api/v3/core/users/me/", "", "Cookie", "authentik_session="+before); r.status != http.StatusForbidden {
			t.Errorf("the session of the other one goes on: %d (rule 6)", r.status)
		}
	})
}

func TestRule24ASignInLinkOfAnInactiveAccount(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		ada := o.user("ada", nil)
		page, _ := o.signInLink("ada")
		c := visit(t, o.site)
		shown := c.page(t, page)
		o.must("PATCH", fmt.Sprintf("core/users/%d/", ada), m{"is_active": false})
		if status, _ := c.presses(shown); status != http.StatusNotFound || c.who() != nobody {
			t.Errorf("the button: %d, signed in as %q", status, c.who())
		}
		if gone := c.page(t, page); !strings.Contains(gone, deadLink) {
			t.Errorf("the page says %s", gone)
		}
		if _, err := o.site.SignInLink(t.Context(), "ada", time.Minute); err == nil || !strings.Contains(err.Error(), "not active") {
			t.Errorf("a new link: %v", err)
		}
		o.user("robot", m{"type": "service_account"})
		for name, says := range map[string]string{"robot": "service account", "nobody": "no such user"} {
			if _, err := o.site.SignInLink(t.Context(), name, time.Minute); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("a link for %s: %v", name, err)
			}
		}
		o.must("PATCH", fmt.Sprintf("core/users/%d/", ada), m{"is_active": true})
		page, _ = o.signInLink("ada")
		o.must("DELETE", fmt.Sprintf("core/users/%d/", ada), nil)
		if gone := c.page(t, page); !strings.Contains(gone, deadLink) {
			t.Errorf("of an account that was deleted: %s", gone)
		}
	})
}

// A recovery link works without a way to sign in, and where it does not the other
// link is named.
func TestARecoveryLinkNeedsNoSignIn(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openRecovery(t, s)
		c := visit(t, o.site)
		for _, slug := range []string{"default-authentication-flow", "default-invalidation-flow"} {
			if r := c.as(root, "DELETE", "/api/v3/flows/instances/"+slug+"/", "", "Weir-Force", "lockout"); r.status != 204 {
				t.Fatalf("%s: %d %s", slug, r.status, r.raw)
			}
		}
		link, err := o.site.RecoveryLink(t.Context(), "akadmin", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		if r := c.recovers(u.Query().Get("flow_token"), "new words"); r.component() != "xak-flow-redirect" || c.who() != "akadmin" {
			t.Errorf("recovery ends with %v", r.body)
		}
		o.must("DELETE", "flows/instances/recover/", nil)
		if _, err := o.site.RecoveryLink(t.Context(), "akadmin", time.Hour); err == nil || !strings.Contains(err.Error(), "weir user sign-in-link akadmin") {
			t.Errorf("without a recovery flow: %v", err)
		}
		page, _ := o.signInLink("akadmin")
		c = visit(t, o.site)
		if status, _ := c.presses(c.page(t, page)); status != http.StatusSeeOther || c.who() != "akadmin" {
			t.Errorf("the other link: %d, signed in as %q", status, c.who())
		}
	})
}
