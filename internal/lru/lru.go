// Package lru is a bounded map that forgets what was not used for longest.
package lru

import (
	"container/list"
	"sync"
)

// Cache is such a map. It is safe for concurrent use.
type Cache[K comparable, V any] struct {
	mu    sync.Mutex
	max   int
	order *list.List // of entry, the newest in front
	items map[K]*list.Element
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

// New returns a cache of at most max entries.
func New[K comparable, V any](max int) *Cache[K, V] {
	return &Cache[K, V]{max: max, order: list.New(), items: map[K]*list.Element{}}
}

// Get returns a value and counts as a use of it.
func (l *Cache[K, V]) Get(key K) (v V, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.items[key]
	if !ok {
		return v, false
	}
	l.order.MoveToFront(e)
	return e.Value.(entry[K, V]).value, true
}

// Put stores a value, which counts as a use of it.
func (l *Cache[K, V]) Put(key K, value V) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.items[key]; ok {
		e.Value = entry[K, V]{key, value}
		l.order.MoveToFront(e)
		return
	}
	l.items[key] = l.order.PushFront(entry[K, V]{key, value})
	if l.order.Len() > l.max {
		last := l.order.Back()
		l.order.Remove(last)
		delete(l.items, last.Value.(entry[K, V]).key)
	}
}

// Len is how many entries there are.
func (l *Cache[K, V]) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.order.Len()
}
