package authenticatorvalidate

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/authenticator"
)

// The methods on the wire.
const (
	methodFactor       = "auth_mfa"
	methodPasswordless = "auth_webauthn_pwl"
)

// accept ends the stage for the owner of the device that answered.
func (s *stage) accept(ctx context.Context, x *flow.Exec, o *offered, d *authenticator.Device) (flow.Outcome, error) {
	t := o.kind.Type()
	app, model, _ := strings.Cut(t.Model, ".")
	named := map[string]any{"app": app, "model_name": model, "pk": d.ID, "name": d.Name}
	known, _ := flow.KeyAuthMethodArgs.Get(x.Context)
	args := map[string]any{}
	maps.Copy(args, known)
	devices, _ := args["mfa_devices"].([]any)
	args["mfa_devices"] = append(devices[:len(devices):len(devices)], named)
	out := flow.Done()
	if o.validation.Person == nil {
		p, err := x.Person(ctx, &flow.PersonRef{ID: d.User})
		if errors.Is(err, flow.ErrNoPerson) {
			return flow.Deny(""), nil
		}
		if err != nil {
			return flow.Outcome{}, fmt.Errorf("read owner of device %d: %w", d.ID, err)
		}
		x.SetPendingUser(p)
		args["device"], args["device_type"] = named, t.Class
		flow.KeyAuthMethod.Set(x.Context, methodPasswordless)
		// A device that says who somebody is has made sure of it: two factors in one.
		out = out.Prove(flow.Proof{Fact: flow.FactUser, User: p.ID, At: x.Now},
			flow.Proof{Fact: flow.FactPassword, User: p.ID, Channel: t.Class, Authenticator: t.Model + "/" + d.Key(), Methods: t.Methods, At: x.Now})
	} else if o.validation.Person.ID != d.User {
		return flow.Outcome{}, fmt.Errorf("%s device %d is not the pending user's", d.Class, d.ID)
	} else if method, _ := flow.KeyAuthMethod.Get(x.Context); method == "" {
		flow.KeyAuthMethod.Set(x.Context, methodFactor)
	}
	flow.KeyAuthMethodArgs.Set(x.Context, args)
	keyChosen.Delete(x.Context)
	channel := t.Class
	if k, ok := o.kind.(authenticator.Used); ok {
		channel = k.Channel(d)
	}
	out = out.Prove(flow.Proof{Fact: flow.FactSecondFactor, User: d.User, Channel: channel, Authenticator: t.Model + "/" + d.Key(), Methods: t.Methods, At: x.Now})
	cookie, err := s.remember(x, d)
	if cookie != nil {
		out.Cookies = append(out.Cookies, *cookie)
	}
	return out, err
}

// named tells whether one of the devices has named the person in this execution, and
// so made sure of them: such a passkey is two factors, and to ask for it again would
// add nothing.
func named(x *flow.Exec, offers []offered) bool {
	for _, o := range offers {
		for _, d := range o.devices {
			by := o.kind.Type().Model + "/" + d.Key()
			if x.Confirmed(flow.FactPassword, by, d.User) && x.Confirmed(flow.FactSecondFactor, by, d.User) {
				return true
			}
		}
	}
	return false
}

// Cookie is the name of the cookie by which a browser need not ask again.
const Cookie = "authentik_mfa"

// maxCookie bounds what a stranger can make us open, in bytes.
const maxCookie = 1024

// remembered is what the cookie holds.
type remembered struct {
	Device  uuid.UUID `json:"device"`
	Stage   uuid.UUID `json:"stage"`
	Expires time.Time `json:"exp"`
}

// remember returns the cookie for a device that has answered; nil for a stage that
// asks every time.
func (s *stage) remember(x *flow.Exec, d *authenticator.Device) (*flow.Cookie, error) {
	threshold := s.config.LastAuthThreshold.Duration()
	if threshold < time.Second || x.StageID == uuid.Nil {
		return nil, nil
	}
	plain, err := json.Marshal(remembered{d.UUID, x.StageID, x.Now.Add(threshold)})
	if err != nil {
		return nil, fmt.Errorf("encode cookie of device: %w", err)
	}
	return &flow.Cookie{Name: Cookie, Value: base64.RawURLEncoding.EncodeToString(s.env.Sealer.Seal(plain, Cookie)), MaxAge: threshold}, nil
}

// recent tells whether one of the devices has answered in this browser, at this
// stage, within the threshold as it is now: one that was made shorter counts for
// cookies of before too.
func (s *stage) recent(x *flow.Exec, offers []offered) bool {
	threshold := s.config.LastAuthThreshold.Duration()
	value := x.Cookie(Cookie)
	if threshold < time.Second || value == "" || len(value) > maxCookie {
		return false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil {
		return false
	}
	plain, err := s.env.Sealer.Open(sealed, Cookie)
	var r remembered
	if err != nil || json.Unmarshal(plain, &r) != nil || r.Stage != x.StageID || r.Stage == uuid.Nil ||
		!x.Now.Before(r.Expires) || r.Expires.After(x.Now.Add(threshold)) {
		return false
	}
	for _, o := range offers {
		for _, d := range o.devices {
			if d.UUID == r.Device {
				return true
			}
		}
	}
	return false
}
