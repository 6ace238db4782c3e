package session

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"time"
)

// The names of the session cookie. Over https only the first one counts: the
// prefix keeps other hosts of the domain from planting it (rule 35). The plain
// one serves http and the headless clients that expect it.
const (
	SecureCookie = "__Host-authentik_session"
	PlainCookie  = "authentik_session"
)

// CookieName returns the one name that counts for a request.
func CookieName(secure, outpost bool) string {
	if secure && !outpost {
		return SecureCookie
	}
	return PlainCookie
}

// ReadCookie returns the session token that a request carries, "" for none.
func ReadCookie(r *http.Request, secure, outpost bool) string {
	c, err := r.Cookie(CookieName(secure, outpost))
	if err != nil {
		return ""
	}
	return c.Value
}

// Cookie returns the cookie that hands a token to the browser; a zero expires
// makes it end with the browser.
func Cookie(token string, expires time.Time, secure, outpost bool) *http.Cookie {
	return &http.Cookie{Name: CookieName(secure, outpost), Value: token, Path: "/", Expires: expires,
		Secure: secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// kind says what a token was made for.
type kind byte

const (
	// visitor tokens may name a session that is not stored yet.
	visitor kind = 'v'
	// member tokens were stored with the login that made them. Without a row
	// they are over and never come back to life (rule 7).
	member kind = 'm'
)

const randomBytes = 32

// mint returns a new token: kind, random bytes and their MAC in base64url.
func (m *Manager) mint(k kind) string {
	b := make([]byte, 1+randomBytes, 1+randomBytes+sha256.Size)
	b[0] = byte(k)
	rand.Read(b[1:]) // never fails
	return base64.RawURLEncoding.EncodeToString(append(b, m.mac(b)...))
}

// Forged tells that a cookie's value has the form of a token and was not made
// here.
func (m *Manager) Forged(token string) bool {
	_, ok := m.open(token)
	return !ok && len(token) == tokenChars
}

const tokenBytes = 1 + randomBytes + sha256.Size

var tokenChars = base64.RawURLEncoding.EncodedLen(tokenBytes)

// open checks a token that came from outside. The MAC lets forged and cut
// values be refused without asking the database (rule 34).
func (m *Manager) open(token string) (kind, bool) {
	if len(token) != tokenChars {
		return 0, false
	}
	// Strict refuses other spellings of the same bytes.
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || !hmac.Equal(m.mac(b[:1+randomBytes]), b[1+randomBytes:]) {
		return 0, false
	}
	return kind(b[0]), true
}

func (m *Manager) mac(b []byte) []byte {
	h := hmac.New(sha256.New, m.key)
	h.Write(b)
	return h.Sum(nil)
}

// keyOf is the row key of a token.
func keyOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
