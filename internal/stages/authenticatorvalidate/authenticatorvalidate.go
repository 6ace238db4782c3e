// Package authenticatorvalidate holds the stage that asks the pending user for
// a second factor, and sends those who have none on to set one up.
//
// It offers the devices that it is told of and refuses every answer for which
// there is nothing to check it with: a second factor is never taken on trust.
package authenticatorvalidate

import (
	"cmp"
	"context"
	"embed"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
)

//go:embed *.html
var pages embed.FS

// Devices knows the devices of people.
type Devices interface {
	// Confirmed returns the devices of the user that have been set up to the
	// end, of all classes.
	Confirmed(ctx context.Context, user int64) ([]identity.Authenticator, error)
}

// Type returns the stage type. A nil devices means that nobody has a device.
func Type(devices Devices) flow.StageType {
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
	}, defaults, effects, func(_ string, c Config) flow.Stage { return &stage{c, devices} })
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
	return e
}

// Challenge offers devices, or stages that set one up.
type Challenge struct {
	flow.UserInfo
	DeviceChallenges    []DeviceChallenge `json:"device_challenges" field:"required"`
	ConfigurationStages []SelectableStage `json:"configuration_stages" field:"required"`
}

// Component implements flow.Challenge.
func (*Challenge) Component() string { return "ak-stage-authenticator-validate" }

// TakesCode tells whether one of the devices answers with a typed code.
func (c *Challenge) TakesCode() bool { return offers(c.DeviceChallenges, TOTP, Static, SMS, Email) }

func offers(devices []DeviceChallenge, classes ...Class) bool {
	return slices.ContainsFunc(devices, func(d DeviceChallenge) bool { return slices.Contains(classes, d.Class) })
}

// DeviceChallenge is one device to answer with.
type DeviceChallenge struct {
	Class Class  `json:"device_class" field:"required"`
	UID   string `json:"device_uid" field:"required"`
	// Challenge is what the class needs; an empty object for codes.
	Challenge map[string]any `json:"challenge" field:"required"`
	LastUsed  *time.Time     `json:"last_used" field:"required,null"`
}

// SelectableStage is one stage that sets a device up.
type SelectableStage struct {
	PK          uuid.UUID `json:"pk" field:"required"`
	Name        string    `json:"name" field:"required"`
	VerboseName string    `json:"verbose_name" field:"required"`
	Model       string    `json:"meta_model_name" field:"required"`
}

// offer turns the devices that the configuration allows into challenges: the
// last used first, recovery codes last.
func (c *Config) offer(devices []identity.Authenticator) []DeviceChallenge {
	offered := []DeviceChallenge{}
	for _, d := range devices {
		if !slices.Contains(c.DeviceClasses, Class(d.Class)) {
			continue
		}
		offered = append(offered, DeviceChallenge{Class: Class(d.Class), UID: strconv.FormatInt(d.ID, 10),
			Challenge: map[string]any{}, LastUsed: d.LastUsed})
	}
	slices.SortStableFunc(offered, func(a, b DeviceChallenge) int {
		if (a.Class == Static) != (b.Class == Static) {
			if a.Class == Static {
				return 1
			}
			return -1
		}
		return -cmp.Compare(unix(a.LastUsed), unix(b.LastUsed))
	})
	return offered
}

func unix(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return t.UnixNano()
}
