package catalog

import (
	"cmp"
	"slices"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
)

// The kinds of objects, as they stand in the database and in references.
const (
	KindFlow          = "flow"
	KindStage         = "stage"
	KindBinding       = "binding"
	KindPolicy        = "policy"
	KindPolicyBinding = "policybinding"
	KindBrand         = "brand"
	KindApplication   = "application"
	KindPrompt        = "prompt"
	KindBlueprint     = "blueprint"
	KindSettings      = "settings"
	KindCertificate   = "certificate"
	KindEntitlement   = "entitlement"

	KindNotificationRule      = "notificationrule"
	KindNotificationTransport = "notificationtransport"
	KindWebhookMapping        = "notificationwebhookmapping"
)

// kind is everything the catalog knows about one kind of object. kinds.go
// declares them all; nothing else in the package asks for a kind by name.
type kind struct {
	name string
	// model is the name in blueprints; empty where the types have their own.
	model string
	// label is the name for people.
	label string
	// plural is the name of several; empty for the label with an s.
	plural string
	// fresh returns a document of a type with its defaults; false for an
	// unknown type. The type is empty for kinds without types.
	fresh func(typ string) (any, bool)
	// stranger returns a document for a stored type that is not known, which
	// will carry an error.
	stranger func(typ string) any
	// parts returns the structs whose fields make up the document.
	parts func(doc any) []any
	// clone copies the document and its parts.
	clone func(doc any) any
	// build makes what runs from a document that was decoded, finding the
	// result in built when the same content was built before. Nil for kinds
	// of which nothing runs.
	build func(doc any, built *cached) error
	// fail marks a document that could not be decoded or built, so that it
	// denies where it is used. Nil hides such objects from the typed look-ups.
	fail func(doc any, err error)
	// uniques are the sets of fields that no two objects may share; those of
	// the tags are added.
	uniques [][]string
	// groups are the lists that the object stands in, such as "target:<id>".
	groups func(doc any) []string
	// check looks at what the document alone does not show.
	check func(s *Snapshot, id uuid.UUID, doc any) field.Errors
	// order is the default order; ties are broken by creation.
	order func(a, b any) int
	// list makes the typed list that look-ups return.
	list func(objects []*Object) any
	// display names the object for people.
	display func(s *Snapshot, doc any) string
	// target marks kinds that policies can be bound to; ownTarget those of
	// which the id for that is their own.
	target, ownTarget bool
	// single marks kinds of which there is one object at most.
	single bool
	// hides is set for kinds without fail.
	hides bool
}

// newKind fills in what most kinds share; adjust says where this one differs.
func newKind[D any](name, model, label string, defaults func() D, adjust func(*kind)) *kind {
	k := &kind{
		name: name, model: model, label: label,
		fresh: func(typ string) (any, bool) {
			d := defaults()
			return &d, typ == ""
		},
		parts:   func(doc any) []any { return []any{doc} },
		clone:   field.Copy,
		groups:  func(any) []string { return nil },
		check:   func(*Snapshot, uuid.UUID, any) field.Errors { return nil },
		order:   func(any, any) int { return 0 },
		display: func(*Snapshot, any) string { return "" },
		list: func(objects []*Object) any {
			out := make([]*D, 0, len(objects))
			for _, o := range objects {
				if d, ok := usable[*D](o); ok {
					out = append(out, d)
				}
			}
			return out
		},
	}
	k.stranger = func(string) any {
		d := defaults()
		return &d
	}
	adjust(k)
	k.hides = k.fail == nil
	return k
}

// complete adds the unique fields that tags declare.
func (k *kind) complete() {
	for _, part := range k.parts(k.stranger("")) {
		for _, s := range field.Describe(part) {
			if s.Unique {
				k.uniques = append(k.uniques, []string{s.Name})
			}
		}
	}
}

// compare orders two objects of the kind: by the kind's own order, then
// creation.
func (k *kind) compare(a, b *Object) int {
	return cmp.Or(k.order(a.Doc, b.Doc), slices.Compare(a.order[:], b.order[:]), slices.Compare(a.ID[:], b.ID[:]))
}

// policyTargets is the namespace of PolicyTargetID. It was drawn at random and
// never changes: the ids made from it are known to clients.
var policyTargets = uuid.MustParse("3f1b7f0e-6a0c-4c9b-9d55-8a3a1f7c24e1")

// PolicyTargetID returns the second id that flows and stage bindings have on
// the wire (policybindingmodel_ptr_id): the UUIDv5 (RFC 9562 section 5.5) of the
// 16 bytes of the primary key, so it needs no column.
func PolicyTargetID(pk uuid.UUID) uuid.UUID { return uuid.NewSHA1(policyTargets, pk[:]) }
