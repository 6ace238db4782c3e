package api

import (
	"context"

	"github.com/weir-id/weir/internal/resource"
)

// userAccountRequest names a user.
type userAccountRequest struct {
	PK int64 `json:"pk" field:"required"`
}

// member puts a user into a group or takes them out.
func member(in bool) func(c *call) error {
	return func(c *call) error { return c.join(in, c.api.Kinds.SetMember) }
}

// holder gives a user a role or takes it away.
func holder(has bool) func(c *call) error {
	return func(c *call) error { return c.join(has, c.api.Kinds.SetRole) }
}

func (c *call) join(in bool, set func(ctx context.Context, w *resource.Write, ref *resource.Ref, user int64, in bool) error) error {
	var body userAccountRequest
	if err := c.decode(&body); err != nil {
		return err
	}
	err := c.write(func(ctx context.Context, w *resource.Write) error { return set(ctx, w, c.ref, body.PK, in) })
	if err != nil {
		return err
	}
	return c.done()
}
