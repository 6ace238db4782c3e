package notification

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/notification/rule"
)

// FailedError says why a transport does not work, in words for whoever
// administers it.
type FailedError struct{ err error }

func (f *FailedError) Error() string { return f.err.Error() }
func (f *FailedError) Unwrap() error { return f.err }

// Test sends a notification to a person, at once and in one attempt, and returns
// what came of it. What is wrong with the transport is a FailedError.
func (e *Engine) Test(ctx context.Context, t *rule.Transport, p *identity.Person) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	text := fmt.Sprintf("This is a test of the transport %q. All is well if you can read it.", t.Name)
	n := &Notification{ID: uuid.New(), User: p, Severity: rule.Notice, Body: text, Created: e.Now(),
		Event: &event.Recorded{Action: "custom_notification_test", App: "weir.notification", Context: map[string]any{"message": text},
			User: map[string]any{"pk": p.ID, "username": p.Username, "email": p.Email}, Created: e.Now(), Brand: map[string]any{}}}
	err := e.send(ctx, t, n)
	switch {
	case errors.Is(err, errSkipped):
		return []string{"Nothing was sent: the mapping wants it so, or you have no e-mail address."}, nil
	case err != nil && ctx.Err() != nil:
		return nil, &FailedError{errors.New("the receiver has not answered in time")}
	case err != nil:
		return nil, &FailedError{err}
	}
	switch t.Mode {
	case rule.Local:
		return []string{"The notification was stored for you."}, nil
	case rule.Email:
		return []string{"The mail is on its way to " + p.Email + "."}, nil
	}
	return []string{"The receiver has accepted the notification."}, nil
}
