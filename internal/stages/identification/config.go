package identification

import (
	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
)

// UserField is something that a person may be known by.
type UserField string

// The user fields on the wire. UPN is the attribute "upn".
const (
	Email    UserField = "email"
	Username UserField = "username"
	UPN      UserField = "upn"
)

// Choices lists the user fields.
func (UserField) Choices() []string { return []string{string(Email), string(Username), string(UPN)} }

// Config is the configuration of an identification stage.
type Config struct {
	// UserFields are compared with what was typed. With none nobody is found.
	UserFields []UserField `json:"user_fields"`
	// PasswordStage asks for the password on the same page, with that stage's
	// back ends. It goes down with that stage: left behind without it, the
	// stage would let people in by name alone.
	PasswordStage *uuid.UUID `json:"password_stage" field:"null,ref=stage:password,delete=cascade"`
	// CaptchaStage asks that stage's question on the same page. It goes down with
	// it, too.
	CaptchaStage *uuid.UUID `json:"captcha_stage" field:"null,ref=stage:captcha,delete=cascade"`
	// CaseInsensitiveMatching ignores case in all fields.
	CaseInsensitiveMatching bool `json:"case_insensitive_matching"`
	// ShowMatchedUser shows later stages the account; false what was typed. Where
	// people who do not exist are pretended, it waits for a right password.
	ShowMatchedUser bool `json:"show_matched_user"`
	// The flows that the page links to.
	EnrollmentFlow   *uuid.UUID  `json:"enrollment_flow" field:"null,ref=flow"`
	RecoveryFlow     *uuid.UUID  `json:"recovery_flow" field:"null,ref=flow"`
	PasswordlessFlow *uuid.UUID  `json:"passwordless_flow" field:"null,ref=flow"`
	Sources          []uuid.UUID `json:"sources" field:"ref=source"`
	ShowSourceLabels bool        `json:"show_source_labels"`
	// PretendUserExists goes on with an account that does not exist; without
	// effect when the password is asked for on the same page.
	PretendUserExists bool `json:"pretend_user_exists"`
	// EnableRememberMe lets the browser remember the name; only the page acts
	// on it.
	EnableRememberMe bool `json:"enable_remember_me"`
	// WebAuthnStage is an authenticator validation stage, whose passkeys tell who
	// somebody is in place of name and password.
	WebAuthnStage *uuid.UUID `json:"webauthn_stage" field:"null,ref=stage:authenticator_validate"`
}

func defaults() Config {
	return Config{UserFields: []UserField{}, Sources: []uuid.UUID{}, CaseInsensitiveMatching: true,
		ShowMatchedUser: true, PretendUserExists: true}
}

// Validate refuses a page without any way to identify oneself, and what this
// version cannot do: an option that is kept but ignored would promise a check
// that never happens.
func (c *Config) Validate() field.Errors {
	var errs field.Errors
	if len(c.UserFields) == 0 && len(c.Sources) == 0 {
		errs = errs.Merge(field.Errorf(field.NonField, field.CodeInvalid, "Name at least one of user_fields."))
	}
	for name, set := range map[string]bool{
		"sources": len(c.Sources) > 0,
	} {
		if set {
			errs = errs.Merge(field.Errorf(name, field.CodeInvalid, "Leave %s empty; this version cannot use it yet.", name))
		}
	}
	return errs
}

func (c *Config) userFields() []string {
	names := make([]string, len(c.UserFields))
	for i, f := range c.UserFields {
		names[i] = string(f)
	}
	return names
}
