package api

import (
	"context"
	"net/http"

	"github.com/weir-id/weir/internal/resource"
)

// mailRoutes are the calls of the outbox besides the generic ones.
func (a *API) mailRoutes() []Route {
	k := a.Kinds.Model("weir_mail.message")
	return []Route{{http.MethodPost, k.Path + "/{" + k.Param + "}/retry/", onOne(k, resource.RetryMail),
		Doc{Call: "create", Summary: "Send a mail again that was not sent, or at once if it waits", Status: http.StatusNoContent}, retryMail}}
}

func retryMail(c *call) error {
	if err := c.write(func(ctx context.Context, w *resource.Write) error { return c.api.Kinds.RetryMail(ctx, w, c.ref) }); err != nil {
		return err
	}
	return c.done()
}
