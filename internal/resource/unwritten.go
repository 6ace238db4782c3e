package resource

import (
	"context"

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
