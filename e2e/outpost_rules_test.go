package e2e

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Over https a browser gets the name that no subdomain can plant. Outposts know
// the plain one only, so they get it: for their token, and for nothing else.
func TestRule35OutpostsKeepThePlainCookieOverHTTPS(t *testing.T) {
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			s := sharedSite(t, db)
			secure := httptest.NewTLSServer(s.Server)
			t.Cleanup(secure.Close)
			user := s.user(t, "Secure")
			o := s.outpost(t)
			o.url, o.transport = secure.URL, secure.Client().Transport
			a, failure := o.signIn(t, login, "203.0.113.1", user.name, user.password)
			if failure != "" || a.jar.session == nil || !a.jar.session.Secure || !a.jar.session.HttpOnly {
				t.Fatalf("%q, cookie %v", failure, a.jar.session)
			}
			if me, err := a.me(t.Context()); err != nil || me["username"] != user.name {
				t.Errorf("users/me: %v, %v", me, err)
			}
			// The cookie is worth nothing where the token is missing.
			a.token = "no-such-token"
			if me, err := a.me(t.Context()); err == nil || err.Error() != "status 403" {
				t.Errorf("users/me without the token: %v, %v", me, err)
			}
			for _, key := range []string{"no-such-token", "the-key-of-a-person"} {
				o.token = key
				a, failure := o.signIn(t, login, "203.0.113.1", user.name, user.password)
				if failure != "" || a.jar.session != nil {
					t.Errorf("%s: %q, cookie %v", key, failure, a.jar.session)
				}
			}
		})
	}
}

func TestRule37OnlyAnOutpostNamesTheClient(t *testing.T) {
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			s := sharedSite(t, db)
			const end, own = "203.0.113.77", "127.0.0.1"
			for _, row := range []struct {
				name, token, ip string
				outpost         bool
				client          string
			}{
				{"an outpost", outpostKey, end, true, end},
				{"an outpost, IPv6", outpostKey, "2001:db8::77", true, "2001:db8::77"},
				{"an outpost whose address cannot be read", outpostKey, "the neighbours", true, own},
				{"an outpost with two addresses", outpostKey, end + ", 203.0.113.78", true, own},
				{"an outpost without an address", outpostKey, "", false, own},
				{"nobody", "", end, false, own},
				{"a made-up token", "no-such-token", end, false, own},
				{"a token in other letters", strings.ToUpper(outpostKey), end, false, own},
				{"an expired token", "the-expired-key-of-the-outpost", end, false, own},
				{"an app password", "the-app-password-of-the-outpost", end, false, own},
				{"the token of an inactive outpost", "the-key-of-a-retired-outpost", end, false, own},
				{"the token of a person", "the-key-of-a-person", end, false, own},
				{"the token of a service account", "the-key-of-a-robot", end, false, own},
				{"the token of the administrator", token, end, false, own},
			} {
				t.Run(row.name, func(t *testing.T) {
					o := s.outpost(t)
					o.token = row.token
					// The peer is no proxy, so nothing else names the client.
					o.transport = forging{"X-Forwarded-For": "192.0.2.66", "X-Real-IP": "192.0.2.66"}
					want := "access denied: from " + row.client + " "
					if _, got := o.signIn(t, "seen", row.ip, "", ""); !strings.HasPrefix(got, want) {
						t.Errorf("got %q, want %q", got, want)
					}
					if _, got := o.signIn(t, "seen-by-outposts", row.ip, "", ""); strings.HasPrefix(got, want) != row.outpost {
						t.Errorf("the flow for outposts: %q", got)
					}
				})
			}
		})
	}
}

// Policies learn the address and no header that claims one, nor the token.
func TestRule29OutpostHeadersAreNoPolicyInput(t *testing.T) {
	s := sharedSite(t, databases[0])
	for _, key := range []string{outpostKey, "no-such-token"} {
		o := s.outpost(t)
		o.token = key
		o.transport = forging{"X-Authentik-Username": "akadmin", "X-Forwarded-For": "192.0.2.66", "X-Requested-With": "test"}
		if _, got := o.signIn(t, "seen", "203.0.113.78", "", ""); !strings.HasSuffix(got, " with HTTP_X_REQUESTED_WITH") {
			t.Errorf("%s: %q", key, got)
		}
	}
}

// forging adds headers to what an outpost sends.
type forging map[string]string

func (f forging) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for name, value := range f {
		r.Header.Set(name, value)
	}
	return http.DefaultTransport.RoundTrip(r)
}
