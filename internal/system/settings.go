package system

import (
	"net/url"
	"slices"
	"strings"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
)

// Settings hold for the whole installation, next to what the program was
// started with.
type Settings struct {
	field.Identity
	// Avatars lists ways to find a picture of a person, tried in order; of the
	// known ones Weir has "initials" and "none".
	Avatars string `json:"avatars"`
	// BaseURL is where links begin. It is set when the program starts, so only
	// that address or nothing can be stored.
	BaseURL string `json:"base_url" field:"blank,format=uri,max=200"`
	// What people may change of themselves where no group says otherwise.
	ChangeName     bool `json:"default_user_change_name"`
	ChangeEmail    bool `json:"default_user_change_email"`
	ChangeUsername bool `json:"default_user_change_username"`
	// EventRetention is how long new events are kept.
	EventRetention  field.Duration `json:"event_retention"`
	ReputationLower int32          `json:"reputation_lower_limit" field:"max=0"`
	ReputationUpper int32          `json:"reputation_upper_limit" field:"min=0"`
	// FooterLinks stand below every page; see FooterLink.
	FooterLinks any `json:"footer_links"`
	// GDPR deletes the events that a person caused with the person.
	GDPR                bool `json:"gdpr_compliance"`
	Impersonation       bool `json:"impersonation"`
	ImpersonationReason bool `json:"impersonation_require_reason"`
	// TokenDuration is how long a new token lives that does not say.
	TokenDuration field.Duration `json:"default_token_duration"`
	// TokenLength is the number of characters of a key that is made up.
	TokenLength     int32 `json:"default_token_length" field:"min=16,max=512"`
	DefaultPageSize int32 `json:"pagination_default_page_size" field:"min=1,max=10000"`
	MaxPageSize     int32 `json:"pagination_max_page_size" field:"min=1,max=10000"`
	Flags           Flags `json:"flags" field:"required"`
}

// Flags switch behaviour that may become, or has been, the default.
type Flags struct {
	// DefaultAppAccess lets everybody open an application that has no policy.
	DefaultAppAccess bool `json:"core_default_app_access" field:"required"`
	// AuditDiff is of an edition that Weir does not have.
	AuditDiff       bool `json:"enterprise_audit_include_expanded_diff" field:"required"`
	ContinuousLogin bool `json:"flows_continuous_login" field:"required"`
	RefreshOthers   bool `json:"flows_refresh_others" field:"required"`
}

// FooterLink is one of the links below every page.
type FooterLink struct {
	Name string `json:"name"`
	// Href is nil for mere text.
	Href *string `json:"href" field:"null"`
}

// NewSettings returns the settings of a new installation.
func NewSettings() Settings {
	return Settings{Avatars: "initials", ChangeName: true, EventRetention: "days=365", ReputationLower: -5, ReputationUpper: 5,
		FooterLinks: []any{}, GDPR: true, Impersonation: true, ImpersonationReason: true, TokenDuration: "days=1", TokenLength: 60,
		DefaultPageSize: 20, MaxPageSize: 100, Flags: Flags{DefaultAppAccess: true}}
}

// maxFooterLinks bounds the footer of a page.
const maxFooterLinks = 20

// Validate refuses what would have no effect.
func (s *Settings) Validate() field.Errors {
	var errs field.Errors
	modes := s.modes()
	if !slices.Contains(modes, "initials") && !slices.Contains(modes, "none") {
		errs = errs.Add("avatars", field.Error{Code: field.CodeInvalid, String: "Name initials or none among the ways; Weir has no other."})
	}
	if s.DefaultPageSize > s.MaxPageSize {
		errs = errs.Add("pagination_default_page_size", field.Error{Code: field.CodeInvalid, String: "Enter at most pagination_max_page_size."})
	}
	if s.Flags.AuditDiff {
		errs = errs.Add("flags", field.Error{Code: field.CodeInvalid, String: "Leave enterprise_audit_include_expanded_diff off; Weir keeps every version of an object instead."})
	}
	if _, problem := s.Footer(); problem != "" {
		errs = errs.Add("footer_links", field.Error{Code: field.CodeInvalid, String: problem})
	}
	return errs
}

// Footer returns the links below every page, and what is wrong with them.
func (s *Settings) Footer() (links []FooterLink, problem string) {
	list, ok := s.FooterLinks.([]any)
	if !ok && s.FooterLinks != nil {
		return nil, "Enter a list of objects with name and href."
	}
	if len(list) > maxFooterLinks {
		return nil, "Enter at most 20 links."
	}
	for _, item := range list {
		var l FooterLink
		m, ok := item.(map[string]any)
		if !ok {
			return nil, "Enter a list of objects with name and href."
		}
		if _, errs := field.Decode(&l, m, field.Create); errs != nil {
			return nil, errs.Error()
		}
		if l.Href != nil && !linkable(*l.Href) {
			return nil, "Give each href as an address with http, https or mailto, or as a path of this site."
		}
		links = append(links, l)
	}
	return links, ""
}

// linkable tells whether a page may lead there.
func linkable(href string) bool {
	if _, ok := flow.SafeNext(href); ok {
		return true
	}
	u, err := url.Parse(href)
	if err != nil || u.User != nil {
		return false
	}
	return u.Scheme == "mailto" && u.Opaque != "" || (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// ShowsInitials tells whether pictures of people show their initials: the first
// of the ways that Weir knows counts.
func (s *Settings) ShowsInitials() bool {
	for _, mode := range s.modes() {
		switch mode {
		case "initials":
			return true
		case "none":
			return false
		}
	}
	return true
}

func (s *Settings) modes() []string {
	return strings.FieldsFunc(s.Avatars, func(r rune) bool { return r == ',' || r == ' ' })
}
