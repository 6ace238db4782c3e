package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/weir-id/weir/field"
)

// RestoreError lists what keeps objects from being what they were.
type RestoreError struct{ Problems []string }

func (e *RestoreError) Error() string { return strings.Join(e.Problems, "\n") }

// Restore makes objects what they are in an earlier configuration; all objects
// when ids is nil. An object that was not there is deleted like by Delete. The
// result is checked like every write: the error is a RestoreError when values
// are taken by other objects, when references lead nowhere any more, or when a
// document is none any more. With unlink, references to users and groups that
// are gone are handled as on the day they went: emptied, or their object left
// out.
func (tx *Tx) Restore(from *Snapshot, ids []uuid.UUID, unlink bool) (err error) {
	staged, touched, order := tx.staged, maps.Clone(tx.touched), slices.Clone(tx.order)
	defer func() {
		if err != nil {
			tx.staged, tx.touched, tx.order = staged, touched, order
		}
	}()
	if ids == nil {
		all := map[uuid.UUID]bool{}
		for _, s := range []*Snapshot{from, tx.staged} {
			for o := range s.All() {
				all[o.ID] = true
			}
		}
		ids = slices.Collect(maps.Keys(all))
	}
	r := restoration{Tx: tx, from: from}
	for _, id := range ids {
		r.sort(id)
	}
	for _, list := range [][]*Object{r.back, r.away} {
		slices.SortFunc(list, func(a, b *Object) int {
			return cmp.Or(slices.Compare(a.order[:], b.order[:]), slices.Compare(a.ID[:], b.ID[:]))
		})
	}
	r.put()
	for _, o := range r.away {
		if _, ok := tx.staged.Get(o.ID); !ok {
			continue // went with another one
		}
		if err := tx.Delete(o.ID); err != nil {
			return err
		}
	}
	if err := r.check(unlink); err != nil {
		return err
	}
	if r.problems != nil {
		slices.Sort(r.problems)
		return &RestoreError{slices.Compact(r.problems)}
	}
	return nil
}

// restoration is one call of Restore.
type restoration struct {
	*Tx
	from *Snapshot
	// back are the objects to be written, away those to be deleted.
	back, away []*Object
	problems   []string
}

func (r *restoration) problem(o *Object, format string, args ...any) {
	r.problems = append(r.problems, r.from.NaturalName(o)+": "+fmt.Sprintf(format, args...))
}

// sort finds out what is to be done about an object.
func (r *restoration) sort(id uuid.UUID) {
	old, was := r.from.Get(id)
	now, is := r.staged.Get(id)
	switch {
	case !was && is:
		r.away = append(r.away, now)
		return
	case !was, is && now.Version == old.Version, is && old.Err == nil && now.Err == nil && old.Kind == now.Kind && old.Type == now.Type && len(r.differing(now, old)) == 0:
		return
	case old.Err != nil:
		r.problem(old, "this version cannot be used any more: %v", old.Err)
		return
	}
	k := r.kind(old.Kind)
	next := *old
	next.Doc = k.clone(old.Doc)
	if err := r.catalog.build(k, &next); err != nil {
		r.problem(old, "this version cannot be used any more: %v", err)
		return
	}
	next.Version, next.Updated = r.revision, r.now
	r.catalog.identify(&next)
	r.back = append(r.back, &next)
}

// put stages the objects. They may have exchanged values that only one object
// can have, so all of them make room first.
func (r *restoration) put() {
	for _, o := range r.back {
		r.staged = r.staged.without(o.ID)
	}
	leaving := map[uuid.UUID]bool{}
	for _, o := range r.away {
		leaving[o.ID] = true
	}
	for _, o := range r.back {
		for _, key := range uniqueKeys(o.kind, o.Doc) {
			if owner, taken := r.staged.uniques.get(key); taken && !leaving[owner] {
				other, _ := r.staged.Get(owner)
				r.problem(o, "%s belongs to %s now", strings.Join(uniqueSet(key), ", "), r.staged.NaturalName(other))
			}
		}
		r.touch(o.ID)
		r.staged = r.staged.with(o)
	}
}

// check looks at the references of what has been put, and of what refers to it.
func (r *restoration) check(unlink bool) error {
	for _, put := range r.back {
		o, ok := r.staged.Get(put.ID)
		if !ok {
			continue // went with what an earlier one lacked
		}
		gone, err := r.lost(o)
		if err != nil {
			return err
		}
		for _, ref := range gone {
			if unlink && dataKind(ref.Kind) {
				if err := r.drop(ref.Kind, ref.ID); err != nil {
					return err
				}
				continue
			}
			r.problem(o, "%s: there is no %s any more", ref.Field, r.lostName(ref))
		}
		if o, ok = r.staged.Get(put.ID); !ok {
			continue
		}
		if errs := o.kind.check(r.staged, o.ID, o.Doc); errs != nil {
			r.problem(o, "%v", errs)
		}
		if before, ok := r.base.Get(o.ID); !ok || before.Kind == o.Kind && before.Type == o.Type {
			continue
		}
		for _, holder := range r.staged.referrers(anyObject, o.ID.String()) {
			if gone, err = r.lost(holder); err != nil {
				return err
			}
			for _, ref := range gone {
				r.problem(holder, "%s: %s is of another type now", ref.Field, r.lostName(ref))
			}
		}
	}
	return nil
}

// lost returns the references that lead nowhere.
func (r *restoration) lost(o *Object) (out []field.Reference, err error) {
	for _, part := range o.kind.parts(o.Doc) {
		for _, ref := range partReferences(part) {
			ok, err := r.exists(ref)
			if err != nil {
				return nil, err
			}
			if !ok {
				out = append(out, ref)
			}
		}
	}
	return out, nil
}

// lostName names what a reference led to.
func (r *restoration) lostName(ref field.Reference) string {
	if id, err := uuid.Parse(ref.ID); err == nil && !dataKind(ref.Kind) {
		if o, ok := r.from.Get(id); ok {
			return r.from.NaturalName(o)
		}
	}
	return refName(ref) + " " + ref.ID
}

// NaturalName names an object for people and for commands: its kind, and what
// people call it.
func (s *Snapshot) NaturalName(o *Object) string {
	return o.Kind + ":" + cmp.Or(s.DisplayName(o), o.ID.String())
}

// Named returns the object of a natural name, of an id, or of the slug of a
// flow; nil for none. The error tells that several have the name.
func (s *Snapshot) Named(name string) (*Object, error) {
	if id, err := uuid.Parse(name); err == nil {
		o, _ := s.Get(id)
		return o, nil
	}
	if !strings.Contains(name, ":") {
		name = KindFlow + ":" + name
	}
	kind, _, _ := strings.Cut(name, ":")
	var found *Object
	for _, o := range s.Objects(kind) {
		if s.NaturalName(o) != name {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%s: %w; name it by its id", name, ErrAmbiguous)
		}
		found = o
	}
	return found, nil
}

// ErrAmbiguous means that several objects have a name.
var ErrAmbiguous = errors.New("several objects have this name")
