package resource

import (
	"cmp"
	"context"
	"slices"

	"github.com/weir-id/weir/field"
)

// unwritten is the part of Objects of a model that follows from the program and is
// never written; it is the name of the model.
type unwritten string

// UsedBy implements Objects.
func (unwritten) UsedBy(context.Context, View, *Ref) ([]Use, error) { return []Use{}, nil }

// Create implements Objects.
func (u unwritten) Create(context.Context, *Write, string, map[string]any) (*Ref, []string, error) {
	return nil, nil, never(string(u))
}

// Update implements Objects.
func (u unwritten) Update(context.Context, *Write, *Ref, map[string]any, field.Mode) (changed, unknown []string, err error) {
	return nil, nil, never(string(u))
}

// Check implements Objects.
func (u unwritten) Check(context.Context, *Write, *Ref, map[string]any) error {
	return never(string(u))
}

// Delete implements Objects.
func (u unwritten) Delete(context.Context, *Write, *Ref) error { return never(string(u)) }

// arrange orders what a list has found in memory by its texts, and returns the page
// that q asks for with the number of all.
func arrange[T any](found []T, q *Query, text func(of T, field string) string, ref func(T) *Ref) ([]*Ref, int) {
	slices.SortStableFunc(found, func(a, b T) int {
		for _, o := range q.Order {
			c := cmp.Compare(text(a, o.Field), text(b, o.Field))
			if o.Desc {
				c = -c
			}
			if c != 0 {
				return c
			}
		}
		return 0
	})
	total := len(found)
	found = found[min(q.offset(), total):min(q.offset()+q.Size, total)]
	refs := make([]*Ref, len(found))
	for i, one := range found {
		refs[i] = ref(one)
	}
	return refs, total
}
