package api

import (
	"errors"
	"strconv"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/resource"
)

// userAccountLockdownRequest says whose account; that of the caller where it does
// not.
type userAccountLockdownRequest struct {
	User *int64 `json:"user" field:"null"`
}

// lockAccount starts the lockdown flow of the brand for an account and answers
// with its page: what the flow asks for comes before anything is locked.
func lockAccount(c *call) error {
	var body userAccountLockdownRequest
	if err := c.decode(&body); err != nil {
		return err
	}
	target := c.visit.User
	if body.User != nil && *body.User != target.ID {
		if err := c.demand(access.Change, c.api.Kinds.Model("authentik_core.user"), strconv.FormatInt(*body.User, 10)); err != nil {
			return err
		}
		var err error
		if target, err = c.api.Person(c.ctx, *body.User); errors.Is(err, flow.ErrNoPerson) {
			return field.Errorf("user", field.CodeDoesNotExist, "There is no user %d.", *body.User)
		} else if err != nil {
			return err
		}
		// Nobody locks out who may do more than they do (rule 46).
		ok, err := c.api.Access.MayActOn(c.ctx, c.visit.User, target.ID)
		if err != nil {
			return err
		}
		if !ok {
			return &resource.ForbiddenError{Message: "You cannot lock an account that may do more than you may."}
		}
	}
	v, err := c.view()
	if err != nil {
		return err
	}
	var slug string
	if to := c.visit.Brand.Lockdown; to != nil {
		k := c.api.Kinds.Model("authentik_flows.flow")
		if c.ref, err = k.Find(c.ctx, v, map[string]any{"pk": to.String()}); err != nil {
			return err
		}
		if f, ok := v.Config.Flow(*to); ok {
			slug = f.Slug
		}
	}
	if c.ref == nil || slug == "" {
		return field.Errorf(field.NonField, field.CodeInvalid, "The brand of this address has no lockdown flow. Set flow_lockdown of the brand first.")
	}
	return c.startFlow(slug, target)
}
