package authenticatorsms

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/authenticator"
)

// Kind is the kind of phones that codes are sent to.
type Kind struct{ Env Env }

var (
	_ authenticator.Coder    = Kind{}
	_ authenticator.Sender   = Kind{}
	_ authenticator.Shown    = Kind{}
	_ authenticator.Detailed = Kind{}
	_ authenticator.Usable   = Kind{}
	_ authenticator.Used     = Kind{}
)

// deviceName is what new devices are called.
const deviceName = "SMS Device"

// Type implements authenticator.Kind.
func (Kind) Type() authenticator.Type { return kindType }

// Offer implements authenticator.Kind: people choose which phone they have with them.
// One of which only the hash is known can never get a code.
func (Kind) Offer(_ context.Context, v *authenticator.Validation) ([]authenticator.Offer, error) {
	var offers []authenticator.Offer
	for _, o := range authenticator.Each(v.Devices) {
		r, err := authenticator.ReadReceiver(&o.Devices[0])
		if err != nil {
			return nil, err
		}
		if !reachable(r.To) {
			continue
		}
		o.Target = mask(r.To)
		offers = append(offers, o)
	}
	return offers, nil
}

// reachable tells whether a number is known, rather than its hash.
func reachable(number string) bool { return number != "" && !strings.HasPrefix(number, hashPrefix) }

// Usable implements authenticator.Usable.
func (Kind) Usable(d *authenticator.Device, _ authenticator.Options) (bool, error) {
	r, err := authenticator.ReadReceiver(d)
	return err == nil && reachable(r.To), err
}

// Details implements authenticator.Detailed. The number is the owner's own, whole as
// the API shows it to them.
func (Kind) Details(d *authenticator.Device) (authenticator.Details, error) {
	r, err := authenticator.ReadReceiver(d)
	if err != nil || !reachable(r.To) {
		return authenticator.Details{}, err
	}
	return authenticator.Details{Target: r.To}, nil
}

// Send implements authenticator.Sender. The code goes where the device says, and is
// the device's with the step.
func (k Kind) Send(ctx context.Context, v *authenticator.Validation, d *authenticator.Device) (authenticator.Sent, error) {
	own, err := authenticator.ReadReceiver(d)
	if err != nil {
		return authenticator.Sent{}, err
	}
	code := authenticator.NewCode(v.X.Now, lasts)
	c, name := k.config(v.X, d)
	err = authenticator.ErrUnsent
	if c == nil {
		err = fmt.Errorf("%w: the stage that set the phone up is gone", err)
	} else {
		err = k.Env.send(ctx, c, newMessage(v.X, v.Person, own.To, name, code))
	}
	if err != nil {
		problem, other := authenticator.Unsent(err)
		return authenticator.Sent{Problem: problem, Events: failed(v.X, v.X.Stage(), err)}, other
	}
	id := d.ID
	return authenticator.Sent{Apply: func(ctx context.Context, tx flow.Tx) (*field.Error, error) {
		return nil, k.Env.Devices.Change(ctx, tx, id, authenticator.KeepCode(code))
	}}, nil
}

// config is the configuration of the stage that set the device up, as it is now; nil
// when the stage is gone.
func (Kind) config(x *flow.Exec, d *authenticator.Device) (*Config, string) {
	object, ok := x.Catalog.Stage(d.Stage)
	if !ok || object.Err != nil {
		return nil, ""
	}
	c, _ := object.Config.(*Config)
	return c, object.Name
}

// Check implements authenticator.Coder.
func (Kind) Check(d *authenticator.Device, code string, now time.Time) (bool, error) {
	return authenticator.CheckCode(d, code, now)
}

// Channel implements authenticator.Used.
func (Kind) Channel(d *authenticator.Device) string {
	r, err := authenticator.ReadReceiver(d)
	if err != nil {
		return kindType.Class
	}
	return "sms:" + r.To
}

// members are those of an object in the API.
type members struct {
	Number string `json:"phone_number" field:"readonly"`
}

// Members implements authenticator.Shown.
func (Kind) Members(d *authenticator.Device) (any, error) {
	if d == nil {
		return &members{}, nil
	}
	r, err := authenticator.ReadReceiver(d)
	return &members{r.To}, err
}

// hashPrefix marks a number of which only the hash is known.
const hashPrefix = "hash:"

func hash(number string) string {
	sum := sha256.Sum256([]byte(number))
	return hashPrefix + hex.EncodeToString(sum[:])
}

// handle is what a number is found by at a stage, whether it is kept or only its
// hash.
func handle(stage uuid.UUID, number string) string { return stage.String() + " " + hash(number) }

// spelling is taken out of numbers.
var spelling = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", ".", "", "/", "", "\u00a0", "")

// international is a number as E.164 has it.
var international = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// canonical is a number in one spelling; empty for what is none.
func canonical(typed string) string {
	n := spelling.Replace(strings.TrimSpace(typed))
	if rest, ok := strings.CutPrefix(n, "00"); ok {
		n = "+" + rest
	}
	if !international.MatchString(n) {
		return ""
	}
	return n
}

// mask shows so much of a number that its owner knows which one it is.
func mask(number string) string { return number[:3] + "***" + number[len(number)-2:] }
