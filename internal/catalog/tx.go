package catalog

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/internal/store"
)

// ErrNotFound means that no object has the id.
var ErrNotFound = errors.New("no such object")

// Tx is one write under way: the configuration with the changes made so far.
// It is used by one goroutine. Errors that the data is to blame for are
// field.Errors; after one the Tx is as it was before the call.
type Tx struct {
	// ctx is that of the Update: a Tx does not outlive it.
	ctx      context.Context
	catalog  *Catalog
	base     *Snapshot
	staged   *Snapshot
	store    store.Tx
	now      time.Time
	revision int64
	created  int64
	// touched are the ids of changed objects; order is when each was first.
	touched map[uuid.UUID]bool
	order   []uuid.UUID
}

// Store is the transaction for rows outside the catalog.
func (tx *Tx) Store() store.Tx { return tx.store }

// Snapshot is the configuration with the changes made so far.
func (tx *Tx) Snapshot() *Snapshot { return tx.staged }

// Before is the configuration without the changes.
func (tx *Tx) Before() *Snapshot { return tx.base }

// Get returns an object by id.
func (tx *Tx) Get(id uuid.UUID) (*Object, bool) { return tx.staged.Get(id) }

// Objects returns the objects of a kind in its default order.
func (tx *Tx) Objects(kind string) []*Object { return tx.staged.Objects(kind) }

func (tx *Tx) kind(name string) *kind { return tx.catalog.registry.byName[name] }

// Create adds an object. A nil id is replaced by a random one. unknown lists
// the keys of data that are no fields.
func (tx *Tx) Create(kind, typ string, id uuid.UUID, data map[string]any) (o *Object, unknown []string, err error) {
	k := tx.kind(kind)
	if k == nil {
		return nil, nil, fmt.Errorf("create object of unknown kind %q", kind)
	}
	doc, ok := k.fresh(typ)
	if !ok {
		return nil, nil, fmt.Errorf("create %s of unknown type %q", kind, typ)
	}
	if id == uuid.Nil {
		id = uuid.New()
	} else if other, taken := tx.staged.Get(id); taken {
		return nil, nil, field.Errorf("pk", field.CodeUnique, "Choose another id; this one belongs to %s %q.", other.Kind, tx.staged.DisplayName(other))
	}
	tx.created++
	o = &Object{ID: id, kind: k, Kind: kind, Type: typ, Doc: doc, Created: tx.now, order: [2]int64{tx.revision, tx.created}}
	unknown, err = tx.fill(k, o, data, field.Create)
	if err != nil {
		return nil, unknown, err
	}
	return o, unknown, nil
}

// Patch changes the given fields. When they are what they were, the object
// stays as it is and counts as unchanged.
func (tx *Tx) Patch(id uuid.UUID, data map[string]any) (o *Object, unknown []string, err error) {
	return tx.Edit(id, data, field.Update)
}

// Edit is Patch in a mode of field.Decode: Update or Replace.
func (tx *Tx) Edit(id uuid.UUID, data map[string]any, mode field.Mode) (o *Object, unknown []string, err error) {
	old, ok := tx.staged.Get(id)
	if !ok {
		return nil, nil, fmt.Errorf("change object %s: %w", id, ErrNotFound)
	}
	k := tx.kind(old.Kind)
	next := *old
	next.Doc = k.clone(old.Doc)
	if old.unread {
		// Its fields are gone, so it is written as if it were new; otherwise
		// a change of the title could turn a requirement into the default.
		mode, next.unread = field.Create, false
		if next.Doc, ok = k.fresh(old.Type); !ok {
			return nil, nil, field.Errorf(field.NonField, field.CodeInvalid, "Delete this object; its type %q is not known here.", old.Type)
		}
	}
	unknown, err = tx.fill(k, &next, data, mode)
	if err != nil {
		return nil, unknown, err
	}
	o, _ = tx.staged.Get(id)
	return o, unknown, nil
}

// Check validates data as Patch would and changes nothing.
func (tx *Tx) Check(id uuid.UUID, data map[string]any) error {
	staged, touched, order := tx.staged, maps.Clone(tx.touched), slices.Clone(tx.order)
	_, _, err := tx.Patch(id, data)
	tx.staged, tx.touched, tx.order = staged, touched, order
	return err
}

