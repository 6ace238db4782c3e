// Package flow is the engine. A Flow is an ordered list of stages; a Binding
// puts a stage into a flow; policies bound to the flow decide who may use it,
// policies bound to a binding decide whether its stage applies.
//
// When a person starts a flow, the Planner makes a Plan: the bindings that
// apply, pinned to the versions they had. The Executor walks the plan one
// Step at a time: it asks the current stage for a Challenge, hands it the
// response, and carries out the Outcome in one transaction.
//
//	request -> Executor.Step -> [Planner] -> marker (policies again?) -> Stage
//	              |                                                       |
//	              |<-- Result: challenge, next, redirect, denied <- Outcome
//	              `--> Store.Commit: plan, login, events, effects (compare-and-swap)
//
// A plan pins what it does; what decides is current: policies, users, guards.
// Everything unexpected denies. The package knows no HTTP and no SQL: its
// callers turn requests into Request values, and Store keeps executions.
package flow

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/policy"
)

// Designation is what a flow is for.
type Designation string

// The designations on the wire.
const (
	Authentication     Designation = "authentication"
	Authorization      Designation = "authorization"
	Invalidation       Designation = "invalidation"
	Enrollment         Designation = "enrollment"
	Unenrollment       Designation = "unenrollment"
	Recovery           Designation = "recovery"
	StageConfiguration Designation = "stage_configuration"
)

// Choices lists the designations.
func (Designation) Choices() []string {
	return []string{string(Authentication), string(Authorization), string(Invalidation), string(Enrollment),
		string(Unenrollment), string(Recovery), string(StageConfiguration)}
}

// DeniedAction says what a person gets whom the flow does not apply to.
type DeniedAction string

const (
	// MessageContinue redirects to a usable next address, else shows the message.
	MessageContinue DeniedAction = "message_continue"
	// Message always shows the message.
	Message DeniedAction = "message"
	// Continue redirects to a usable next address, else to the root page.
	Continue DeniedAction = "continue"
)

// Choices lists the denied actions.
func (DeniedAction) Choices() []string {
	return []string{string(MessageContinue), string(Message), string(Continue)}
}

// Requirement is who may start a flow, checked before its policies.
type Requirement string

const (
	RequireNone            Requirement = "none"
	RequireAuthenticated   Requirement = "require_authenticated"
	RequireUnauthenticated Requirement = "require_unauthenticated"
	RequireSuperuser       Requirement = "require_superuser"
	RequireRedirect        Requirement = "require_redirect"
	RequireOutpost         Requirement = "require_outpost"
	RequireToken           Requirement = "require_token"
)

// Choices lists the requirements.
func (Requirement) Choices() []string {
	return []string{string(RequireNone), string(RequireAuthenticated), string(RequireUnauthenticated),
		string(RequireSuperuser), string(RequireRedirect), string(RequireOutpost), string(RequireToken)}
}

// Layout is how the page arranges panel and background.
type Layout string

// The layouts on the wire.
const (
	Stacked                     Layout = "stacked"
	ContentLeft                 Layout = "content_left"
	ContentRight                Layout = "content_right"
	SidebarLeft                 Layout = "sidebar_left"
	SidebarRight                Layout = "sidebar_right"
	SidebarLeftFrameBackground  Layout = "sidebar_left_frame_background"
	SidebarRightFrameBackground Layout = "sidebar_right_frame_background"
)

// Choices lists the layouts.
func (Layout) Choices() []string {
	return []string{string(Stacked), string(ContentLeft), string(ContentRight), string(SidebarLeft),
		string(SidebarRight), string(SidebarLeftFrameBackground), string(SidebarRightFrameBackground)}
}

// InvalidResponseAction says what happens when a stage refuses a response or
// declares itself invalid.
type InvalidResponseAction string

const (
	// Retry shows the same stage again with the errors.
	Retry InvalidResponseAction = "retry"
	// Restart plans the flow anew.
	Restart InvalidResponseAction = "restart"
	// RestartWithContext plans anew and keeps the context.
	RestartWithContext InvalidResponseAction = "restart_with_context"
)

// Choices lists the actions.
func (InvalidResponseAction) Choices() []string {
	return []string{string(Retry), string(Restart), string(RestartWithContext)}
}

// Flow is an ordered list of stages for one purpose.
type Flow struct {
	field.Identity
	Name        string      `json:"name" field:"required"`
	Slug        string      `json:"slug" field:"required,unique,slug"`
	Title       string      `json:"title" field:"required"`
	Designation Designation `json:"designation" field:"required"`
	Layout      Layout      `json:"layout"`
	// Background is empty (the brand's), a URL, or the name of a media file.
	Background        string       `json:"background" field:"blank,max=1024"`
	CompatibilityMode bool         `json:"compatibility_mode"`
	DeniedAction      DeniedAction `json:"denied_action"`
	Authentication    Requirement  `json:"authentication"`
	// PolicyEngineMode combines the policies bound to the flow itself.
	PolicyEngineMode policy.Mode `json:"policy_engine_mode"`
}

// NewFlow returns a flow with its defaults.
func NewFlow() Flow {
	return Flow{Layout: Stacked, DeniedAction: MessageContinue, Authentication: RequireNone, PolicyEngineMode: policy.Any}
}

var backgroundName = regexp.MustCompile(`^[A-Za-z0-9._/-]*$`)

