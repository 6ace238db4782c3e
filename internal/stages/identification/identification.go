// Package identification holds the stage that asks who somebody is, and, with
// an embedded password stage, for the password on the same page. It answers
// alike for accounts that exist and accounts that do not (rule 18).
package identification

import (
	"context"
	"embed"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/directory"
	"github.com/weir-id/weir/internal/guard"
)

//go:embed *.html
var pages embed.FS

// Users finds accounts and checks their passwords.
type Users interface {
	// Identify returns the first user, by id, of whom one of the fields ("email",
	// "username", "upn") equals what was typed; nil when there is none. It
	// does not look at whether the user is active.
	Identify(ctx context.Context, fields []string, typed string, caseInsensitive bool) (*identity.Person, error)
	// Authenticate asks the back ends in order; package password documents it.
	// It takes as long for a user who is nil.
	Authenticate(ctx context.Context, guess guard.Guess, backends []string, user *identity.Person, password string) (directory.Verdict, error)
}

// embedded is what the configuration of a password stage offers to a stage
// that asks for the password in its place.
type embedded interface {
	PasswordBackends() []string
	ShowsPassword() bool
}

// captcha is a captcha stage whose question is asked on the page.
type captcha interface {
	// Ask makes the challenge.
	Ask(x *flow.Exec) flow.Challenge
	// Check judges the token that answers it and uses it up. It returns the
	// problem; nil for a good one.
	Check(ctx context.Context, x *flow.Exec, token string) (*field.Error, error)
}

// passkeys is an authenticator validation stage whose passkeys tell who somebody is.
type passkeys interface {
	// AskPasskey is what the browser is told.
	AskPasskey(ctx context.Context, x *flow.Exec) (map[string]any, error)
	// TakePasskey judges the answer. With ok the pending user is the owner of the
	// passkey and out is done; else out has the events about the refusal.
	TakePasskey(ctx context.Context, x *flow.Exec, value any) (out flow.Outcome, ok bool, err error)
}

// Reputation remembers who typed names that nobody has.
type Reputation interface {
	// Unknown lowers the score of a name from an address, in the transaction of
	// the step.
	Unknown(typed string, from netip.Addr) func(ctx context.Context, tx flow.Tx) error
}

// Type returns the stage type that looks people up in users, and tells
// reputation of names that nobody has.
func Type(users Users, reputation Reputation) flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:      "identification",
		Path:      "identification",
		Model:     "authentik_stages_identification.identificationstage",
		Component: "ak-stage-identification-form",
		Exchanges: []flow.Exchange{{Name: "Identification", Challenge: &Challenge{EnableRememberMe: true}, Answer: answer{}}},
		Filters: []string{"captcha_stage", "case_insensitive_matching", "enrollment_flow", "password_stage", "passwordless_flow", "recovery_flow",
			"show_matched_user", "show_source_labels", "webauthn_stage"},
		Label:       "Identification Stage",
		Description: "Asks the person for a user name or an e-mail address.",
		Pages:       pages,
	}, defaults, effects, func(_ string, c Config) flow.Stage { return &stage{c, users, reputation} })
}

// effects: a pretended user is claimed, which the stages after this one can
// work with; they refuse whatever such a person answers.
func effects(c Config) flow.Effects {
	e := flow.Effects{Names: true, Always: []flow.Fact{flow.FactUser}}
	if c.WebAuthnStage != nil {
		e.Sometimes = []flow.Fact{flow.FactPassword, flow.FactSecondFactor}
	}
	switch {
	case c.PasswordStage != nil:
		e.Always = append(e.Always, flow.FactPassword)
	case c.PretendUserExists:
		e.Always, e.Sometimes, e.Supplies = nil, append(e.Sometimes, flow.FactUser), []flow.Fact{flow.FactUser}
	}
	return e
}

// Hint is who is expected, null on the wire for nobody.
type Hint string

// MarshalJSON implements json.Marshaler.
func (h Hint) MarshalJSON() ([]byte, error) {
	if h == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(h))
}

// Challenge asks for a user name or an e-mail address.
type Challenge struct {
	UserFields     []string `json:"user_fields" field:"required,null"`
	PasswordFields bool     `json:"password_fields" field:"required"`
	// AllowShowPassword is set only with an embedded password stage.
	AllowShowPassword bool `json:"allow_show_password" field:"default"`
	// PendingUserIdentifier fills in the field.
	PendingUserIdentifier Hint `json:"pending_user_identifier" field:"null"`
	// ApplicationPre is the name of the application to go on to.
	ApplicationPre   string           `json:"application_pre,omitempty"`
	FlowDesignation  flow.Designation `json:"flow_designation" field:"required"`
	EnrollURL        string           `json:"enroll_url,omitempty"`
	RecoveryURL      string           `json:"recovery_url,omitempty"`
	PasswordlessURL  string           `json:"passwordless_url,omitempty"`
	PrimaryAction    string           `json:"primary_action" field:"required"`
	Sources          []Source         `json:"sources"`
	ShowSourceLabels bool             `json:"show_source_labels" field:"required"`
	EnableRememberMe bool             `json:"enable_remember_me" field:"default"`
	// Captcha is the challenge of an embedded captcha stage; null without one.
	Captcha *Captcha `json:"captcha_stage" field:"null"`
	// Passkey is what the browser is told so that a passkey answers; null where none
	// is asked for.
	Passkey map[string]any `json:"passkey_challenge" field:"null"`
}

// Captcha is the whole challenge of a captcha stage.
type Captcha struct{ flow.Envelope }

// Inner implements flow.Outer.
func (c *Challenge) Inner() flow.Challenge {
	if c.Captcha == nil {
		return nil
	}
	return c.Captcha.Body
}

// LabelID is the id of the text that names what the field takes.
func (c *Challenge) LabelID() string {
	var names []string
	for _, f := range []UserField{Username, Email, UPN} {
		if slices.Contains(c.UserFields, string(f)) {
			names = append(names, string(f))
		}
	}
	if len(names) == 3 {
		return "identification.label.any"
	}
	return "identification.label." + strings.Join(names, "_")
}

// OnlyEmail tells whether the field takes e-mail addresses and nothing else.
func (c *Challenge) OnlyEmail() bool { return slices.Equal(c.UserFields, []string{string(Email)}) }

// Source is a button that leads to another way of signing in.
type Source struct {
	Name      string           `json:"name" field:"required"`
	IconURL   *string          `json:"icon_url" field:"null"`
	Promoted  bool             `json:"promoted" field:"default"`
	Challenge *flow.RedirectTo `json:"challenge" field:"required"`
}

// Component implements flow.Challenge.
func (*Challenge) Component() string { return "ak-stage-identification" }
