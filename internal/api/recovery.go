package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/access"
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
	// Mail writes a mail with a link, as the e-mail stage that is named writes its
	// own. send puts link and mail into a transaction. The errors are those of
	// mail.Mailer.Queue, and ErrNoEmailStage.
	Mail(ctx context.Context, stage uuid.UUID, f *flow.Flow, p *identity.Person, h *policy.HTTPRequest, n flowtoken.New) (send func(ctx context.Context, tx store.Tx) error, err error)
}

// ErrNoEmailStage means that there is no e-mail stage with an id.
var ErrNoEmailStage = errors.New("there is no such e-mail stage")

type userRecoveryLinkRequest struct {
	// Duration is that of the system settings where it is missing.
	Duration *field.Duration `json:"token_duration"`
}

// maxRecovery is how long a link for recovery may hold: it is as good as a
// password.
const maxRecovery = 30 * 24 * time.Hour

type userRecoveryEmailRequest struct {
	Duration *field.Duration `json:"token_duration"`
	// Stage has the template, subject and server.
	Stage uuid.UUID `json:"email_stage" field:"required"`
}

// recoverable is somebody for whom a link is to be made.
type recoverable struct {
	person *identity.Person
	flow   *flow.Flow
	plan   *flow.Plan
	holds  time.Duration
}

// recover plans the recovery of the person that the call is about; d is how long a
// link shall hold, nil for what the system settings say.
func (c *call) recover(d *field.Duration) (*recoverable, error) {
	r := &recoverable{holds: c.api.Catalog.Snapshot().Settings().TokenDuration.Duration()}
	if d != nil {
		r.holds = d.Duration()
	}
	if r.holds <= 0 || r.holds > maxRecovery {
		return nil, field.Errorf("token_duration", field.CodeInvalid, "Enter a duration of at most 30 days, like hours=1.")
	}
	id, _ := c.ref.Key.(int64)
	var err error
	if r.person, err = c.api.Person(c.ctx, id); err != nil {
		return nil, err
	}
	if !r.person.Human() {
		return nil, field.Errorf(field.NonField, field.CodeInvalid, "A service account is not recovered. Give it a token instead.")
	}
	r.flow, r.plan, err = c.api.Recovery.Plan(c.ctx, r.person, request.Policy(c.r, url.Values{}), c.visit.Brand)
	var refused *flow.RefusedError
	switch {
	case errors.Is(err, flow.ErrNoFlow):
		return nil, field.Errorf(field.NonField, field.CodeInvalid, "The brand of this address has no recovery flow. Set flow_recovery of the brand first.")
	case errors.As(err, &refused):
		return nil, field.Errorf(field.NonField, field.CodeInvalid, "The recovery flow %q cannot be started for this person: %s", r.flow.Slug, refused.Messages[0])
	}
	return r, err
}

// token is what the link stands for. A former one of the same person ends.
func (r *recoverable) token(now time.Time) flowtoken.New {
	return flowtoken.ForRecovery(r.person, r.plan, now.Add(r.holds))
}

// recoveryLink makes a link for somebody who cannot sign in.
func recoveryLink(c *call) error {
	body := userRecoveryLinkRequest{}
	if err := c.decode(&body); err != nil {
		return err
	}
	r, err := c.recover(body.Duration)
	if err != nil {
		return err
	}
	key := flowtoken.NewKey()
	err = c.write(func(ctx context.Context, w *resource.Write) error {
		if err := c.api.Kinds.NoteRecovery(ctx, w, c.ref); err != nil {
			return err
		}
		return c.api.Recovery.Put(ctx, w.Store(), key, r.token(c.api.Now()))
	})
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, link{c.absolute("/if/flow/" + url.PathEscape(r.flow.Slug) + "/?" + url.Values{flow.ParamFlowToken: {key}}.Encode())})
}

// recoveryEmail sends somebody a link by mail.
func recoveryEmail(c *call) error {
	body := userRecoveryEmailRequest{}
	if err := c.decode(&body); err != nil {
		return err
	}
	if err := c.demand(access.View, c.api.Kinds.Model("authentik_stages_email.emailstage"), body.Stage.String()); err != nil {
		return err
	}
	r, err := c.recover(body.Duration)
	if err != nil {
		return err
	}
	if r.person.Email == "" {
		return field.Errorf(field.NonField, field.CodeInvalid, "This account has no e-mail address.")
	}
	if c.api.BaseURL == "" {
		return field.Errorf(field.NonField, field.CodeInvalid, "Set the base URL of the site first (WEIR_BASE_URL): links in mails lead there alone.")
	}
	send, err := c.api.Recovery.Mail(c.ctx, body.Stage, r.flow, r.person, request.Policy(c.r, url.Values{}), r.token(c.api.Now()))
	if errors.Is(err, ErrNoEmailStage) {
		return field.Errorf("email_stage", field.CodeDoesNotExist, "There is no e-mail stage %s.", body.Stage)
	}
	if err != nil {
		return resource.MailRefusal(err)
	}
	err = c.write(func(ctx context.Context, w *resource.Write) error {
		if err := c.api.Kinds.NoteRecovery(ctx, w, c.ref); err != nil {
			return err
		}
		if err := send(ctx, w.Store()); err != nil {
			return resource.MailRefusal(err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.done()
}
