package catalog

import (
	"maps"
	"math/rand/v2"
	"testing"
)

func TestTrieBehavesLikeAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	type version struct {
		trie trie[int, int]
		want map[int]int
	}
	var old []version
	now, want := trie[int, int]{}, map[int]int{}
	for step := range 20_000 {
		key := r.IntN(3000)
		if r.IntN(3) == 0 {
			now = now.without(key)
			delete(want, key)
		} else {
			now = now.with(key, step)
			want[key] = step
		}
		if v, ok := now.get(key); ok != has(want, key) || v != want[key] {
			t.Fatalf("step %d: key %d is %d, want %d", step, key, v, want[key])
		}
		if step%1000 == 0 {
			old = append(old, version{now, maps.Clone(want)})
		}
	}
	old = append(old, version{now, want})
	for i, v := range old {
		for key := range 3000 {
			got, ok := v.trie.get(key)
			if want, exists := v.want[key]; ok != exists || got != want {
				t.Fatalf("version %d: key %d is %d (%v), want %d (%v)", i, key, got, ok, want, exists)
			}
		}
	}
}

func TestTrieKeepsKeysOfOneHashApart(t *testing.T) {
	var b *branch[string, int]
	keys := []string{"a", "b", "c"}
	for i, key := range keys {
		b = b.set(0, slot[string, int]{hash: 42, key: key, value: i})
	}
	b = b.set(0, slot[string, int]{hash: 42, key: "b", value: 7})
	if got := entries(b); !maps.Equal(got, map[string]int{"a": 0, "b": 7, "c": 2}) {
		t.Errorf("got %v", got)
	}
	for i, key := range keys {
		b = b.remove(0, 42, key)
		if n := len(entries(b)); n != len(keys)-1-i {
			t.Errorf("%d keys are left after removing %q", n, key)
		}
	}
	if b != nil {
		t.Error("an empty branch is left")
	}
}

func entries(b *branch[string, int]) map[string]int {
	out := map[string]int{}
	if b == nil {
		return out
	}
	for _, s := range b.slots {
		if s.child != nil {
			maps.Copy(out, entries(s.child))
		} else {
			out[s.key] = s.value
		}
	}
	return out
}

func has(m map[int]int, key int) bool { _, ok := m[key]; return ok }