// Validate checks the background (flows.md of the compatibility notes, 1.1).
func (f *Flow) Validate() field.Errors { return mediaName("background", f.Background) }

// mediaName checks the address of a picture, or the name of a file in the
// media folder.
func mediaName(name, b string) field.Errors {
	for _, prefix := range []string{"http:", "https://", "fa://", "/static"} {
		if strings.HasPrefix(b, prefix) {
			if _, err := url.Parse(b); err != nil {
				return field.Errorf(name, field.CodeInvalid, "Enter a valid address: %v.", err)
			}
			return nil
		}
	}
	if file := strings.ReplaceAll(b, "%(theme)s", ""); !backgroundName.MatchString(file) || strings.Contains(file, "//") {
		return field.Errorf(name, field.CodeInvalid,
			"Enter an address that begins with https:// or /static, or a file name of letters, digits and . _ / -")
	}
	return nil
}

// Binding puts a stage into a flow.
type Binding struct {
	field.Identity
	Target uuid.UUID `json:"target" field:"required,ref=flow,delete=cascade"`
	Stage  uuid.UUID `json:"stage" field:"required,ref=stage,delete=cascade"`
	Order  int32     `json:"order" field:"required"`
	// EvaluateOnPlan evaluates the binding's policies when the plan is made.
	EvaluateOnPlan bool `json:"evaluate_on_plan"`
	// ReevaluatePolicies evaluates them each time the stage is reached.
	ReevaluatePolicies    bool                  `json:"re_evaluate_policies"`
	InvalidResponseAction InvalidResponseAction `json:"invalid_response_action"`
	PolicyEngineMode      policy.Mode           `json:"policy_engine_mode"`
}

// NewBinding returns a binding with its defaults.
func NewBinding() Binding {
	return Binding{ReevaluatePolicies: true, InvalidResponseAction: Retry, PolicyEngineMode: policy.Any}
}

// ValidateGiven refuses flags with which the binding's policies would never be
// evaluated. Clients of the published API rely on what it looks at: the body as
// sent, with the defaults for what is missing.
func (b *Binding) ValidateGiven(given map[string]bool) field.Errors {
	sent := NewBinding()
	if given["evaluate_on_plan"] {
		sent.EvaluateOnPlan = b.EvaluateOnPlan
	}
	if given["re_evaluate_policies"] {
		sent.ReevaluatePolicies = b.ReevaluatePolicies
	}
	if !sent.EvaluateOnPlan && !sent.ReevaluatePolicies {
		return field.Errorf(field.NonField, field.CodeInvalid,
			"Set evaluate_on_plan or re_evaluate_policies; with neither the binding's policies would never be evaluated.")
	}
	return nil
}

// Brand is how the site looks for the hosts below a domain, and which flows
// it uses. Unset flows are chosen by designation.
type Brand struct {
	field.Identity
	// Domain matches the host itself and every host below it.
	Domain string `json:"domain" field:"required,unique"`
	// Default marks the brand of all other hosts.
	Default           bool       `json:"default"`
	Title             string     `json:"branding_title"`
	Logo              string     `json:"branding_logo"`
	Favicon           string     `json:"branding_favicon"`
	CustomCSS         string     `json:"branding_custom_css" field:"blank"`
	DefaultBackground string     `json:"branding_default_flow_background"`
	MapTiles          string     `json:"branding_map_tiles" field:"blank"`
	Authentication    *uuid.UUID `json:"flow_authentication" field:"null,ref=flow"`
	Invalidation      *uuid.UUID `json:"flow_invalidation" field:"null,ref=flow"`
	Recovery          *uuid.UUID `json:"flow_recovery" field:"null,ref=flow"`
	Unenrollment      *uuid.UUID `json:"flow_unenrollment" field:"null,ref=flow"`
	UserSettings      *uuid.UUID `json:"flow_user_settings" field:"null,ref=flow"`
	DeviceCode        *uuid.UUID `json:"flow_device_code" field:"null,ref=flow"`
	Lockdown          *uuid.UUID `json:"flow_lockdown" field:"null,ref=flow"`
	UserSwitch        *uuid.UUID `json:"flow_user_switch" field:"null,ref=flow"`
	Request           *uuid.UUID `json:"flow_request" field:"null,ref=flow"`
	// DefaultApplication is where people without business on the site itself go:
	// those of every type but internal.
	DefaultApplication *uuid.UUID `json:"default_application" field:"null,ref=application"`
	// WebCertificate is shown for the domain where the program itself serves TLS.
	WebCertificate *uuid.UUID `json:"web_certificate" field:"null,ref=certificate"`
	// ClientCertificates are the authorities that mutual TLS stages trust which
	// name none themselves.
	ClientCertificates []uuid.UUID    `json:"client_certificates" field:"ref=certificate"`
	Attributes         map[string]any `json:"attributes"`
}

// DefaultBackground is the built-in picture at its published address.
const DefaultBackground = "/static/dist/assets/images/flow_background.jpg"

// NewBrand returns a brand with its defaults.
func NewBrand() Brand {
	return Brand{Title: "Weir", Logo: "/static/dist/assets/icons/icon_left_brand.svg", Favicon: "/static/dist/assets/icons/icon.svg",
		DefaultBackground: DefaultBackground, ClientCertificates: []uuid.UUID{}, Attributes: map[string]any{}}
}
