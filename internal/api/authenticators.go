package api

import (
	"net/http"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/resource"
)

// ofUser names whose devices are meant.
var ofUser = resource.Filter{Name: "user", Type: "integer"}

// authenticatorRoutes list the devices of people, of all kinds.
func (a *API) authenticatorRoutes() []Route {
	return []Route{
		{http.MethodGet, "authenticators/all/", signedIn, Doc{Call: "list", Summary: "List your devices of all kinds", Answer: listOf(resource.Device{})}, listOwnDevices},
		{http.MethodGet, "authenticators/admin/all/", onAll(a.Kinds.Model("authentik_core.user"), access.View), Doc{Call: "list", Summary: "List the devices of a user, of all kinds",
			Query: []resource.Filter{ofUser}, Answer: listOf(resource.Device{})}, listDevicesOf},
	}
}

func listOwnDevices(c *call) error { return c.devices(c.visit.User.ID) }

// listDevicesOf lists those of one user; of the caller where none is named.
func listDevicesOf(c *call) error {
	user, problem := ofUser.Decode(c.r.URL.Query()[ofUser.Name])
	if problem != nil {
		return field.Errors{ofUser.Name: {*problem}}
	}
	if id, named := user.(int64); named {
		return c.devices(id)
	}
	return listOwnDevices(c)
}

func (c *call) devices(user int64) error {
	list, err := c.api.Kinds.Devices(c.ctx, user)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, list)
}
