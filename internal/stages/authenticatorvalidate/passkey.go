package authenticatorvalidate

import (
	"context"
	"errors"
	"fmt"

	"github.com/weir-id/weir/flow"
)

// errNoPasskeys means that the stage cannot ask for a passkey of anybody.
var errNoPasskeys = errors.New("the stage asks for no passkeys")

// passkeys is the offer to whoever has a passkey for the site.
func (s *stage) passkeys(ctx context.Context, x *flow.Exec) (*offered, error) {
	offers, err := s.offer(ctx, x, nil, nil)
	if err != nil {
		return nil, err
	}
	for i := range offers {
		if offers[i].Class == WebAuthn {
			return &offers[i], nil
		}
	}
	return nil, errNoPasskeys
}

// AskPasskey is what another stage that embeds this one tells the browser, so that
// any passkey for the site answers.
func (s *stage) AskPasskey(ctx context.Context, x *flow.Exec) (map[string]any, error) {
	o, err := s.passkeys(ctx, x)
	if err != nil {
		return nil, fmt.Errorf("offer passkeys: %w", err)
	}
	return o.Challenge, nil
}

// TakePasskey judges what a passkey answered to AskPasskey. With ok the pending user is
// its owner and out is done; else the passkey was refused, and out has no more than
// the events about that.
func (s *stage) TakePasskey(ctx context.Context, x *flow.Exec, value any) (out flow.Outcome, ok bool, err error) {
	o, err := s.passkeys(ctx, x)
	if err != nil {
		return flow.Outcome{}, false, fmt.Errorf("offer passkeys: %w", err)
	}
	out, err = s.ownAnswer(ctx, x, o, value)
	out.Cookies = nil // whoever names themselves anew is asked anew
	return out, len(out.Proofs) > 0, err
}
