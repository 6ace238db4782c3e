package stages_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/internal/authenticator"
	"github.com/weir-id/weir/internal/guard"
	"github.com/weir-id/weir/internal/stages/authenticatorduo"
)

// duoStage has set the phone of ann up.
var duoStage = uuid.New()

// Confirmed has a device of each of two kinds that few of the subjects allow.
func (house) Confirmed(context.Context, int64) ([]authenticator.Device, error) {
	return []authenticator.Device{{ID: 1, User: 7, Class: "sms", Name: "right"}, {ID: 2, User: 7, Class: "duo", Name: "phone", Stage: duoStage, Handle: "DU2"}}, nil
}

func (h house) Judge(ctx context.Context, ids []int64, _ func(string) float64, check func(*authenticator.Device, time.Time) (bool, error)) (authenticator.Judgement, error) {
	all, err := h.Confirmed(ctx, 7)
	i := slices.IndexFunc(all, func(d authenticator.Device) bool { return slices.Equal(ids, []int64{d.ID}) })
	if err != nil || i < 0 {
		return authenticator.Judgement{}, err
	}
	ok, err := check(&all[i], time.Time{})
	if !ok || err != nil {
		return authenticator.Judgement{}, err
	}
	return authenticator.Judgement{Device: &all[i]}, nil
}

func (house) ByHandle(context.Context, string, string) (*authenticator.Device, error) {
	return nil, nil
}

func (house) Enrol(out flow.Outcome, _ authenticator.Type, _ *authenticator.Device) flow.Outcome {
	return out
}

func (house) Change(context.Context, flow.Tx, int64, func(*authenticator.Device) error) error {
	return nil
}

// pushes is what stage and kind of Duo need.
func pushes(h house) authenticatorduo.Env {
	return authenticatorduo.Env{Devices: h, House: codes{}, Client: &http.Client{Transport: duo{}}, Now: time.Now, Waiting: &authenticatorduo.Waiting{}}
}

func (codes) UncountMessage(context.Context, guard.Send) error { return nil }

// duo enrols whoever asks, sees no phone, and lets ann say yes to pushes.
type duo struct{}

func (duo) RoundTrip(r *http.Request) (*http.Response, error) {
	response := map[string]string{"/auth/v2/enroll": `{"user_id":"DU1","activation_code":"duo://x"}`, "/auth/v2/enroll_status": `"waiting"`,
		"/auth/v2/auth": `{"result":"allow","status":"allow"}`}[r.URL.Path]
	body := io.NopCloser(strings.NewReader(`{"stat":"OK","response":` + response + `}`))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: body, Request: r}, nil
}
