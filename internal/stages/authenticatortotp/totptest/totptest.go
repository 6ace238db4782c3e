// Package totptest is an authenticator app for tests. It shares no code with what
// it tests.
package totptest

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"testing"
	"time"
)

// Code is the code of six digits that an app with the key, in base32, shows so many
// time steps after the present one.
func Code(t testing.TB, key string, later int64) string {
	t.Helper()
	raw, err := base32.StdEncoding.DecodeString(key)
	if err != nil {
		t.Fatalf("the key %q: %v", key, err)
	}
	mac := hmac.New(sha1.New, raw)
	if err := binary.Write(mac, binary.BigEndian, time.Now().Unix()/30+later); err != nil {
		t.Fatal(err)
	}
	sum := mac.Sum(nil)
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[sum[19]&15:])&0x7fffffff%1e6)
}
