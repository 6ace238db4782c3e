package session_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/session"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

func TestRule34FlippedCookieIsRefused(t *testing.T) {
	f := newFixture(t, storetest.SQLite(t), nil)
	token := f.login(f.user())
	if c := f.current(token, nil); !c.Session.Stored || c.Fresh {
		t.Fatal("the untouched cookie is refused")
	}
	for what, token := range map[string]string{"signed in": token, "visitor": f.current("", nil).Token} {
		for i := range token {
			for _, r := range []byte{'A', 'B', '=', token[i] ^ 1} {
				if r == token[i] {
					continue
				}
				forged := token[:i] + string(r) + token[i+1:]
				if c := f.current(forged, nil); c.Session.Stored || !c.Fresh || c.Token == forged {
					t.Errorf("%s, byte %d as %q: accepted", what, i, r)
				}
			}
		}
	}
	for _, forged := range []string{token + "A", token[1:], token[:len(token)-1], token + "=", " " + token, token + "\n"} {
		if c := f.current(forged, nil); !c.Fresh {
			t.Errorf("%q accepted", forged)
		}
	}
}

func TestRule35CookieNames(t *testing.T) {
	tests := []struct {
		name            string
		secure, outpost bool
		cookies, want   string
	}{
		{"over https the prefixed name counts", true, false, "__Host-authentik_session=a; authentik_session=b", "a"},
		{"over https the plain name is ignored", true, false, "authentik_session=b", ""},
		{"over http the plain name counts", false, false, "authentik_session=b", "b"},
		{"an outpost uses the plain name over https", true, true, "authentik_session=b", "b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Cookie", tt.cookies)
			if got := session.ReadCookie(r, tt.secure, tt.outpost); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			c := session.Cookie("x", time.Time{}, tt.secure, tt.outpost)
			if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure != tt.secure || c.Path != "/" || c.Domain != "" || c.Valid() != nil {
				t.Errorf("cookie: %v", c)
			}
		})
	}
}

// TestRule07TokenIsSingleLife: a token that was signed in never names a session
// again once its row is gone, not even an anonymous one.
func TestRule07TokenIsSingleLife(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db, nil)
		p := f.user()
		token := f.login(p)
		if _, err := f.RevokeOthers(t.Context(), p.ID, ""); err != nil {
			t.Fatal(err)
		}
		if c := f.current(token, nil); !c.Fresh || c.Token == token || c.Person.Saved() {
			t.Errorf("got the old session back: %+v", c.Session)
		}
		visitor := f.current("", nil)
		if c := f.current(visitor.Token, nil); c.Fresh || c.Token != visitor.Token {
			t.Error("a visitor does not keep the token of the first answer")
		}
	})
}
