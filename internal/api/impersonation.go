package api

import (
	"context"
	"errors"
	"strings"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/session"
	"github.com/weir-id/weir/policy"
)

// Impersonation lets people act as others in their session; *session.Manager
// does.
type Impersonation interface {
	Impersonate(ctx context.Context, c *session.Current, as *identity.Person, reason string, h *policy.HTTPRequest, b *flow.Brand) error
	EndImpersonation(ctx context.Context, c *session.Current, h *policy.HTTPRequest, b *flow.Brand) error
}

// impersonationRequest says why; the settings tell whether that may be left out.
type impersonationRequest struct {
	Reason string `json:"reason" field:"blank"`
}

// impersonate makes the caller act as somebody else in their session. A token
// has no session that could remember it.
func impersonate(c *call) error {
	var body impersonationRequest
	if err := c.decode(&body); err != nil {
		return err
	}
	v, err := c.view()
	if err != nil {
		return err
	}
	settings, reason := v.Config.Settings(), strings.TrimSpace(body.Reason)
	switch {
	case !settings.Impersonation:
		return &resource.ForbiddenError{Message: "Impersonation is switched off."}
	case c.visit.Token:
		return &resource.ForbiddenError{Message: "Only who is signed in can act as somebody else, not an API token."}
	case settings.ImpersonationReason && reason == "":
		return field.Errorf("reason", field.CodeRequired, "Say why you do this.")
	}
	id, _ := c.ref.Key.(int64)
	as, err := c.api.Person(c.ctx, id)
	if errors.Is(err, flow.ErrNoPerson) {
		return resource.ErrGone
	}
	if err != nil {
		return err
	}
	err = c.api.Impersonation.Impersonate(c.ctx, c.visit.Current, as, reason, request.Policy(c.r, c.r.URL.Query()), c.visit.Brand)
	if errors.Is(err, session.ErrImpersonation) {
		return &resource.ForbiddenError{Message: "You cannot act as this person."}
	}
	if err != nil {
		return err
	}
	return c.done()
}

// endImpersonation makes the caller act for themselves again.
func endImpersonation(c *call) error {
	if c.visit.User.Impersonator == nil {
		return c.done()
	}
	if err := c.api.Impersonation.EndImpersonation(c.ctx, c.visit.Current, request.Policy(c.r, c.r.URL.Query()), c.visit.Brand); err != nil {
		return err
	}
	return c.done()
}
