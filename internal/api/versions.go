package api

import (
	"net/http"
	"strconv"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/resource"
)

// build names the program in answers.
func build(version string) string { return "weir-" + version }

// Served is the version of a program that begins to serve: that of the API, and
// which program it is.
func Served(version string) resource.Version {
	return resource.Version{Version: CompatibleVersion, Build: build(version)}
}

// versionRoutes are the calls about the versions that have served the database.
func (a *API) versionRoutes() []Route {
	info := onAll(resource.System, resource.ViewSystemInfo)
	query := append(resource.VersionFilters(), resource.Filter{Name: "ordering"}, resource.Filter{Name: "search"})
	one, many := valueOf(resource.Version{}).named("VersionHistory"), listOf(resource.Version{}).named("VersionHistory")
	return []Route{
		{http.MethodGet, "admin/version/history/", info, Doc{Call: "list", Summary: "List the versions that have run", Query: query, Answer: many}, listVersions},
		{http.MethodGet, "admin/version/history/{id}/", info, Doc{Call: "retrieve", Summary: "Read a version that has run", Answer: one}, showPastVersion},
	}
}

// listVersions answers with the versions, the latest first.
func listVersions(c *call) error {
	v, q, err := c.asked()
	if err != nil || q == nil {
		return err
	}
	filters := resource.Kind{Filters: resource.VersionFilters()}
	var errs field.Errors
	if q.Filters, errs = filters.ParseFilters(c.r.URL.Query()); errs != nil {
		return errs
	}
	found, err := resource.Versions(c.ctx, v, q)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, append([]resource.Version{}, found...))
}

// showPastVersion answers with one of them.
func showPastVersion(c *call) error {
	v, err := c.view()
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(c.r.PathValue("id"), 10, 64)
	if err != nil {
		return resource.ErrGone
	}
	found, err := resource.Versions(c.ctx, v, &resource.Query{Filters: map[string]any{"id": id}})
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return resource.ErrGone
	}
	return c.answer(http.StatusOK, found[0])
}
