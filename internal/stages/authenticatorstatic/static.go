// Package authenticatorstatic holds the stage that gives out recovery codes, and
// the kind of these devices: each code counts once.
package authenticatorstatic

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"fmt"
	"strings"
	"time"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/authenticator"
)

//go:embed *.html
var pages embed.FS

// kindType describes the devices.
var kindType = authenticator.Type{Class: "static", Model: "authentik_stages_authenticator_static.staticdevice", Label: "Static Device", Plural: "Static Devices", Schema: "StaticDevice",
	Methods: []string{flow.MethodCode}}

// kept is what is kept with a device: the codes that have not been used, as hashes
// under a key of the device's own.
type kept struct {
	Salt  []byte   `json:"salt"`
	Codes [][]byte `json:"codes"`
}

const saltBytes = 16

func keep(codes []string) kept {
	k := kept{Salt: make([]byte, saltBytes), Codes: [][]byte{}}
	rand.Read(k.Salt) // crashes rather than fails
	for _, c := range codes {
		k.Codes = append(k.Codes, k.hash(c))
	}
	return k
}

// hash does not tell capital letters from small ones, which people copy wrong.
func (k *kept) hash(code string) []byte {
	mac := hmac.New(sha256.New, k.Salt)
	mac.Write([]byte(strings.ToLower(code)))
	return mac.Sum(nil)
}

// use takes the code out, once.
func (k *kept) use(code string) bool {
	wanted, left := k.hash(code), [][]byte{}
	found := false
	for _, c := range k.Codes {
		if hmac.Equal(c, wanted) && !found {
			found = true
			continue
		}
		left = append(left, c)
	}
	k.Codes = left
	return found
}

// Kind is the kind of recovery codes.
type Kind struct{}

var (
	_ authenticator.Coder    = Kind{}
	_ authenticator.Shown    = Kind{}
	_ authenticator.Detailed = Kind{}
)

// Type implements authenticator.Kind.
func (Kind) Type() authenticator.Type { return kindType }

// Offer implements authenticator.Kind. A device whose codes have all been used is
// still offered: running out of codes must not make the second factor go away.
func (Kind) Offer(_ context.Context, v *authenticator.Validation) ([]authenticator.Offer, error) {
	return authenticator.First(v.Devices), nil
}

// Check implements authenticator.Coder.
func (Kind) Check(d *authenticator.Device, code string, _ time.Time) (bool, error) {
	var k kept
	if err := d.Read(&k); err != nil || !k.use(code) {
		return false, err
	}
	return true, d.Write(k)
}

// members are those of an object in the API. The codes themselves are not known any
// more; there is one entry for each that is left.
type members struct {
	Tokens []staticDeviceToken `json:"token_set" field:"readonly"`
}

// staticDeviceToken stands for a code.
type staticDeviceToken struct {
	Token string `json:"token" field:"required,max=100"`
}

// mask stands for a code.
const mask = "********"

// Members implements authenticator.Shown.
func (Kind) Members(d *authenticator.Device) (any, error) {
	m := &members{Tokens: []staticDeviceToken{}}
	if d == nil {
		return m, nil
	}
	var k kept
	if err := d.Read(&k); err != nil {
		return nil, err
	}
	for range k.Codes {
		m.Tokens = append(m.Tokens, staticDeviceToken{mask})
	}
	return m, nil
}

// Details implements authenticator.Detailed.
func (Kind) Details(d *authenticator.Device) (authenticator.Details, error) {
	var k kept
	if err := d.Read(&k); err != nil {
		return authenticator.Details{}, err
	}
	left := len(k.Codes)
	return authenticator.Details{Left: &left}, nil
}

// letters are those of codes, without the ones that look alike: 5 bits each.
const letters = "abcdefghijkmnpqrstuvwxyz23456789"

// newCode makes a random code.
func newCode(length int) string {
	random := make([]byte, length)
	rand.Read(random) // crashes rather than fails
	for i, b := range random {
		random[i] = letters[int(b)%len(letters)]
	}
	return string(random)
}

type stage struct {
	config  Config
	devices Devices
}

var _ flow.Stage = (*stage)(nil)

// Challenge implements flow.Stage.
func (s *stage) Challenge(ctx context.Context, x *flow.Exec) (flow.Outcome, error) {
	p, out, err := authenticator.Owner(ctx, x)
	if p == nil || err != nil {
		return out, err
	}
	codes, _ := s.pending(x, p)
	return flow.Ask(&Challenge{Codes: codes}), nil
}

// Respond implements flow.Stage: whoever answers has saved the codes. An answer
// that comes before they were shown is none.
func (s *stage) Respond(ctx context.Context, x *flow.Exec, _ flow.Response) (flow.Outcome, error) {
	p, out, err := authenticator.Owner(ctx, x)
	if p == nil || err != nil {
		return out, err
	}
	codes, shown := s.pending(x, p)
	if !shown {
		return flow.AskAgain(unseen()), nil
	}
	d := &authenticator.Device{User: p.ID, Class: kindType.Class, Name: "Static Token", Stage: x.StageID, Confirmed: true}
	if err := d.Write(keep(codes)); err != nil {
		return flow.Outcome{}, err
	}
	s.key(x, p).Delete(x.Context)
	return s.devices.Enrol(flow.Done(), kindType, d), nil
}

// key is where the plan keeps the codes to be. A plan is stored sealed.
func (s *stage) key(x *flow.Exec, p *identity.Person) flow.Key[[]any] {
	return flow.Key[[]any](fmt.Sprintf("weir_static_secret_%s_%d", x.StageID, p.ID))
}

// pending are the codes to be, the same each time the page is shown, and whether it
// has been shown.
func (s *stage) pending(x *flow.Exec, p *identity.Person) (codes []string, shown bool) {
	made, shown := s.key(x, p).Get(x.Context)
	if !shown {
		for range s.config.TokenCount {
			made = append(made, newCode(int(s.config.TokenLength)))
		}
		s.key(x, p).Set(x.Context, made)
	}
	codes = []string{}
	for _, c := range made {
		if text, ok := c.(string); ok {
			codes = append(codes, text)
		}
	}
	return codes, shown
}
