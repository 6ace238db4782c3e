package api

import (
	"net/http"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
)

// currentBrand is how the site looks for this host. Flows are slugs; unset ones
// are left out.
type currentBrand struct {
	MatchedDomain      string           `json:"matched_domain"`
	Title              string           `json:"branding_title"`
	Logo               string           `json:"branding_logo"`
	LogoThemed         *flow.ThemedURLs `json:"branding_logo_themed_urls"`
	Favicon            string           `json:"branding_favicon"`
	FaviconThemed      *flow.ThemedURLs `json:"branding_favicon_themed_urls"`
	CustomCSS          string           `json:"branding_custom_css"`
	MapTiles           string           `json:"branding_map_tiles"`
	FooterLinks        []footerLink     `json:"ui_footer_links"`
	Theme              string           `json:"ui_theme"`
	DefaultLocale      string           `json:"default_locale"`
	Flags              brandFlags       `json:"flags"`
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

// brandFlags are features of the authentik web client that other tabs take
// part in; Weir's pages have none.
type brandFlags struct {
	ContinuousLogin bool `json:"flows_continuous_login"`
	RefreshOthers   bool `json:"flows_refresh_others"`
}

// siteRoutes tell what everybody may know of the site.
func (a *API) siteRoutes() []Route {
	return []Route{
		{http.MethodGet, "core/users/me/", signedIn, Doc{Call: "retrieve", Answer: valueOf(sessionUser{})}, me},
		{http.MethodGet, "core/brands/current/", public, Doc{Call: "retrieve", Answer: valueOf(currentBrand{})}, brand},
		{http.MethodGet, "root/config/", public, Doc{Call: "retrieve", Answer: valueOf(siteConfig{}).named("Config")}, config},
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
		FooterLinks: links, Theme: "automatic", Flags: brandFlags{settings.Flags.ContinuousLogin, settings.Flags.RefreshOthers},
		FlowAuthentication: slug(b.Authentication), FlowInvalidation: slug(b.Invalidation), FlowRecovery: slug(b.Recovery),
		FlowUnenrollment: slug(b.Unenrollment), FlowUserSettings: slug(b.UserSettings), FlowDeviceCode: slug(b.DeviceCode),
		FlowLockdown: slug(b.Lockdown), FlowUserSwitch: slug(b.UserSwitch), FlowRequest: slug(b.Request),
	})
}

// siteConfig says what the installation can do.
type siteConfig struct {
	ErrorReporting       errorReporting `json:"error_reporting"`
	Capabilities         []string       `json:"capabilities"`
	CacheTimeout         int            `json:"cache_timeout"`
	CacheTimeoutFlows    int            `json:"cache_timeout_flows"`
	CacheTimeoutPolicies int            `json:"cache_timeout_policies"`
}

// errorReporting is off: Weir reports to nobody.
type errorReporting struct {
	Enabled          bool    `json:"enabled"`
	Environment      string  `json:"environment"`
	SendPII          bool    `json:"send_pii"`
	SentryDSN        string  `json:"sentry_dsn"`
	TracesSampleRate float64 `json:"traces_sample_rate"`
}

// config answers with no capability and no cache, as there are none.
func config(c *call) error {
	return c.answer(http.StatusOK, siteConfig{Capabilities: []string{}})
}