// fill decodes data into the object, checks it and stages it.
func (tx *Tx) fill(k *kind, o *Object, data map[string]any, mode field.Mode) ([]string, error) {
	data = tx.resolveTargets(k, o.Doc, data)
	var errs field.Errors
	var unknown []string
	for i, part := range k.parts(o.Doc) {
		u, e := field.Decode(part, data, mode)
		errs = errs.Merge(e)
		if i == 0 {
			unknown = u
			continue
		}
		unknown = slices.DeleteFunc(unknown, func(name string) bool { return !slices.Contains(u, name) })
	}
	if errs != nil {
		return unknown, errs
	}
	return unknown, tx.put(k, o)
}

// put checks a whole document and stages it, unless nothing changed.
func (tx *Tx) put(k *kind, o *Object) error {
	old, existed := tx.staged.Get(o.ID)
	if existed && old.Err == nil && len(tx.differing(old, o)) == 0 {
		return nil
	}
	o.Err = nil
	errs, err := tx.check(k, o)
	if err != nil {
		return err
	}
	if errs != nil {
		return errs
	}
	if err := tx.catalog.build(k, o); err != nil {
		var fieldErrs field.Errors
		if errors.As(err, &fieldErrs) {
			return fieldErrs
		}
		return field.Errorf(field.NonField, field.CodeInvalid, "This configuration cannot be used: %v.", err)
	}
	o.Version, o.Updated = tx.revision, tx.now
	tx.catalog.identify(o)
	tx.touch(o.ID)
	tx.staged = tx.staged.with(o)
	return nil
}

// check looks at uniqueness and references.
func (tx *Tx) check(k *kind, o *Object) (errs field.Errors, err error) {
	errs = tx.taken(k, o)
	for _, part := range k.parts(o.Doc) {
		for _, ref := range partReferences(part) {
			ok, err := tx.exists(ref)
			if err != nil {
				return nil, err
			}
			if !ok {
				errs = errs.Merge(field.Errorf(ref.Field, field.CodeDoesNotExist, "There is no %s with the id %q.", refName(ref), ref.ID))
			}
		}
	}
	return errs.Merge(k.check(tx.staged, o.ID, o.Doc)), nil
}

// taken looks for values that belong to another object.
func (tx *Tx) taken(k *kind, o *Object) (errs field.Errors) {
	for _, key := range uniqueKeys(k, o.Doc) {
		owner, taken := tx.staged.uniques.get(key)
		if !taken || owner == o.ID {
			continue
		}
		set := uniqueSet(key)
		if len(set) == 1 {
			errs = errs.Merge(field.Errorf(set[0], field.CodeUnique, "Choose another value; a %s with this %s exists.", strings.ToLower(k.label), set[0]))
			continue
		}
		errs = errs.Merge(field.Errorf(field.NonField, field.CodeUnique, "The fields %s must make a unique set.", strings.Join(set, ", ")))
	}
	return errs
}

func partReferences(part any) []field.Reference { return field.References(part) }

func refName(ref field.Reference) string {
	if ref.Kind == "target" {
		return "flow or stage binding"
	}
	return strings.TrimSpace(strings.ReplaceAll(ref.Type, "_", " ") + " " + ref.Kind)
}

// uniqueSet returns the names of the fields in a unique key.
func uniqueSet(key string) []string {
	var values []any
	if err := json.Unmarshal([]byte(key), &values); err != nil || len(values) == 0 {
		return nil
	}
	head, _ := values[0].(string)
	_, names, _ := strings.Cut(head, " ")
	return strings.Split(names, ",")
}

// exists tells whether a reference leads somewhere.
func (tx *Tx) exists(ref field.Reference) (bool, error) {
	if dataKind(ref.Kind) {
		if tx.catalog.Exists == nil {
			return false, nil
		}
		return tx.catalog.Exists(tx.ctx, tx.store, ref.Kind, ref.ID)
	}
	id, err := uuid.Parse(ref.ID)
	if err != nil {
		return false, nil
	}
	o, ok := tx.staged.Get(id)
	if !ok {
		return false, nil
	}
	if ref.Kind == "target" {
		return tx.kind(o.Kind).target, nil
	}
	return o.Kind == ref.Kind && (ref.Type == "" || o.Type == ref.Type), nil
}

