package flow

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/policy"
)

// Application is something that people open: it has a name, an address, and
// policies that decide who may.
type Application struct {
	field.Identity
	Name string `json:"name" field:"required"`
	Slug string `json:"slug" field:"required,unique,slug"`
	// Provider and BackchannelProviders refer to kinds that this version does
	// not have, so only null and empty can be stored.
	Provider             *int64  `json:"provider" field:"null,ref=provider"`
	BackchannelProviders []int64 `json:"backchannel_providers" field:"ref=provider"`
	OpenInNewTab         bool    `json:"open_in_new_tab"`
	// LaunchURL may hold %(username)s and its like; see Launch.
	LaunchURL   string `json:"meta_launch_url" field:"blank,format=uri,max=2048"`
	Icon        string `json:"meta_icon" field:"blank,max=1024"`
	Description string `json:"meta_description" field:"blank"`
	Publisher   string `json:"meta_publisher" field:"blank"`
	// PolicyEngineMode combines the policies bound to the application.
	PolicyEngineMode policy.Mode `json:"policy_engine_mode"`
	// Group is the heading under which the application is listed.
	Group string `json:"group" field:"blank"`
	// Hide leaves the application out of lists; its address still opens it.
	Hide bool `json:"meta_hide"`
}

// NewApplication returns an application with its defaults.
func NewApplication() Application {
	return Application{BackchannelProviders: []int64{}, PolicyEngineMode: policy.Any}
}

// launchVariable is a placeholder in a launch address.
var launchVariable = regexp.MustCompile(`%\(([a-z_]+)\)s`)

// Validate checks the launch address and the icon.
func (a *Application) Validate() field.Errors {
	if a.LaunchURL != "" {
		plain := launchVariable.ReplaceAllString(a.LaunchURL, "x")
		u, err := url.Parse(plain)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
			return field.Errorf("meta_launch_url", field.CodeInvalid, "Enter an address that begins with https:// or http://.")
		}
	}
	return mediaName("meta_icon", a.Icon)
}

// Launch is the address that opens the application for a person, "" when there
// is none. Values are escaped where they stand in the address.
func (a *Application) Launch(username, name, email string) string {
	values := map[string]string{"username": username, "name": name, "email": email}
	return launchVariable.ReplaceAllStringFunc(a.LaunchURL, func(m string) string {
		return url.QueryEscape(values[strings.TrimSuffix(strings.TrimPrefix(m, "%("), ")s")])
	})
}
