package catalog

import (
	"iter"

	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
)

// Snapshot is the whole configuration at one revision. It never changes and is
// safe for concurrent use. It implements flow.Catalog.
type Snapshot struct {
	catalog  *Catalog
	revision int64
	objects  trie[uuid.UUID, *Object]
	// groups are the lists that look-ups return, by kind and key.
	groups  trie[string, *group]
	uniques trie[string, uuid.UUID]
	// backrefs are the objects that refer to "<kind>:<id>".
	backrefs trie[string, trie[uuid.UUID, struct{}]]
	// targets maps PolicyTargetID to the object's own id.
	targets trie[uuid.UUID, uuid.UUID]
}

var _ flow.Catalog = (*Snapshot)(nil)

// Revision is the revision of the snapshot.
func (s *Snapshot) Revision() int64 { return s.revision }

// Get returns an object by id, whatever its kind.
func (s *Snapshot) Get(id uuid.UUID) (*Object, bool) { return s.objects.get(id) }

// Objects returns the objects of a kind in its default order. The list is
// shared and must not be changed.
func (s *Snapshot) Objects(kind string) []*Object { return s.group(kind, "").list() }

// All yields all objects, in no order.
func (s *Snapshot) All() iter.Seq[*Object] { return s.objects.values() }

// Document implements flow.Catalog.
func (s *Snapshot) Document(id uuid.UUID) (any, bool) { return doc[any](s, id) }

func doc[T any](s *Snapshot, id uuid.UUID) (T, bool) {
	var zero T
	o, ok := s.objects.get(id)
	if !ok {
		return zero, false
	}
	return usable[T](o)
}

// usable returns the document for the typed look-ups. Where a kind has no way
// to say that an object is broken, the object is not there: a flow whose
// settings cannot be read must not run with the defaults.
func usable[T any](o *Object) (T, bool) {
	d, ok := o.Doc.(T)
	return d, ok && (o.Err == nil || !o.kind.hides)
}

// nameOf names an object for people; its id when it does not exist.
func (s *Snapshot) nameOf(id uuid.UUID) string {
	if o, ok := s.objects.get(id); ok {
		return s.DisplayName(o)
	}
	return id.String()
}

// DisplayName names an object for people.
func (s *Snapshot) DisplayName(o *Object) string {
	return o.kind.display(s, o.Doc)
}
