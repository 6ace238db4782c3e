package expression_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/expression"
)

// pythonResults has a script run bodies with python3 and returns what they give,
// in the manner of result.
func pythonResults(t testing.TB, script string, bodies []string) []string {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed, so its results cannot be compared")
	}
	version, err := exec.CommandContext(t.Context(), python, "-c", "import sys; print(sys.version_info[:2] == (3, 11))").Output()
	if err != nil || strings.TrimSpace(string(version)) != "True" {
		t.Skip("results change between Python versions; these are compared with Python 3.11")
	}
	input, err := json.Marshal(bodies)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "-W", "ignore", script)
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("run python3: %v", err)
	}
	var results []string
	if err := json.Unmarshal(out, &results); err != nil {
		t.Fatal(err)
	}
	return results
}

// ourResult is what a body gives here; limited tells that it was cut off.
func ourResult(t testing.TB, c *expression.Compiler, body string) (got string, limited bool) {
	t.Helper()
	p, err := c.Compile("program", body)
	if err != nil {
		return "does not compile: " + err.Error(), false
	}
	v, err := p.Run(context.Background(), expression.Scope{})
	return result(v, err), errors.Is(err, expression.ErrLimit)
}

// agree compares the value, or the class of the exception.
func agree(ours, python string) bool {
	class := func(s string) string {
		if strings.HasPrefix(s, "raises ") {
			s, _, _ = strings.Cut(s, ":")
		}
		switch {
		case strings.HasPrefix(s, "does not compile"):
			return "raises SyntaxError"
		case s == "raises UnboundLocalError":
			return "raises NameError" // its base, which Python raises for a name of the function around
		}
		return s
	}
	if strings.HasSuffix(ours, "too large in format specifier") || class(python) == "raises CutOff" || class(python) == "raises MemoryError" {
		return true // limits of one side
	}
	return class(ours) == class(python)
}

// compare runs the programs of some seeds both ways.
func compare(t *testing.T, first, n uint64) (differences int) {
	t.Helper()
	list := make([]string, n)
	for i := range list {
		list[i] = program(first + uint64(i))
	}
	python := pythonResults(t, "testdata/run_python.py", list)
	c := expression.NewCompiler(expression.Env{CacheSize: 1})
	limited := 0
	for i, body := range list {
		got, cut := ourResult(t, c, body)
		if cut {
			limited++
			continue
		}
		if !agree(got, python[i]) {
			differences++
			t.Errorf("seed %d:\n%s\ngot    %s\npython %s", first+uint64(i), body, got, python[i])
		}
	}
	if limited > len(list)/20 {
		t.Errorf("%d of %d programs ran into a limit, so they compare nothing", limited, len(list))
	}
	return differences
}

// Small programs mean here what they mean in Python. The seeds are always the
// same; WEIR_PROGRAMS=first,count compares others.
func TestProgramsAgreeWithPython(t *testing.T) {
	first, n := uint64(1), uint64(2000)
	if other := os.Getenv("WEIR_PROGRAMS"); other != "" {
		a, b, _ := strings.Cut(other, ",")
		first, _ = strconv.ParseUint(a, 10, 64)
		n, _ = strconv.ParseUint(b, 10, 64)
	}
	for done := uint64(0); done < n; done += 1000 {
		compare(t, first+done, min(1000, n-done))
	}
}

// FuzzProgramsAgreeWithPython looks for seeds of programs that differ.
func FuzzProgramsAgreeWithPython(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { compare(t, seed, 50) })
}
