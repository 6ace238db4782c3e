package authenticator

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/mail"
)

// Code is a code that is sent to somebody; the zero one fits nothing.
type Code struct {
	// ID is what guesses at it are counted under.
	ID   string `json:"id"`
	Text string `json:"text"`
	// Until is when it ends.
	Until time.Time `json:"until"`
}

// codes is how many there are: six digits.
var codes = big.NewInt(1_000_000)

// NewCode makes a random code.
func NewCode(now time.Time, lasts time.Duration) Code {
	n, err := rand.Int(rand.Reader, codes)
	if err != nil {
		panic(err) // the reader crashes rather than fails
	}
	return Code{ID: uuid.NewString(), Text: fmt.Sprintf("%06d", n), Until: now.Add(lasts)}
}

// Fits tells whether a typed code is this one, and it has not ended.
func (c *Code) Fits(typed string, now time.Time) bool {
	return subtle.ConstantTimeCompare([]byte(c.Text), []byte(typed)) == 1 && c.Text != "" && now.Before(c.Until)
}

// Receiver is what devices keep that codes are sent to.
type Receiver struct {
	// To is the address or number.
	To string `json:"to"`
	// Code was sent last, and not used yet.
	Code Code `json:"code"`
}

// ReadReceiver takes it out of a device.
func ReadReceiver(d *Device) (r Receiver, err error) { return r, d.Read(&r) }

// CheckCode is Coder.Check of such devices.
func CheckCode(d *Device, code string, now time.Time) (bool, error) {
	r, err := ReadReceiver(d)
	if err != nil || !r.Code.Fits(code, now) {
		return false, err
	}
	r.Code = Code{}
	return true, d.Write(r)
}

// KeepCode is what Devices.Change does to such a device that a code is sent to.
func KeepCode(code Code) func(d *Device) error {
	return func(d *Device) error {
		r, err := ReadReceiver(d)
		if err != nil {
			return err
		}
		r.Code = code
		return d.Write(r)
	}
}

// The ids of texts about codes that are sent.
const (
	TextAgain   = "code.again"
	textLimited = "code.limited"
	textOff     = "code.off"
	textSend    = "code.send"
)

// Again tells that a code was sent once more: clients of the API get it as an error,
// since it is no answer that ends a stage.
func Again() field.Error {
	return field.Error{Code: field.CodeInvalid, Message: TextAgain, String: "A code was sent."}
}

// Unsent is what people are told when a code could not be sent; nil, with the error,
// for what is no known failure.
func Unsent(err error) (*field.Error, error) {
	var limited *guard.LimitedError
	switch {
	case errors.As(err, &limited):
		n := int((limited.Wait + time.Minute - 1) / time.Minute)
		return &field.Error{Code: guard.CodeThrottled, Message: textLimited, Count: n, String: fmt.Sprintf("Too many codes were asked for. Minutes to wait: %d.", n)}, nil
	case errors.Is(err, mail.ErrNotConfigured):
		return &field.Error{Code: field.CodeInvalid, Message: textOff, String: "No mail server is configured."}, nil
	case errors.Is(err, mail.ErrFull), errors.Is(err, mail.ErrMessage), errors.Is(err, ErrUnsent):
		return &field.Error{Code: field.CodeInvalid, Message: textSend, String: "The code cannot be sent now. Try again later."}, nil
	}
	return nil, err
}

// ErrUnsent is wrapped by what keeps a message from being sent.
var ErrUnsent = errors.New("the message was not sent")
