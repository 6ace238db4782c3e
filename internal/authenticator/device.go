package authenticator

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
)

// Device is an authenticator of a user.
type Device struct {
	ID   int64
	UUID uuid.UUID
	User int64
	// Class is the class of its kind.
	Class string
	Name  string
	// Stage is the one that set the device up; zero for none.
	Stage uuid.UUID
	// Confirmed tells that it was set up to the end. Only such devices answer.
	Confirmed bool
	// Handle is what the device is found by, no two of a kind have the same: the id
	// of a passkey. Empty for none.
	Handle string
	// Counter is a number of the kind that only grows with answers, such as the time
	// step of the last code.
	Counter int64
	// Failures are the wrong answers since the last right one, the last of them at
	// Failed.
	Failures int
	Failed   *time.Time
	Created  time.Time
	Updated  time.Time
	LastUsed *time.Time

	data []byte
}

// Key is the id on the wire.
func (d *Device) Key() string { return strconv.FormatInt(d.ID, 10) }

// Read takes out what the kind keeps with the device.
func (d *Device) Read(into any) error {
	if err := json.Unmarshal(d.data, into); err != nil {
		return fmt.Errorf("read %s device %d: %w", d.Class, d.ID, err)
	}
	return nil
}

// Write puts in what the kind keeps with the device, as JSON. It is stored sealed.
func (d *Device) Write(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s device: %w", d.Class, err)
	}
	d.data = data
	return nil
}

// Identity is the device as policies and expressions see it.
func (d *Device) Identity() identity.Authenticator {
	return identity.Authenticator{ID: d.ID, Class: d.Class, Name: d.Name, LastUsed: d.LastUsed}
}

// place binds the sealed data to the device and its owner.
func (d *Device) place() string {
	return fmt.Sprintf("authenticator %s %s of user %d", d.Class, d.UUID, d.User)
}
