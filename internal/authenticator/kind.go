// Package authenticator keeps what people confirm with that it is them: apps,
// recovery codes, passkeys, phones. All kinds share one table (Devices), the
// sealing of their secrets, the limits on wrong answers and the rule that an
// answer counts once.
//
// To add a kind, write one folder below internal/stages with the stage that sets
// a device up (it calls Devices.Add in the transaction of its step) and a value
// that implements Kind, and add one line to Kinds in
// internal/stages/authenticators.go. Then choose how its devices answer:
//
//   - with a typed code: implement Coder. The validation stage asks all offered
//     devices within the limits, and uses the code up. Nothing else is to be done.
//   - with a code that is sent first: implement Sender too. Send makes the Code and
//     keeps it with Devices.Change; Check compares it. The stage that sets such a
//     device up has a Pending in its plan.
//   - with something of their own (an assertion, a push): implement Answerer, and a
//     key of the answer in authenticatorvalidate/answer.go. What is judged by
//     calculating goes through Devices.Judge, so that it counts once.
//
// The addresses of the API follow from Kind; Shown adds members of the kind, Used
// tells through which channel an answer comes, so that a mailbox that has been
// proved is no second factor too (rule 27).
package authenticator

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
)

// Type describes a kind of devices.
type Type struct {
	// Class is the device class on the wire: "totp".
	Class string
	// Model is the name on the wire: "authentik_stages_authenticator_totp.totpdevice".
	Model string
	// Label and Plural are the names for people: "TOTP Device", "TOTP Devices".
	Label, Plural string
	// Schema is the name of the object in the API description: "TOTPDevice".
	Schema string
	// Methods are the authentication method references of RFC 8176 that an answer of
	// such a device stands for.
	Methods []string
	// MaxName is how long names may be; 0 for 64.
	MaxName int
	// Imported tells that administrators, with the permission to add devices, can give
	// people some that somebody else has made sure of.
	Imported bool
}

// Kind is a kind of devices. What it is asked of runs for many people at once.
type Kind interface {
	// Type describes the kind.
	Type() Type
	// Offer turns the devices of v into what the person is asked with; a device that
	// cannot be used here is left out.
	Offer(ctx context.Context, v *Validation) ([]Offer, error)
}

// Coder is a Kind whose devices answer with a typed code.
type Coder interface {
	Kind
	// Check tells whether the code is the device's, and changes the device so that
	// the code is used up. It runs inside of a transaction that may be repeated, so
	// it calculates and does nothing else. The code holds no blanks or hyphens and
	// is not empty.
	Check(d *Device, code string, now time.Time) (bool, error)
}

// Sender is a Kind that sends something when a person chooses a device.
type Sender interface {
	Kind
	// Send prepares it. The devices of v are those of the kind, d is the chosen
	// one; where it goes comes from the device, never from the answer (rule 25).
	Send(ctx context.Context, v *Validation, d *Device) (Sent, error)
}

// Sent is what becomes of a choice.
type Sent struct {
	// Problem says why nothing was sent; nil when it was.
	Problem *field.Error
	Events  []flow.Event
	// Apply is done with the step, such as queueing a mail and keeping its code; nil
	// for nothing. It returns why nothing was sent, if only the transaction knows.
	Apply func(ctx context.Context, tx flow.Tx) (*field.Error, error)
}

// Answerer is a Kind whose devices answer with something of their own.
type Answerer interface {
	Kind
	// Key is the key of the answer on the wire: "webauthn".
	Key() string
	// Answer judges the value of the key.
	Answer(ctx context.Context, v *Validation, value any) (Verdict, error)
}

// Verdict is what becomes of an answer. The zero value refuses.
type Verdict struct {
	// Device is the one that answered; nil for a refused answer.
	Device *Device
	// Problem says why an answer was refused; nil for the usual words.
	Problem *field.Error
	// Quiet tells that the refusal is no failed attempt to confirm, and so no event.
	Quiet  bool
	Events []flow.Event
	// Apply is done with the step; nil for nothing.
	Apply func(ctx context.Context, tx flow.Tx) error
}

// Shown is a Kind whose objects in the API have members of their own.
type Shown interface {
	Kind
	// Members returns a pointer to a struct with field tags, all of them read-only.
	// A nil device asks for an empty one. No secret is among them (rule 45).
	Members(d *Device) (any, error)
}

// Described is a Kind that can say more about a device than its name.
type Described interface {
	Kind
	// Describe returns the make of the device, and its id with the maker; empty for
	// unknown.
	Describe(d *Device) (description, external string)
}

// Detailed is a Kind whose devices their owner is told more about.
type Detailed interface {
	Kind
	// Details returns it, without secrets.
	Details(d *Device) (Details, error)
}

// Details are what the owner of a device sees beside its name.
type Details struct {
	// Synced tells whether a passkey may be copied to other devices of its owner; nil
	// for devices that are none.
	Synced *bool
	// Left is how many recovery codes have not been used; nil for other devices.
	Left *int
	// Target is where codes are sent to; empty for nowhere.
	Target string
}

// Single is a Kind of which one stage sets at most one device up for a person.
type Single interface {
	Kind
	Single()
}

// Used is a Kind whose answers come through a channel that other stages know.
type Used interface {
	Kind
	// Channel names it, as proofs do: "mail:ann@example.com".
	Channel(d *Device) string
}

// Validation is what a kind sees of one run of the validation stage.
type Validation struct {
	X *flow.Exec
	// Person is whom the stage is about; nil where nobody has been named yet, and a
	// passkey may say who it is.
	Person *identity.Person
	// Devices are the confirmed ones of the person and the kind, the last used
	// first.
	Devices []Device
	Options Options
}

// Options are those of the validation stage.
type Options struct {
	// UserVerification, Hints and AllowedTypes are about passkeys.
	UserVerification string
	Hints            []string
	AllowedTypes     []uuid.UUID
}

// Offer is one entry of the list of ways to confirm.
type Offer struct {
	// UID tells it from others of its class.
	UID string
	// Challenge is what the device needs; nil for an empty object.
	Challenge map[string]any
	// Target is where something is sent to, as far as it may be shown; empty for
	// nowhere.
	Target string
	// Devices are those that can answer. The first one is chosen with the offer.
	Devices []Device
}

// First offers all devices as one entry, named after the last used one: which of
// them answers is seen from the answer.
func First(devices []Device) []Offer {
	if len(devices) == 0 {
		return nil
	}
	return []Offer{{UID: devices[0].Key(), Devices: devices}}
}

// Each offers every device as an entry of its own.
func Each(devices []Device) []Offer {
	var offers []Offer
	for _, d := range devices {
		offers = append(offers, Offer{UID: d.Key(), Devices: []Device{d}})
	}
	return offers
}

// spelling is taken out of codes: people type them in groups.
var spelling = strings.NewReplacer(" ", "", "-", "", "\u00a0", "", "\t", "")

// Spelled is a typed code as it is compared.
func Spelled(code string) string { return spelling.Replace(code) }
