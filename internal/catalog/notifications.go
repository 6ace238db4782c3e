package catalog

import (
	"cmp"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/expression"
	"github.com/weir-id/weir/internal/notification/rule"
)

// notificationKinds declares what administrators say about notifications.
func notificationKinds(compile func(name, body string) error) []*kind {
	return []*kind{
		newKind(KindNotificationRule, "authentik_events.notificationrule", "Notification Rule", rule.New, func(k *kind) {
			k.target, k.ownTarget = true, true
			k.order = func(a, b any) int { return cmp.Compare(a.(*rule.Rule).Name, b.(*rule.Rule).Name) }
			k.display = func(_ *Snapshot, doc any) string { return doc.(*rule.Rule).Name }
		}),
		newKind(KindNotificationTransport, "authentik_events.notificationtransport", "Notification Transport", rule.NewTransport, func(k *kind) {
			k.order = func(a, b any) int { return cmp.Compare(a.(*rule.Transport).Name, b.(*rule.Transport).Name) }
			k.display = func(_ *Snapshot, doc any) string { return doc.(*rule.Transport).Name }
		}),
		newKind(KindWebhookMapping, "authentik_events.notificationwebhookmapping", "Webhook Mapping", rule.NewMapping, func(k *kind) {
			k.check = func(_ *Snapshot, _ uuid.UUID, doc any) field.Errors {
				m := doc.(*rule.Mapping)
				if compile == nil {
					return nil
				}
				if err := compile(m.Name, m.Expression); err != nil {
					return expression.FieldError("expression", err)
				}
				return nil
			}
			k.order = func(a, b any) int { return cmp.Compare(a.(*rule.Mapping).Name, b.(*rule.Mapping).Name) }
			k.display = func(_ *Snapshot, doc any) string { return doc.(*rule.Mapping).Name }
		}),
	}
}

// NotificationRules are the rules by name.
func (s *Snapshot) NotificationRules() []*rule.Rule {
	return docs[*rule.Rule](s, KindNotificationRule, "")
}

// NotificationRule returns a rule by id.
func (s *Snapshot) NotificationRule(id uuid.UUID) (*rule.Rule, bool) { return doc[*rule.Rule](s, id) }

// NotificationTransport returns a transport by id.
func (s *Snapshot) NotificationTransport(id uuid.UUID) (*rule.Transport, bool) {
	return doc[*rule.Transport](s, id)
}

// WebhookMapping returns a mapping by id.
func (s *Snapshot) WebhookMapping(id uuid.UUID) (*rule.Mapping, bool) {
	return doc[*rule.Mapping](s, id)
}
