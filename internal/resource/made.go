package resource

import (
	"context"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
)

// made is a kind whose rows the program makes while it runs: here they are seen
// and deleted, never written.
type made[T any] struct {
	people
	model string
	// what is the name of a row in errors.
	what string
	rows *table[T]
	// keys are the look-up fields that stand for the key: a UUID, or a number where
	// that of rows is one.
	keys []string
	// remove deletes the row of a key.
	remove string
	ref    func(*T) *Ref
	// members describes what the API shows of a row, show fills it in.
	members any
	show    func(View, *T) map[string]any
}

// Fields implements Objects.
func (k *made[T]) Fields() []field.Spec { return field.Describe(k.members) }

// Find implements Objects.
func (k *made[T]) Find(ctx context.Context, v View, match map[string]any) (*Ref, error) {
	fields := map[string]matchType{}
	for _, name := range k.keys {
		if fields[name] = matchUUID; k.rows.numeric {
			fields[name] = matchNumber
		}
	}
	match, ok, err := lookup(k.model, match, fields)
	if err != nil || !ok {
		return nil, err
	}
	s := &statement{dialect: v.Dialect}
	k.rows.always(s)
	for _, want := range match {
		key, err := k.key(fmt.Sprint(want))
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", k.what, err)
		}
		s.where(k.rows.key+" = ?", key)
	}
	found, err := store.Select(ctx, v.DB, k.rows.scan, "select "+k.rows.columns+" from "+k.rows.from+s.condition()+" limit 1", s.args...)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", k.what, err)
	}
	if len(found) == 0 {
		return nil, nil
	}
	return k.point(&found[0]), nil
}

// key is a key as the database has it.
func (k *made[T]) key(text string) (any, error) {
	if k.rows.numeric {
		return strconv.ParseInt(text, 10, 64)
	}
	return uuid.Parse(text)
}

func (k *made[T]) point(row *T) *Ref {
	ref := k.ref(row)
	ref.Model, ref.loaded = k.model, row
	return ref
}

// List implements Objects.
func (k *made[T]) List(ctx context.Context, v View, q *Query) ([]*Ref, int, error) {
	rows, total, err := k.rows.list(ctx, v, q)
	refs := make([]*Ref, len(rows))
	for i := range rows {
		refs[i] = k.point(&rows[i])
	}
	return refs, total, err
}

// Read implements Objects.
func (k *made[T]) Read(ctx context.Context, v View, refs ...*Ref) ([]map[string]any, error) {
	out := make([]map[string]any, len(refs))
	for i, ref := range refs {
		row, ok := ref.loaded.(*T)
		if !ok {
			now, err := k.Find(ctx, v, map[string]any{k.keys[0]: ref.ID()})
			if err != nil {
				return nil, err
			}
			if now == nil {
				return nil, fmt.Errorf("read %s %s: %w", k.what, ref.ID(), ErrGone)
			}
			row = now.loaded.(*T)
		}
		out[i] = k.show(v, row)
	}
	return out, nil
}

// Create implements Objects.
func (k *made[T]) Create(context.Context, *Write, string, map[string]any) (*Ref, []string, error) {
	return nil, nil, never(k.model)
}

// Update implements Objects.
func (k *made[T]) Update(context.Context, *Write, *Ref, map[string]any, field.Mode) (changed, unknown []string, err error) {
	return nil, nil, never(k.model)
}

// Check implements Objects.
func (k *made[T]) Check(context.Context, *Write, *Ref, map[string]any) error { return never(k.model) }

// Delete implements Objects.
func (k *made[T]) Delete(ctx context.Context, w *Write, ref *Ref) error {
	key, err := k.key(ref.ID())
	if err != nil {
		return fmt.Errorf("delete %s %s: %w", k.what, ref.ID(), ErrGone)
	}
	n, err := w.Store().Exec(ctx, k.remove, key)
	if err == nil && n == 0 {
		err = ErrGone
	}
	if err != nil {
		return fmt.Errorf("delete %s %s: %w", k.what, ref.ID(), err)
	}
	return k.record(ctx, w, event.ModelDeleted, ref)
}

// UsedBy implements Objects.
func (k *made[T]) UsedBy(context.Context, View, *Ref) ([]Use, error) { return []Use{}, nil }
