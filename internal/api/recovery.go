package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/flowtoken"
	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// Recovery makes links by which people get back into their account.
type Recovery interface {
	// Plan plans the recovery flow of a brand for somebody. The error wraps
	// flow.ErrNoFlow when the brand has none, and is a *flow.RefusedError when
	// the flow does not apply to them.
	Plan(ctx context.Context, p *identity.Person, h *policy.HTTPRequest, b *flow.Brand) (*flow.Flow, *flow.Plan, error)
	// Put keeps a plan under the key of its link.
	Put(ctx context.Context, tx store.Tx, key string, n flowtoken.New) error
}

type userRecoveryLinkRequest struct {
	// Duration is that of the system settings where it is missing.
	Duration *field.Duration `json:"token_duration"`
}

// maxRecovery is how long a link for recovery may hold: it is as good as a
// password.
const maxRecovery = 30 * 24 * time.Hour

// recoveryLink makes a link for somebody who cannot sign in. A former one of the
// same person ends.
func recoveryLink(c *call) error {
	body := userRecoveryLinkRequest{}
	if err := c.decode(&body); err != nil {
		return err
	}
	d := c.api.Catalog.Snapshot().Settings().TokenDuration
	if body.Duration != nil {
		d = *body.Duration
	}
	if d.Duration() <= 0 || d.Duration() > maxRecovery {
		return field.Errorf("token_duration", field.CodeInvalid, "Enter a duration of at most 30 days, like hours=1.")
	}
	id, _ := c.ref.Key.(int64)
	person, err := c.api.Person(c.ctx, id)
	if err != nil {
		return err
	}
	f, plan, err := c.api.Recovery.Plan(c.ctx, person, request.Policy(c.r, url.Values{}), c.visit.Brand)
	var refused *flow.RefusedError
	switch {
	case errors.Is(err, flow.ErrNoFlow):
		return field.Errorf(field.NonField, field.CodeInvalid, "The brand of this address has no recovery flow. Set flow_recovery of the brand first.")
	case errors.As(err, &refused):
		return field.Errorf(field.NonField, field.CodeInvalid, "The recovery flow %q cannot be started for this person: %s", f.Slug, refused.Messages[0])
	case err != nil:
		return err
	}
	key := flowtoken.NewKey()
	err = c.write(func(ctx context.Context, w *resource.Write) error {
		if err := c.api.Kinds.NoteRecovery(ctx, w, c.ref); err != nil {
			return err
		}
		return c.api.Recovery.Put(ctx, w.Store(), key, flowtoken.ForRecovery(person, plan, c.api.Now().Add(d.Duration())))
	})
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, link{c.absolute("/if/flow/" + url.PathEscape(f.Slug) + "/?" + url.Values{"flow_token": {key}}.Encode())})
}
