package api

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
)

// currentBrand is how the site looks for this host. Flows are slugs; unset ones
// are left out.
type currentBrand struct {
	MatchedDomain      string           `json:"matched_domain" field:"required"`
	Title              string           `json:"branding_title" field:"required"`
	Logo               string           `json:"branding_logo" field:"required"`
	LogoThemed         *flow.ThemedURLs `json:"branding_logo_themed_urls" field:"readonly,null"`
	Favicon            string           `json:"branding_favicon" field:"required"`
	FaviconThemed      *flow.ThemedURLs `json:"branding_favicon_themed_urls" field:"readonly,null"`
	CustomCSS          string           `json:"branding_custom_css" field:"required"`
	MapTiles           string           `json:"branding_map_tiles" field:"required"`
	FooterLinks        []footerLink     `json:"ui_footer_links" field:"readonly"`
	Theme              theme            `json:"ui_theme" field:"readonly,default"`
	DefaultLocale      string           `json:"default_locale" field:"readonly"`
	Flags              brandFlags       `json:"flags" field:"readonly"`
	FlowAuthentication string           `json:"flow_authentication,omitempty"`
	FlowInvalidation   string           `json:"flow_invalidation,omitempty"`
	FlowRecovery       string           `json:"flow_recovery,omitempty"`
	FlowUnenrollment   string           `json:"flow_unenrollment,omitempty"`
	FlowUserSettings   string           `json:"flow_user_settings,omitempty"`
	FlowDeviceCode     string           `json:"flow_device_code,omitempty"`
	FlowLockdown       string           `json:"flow_lockdown,omitempty"`
	FlowUserSwitch     string           `json:"flow_user_switch,omitempty"`
	FlowRequest        string           `json:"flow_request,omitempty"`
}

// footerLink is a link below every page; Href is null for mere text.
type footerLink struct {
	Href *string `json:"href" field:"readonly,null"`
	Name string  `json:"name" field:"readonly"`
}

// theme is the colours of the pages.
type theme string

const automatic theme = "automatic"

// Choices lists the themes.
func (theme) Choices() []string { return []string{string(automatic), "light", "dark"} }

// brandFlags are features of the authentik web client that other tabs take
// part in; Weir's pages have none.
type brandFlags struct {
	ContinuousLogin bool `json:"flows_continuous_login" field:"required"`
	RefreshOthers   bool `json:"flows_refresh_others" field:"required"`
}

// siteRoutes tell what everybody may know of the site.
func (a *API) siteRoutes() []Route {
	return []Route{
		{http.MethodGet, "core/users/me/", signedIn, Doc{Call: "retrieve", Summary: "Tell who calls", Answer: valueOf(sessionUser{})}, me},
		{http.MethodGet, "core/brands/current/", public, Doc{Call: "retrieve", Summary: "Tell how this site looks", Answer: valueOf(currentBrand{Theme: automatic})}, brand},
		{http.MethodGet, "root/config/", public, Doc{Call: "retrieve", Summary: "Tell what this installation can do", Answer: valueOf(siteConfig{})}, config},
	}
}

func brand(c *call) error {
	v, err := c.api.Runner.Visit(c.w, c.r, uuid.Nil, true)
	if err != nil {
		return err
	}
	b, catalog := v.Brand, c.api.Catalog.Snapshot()
	slug := func(id *uuid.UUID) string {
		if id == nil {
			return ""
		}
		f, ok := catalog.Flow(*id)
		if !ok {
			return ""
		}
		return f.Slug
	}
	settings := catalog.Settings()
	links := []footerLink{}
	footer, _ := settings.Footer() // was checked when it was stored
	for _, l := range footer {
		links = append(links, footerLink{l.Href, l.Name})
	}
	return c.answer(http.StatusOK, currentBrand{
		MatchedDomain: b.Domain, Title: b.Title, Logo: b.Logo, Favicon: b.Favicon, CustomCSS: b.CustomCSS, MapTiles: b.MapTiles,
		FooterLinks: links, Theme: automatic, Flags: brandFlags{settings.Flags.ContinuousLogin, settings.Flags.RefreshOthers},
		FlowAuthentication: slug(b.Authentication), FlowInvalidation: slug(b.Invalidation), FlowRecovery: slug(b.Recovery),
		FlowUnenrollment: slug(b.Unenrollment), FlowUserSettings: slug(b.UserSettings), FlowDeviceCode: slug(b.DeviceCode),
		FlowLockdown: slug(b.Lockdown), FlowUserSwitch: slug(b.UserSwitch), FlowRequest: slug(b.Request),
	})
}

// siteConfig says what the installation can do.
type siteConfig struct {
	ErrorReporting       errorReporting `json:"error_reporting" field:"required"`
	Capabilities         []capability   `json:"capabilities" field:"required"`
	CacheTimeout         int64          `json:"cache_timeout" field:"required"`
	CacheTimeoutFlows    int64          `json:"cache_timeout_flows" field:"required"`
	CacheTimeoutPolicies int64          `json:"cache_timeout_policies" field:"required"`
}

// capability is something that an installation may be able to do.
type capability string

// Choices lists the capabilities that clients know.
func (capability) Choices() []string {
	return []string{"can_save_media", "can_save_reports", "can_geo_ip", "can_asn", "can_impersonate", "can_debug", "is_enterprise", "can_request",
		"can_agent_self_service"}
}

// errorReporting is off: Weir reports to nobody.
type errorReporting struct {
	Enabled          bool    `json:"enabled" field:"readonly"`
	Environment      string  `json:"environment" field:"readonly"`
	SendPII          bool    `json:"send_pii" field:"readonly"`
	SentryDSN        string  `json:"sentry_dsn" field:"readonly"`
	TracesSampleRate float64 `json:"traces_sample_rate" field:"readonly"`
}

// config answers with no cache, as there is none.
func config(c *call) error {
	can := []capability{}
	for _, name := range c.api.Capabilities {
		can = append(can, capability(name))
	}
	return c.answer(http.StatusOK, siteConfig{Capabilities: can})
}
