package authenticator

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
)

// Pending is a device to be that a code was sent to. The plan keeps it, which is
// stored sealed, until the code has been typed.
type Pending struct {
	// To is where the code goes; empty as long as nobody has said it.
	To string `json:"to"`
	// Typed tells that the person typed To at the stage, and may change it.
	Typed bool `json:"typed"`
	Code  Code `json:"code"`
}

// pendingKey is where the plan keeps the device to be of one stage and person.
func pendingKey(x *flow.Exec, class string, p *identity.Person) flow.Key[string] {
	return flow.Key[string](fmt.Sprintf("weir_%s_secret_%s_%d", class, x.StageID, p.ID))
}

// ReadPending returns the device to be; nil when there is none yet.
func ReadPending(x *flow.Exec, class string, p *identity.Person) (*Pending, error) {
	text, ok := pendingKey(x, class, p).Get(x.Context)
	if !ok {
		return nil, nil
	}
	var d Pending
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return nil, fmt.Errorf("the plan holds a device that is none: %w", err)
	}
	return &d, nil
}

// Keep stores the device to be, nil for none any more.
func (d *Pending) Keep(x *flow.Exec, class string, p *identity.Person) error {
	if d == nil {
		pendingKey(x, class, p).Delete(x.Context)
		return nil
	}
	text, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode the device to be: %w", err)
	}
	pendingKey(x, class, p).Set(x.Context, string(text))
	return nil
}

// Refresh makes sure that there is a code to send: the same one as long as half of
// its time is left, so that a message that comes late is not in vain.
func (d *Pending) Refresh(now time.Time, lasts time.Duration) {
	if d.Code.Text == "" || d.Code.Until.Sub(now) < lasts/2 {
		d.Code = NewCode(now, lasts)
	}
}

// guesses is how often one code can be guessed at. Another one is sent then, which
// the limits on messages allow a few times an hour.
const guesses = 5

// Confirm judges a typed code. The guess is counted first, for good, so that guesses
// that come at once count one by one (rule 32). After too many guesses, or too late,
// the code is no use any more.
func (d *Pending) Confirm(ctx context.Context, x *flow.Exec, class string, p *identity.Person, typed string) (bool, error) {
	if d.Code.Text == "" {
		return false, nil
	}
	n, err := x.CountFailure(ctx, "code "+d.Code.ID)
	if err != nil {
		return false, fmt.Errorf("count a guess: %w", err)
	}
	if n <= guesses && d.Code.Fits(Spelled(typed), x.Now) {
		return true, nil
	}
	if n < guesses && x.Now.Before(d.Code.Until) {
		return false, nil
	}
	d.Code = Code{}
	return false, d.Keep(x, class, p)
}

// Wrong is what is said about a code that Confirm refused.
func (d *Pending) Wrong() field.Error {
	if d.Code.Text == "" {
		return field.Error{Code: field.CodeInvalid, Message: "code.error.spent", String: "That code is no use any more. Have another one sent."}
	}
	return field.Error{Code: field.CodeInvalid, Message: "code.error.wrong", String: "That code did not work. Use the one that was sent to you last."}
}
