package authenticatorvalidate

import (
	"slices"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
)

// answer is what clients send; every part is optional.
type answer struct {
	SelectedChallenge *selected      `json:"selected_challenge"`
	SelectedStage     string         `json:"selected_stage"`
	Code              string         `json:"code"`
	WebAuthn          map[string]any `json:"webauthn"`
	Duo               int64          `json:"duo"`
}

// selected names one of the offered devices.
type selected struct {
	Class Class  `json:"device_class" field:"required"`
	UID   string `json:"device_uid" field:"required"`
}

// check looks at the parts of an answer. There is nothing here to check a
// code, an assertion or a push with, so each is refused: as not offered, or as
// wrong.
func (a *answer) check(r flow.Response, c *Challenge) field.Errors {
	var errs field.Errors
	if s := a.SelectedChallenge; s != nil && !slices.ContainsFunc(c.DeviceChallenges, func(d DeviceChallenge) bool {
		return d.Class == s.Class && d.UID == s.UID
	}) {
		errs = errs.Add("selected_challenge", refused("Choose one of the offered devices.", "validate.error.stage"))
	}
	for name, classes := range map[string][]Class{
		"code": {TOTP, Static, SMS, Email}, "webauthn": {WebAuthn}, "duo": {Duo},
	} {
		if _, given := r.Data[name]; !given {
			continue
		}
		problem := refused("That code did not work. Use the newest one; it changes every 30 seconds.", "validate.error.code")
		if !offers(c.DeviceChallenges, classes...) {
			problem = refused("No device of this kind is offered.", "")
		}
		errs = errs.Add(name, problem)
	}
	return errs
}

func refused(text, id string) field.Error {
	return field.Error{Code: field.CodeInvalid, String: text, Message: id}
}
