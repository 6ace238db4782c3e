package userlogin

import (
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/device"
)

// deviceCookies remembers browsers that people have logged in with, for one
// stage.
type deviceCookies struct {
	sealer device.Sealer
	// life is how long a browser is known; less than a second turns it off.
	life time.Duration
}

func (d deviceCookies) on() bool { return d.life >= time.Second }

// remember returns the cookie for a person who is about to be logged in.
func (d deviceCookies) remember(x *flow.Exec, p *identity.Person) ([]flow.Cookie, error) {
	if !d.on() {
		return nil, nil
	}
	value, err := device.Encode(d.sealer, device.Device{Subject: p.UUID, Stage: x.StageID, Expires: x.Now.Add(d.life)})
	if err != nil {
		return nil, err
	}
	return []flow.Cookie{{Name: device.Cookie, Value: value, MaxAge: d.life}}, nil
}

// knows tells whether the browser has a cookie of this stage for the person.
func (d deviceCookies) knows(x *flow.Exec, p *identity.Person) bool {
	if !d.on() {
		return false
	}
	known, ok := device.Decode(d.sealer, x.Cookie(device.Cookie), x.Now)
	return ok && known.Subject == p.UUID && known.Stage == x.StageID
}
