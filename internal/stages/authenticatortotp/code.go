package authenticatortotp

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/weir-id/weir/internal/authenticator"
)

// secret is what is kept with a device: the parameters of RFC 6238, with SHA-1 and
// steps of 30 seconds from 1970 on, which is what all apps know.
type secret struct {
	Key    []byte `json:"key"`
	Digits int    `json:"digits"`
	// Drift is by how many steps the device's clock is ahead, as far as it is known.
	Drift int64 `json:"drift"`
}

const (
	step = 30 * time.Second
	// keyBytes is the length of keys, that of a SHA-1 (RFC 4226, section 4).
	keyBytes = 20
	// tolerance is by how many steps a code may be early or late.
	tolerance = 1
	// maxDrift bounds the drift that is learned: a clock that is off by more than five
	// minutes has to be set (RFC 6238, section 6).
	maxDrift = 10
)

// newSecret makes a random key.
func newSecret(digits int) secret {
	key := make([]byte, keyBytes)
	rand.Read(key) // crashes rather than fails
	return secret{Key: key, Digits: digits}
}

// hotp is the code of a counter (RFC 4226, section 5.3).
func (s *secret) hotp(counter int64) string {
	var text [8]byte
	binary.BigEndian.PutUint64(text[:], uint64(counter))
	mac := hmac.New(sha1.New, s.Key)
	mac.Write(text[:])
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	n := binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff
	mod := uint32(1)
	for range s.Digits {
		mod *= 10
	}
	return fmt.Sprintf("%0*d", s.Digits, n%mod)
}

// at is the time step.
func at(now time.Time) int64 { return now.Unix() / int64(step/time.Second) }

// accept looks for the code among those of now, one step early and one late, and
// after the step last, so that each counts once. The step found replaces last, and
// how early or late it was is learned.
func (s *secret) accept(code string, now time.Time, last int64) (used int64, ok bool) {
	for _, off := range []int64{0, -tolerance, tolerance} {
		n := at(now) + s.Drift + off
		// All three are compared, so that the time tells nothing.
		if subtle.ConstantTimeCompare([]byte(s.hotp(n)), []byte(code)) == 1 && n > last && !ok {
			used, ok = n, true
		}
	}
	if ok {
		s.Drift = min(maxDrift, max(-maxDrift, used-at(now)))
	}
	return used, ok
}

// check asks a device.
func check(d *authenticator.Device, code string, now time.Time) (bool, error) {
	var s secret
	if err := d.Read(&s); err != nil {
		return false, err
	}
	used, ok := s.accept(code, now, d.Counter)
	if !ok {
		return false, nil
	}
	d.Counter = used
	return true, d.Write(s)
}

// text is the key as people type it.
func (s *secret) text() string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(s.Key)
}

// address is what apps scan (the key URI format of the authenticator apps).
func (s *secret) address(issuer, account string) string {
	// A colon ends the issuer.
	issuer = strings.TrimSpace(strings.ReplaceAll(issuer, ":", " "))
	query := []string{"secret=" + s.text(), "algorithm=SHA1", "digits=" + strconv.Itoa(s.Digits),
		"period=" + strconv.Itoa(int(step/time.Second)), "issuer=" + escape(issuer)}
	return "otpauth://totp/" + escape(issuer) + ":" + escape(account) + "?" + strings.Join(query, "&")
}

// escape is percent-encoding throughout: apps do not take a plus for a blank.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
