package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/access"
	"github.com/weir-id/weir/internal/duo"
	"github.com/weir-id/weir/internal/resource"
	"github.com/weir-id/weir/internal/stages/authenticatorduo"
)

// Plans finds what sessions are at.
type Plans interface {
	// AtStage returns the plan of a session that stands at a stage; nil for none.
	AtStage(ctx context.Context, s flow.Session, stage uuid.UUID) (*flow.Plan, error)
}

const (
	duoStage  = "authentik_stages_authenticator_duo.authenticatorduostage"
	duoDevice = "authentik_stages_authenticator_duo.duodevice"
)

// duoRoutes are about phones with Duo's app. Whoever is enrolled may ask how far that
// is, known by the plan of their session alone. Whoever links a person to a user at
// Duo has to be allowed to make devices.
func (a *API) duoRoutes() []Route {
	k := a.Kinds.Model(duoStage)
	path := k.Path + "/{" + k.Param + "}/"
	makes := onOne(k, access.View).and("authentik_stages_authenticator_duo.add_duodevice")
	enrolled := public.and("a session whose plan is at the stage")
	return []Route{
		{http.MethodPost, path + "enrollment_status/", enrolled, Doc{Call: "create", Summary: "Tell how far the enrolment of the session's plan is", Answer: valueOf(duoDeviceEnrollmentStatus{})}, duoStatus},
		{http.MethodPost, path + "import_device_manual/", makes, Doc{Call: "create", Summary: "Link a person to a user at Duo", Body: valueOf(authenticatorDuoStageManualDeviceImport{}), Status: http.StatusNoContent}, duoImport},
		{http.MethodPost, path + "import_devices_automatic/", makes, Doc{Call: "create", Summary: "Link all people to the users at Duo of the same name", Answer: valueOf(authenticatorDuoStageDeviceImportResponse{})}, duoImportAll},
	}
}

type duoDeviceEnrollmentStatus struct {
	Status duoResponse `json:"duo_response" field:"required"`
}

// duoResponse is how far an enrolment is.
type duoResponse duo.Status

// Choices lists the states.
func (duoResponse) Choices() []string { return duo.Status("").Choices() }

type authenticatorDuoStageManualDeviceImport struct {
	UserID   string `json:"duo_user_id" field:"required,max=64"`
	Username string `json:"username" field:"required,max=150"`
}

type authenticatorDuoStageDeviceImportResponse struct {
	Count int    `json:"count" field:"readonly"`
	Error string `json:"error" field:"readonly"`
}

// duoStatus asks Duo for the person of the session's plan, and says nothing to anybody
// else.
func duoStatus(c *call) error {
	stage, _ := uuid.Parse(c.r.PathValue("stage_uuid"))
	v, err := c.api.Runner.Visit(c.w, c.r, uuid.Nil, false)
	if err != nil {
		return err
	}
	plan, err := c.api.Plans.AtStage(c.ctx, v.Session, stage)
	if err != nil {
		return err
	}
	object, ok := c.api.Catalog.Snapshot().Stage(stage)
	if plan == nil || !ok {
		refuse(c.w, http.StatusForbidden, "Begin the set-up first.")
		return nil
	}
	config, ok := object.Config.(*authenticatorduo.Config)
	if !ok {
		refuse(c.w, http.StatusForbidden, "Begin the set-up first.")
		return nil
	}
	status, err := c.api.Duo.Status(c.ctx, plan, stage, config, v.User.ID)
	switch {
	case errors.Is(err, authenticatorduo.ErrNoEnrolment):
		refuse(c.w, http.StatusForbidden, "Begin the set-up first.")
		return nil
	case err != nil && c.ctx.Err() == nil:
		c.api.Log.WarnContext(c.ctx, "duo does not tell how far an enrolment is", slog.Any("error", err))
		refuse(c.w, http.StatusServiceUnavailable, "Duo does not answer now. Try again in a moment.")
		return nil
	case err != nil:
		return err
	}
	return c.answer(http.StatusOK, duoDeviceEnrollmentStatus{duoResponse(status)})
}

// duoConfig is the stage of a call, for whoever may make devices.
func (c *call) duoConfig() (*authenticatorduo.Config, uuid.UUID, error) {
	if err := c.demand(access.Add, c.api.Kinds.Model(duoDevice), ""); err != nil {
		return nil, uuid.Nil, err
	}
	id, err := uuid.Parse(c.ref.ID())
	if err != nil {
		return nil, id, err
	}
	object, ok := c.api.Catalog.Snapshot().Stage(id)
	if !ok {
		return nil, id, resource.ErrGone
	}
	config, ok := object.Config.(*authenticatorduo.Config)
	if !ok {
		return nil, id, fmt.Errorf("stage %s is none of Duo", id)
	}
	return config, id, nil
}

// duoImport links one person.
func duoImport(c *call) error {
	_, stage, err := c.duoConfig()
	if err != nil {
		return err
	}
	var body authenticatorDuoStageManualDeviceImport
	if err := c.decode(&body); err != nil {
		return err
	}
	err = c.write(func(ctx context.Context, w *resource.Write) error {
		made, err := c.api.Kinds.ImportDevice(ctx, w, duoDevice, body.Username, stage, body.UserID)
		switch {
		case errors.Is(err, resource.ErrNobody):
			return field.Errorf("username", field.CodeDoesNotExist, "There is no user with this name.")
		case err == nil && !made:
			return field.Errorf("duo_user_id", field.CodeUnique, "A device with this user at Duo exists already.")
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.done()
}

// duoImportAll links everybody whom Duo knows under the same name and who has a phone.
// What was linked before something went wrong stays.
func duoImportAll(c *call) error {
	config, stage, err := c.duoConfig()
	if err != nil {
		return err
	}
	var out authenticatorDuoStageDeviceImportResponse
	var inside error
	err = c.api.Duo.Users(c.ctx, config, func(users []duo.User) error {
		n := 0
		inside = c.write(func(ctx context.Context, w *resource.Write) error {
			n = 0
			for _, u := range users {
				if !u.Enrolled || u.ID == "" {
					continue
				}
				made, err := c.api.Kinds.ImportDevice(ctx, w, duoDevice, u.Username, stage, u.ID)
				var forbidden *resource.ForbiddenError
				if err != nil && !errors.Is(err, resource.ErrNobody) && !errors.As(err, &forbidden) {
					return err
				}
				if made {
					n++
				}
			}
			return nil
		})
		out.Count += n
		return inside
	})
	switch {
	case inside != nil, err != nil && c.ctx.Err() != nil:
		return err
	case errors.Is(err, authenticatorduo.ErrNoAdmin):
		return field.Errorf(field.NonField, field.CodeInvalid, "Enter the integration key and the secret key of an Admin API first.")
	case err != nil:
		out.Error = err.Error()
	}
	return c.answer(http.StatusOK, out)
}
