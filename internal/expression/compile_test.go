package expression

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/weir-id/weir/internal/expression/python"
)

// The runtime provides exactly the operations and constants that the front end
// uses.
func TestEveryOperationIsProvided(t *testing.T) {
	for i, name := range python.Ops() {
		if runtimeOps[i] == nil {
			t.Errorf("%s is not provided", name)
		}
	}
	c := NewCompiler(Env{})
	var have []string
	for _, name := range slices.Sorted(maps.Keys(c.globals)) {
		if name[0] == '$' {
			have = append(have, name)
		}
	}
	if want := slices.Sorted(slices.Values(python.Constants())); !slices.Equal(have, want) {
		t.Errorf("provided %q, wanted %q", have, want)
	}
}

func TestBodiesAreCompiledOnce(t *testing.T) {
	c := NewCompiler(Env{CacheSize: 2})
	compile := func(name, body string) *Program {
		t.Helper()
		p, err := c.Compile(name, body)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	a := compile("a", "return 1")
	if b := compile("b", "return 1"); a.unit != b.unit || b.Name() != "b" {
		t.Error("the same text is compiled twice or loses its name")
	}
	compile("x", "return 2")
	compile("a", "return 1") // now the most recently used
	compile("y", "return 3") // drops "return 2"
	if got := compile("a", "return 1"); got.unit != a.unit {
		t.Error("a recently used body was dropped")
	}
	if n := c.bodies.Len(); n != 2 {
		t.Errorf("%d bodies are kept", n)
	}
	for range 3 {
		if _, err := c.Compile("bad", "return ("); err == nil {
			t.Error("a broken body is accepted")
		}
	}
}

func TestCompilerForManyGoroutines(t *testing.T) {
	c := NewCompiler(Env{CacheSize: 3})
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			p, err := c.Compile("p", fmt.Sprintf("import re\nreturn bool(re.search('a{%d}', 'aaaaaa')) and %d", i%5, i%5))
			if err != nil {
				t.Error(err)
				return
			}
			if v, err := p.Run(t.Context(), Scope{}); err != nil || v.Raw != int64(i%5) {
				t.Errorf("got %v, %v", v.Raw, err)
			}
		})
	}
	wg.Wait()
}
