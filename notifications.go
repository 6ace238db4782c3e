package weir

import (
	"context"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/notification"
	"github.com/weir-id/weir/internal/notification/rule"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// newNotifications makes the engine that tells people of events, and has it told
// of them.
func (in *Installation) newNotifications() *notification.Engine {
	e := notification.New(notification.Config{
		DB: in.db, Queue: in.jobs, Events: in.events, Person: in.people.Person,
		Current: func() notification.Source { return in.catalog.Snapshot() },
		Newest: func(ctx context.Context) (notification.Source, error) {
			if err := in.catalog.Refresh(ctx); err != nil {
				return nil, err
			}
			return in.catalog.Snapshot(), nil
		},
		Compile: in.expressions.Compile, PolicyMail: func(ctx context.Context, tx store.Tx, p *identity.Person, m policy.Mail) error {
			return in.queuePolicyMail(ctx, tx, p, nil, m)
		},
		Mail: in.mailer, Templates: in.mails, PerMinute: in.config.Notifications, Version: Version, Sent: func(mode rule.Mode, ok bool) { in.metrics.ObserveNotification(string(mode), ok) }, Now: in.now, Log: in.log.With("component", "notification"),
	})
	in.events.Observers = append(in.events.Observers, e.Observe)
	return e
}
