package authenticatorvalidate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/authenticator"
)

// offered is a way to confirm, with what stands behind it.
type offered struct {
	DeviceChallenge
	kind authenticator.Kind
	// validation is what the kind sees, devices are those that can answer.
	validation *authenticator.Validation
	devices    []authenticator.Device
}

// offer asks the kinds that the configuration allows what the person can confirm
// with: the last used first, recovery codes last. For nobody (nil) these are ways
// that tell who somebody is.
func (s *stage) offer(ctx context.Context, x *flow.Exec, p *identity.Person, devices []authenticator.Device) ([]offered, error) {
	var out []offered
	for _, kind := range s.env.Kinds {
		class := Class(kind.Type().Class)
		if !slices.Contains(s.config.DeviceClasses, class) {
			continue
		}
		v := &authenticator.Validation{X: x, Person: p, Options: s.config.options()}
		for _, d := range devices {
			if d.Class == string(class) && !counted(x, kind, &d) {
				v.Devices = append(v.Devices, d)
			}
		}
		if p != nil && len(v.Devices) == 0 {
			continue
		}
		offers, err := kind.Offer(ctx, v)
		if err != nil {
			return nil, fmt.Errorf("offer %s: %w", class, err)
		}
		for _, o := range offers {
			c := DeviceChallenge{Class: class, UID: o.UID, Challenge: o.Challenge, Target: o.Target}
			if c.Challenge == nil {
				c.Challenge = map[string]any{}
			}
			if len(o.Devices) > 0 {
				c.LastUsed, c.Name = o.Devices[0].LastUsed, o.Devices[0].Name
			}
			_, c.Sends = kind.(authenticator.Sender)
			out = append(out, offered{c, kind, v, o.Devices})
		}
	}
	slices.SortStableFunc(out, func(a, b offered) int {
		if (a.Class == Static) != (b.Class == Static) {
			if a.Class == Static {
				return 1
			}
			return -1
		}
		return -cmp.Compare(unix(a.LastUsed), unix(b.LastUsed))
	})
	return out, nil
}

// counted tells whether the channel of a device has proved something in this
// execution: a mailbox whose link led here is not a second factor too (rule 27).
func counted(x *flow.Exec, kind authenticator.Kind, d *authenticator.Device) bool {
	used, ok := kind.(authenticator.Used)
	return ok && x.Through(used.Channel(d), d.User)
}

func unix(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return t.UnixNano()
}

// options are those that kinds know.
func (c *Config) options() authenticator.Options {
	o := authenticator.Options{UserVerification: string(c.WebAuthnUserVerification), AllowedTypes: c.WebAuthnAllowedDeviceTypes}
	for _, h := range c.WebAuthnHints {
		o.Hints = append(o.Hints, string(h))
	}
	return o
}

// factor is the throttling factor of a class.
func (c *Config) factor(class string) float64 {
	switch Class(class) {
	case Email:
		return c.EmailThrottling
	case SMS:
		return c.SMSThrottling
	case TOTP:
		return c.TOTPThrottling
	case Static:
		return c.StaticThrottling
	}
	return 1
}

// keyChosen is the device that the person chose, as class and uid.
const keyChosen = flow.Key[string]("weir_chosen_device")

// challenge is what the offers look like. Pages ask for what was chosen, else for
// the first one where that needs no sending.
func challenge(x *flow.Exec, offers []offered) *Challenge {
	c := &Challenge{DeviceChallenges: []DeviceChallenge{}, ConfigurationStages: []SelectableStage{}, offers: offers}
	chosen, _ := keyChosen.Get(x.Context)
	for i, o := range offers {
		c.DeviceChallenges = append(c.DeviceChallenges, o.DeviceChallenge)
		if chosen == o.id() || c.Chosen == nil && i == 0 && !o.Sends {
			c.Chosen = &o.DeviceChallenge
		}
	}
	return c
}

func (o *offered) id() string { return string(o.Class) + ":" + o.UID }
