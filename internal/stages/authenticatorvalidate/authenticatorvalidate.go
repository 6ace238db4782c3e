// Package authenticatorvalidate holds the stage that asks the pending user for
// a second factor, and sends those who have none on to set one up.
//
// What a device is asked and how it answers is up to its kind; see package
// authenticator. Answers of devices that are not offered do not count.
package authenticatorvalidate

import (
	"context"
	"embed"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/device"
)

//go:embed *.html
var pages embed.FS

// Devices knows the devices of people; it is authenticator.Devices.
type Devices interface {
	// Confirmed returns the devices of the user that have been set up to the
	// end, of all kinds, the last used first.
	Confirmed(ctx context.Context, user int64) ([]authenticator.Device, error)
	// Judge has check look at devices, within the limits.
	Judge(ctx context.Context, ids []int64, factor func(class string) float64, check func(d *authenticator.Device, now time.Time) (bool, error)) (authenticator.Judgement, error)
}

// Env is what the type needs of the rest of the program.
type Env struct {
	Devices Devices
	Kinds   []authenticator.Kind
	// Sealer makes the cookie by which a browser need not ask again.
	Sealer device.Sealer
}

// Type returns the stage type.
func Type(env Env) flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:        "authenticator_validate",
		Path:        "authenticator/validate",
		Model:       "authentik_stages_authenticator_validate.authenticatorvalidatestage",
		Component:   "ak-stage-authenticator-validate-form",
		Label:       "Authenticator Validation Stage",
		Description: "Asks the person for a second factor.",
		Schema:      "AuthenticatorValidateStage",
		Filters:     []string{"configuration_stages", "not_configured_action"},
		Exchanges:   []flow.Exchange{{Name: "AuthenticatorValidation", Challenge: &Challenge{}, Answer: answer{}}},
		Pages:       pages,
	}, defaults, effects, func(_ string, c Config) flow.Stage { return &stage{c, env} })
}

// effects: only a stage that denies people without a device, and asks every
// time, always gets a second factor.
func effects(c Config) flow.Effects {
	e := flow.Effects{Needs: []flow.Fact{flow.FactPerson}}
	if c.NotConfiguredAction == Deny && c.LastAuthThreshold.Duration() == 0 {
		e.Always = []flow.Fact{flow.FactSecondFactor}
	} else {
		e.Sometimes = []flow.Fact{flow.FactSecondFactor}
	}
	if c.NotConfiguredAction == Deny && slices.Equal(c.DeviceClasses, []Class{WebAuthn}) {
		// Where nobody is named, the passkey names its owner.
		e.Needs, e.Supplies = nil, []flow.Fact{flow.FactUser}
	}
	return e
}

// Challenge offers devices, or stages that set one up.
type Challenge struct {
	flow.UserInfo
	DeviceChallenges    []DeviceChallenge `json:"device_challenges" field:"required"`
	ConfigurationStages []SelectableStage `json:"configuration_stages" field:"required"`
	// Chosen is the device that pages ask for; nil for a list to choose from.
	Chosen *DeviceChallenge `json:"-"`

	offers []offered
}

// Component implements flow.Challenge.
func (*Challenge) Component() string { return "ak-stage-authenticator-validate" }

// Others are the devices that pages offer beside the chosen one.
func (c *Challenge) Others() []DeviceChallenge {
	return slices.DeleteFunc(slices.Clone(c.DeviceChallenges), func(d DeviceChallenge) bool {
		return c.Chosen != nil && d.Class == c.Chosen.Class && d.UID == c.Chosen.UID
	})
}

// DeviceChallenge is one device to answer with.
type DeviceChallenge struct {
	Class Class  `json:"device_class" field:"required"`
	UID   string `json:"device_uid" field:"required"`
	// Challenge is what the class needs; an empty object for codes.
	Challenge map[string]any `json:"challenge" field:"required"`
	LastUsed  *time.Time     `json:"last_used" field:"required,null"`
	// Name is that of the device, for pages.
	Name string `json:"-"`
	// Target is where it is sent to, masked; for pages.
	Target string `json:"-"`
	// Sends tells that choosing the device sends something.
	Sends bool `json:"-"`
}

// SelectableStage is one stage that sets a device up.
type SelectableStage struct {
	PK          uuid.UUID `json:"pk" field:"required"`
	Name        string    `json:"name" field:"required"`
	VerboseName string    `json:"verbose_name" field:"required"`
	Model       string    `json:"meta_model_name" field:"required"`
}
