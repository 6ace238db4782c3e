package lru

import "testing"

func TestForgetsTheLeastUsed(t *testing.T) {
	l := New[string, int](2)
	l.Put("a", 1)
	l.Put("b", 2)
	l.Get("a")
	l.Put("c", 3)
	if _, ok := l.Get("b"); ok {
		t.Error("the least used entry is still there")
	}
	if v, ok := l.Get("a"); !ok || v != 1 {
		t.Error("the used entry is gone")
	}
	if n := l.Len(); n != 2 {
		t.Errorf("%d entries, want 2", n)
	}
}
