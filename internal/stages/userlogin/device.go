package userlogin

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
)

// deviceCookie is the cookie by which a browser is known again.
const deviceCookie = "authentik_device"

// maxDeviceCookie bounds what a stranger can make us open, in bytes.
const maxDeviceCookie = 1024

// deviceCookies remembers browsers that people have logged in with. The value
// is sealed, and bound to the stage that made it (rule 34).
type deviceCookies struct {
	sealer Sealer
	// life is how long a browser is known; less than a second turns it off.
	life time.Duration
}

// device is what the cookie holds.
type device struct {
	// Subject is the user's UUID: ids of rows say nothing about another
	// installation.
	Subject string    `json:"sub"`
	Expires time.Time `json:"exp"`
}

func (d deviceCookies) on() bool { return d.life >= time.Second }

// remember returns the cookie for a person who is about to be logged in.
func (d deviceCookies) remember(x *flow.Exec, p *identity.Person) ([]flow.Cookie, error) {
	if !d.on() {
		return nil, nil
	}
	plain, err := json.Marshal(device{Subject: p.UUID.String(), Expires: x.Now.Add(d.life)})
	if err != nil {
		return nil, fmt.Errorf("encode device cookie: %w", err)
	}
	sealed := d.sealer.Seal(plain, place(x))
	return []flow.Cookie{{Name: deviceCookie, Value: base64.RawURLEncoding.EncodeToString(sealed), MaxAge: d.life}}, nil
}

// knows tells whether the browser has a cookie of this stage for the person.
// Anything wrong with the cookie makes it no cookie.
func (d deviceCookies) knows(x *flow.Exec, p *identity.Person) bool {
	value := x.Cookie(deviceCookie)
	if !d.on() || value == "" || len(value) > maxDeviceCookie {
		return false
	}
	// Strict, so that every character of the cookie counts.
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil {
		return false
	}
	plain, err := d.sealer.Open(sealed, place(x))
	if err != nil {
		return false
	}
	var known device
	if json.Unmarshal(plain, &known) != nil {
		return false
	}
	return known.Subject == p.UUID.String() && x.Now.Before(known.Expires)
}

func place(x *flow.Exec) string { return deviceCookie + " " + x.StageID.String() }
