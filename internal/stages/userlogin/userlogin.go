// Package userlogin holds the stage that attaches the pending user to the
// session. It is the last word on every way in: it looks at the account as it
// is now, and again inside the transaction that makes the session (rule 24).
package userlogin

import (
	"context"
	"embed"
	"net/netip"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/device"
)

//go:embed *.html
var pages embed.FS

// Sessions knows the sessions of people.
type Sessions interface {
	// SeenFrom tells whether a living session of the user was last used from
	// the address.
	SeenFrom(ctx context.Context, user int64, addr netip.Addr) (bool, error)
}

// Accounts reads accounts inside the step's transaction.
type Accounts interface {
	// Active tells whether the user exists and is active, as the transaction
	// sees it.
	Active(ctx context.Context, tx flow.Tx, user int64) (bool, error)
}

// NetworkBinding ties a session to a network.
type NetworkBinding string

// The network bindings on the wire.
const (
	NoNetwork    NetworkBinding = "no_binding"
	ASN          NetworkBinding = "bind_asn"
	ASNNetwork   NetworkBinding = "bind_asn_network"
	ASNNetworkIP NetworkBinding = "bind_asn_network_ip"
)

// Choices lists the network bindings.
func (NetworkBinding) Choices() []string {
	return []string{string(NoNetwork), string(ASN), string(ASNNetwork), string(ASNNetworkIP)}
}

// GeoIPBinding ties a session to a place.
type GeoIPBinding string

// The place bindings on the wire.
const (
	NoPlace              GeoIPBinding = "no_binding"
	Continent            GeoIPBinding = "bind_continent"
	ContinentCountry     GeoIPBinding = "bind_continent_country"
	ContinentCountryCity GeoIPBinding = "bind_continent_country_city"
)

// Choices lists the place bindings.
func (GeoIPBinding) Choices() []string {
	return []string{string(NoPlace), string(Continent), string(ContinentCountry), string(ContinentCountryCity)}
}

// Config is the configuration of a user_login stage.
type Config struct {
	// SessionDuration is how long the session lives; 0 until the browser closes.
	SessionDuration field.Duration `json:"session_duration"`
	// TerminateOtherSessions ends all other sessions of the user.
	TerminateOtherSessions bool `json:"terminate_other_sessions"`
	// RememberMeOffset asks "Stay signed in?" when it is not 0, and is added to
	// the duration when the person says yes.
	RememberMeOffset field.Duration `json:"remember_me_offset"`
	NetworkBinding   NetworkBinding `json:"network_binding"`
	GeoIPBinding     GeoIPBinding   `json:"geoip_binding"`
	// RememberDevice is how long the browser is known as a device of the user;
	// less than a second turns it off.
	RememberDevice field.Duration `json:"remember_device"`
}

// Validate refuses sessions that end before they begin.
func (c *Config) Validate() field.Errors {
	var errs field.Errors
	for name, d := range map[string]field.Duration{
		"session_duration": c.SessionDuration, "remember_me_offset": c.RememberMeOffset, "remember_device": c.RememberDevice,
	} {
		if d.Duration() < 0 {
			errs = errs.Add(name, field.Error{Code: field.CodeInvalid, String: "Enter a duration that is not negative, like hours=8."})
		}
	}
	return errs
}

func defaults() Config {
	return Config{SessionDuration: "seconds=0", RememberMeOffset: "seconds=0", RememberDevice: "days=30",
		NetworkBinding: NoNetwork, GeoIPBinding: NoPlace}
}

// Type returns the stage type.
func Type(sessions Sessions, accounts Accounts, sealer device.Sealer) flow.StageType {
	return flow.NewStageType(flow.StageType{
		Name:        "user_login",
		Path:        "user_login",
		Model:       "authentik_stages_user_login.userloginstage",
		Component:   "ak-stage-user-login-form",
		Label:       "User Login Stage",
		Description: "Attaches the pending user to the session.",
		Exchanges:   []flow.Exchange{{Name: "UserLogin", Challenge: &Challenge{}, Answer: answer{}}},
		Pages:       pages,
	}, defaults, effects, func(_ string, c Config) flow.Stage {
		return &stage{config: c, sessions: sessions, accounts: accounts, devices: deviceCookies{sealer, c.RememberDevice.Duration()}}
	})
}

func effects(Config) flow.Effects {
	return flow.Effects{Needs: []flow.Fact{flow.FactUser}, Always: []flow.Fact{flow.FactLogin}}
}

// Challenge asks "Stay signed in?".
type Challenge struct {
	flow.UserInfo
}

// Component implements flow.Challenge.
func (*Challenge) Component() string { return "ak-stage-user-login" }
