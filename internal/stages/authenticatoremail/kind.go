package authenticatoremail

import (
	"context"
	"strings"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/authenticator"
)

// Kind is the kind of mailboxes that codes are sent to.
type Kind struct {
	Devices Devices
	Letters Letters
}

var (
	_ authenticator.Coder    = Kind{}
	_ authenticator.Sender   = Kind{}
	_ authenticator.Shown    = Kind{}
	_ authenticator.Detailed = Kind{}
	_ authenticator.Usable   = Kind{}
	_ authenticator.Single   = Kind{}
	_ authenticator.Used     = Kind{}
)

// Type implements authenticator.Kind.
func (Kind) Type() authenticator.Type { return kindType }

// Offer implements authenticator.Kind: people choose which mailbox to look into. One
// without an address can never get a code.
func (Kind) Offer(_ context.Context, v *authenticator.Validation) ([]authenticator.Offer, error) {
	var offers []authenticator.Offer
	for _, o := range authenticator.Each(v.Devices) {
		k, err := authenticator.ReadReceiver(&o.Devices[0])
		if err != nil {
			return nil, err
		}
		if k.To == "" {
			continue
		}
		o.Target = mask(k.To)
		o.Challenge = map[string]any{"email": o.Target}
		offers = append(offers, o)
	}
	return offers, nil
}

// Usable implements authenticator.Usable.
func (Kind) Usable(d *authenticator.Device, _ authenticator.Options) (bool, error) {
	k, err := authenticator.ReadReceiver(d)
	return err == nil && k.To != "", err
}

// Single implements authenticator.Single.
func (Kind) Single() {}

// Details implements authenticator.Detailed. The address is the owner's own, whole as
// the API shows it to them.
func (Kind) Details(d *authenticator.Device) (authenticator.Details, error) {
	k, err := authenticator.ReadReceiver(d)
	if err != nil {
		return authenticator.Details{}, err
	}
	return authenticator.Details{Target: k.To}, nil
}

// Send implements authenticator.Sender. The code goes where the device says, and is
// the device's with the transaction that queues the mail: neither is without the
// other.
func (k Kind) Send(ctx context.Context, v *authenticator.Validation, d *authenticator.Device) (authenticator.Sent, error) {
	own, err := authenticator.ReadReceiver(d)
	if err != nil {
		return authenticator.Sent{}, err
	}
	c := configOf(v.X, d)
	code := authenticator.NewCode(v.X.Now, c.TokenExpiry.Duration())
	send, err := k.Letters.Write(ctx, c.letter(v.X, v.Person, own.To, code))
	if err != nil {
		problem, _ := authenticator.Unsent(authenticator.ErrUnsent)
		return authenticator.Sent{Problem: problem, Events: []flow.Event{broken(v.X, err)}}, nil
	}
	id := d.ID
	return authenticator.Sent{Apply: func(ctx context.Context, tx flow.Tx) (*field.Error, error) {
		if err := send(ctx, tx); err != nil {
			return authenticator.Unsent(err)
		}
		return nil, k.Devices.Change(ctx, tx, id, authenticator.KeepCode(code))
	}}, nil
}

// Check implements authenticator.Coder.
func (Kind) Check(d *authenticator.Device, code string, now time.Time) (bool, error) {
	return authenticator.CheckCode(d, code, now)
}

// Channel implements authenticator.Used.
func (Kind) Channel(d *authenticator.Device) string {
	k, err := authenticator.ReadReceiver(d)
	if err != nil {
		return kindType.Class
	}
	return "mail:" + strings.ToLower(k.To)
}

// members are those of an object in the API.
type members struct {
	Email string `json:"email" field:"readonly,format=email"`
}

// Members implements authenticator.Shown.
func (Kind) Members(d *authenticator.Device) (any, error) {
	if d == nil {
		return &members{}, nil
	}
	k, err := authenticator.ReadReceiver(d)
	return &members{k.To}, err
}

// configOf is the configuration of the stage that set the device up, as it is now. Of
// one that is gone, codes go through the server of the installation: whoever has the
// device must not pass because of that.
func configOf(x *flow.Exec, d *authenticator.Device) *Config {
	if object, ok := x.Catalog.Stage(d.Stage); ok && object.Err == nil {
		if c, ok := object.Config.(*Config); ok {
			return c
		}
	}
	c := defaults()
	c.UseGlobalSettings = true
	return &c
}

// mask shows so much of an address that its owner knows which one it is.
func mask(address string) string {
	local, domain, _ := strings.Cut(address, "@")
	top := ""
	if i := strings.LastIndexByte(domain, '.'); i > 0 {
		domain, top = domain[:i], domain[i:]
	}
	return first(local) + "***@" + first(domain) + "***" + top
}

func first(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}
