package authenticator_test

import (
	"context"
	"testing"

	"github.com/google/uuid"

	"github.com/weir-id/weir/internal/authenticator"
)

// plain is a kind all of whose devices can answer; picky one of which only those can
// whose handle is "good", and none where a make is demanded.
type (
	plain string
	picky struct{ plain }
)

func (k plain) Type() authenticator.Type { return authenticator.Type{Class: string(k)} }
func (k plain) Offer(context.Context, *authenticator.Validation) ([]authenticator.Offer, error) {
	return nil, nil
}

func (picky) Usable(d *authenticator.Device, o authenticator.Options) (bool, error) {
	return d.Handle == "good" && len(o.AllowedTypes) == 0, nil
}

func TestLoss(t *testing.T) {
	kinds := []authenticator.Kind{plain("static"), plain("totp"), picky{plain("webauthn")}}
	device := func(id int64, class string) authenticator.Device {
		return authenticator.Device{ID: id, Class: class, Confirmed: true, Handle: "good"}
	}
	app, phone, codes, more, passkey := device(1, "totp"), device(2, "totp"), device(3, "static"), device(4, "static"), device(5, "webauthn")
	lame, begun := passkey, phone
	lame.Handle, begun.Confirmed = "bad", false
	all := []string{"static", "totp", "webauthn"}
	const spared, due, shut = authenticator.Spared, authenticator.Due, authenticator.ShutOut
	for _, row := range []struct {
		name    string
		demand  authenticator.Demand
		devices []authenticator.Device // the first one is lost
		want    authenticator.Loss
	}{
		{"the only one", authenticator.Demand{Classes: all, Without: shut}, []authenticator.Device{app}, shut},
		{"the only one, where one is set up", authenticator.Demand{Classes: all, Without: due}, []authenticator.Device{app}, due},
		{"the only one, where none is needed", authenticator.Demand{Classes: all, Without: spared}, []authenticator.Device{app}, spared},
		{"one of two", authenticator.Demand{Classes: all, Without: shut}, []authenticator.Device{app, phone}, spared},
		{"the last but for codes", authenticator.Demand{Classes: all, Without: shut}, []authenticator.Device{app, codes, more}, shut},
		{"the last but for codes, where one is set up", authenticator.Demand{Classes: all, Without: due}, []authenticator.Device{app, codes}, spared},
		{"codes beside another device", authenticator.Demand{Classes: all, Without: shut}, []authenticator.Device{codes, app}, spared},
		{"codes beside codes", authenticator.Demand{Classes: all, Without: shut}, []authenticator.Device{codes, more}, spared},
		{"all codes", authenticator.Demand{Classes: all, Without: shut}, []authenticator.Device{codes}, shut},
		{"of a class that is not taken", authenticator.Demand{Classes: []string{"webauthn"}, Without: shut}, []authenticator.Device{app}, spared},
		{"beside one of a class that is not taken", authenticator.Demand{Classes: []string{"totp"}, Without: shut}, []authenticator.Device{app, passkey}, shut},
		{"beside one that cannot answer", authenticator.Demand{Classes: all, Without: shut}, []authenticator.Device{app, lame}, shut},
		{"one that cannot answer", authenticator.Demand{Classes: all, Without: shut}, []authenticator.Device{lame}, spared},
		{"beside one of another make", authenticator.Demand{Classes: all, Options: authenticator.Options{AllowedTypes: []uuid.UUID{{1}}}, Without: shut},
			[]authenticator.Device{app, passkey}, shut},
		{"beside one that was not set up to the end", authenticator.Demand{Classes: all, Without: shut}, []authenticator.Device{app, begun}, shut},
		{"of a class that this version lacks", authenticator.Demand{Classes: append(all, "duo"), Without: shut}, []authenticator.Device{device(6, "duo")}, spared},
	} {
		got, err := row.demand.Loss(kinds, row.devices, row.devices[0].ID)
		if err != nil || got != row.want {
			t.Errorf("%s: %v, want %v: %v", row.name, got, row.want, err)
		}
	}
}
