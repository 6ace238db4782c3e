package authenticatorduo

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/duo"
)

// ErrNoEnrolment means that a plan enrols nobody at the stage.
var ErrNoEnrolment = errors.New("the plan enrols nobody")

// Status asks Duo how far the enrolment of a plan is that stands at the stage. user is
// who is signed in, for plans that name nobody. While Duo is asked for the same person
// already, it is waiting. Only the answer to the stage counts; this is for pages.
func (e *Env) Status(ctx context.Context, plan *flow.Plan, stage uuid.UUID, c *Config, user int64) (duo.Status, error) {
	if ref, ok := flow.KeyPendingUser.Get(plan.Context); ok && ref != nil {
		user = ref.ID
	}
	at, err := pending(stage, user).read(plan.Context)
	if err != nil {
		return "", err
	}
	if at == nil || user == 0 {
		return "", ErrNoEnrolment
	}
	end, err := e.Waiting.begin(user)
	if errors.Is(err, errBusy) {
		return duo.Waiting, nil
	}
	if err != nil {
		return "", err
	}
	defer end()
	s, err := e.auth(c).Status(ctx, at)
	if err != nil {
		return "", fmt.Errorf("ask how far an enrolment is: %w", err)
	}
	return s, nil
}

// Users lists those whom Duo knows and who have a phone, by pages. The error is
// ErrNoAdmin without the keys for it.
func (e *Env) Users(ctx context.Context, c *Config, each func([]duo.User) error) error {
	if c.AdminKey == "" || c.AdminSecret == "" {
		return ErrNoAdmin
	}
	admin := &duo.Client{HTTP: e.Client, Host: c.APIHostname, Key: c.AdminKey, Secret: c.AdminSecret, Now: e.Now}
	return admin.Users(ctx, each)
}

// ErrNoAdmin means that a stage has no keys of the Admin API.
var ErrNoAdmin = errors.New("the stage has no keys of the Admin API")
