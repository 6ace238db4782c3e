package api

import (
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/resource"
)

// CompatibleVersion is the version of authentik whose API this is. Clients
// compare it with the one that they were made for.
const CompatibleVersion = "2026.8.3"

// adminRoutes are the calls about the installation.
func (a *API) adminRoutes() []Route {
	view, edit := onAll(resource.System, resource.ViewSystemSettings), onAll(resource.System, resource.EditSystemSettings)
	info, settings := onAll(resource.System, resource.ViewSystemInfo), a.Kinds.Model(resource.SettingsModel)
	system := func(call string) Doc { return Doc{Call: call, Answer: valueOf(systemInfo{})} }
	return []Route{
		{http.MethodGet, "admin/version/", signedIn, Doc{Call: "retrieve", Answer: valueOf(version{})}, showVersion},
		{http.MethodGet, "admin/system/", info, system("retrieve"), showSystem},
		{http.MethodPost, "admin/system/", info, system("create"), showSystem},
		{http.MethodGet, "admin/settings/", view, Doc{Call: "retrieve", Answer: objectOf(settings)}, ofSettings(retrieveObject)},
		{http.MethodPut, "admin/settings/", edit, Doc{Call: "update", Body: requestOf(settings), Answer: objectOf(settings)}, ofSettings(replaceObject)},
		{http.MethodPatch, "admin/settings/", edit, Doc{Call: "partial_update", Body: patchOf(settings), Answer: objectOf(settings)}, ofSettings(patchObject)},
		{http.MethodGet, "admin/apps/", signedIn, Doc{Call: "list", Answer: listOf(app{})}, listApps},
		{http.MethodGet, "admin/models/", signedIn, Doc{Call: "list", Query: []resource.Filter{hasAttributes}, Answer: listOf(app{})}, listModels},
	}
}

// version tells which API this is, and in BuildHash which program serves it.
// Nobody is asked for a later version, so none is known.
type version struct {
	Current         string `json:"version_current" field:"readonly"`
	Latest          string `json:"version_latest" field:"readonly"`
	LatestValid     bool   `json:"version_latest_valid" field:"readonly"`
	BuildHash       string `json:"build_hash" field:"readonly"`
	Outdated        bool   `json:"outdated" field:"readonly"`
	OutpostOutdated bool   `json:"outpost_outdated" field:"readonly"`
}

func showVersion(c *call) error {
	return c.answer(http.StatusOK, version{Current: CompatibleVersion, Latest: CompatibleVersion, BuildHash: build(c.api.Version)})
}

// systemInfo helps those who set up a proxy in front of the site.
type systemInfo struct {
	Headers                 map[string]string `json:"http_headers" field:"readonly"`
	Host                    string            `json:"http_host" field:"readonly"`
	Secure                  bool              `json:"http_is_secure" field:"readonly"`
	Runtime                 runtimeInfo       `json:"runtime" field:"readonly"`
	Brand                   string            `json:"brand" field:"readonly"`
	ServerTime              time.Time         `json:"server_time" field:"readonly"`
	EmbeddedOutpostDisabled bool              `json:"embedded_outpost_disabled" field:"readonly"`
	EmbeddedOutpostHost     string            `json:"embedded_outpost_host" field:"readonly"`
	BaseURL                 string            `json:"base_url" field:"readonly"`
}

// runtimeInfo is empty where it asks for what Weir is not made of.
type runtimeInfo struct {
	PythonVersion  string `json:"python_version" field:"required"`
	Environment    string `json:"environment" field:"required"`
	Architecture   string `json:"architecture" field:"required"`
	Platform       string `json:"platform" field:"required"`
	Uname          string `json:"uname" field:"required"`
	OpenSSLVersion string `json:"openssl_version" field:"required"`
	OpenSSLFIPS    *bool  `json:"openssl_fips_enabled" field:"required,null"`
	Version        string `json:"authentik_version" field:"required"`
}

// shownHeaders are the headers that a proxy sets or changes. All others are
// left out, since any of them may hold a secret (rule 45).
var shownHeaders = []string{"Accept", "Accept-Encoding", "Accept-Language", "Connection", "Content-Length", "Content-Type", "Forwarded", "Origin",
	"User-Agent", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Real-Ip"}

func showSystem(c *call) error {
	headers := map[string]string{}
	for _, name := range shownHeaders {
		if values := c.r.Header.Values(name); len(values) > 0 {
			headers[name] = strings.Join(values, ", ")
		}
	}
	origin := request.From(c.ctx)
	return c.answer(http.StatusOK, systemInfo{
		Headers: headers, Host: origin.Host, Secure: origin.Secure, Brand: c.visit.Brand.Domain, ServerTime: c.api.Now().UTC(),
		EmbeddedOutpostDisabled: true, BaseURL: c.api.BaseURL,
		Runtime: runtimeInfo{Environment: runtime.Version(), Architecture: runtime.GOARCH, Platform: runtime.GOOS, Uname: runtime.GOOS + " " + runtime.GOARCH,
			Version: CompatibleVersion},
	})
}

// ofSettings lets a call on objects work on the system settings, of which there
// is one. Its permissions are those of the system.
func ofSettings(next func(c *call) error) func(c *call) error {
	return func(c *call) error {
		c.kind = c.api.Kinds.Model(resource.SettingsModel)
		v, err := c.view()
		if err != nil {
			return err
		}
		if c.ref, err = c.kind.Find(c.ctx, v, nil); err != nil {
			return err
		}
		return next(c)
	}
}

// app is an app or a model, with the names for programs and for people.
type app struct {
	Name  string `json:"name" field:"required"`
	Label string `json:"label" field:"required"`
}

// listApps answers with the apps that models belong to.
func listApps(c *call) error {
	labels := map[string]string{}
	for _, k := range c.api.Kinds.All() {
		if k.Path != "" {
			labels[k.App()] = resource.AppLabel(k.App())
		}
	}
	return c.answer(http.StatusOK, apps(labels))
}

var hasAttributes = resource.Filter{Name: "filter_has_attributes", Type: "boolean"}

// listModels answers with the models; with filter_has_attributes those whose
// objects have attributes, or have none.
func listModels(c *call) error {
	want, problem := hasAttributes.Decode(c.r.URL.Query()[hasAttributes.Name])
	if problem != nil {
		return field.Errors{hasAttributes.Name: {*problem}}
	}
	labels := map[string]string{}
	for _, k := range c.api.Kinds.All() {
		has := slices.ContainsFunc(k.Fields(), func(s field.Spec) bool { return s.Name == "attributes" })
		if k.Path != "" && (want == nil || want == has) {
			labels[k.Model] = k.Label
		}
	}
	return c.answer(http.StatusOK, apps(labels))
}

func apps(labels map[string]string) []app {
	out := []app{}
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, app{name, labels[name]})
	}
	return out
}
