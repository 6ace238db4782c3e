package catalog

import (
	"cmp"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/policy"
)

func entitlementKind() *kind {
	return newKind(KindEntitlement, "authentik_core.applicationentitlement", "Application Entitlement", flow.NewEntitlement, func(k *kind) {
		k.target, k.ownTarget = true, true
		k.uniques = [][]string{{"app", "name"}}
		k.order = func(a, b any) int { return cmp.Compare(a.(*flow.Entitlement).Name, b.(*flow.Entitlement).Name) }
		k.groups = func(doc any) []string { return []string{"app:" + doc.(*flow.Entitlement).App.String()} }
		k.display = func(_ *Snapshot, doc any) string { return doc.(*flow.Entitlement).Name }
	})
}

// noPolicyEntitles refuses to bind a policy to an entitlement: who has one is
// written down and does not depend on when and how somebody asks.
func noPolicyEntitles(s *Snapshot, _ uuid.UUID, doc any) field.Errors {
	b := doc.(*policy.Binding)
	if target, ok := s.Get(b.Target); ok && target.Kind == KindEntitlement && b.Policy != nil {
		return field.Errorf(field.NonField, field.CodeInvalid, "Name a group or a user; a policy cannot be bound to an entitlement.")
	}
	return nil
}

// Entitlements returns the entitlements of an application by name.
func (s *Snapshot) Entitlements(app uuid.UUID) []*flow.Entitlement {
	return docs[*flow.Entitlement](s, KindEntitlement, "app:"+app.String())
}
