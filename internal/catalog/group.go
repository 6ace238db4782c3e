package catalog

import (
	"slices"
	"sync"

	"github.com/google/uuid"
)

// group is a set of objects of one kind that is asked for in order. It never
// changes. The lists are made when first asked for, so that a write does not
// pay for groups that nobody reads.
type group struct {
	kind    *kind
	members trie[uuid.UUID, *Object]

	sorted  sync.Once
	objects []*Object
	typed   sync.Once
	docs    any
}

// with returns the members and o; g may be nil.
func (g *group) with(o *Object) trie[uuid.UUID, *Object] {
	if g == nil {
		g = &group{}
	}
	return g.members.with(o.ID, o)
}

// list returns the objects in the kind's order.
func (g *group) list() []*Object {
	g.sorted.Do(func() {
		for o := range g.members.values() {
			g.objects = append(g.objects, o)
		}
		slices.SortFunc(g.objects, func(a, b *Object) int { return g.kind.compare(a, b) })
	})
	return g.objects
}

// group returns the objects of a kind that stand under key; "" for all.
func (s *Snapshot) group(kind, key string) *group {
	if g, ok := s.groups.get(kind + " " + key); ok {
		return g
	}
	return &group{}
}

// docs returns the typed list of a group.
func docs[T any](s *Snapshot, kind, key string) []T {
	g := s.group(kind, key)
	g.typed.Do(func() {
		if list := g.list(); len(list) > 0 {
			g.docs = g.kind.list(list)
		}
	})
	list, _ := g.docs.([]T)
	return list
}
