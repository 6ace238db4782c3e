package catalog

import (
	"hash/maphash"
	"iter"
	"math/bits"
)

// trie is an immutable map: with and without return a new one that shares all
// but a few nodes with the old. So a snapshot costs the same to change at ten
// objects and at ten thousand, and readers of the old one notice nothing. (A
// hash array mapped trie, after Bagwell, "Ideal Hash Trees".) The zero value
// is empty.
type trie[K comparable, V any] struct {
	root *branch[K, V]
}

// branch holds up to 32 slots, those whose bit is set. Below maxShift the bits
// of the hash are used up; there slots are in no order and bitmap is unused.
type branch[K comparable, V any] struct {
	bitmap uint32
	slots  []slot[K, V]
}

// slot is either a further branch or one entry.
type slot[K comparable, V any] struct {
	child *branch[K, V]
	hash  uint64
	key   K
	value V
}

const (
	shiftBits = 5
	maxShift  = 60
)

var seed = maphash.MakeSeed()

func (t trie[K, V]) empty() bool { return t.root == nil }

func (t trie[K, V]) get(key K) (V, bool) {
	hash := maphash.Comparable(seed, key)
	b := t.root
	for shift := 0; b != nil; shift += shiftBits {
		pos, found := b.find(hash, key, shift)
		if !found {
			break
		}
		if s := &b.slots[pos]; s.child == nil {
			if s.key == key {
				return s.value, true
			}
			break
		}
		b = b.slots[pos].child
	}
	var zero V
	return zero, false
}

// find returns where the hash has its place, and whether a slot is there.
func (b *branch[K, V]) find(hash uint64, key K, shift int) (pos int, found bool) {
	if shift > maxShift {
		for i := range b.slots {
			if b.slots[i].key == key {
				return i, true
			}
		}
		return len(b.slots), false
	}
	bit := uint32(1) << (hash >> shift & 31)
	return bits.OnesCount32(b.bitmap & (bit - 1)), b.bitmap&bit != 0
}

func (t trie[K, V]) with(key K, value V) trie[K, V] {
	t.root = t.root.set(0, slot[K, V]{hash: maphash.Comparable(seed, key), key: key, value: value})
	return t
}

func (b *branch[K, V]) set(shift int, s slot[K, V]) *branch[K, V] {
	if b == nil {
		b = &branch[K, V]{}
	}
	pos, found := b.find(s.hash, s.key, shift)
	if !found {
		c := &branch[K, V]{bitmap: b.bitmap, slots: make([]slot[K, V], len(b.slots)+1)}
		if shift <= maxShift {
			c.bitmap |= 1 << (s.hash >> shift & 31)
		}
		copy(c.slots, b.slots[:pos])
		c.slots[pos] = s
		copy(c.slots[pos+1:], b.slots[pos:])
		return c
	}
	c := &branch[K, V]{bitmap: b.bitmap, slots: append([]slot[K, V](nil), b.slots...)}
	switch old := &c.slots[pos]; {
	case old.child != nil:
		old.child = old.child.set(shift+shiftBits, s)
	case old.key == s.key:
		*old = s
	default:
		child := (*branch[K, V])(nil).set(shift+shiftBits, *old)
		*old = slot[K, V]{child: child.set(shift+shiftBits, s)}
	}
	return c
}

func (t trie[K, V]) without(key K) trie[K, V] {
	if _, ok := t.get(key); !ok {
		return t
	}
	t.root = t.root.remove(0, maphash.Comparable(seed, key), key)
	return t
}

// remove is called only for keys that are there. It returns nil instead of an
// empty branch.
func (b *branch[K, V]) remove(shift int, hash uint64, key K) *branch[K, V] {
	pos, _ := b.find(hash, key, shift)
	if child := b.slots[pos].child; child != nil {
		if rest := child.remove(shift+shiftBits, hash, key); rest != nil {
			c := &branch[K, V]{bitmap: b.bitmap, slots: append([]slot[K, V](nil), b.slots...)}
			c.slots[pos] = slot[K, V]{child: rest}
			return c
		}
	}
	if len(b.slots) == 1 {
		return nil
	}
	c := &branch[K, V]{bitmap: b.bitmap, slots: make([]slot[K, V], 0, len(b.slots)-1)}
	if shift <= maxShift {
		c.bitmap &^= 1 << (hash >> shift & 31)
	}
	c.slots = append(append(c.slots, b.slots[:pos]...), b.slots[pos+1:]...)
	return c
}

// keys and values yield the entries in no particular order.
func (t trie[K, V]) keys() iter.Seq[K] {
	return func(yield func(K) bool) { t.root.each(func(s *slot[K, V]) bool { return yield(s.key) }) }
}

func (t trie[K, V]) values() iter.Seq[V] {
	return func(yield func(V) bool) { t.root.each(func(s *slot[K, V]) bool { return yield(s.value) }) }
}

func (b *branch[K, V]) each(yield func(s *slot[K, V]) bool) bool {
	if b == nil {
		return true
	}
	for i := range b.slots {
		s := &b.slots[i]
		if s.child != nil && !s.child.each(yield) || s.child == nil && !yield(s) {
			return false
		}
	}
	return true
}