// resolveTargets replaces the second ids of policy targets by the objects' own.
func (tx *Tx) resolveTargets(k *kind, doc any, data map[string]any) map[string]any {
	for _, part := range k.parts(doc) {
		for _, name := range field.Names(part) {
			spec, _ := field.Lookup(part, name)
			if spec.Ref != "target" {
				continue
			}
			if id, ok := tx.staged.ResolveTarget(data[name]); ok {
				data = maps.Clone(data)
				data[name] = id.String()
			}
		}
	}
	return data
}

// ResolveTarget finds the flow or stage binding that one of its two ids names,
// and returns its own id.
func (s *Snapshot) ResolveTarget(v any) (uuid.UUID, bool) {
	id, err := uuid.Parse(fmt.Sprint(v))
	if err != nil {
		return uuid.Nil, false
	}
	return s.targets.get(id)
}

// Delete removes an object and, along the references to it, what cannot be
// without it; other references are emptied.
func (tx *Tx) Delete(id uuid.UUID) error {
	if _, ok := tx.staged.Get(id); !ok {
		return fmt.Errorf("delete object %s: %w", id, ErrNotFound)
	}
	tx.touch(id)
	tx.staged = tx.staged.without(id)
	return tx.drop(anyObject, id.String())
}

// DropReferences removes or empties what refers to something outside the
// catalog that is being deleted: a user or a group.
func (tx *Tx) DropReferences(kind, id string) error { return tx.drop(kind, id) }

func (tx *Tx) drop(kind, id string) error {
	for _, holder := range tx.staged.holders(kind, id) {
		o, ok := tx.staged.Get(holder)
		if !ok {
			continue
		}
		k := tx.kind(o.Kind)
		next := *o
		next.Doc = k.clone(o.Doc)
		cascade := false
		for _, part := range k.parts(next.Doc) {
			for _, ref := range partReferences(part) {
				if ref.ID != id || !sameKind(ref.Kind, kind) {
					continue
				}
				cascade = cascade || ref.OnDelete == field.Cascade
				field.Unlink(part, ref.Field, id)
			}
		}
		if cascade {
			if err := tx.Delete(holder); err != nil {
				return err
			}
			continue
		}
		if o.unread {
			// Writing back what could be read would hide the rest for good. The
			// object denies, with or without a reference that leads nowhere.
			continue
		}
		next.Err = nil
		if err := tx.catalog.build(k, &next); err != nil {
			next.fail(err)
		}
		next.Version, next.Updated = tx.revision, tx.now
		tx.catalog.identify(&next)
		tx.touch(holder)
		tx.staged = tx.staged.with(&next)
	}
	return nil
}

// sameKind compares the kind of a reference with a kind of data, or with
// anyObject for all kinds of the catalog.
func sameKind(ref, kind string) bool {
	if dataKind(ref) {
		return ref == kind
	}
	return kind == anyObject
}

func (tx *Tx) touch(id uuid.UUID) {
	if !tx.touched[id] {
		tx.touched[id] = true
		tx.order = append(tx.order, id)
	}
}

// changes compares the staged configuration with the one before.
func (tx *Tx) changes() []Change {
	var out []Change
	for _, id := range tx.order {
		old, was := tx.base.Get(id)
		now, is := tx.staged.Get(id)
		switch {
		case is && !was:
			out = append(out, tx.change(Created, tx.staged, now))
		case was && !is:
			out = append(out, tx.change(Deleted, tx.base, old))
		case was && is:
			ch := tx.change(Changed, tx.staged, now)
			if ch.Fields = tx.differing(old, now); len(ch.Fields) > 0 || old.Err != nil && now != old {
				out = append(out, ch)
			} else {
				tx.staged = tx.staged.with(old)
			}
		}
	}
	return out
}

func (tx *Tx) change(op Op, s *Snapshot, o *Object) Change {
	return Change{Op: op, Kind: o.Kind, Type: o.Type, ID: o.ID, Name: cmp.Or(s.DisplayName(o), o.ID.String())}
}

// differing returns the names of the fields in which two versions differ.
func (tx *Tx) differing(a, b *Object) []string {
	var names []string
	before, after := tx.catalog.fields(a.kind, a.Doc), tx.catalog.fields(b.kind, b.Doc)
	for name, v := range after {
		if !sameJSON(before[name], v) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// sameJSON compares values as they are stored: 1 and 1.0 are the same number.
func sameJSON(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
