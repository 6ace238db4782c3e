package password

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// write writes the hashes as the published list has them.
func write(t testing.TB, hashes []string, newline string, count int) string {
	t.Helper()
	slices.Sort(hashes)
	return put(t, content(hashes, newline, count))
}

func content(hashes []string, newline string, count int) string {
	var b strings.Builder
	for _, h := range hashes {
		fmt.Fprintf(&b, "%s:%d%s", h, count, newline)
	}
	return b.String()
}

func put(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hashes.txt")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// hashes are n different ones.
func hashes(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = hashOf(fmt.Sprint(i))
	}
	return out
}

func TestEveryHashOfAFileIsFound(t *testing.T) {
	for _, n := range []int{1, 2, 95, 96, 97, 3000} {
		for name, text := range map[string]string{"as published": "\r\n", "with plain line breaks": "\n"} {
			for _, edit := range []func(string) string{func(s string) string { return s }, func(s string) string { return strings.TrimRight(s, "\r\n") }, strings.ToLower} {
				all := hashes(n)
				slices.Sort(all)
				path := put(t, edit(content(all, text, 1234567)))
				for _, h := range all {
					if got, err := countInFile(path, h); got != 1234567 || err != nil {
						t.Fatalf("%d lines %s: %s is there %d times, %v", n, name, h, got, err)
					}
				}
				for i := range 50 {
					if got, err := countInFile(path, hashOf(fmt.Sprint("other", i))); got != 0 || err != nil {
						t.Fatalf("%d lines %s: %d, %v for one that is not there", n, name, got, err)
					}
				}
				for _, h := range []string{strings.Repeat("0", 40), strings.Repeat("F", 40)} {
					if got, err := countInFile(path, h); got != 0 || err != nil {
						t.Fatalf("%d lines %s: %d, %v at the edge", n, name, got, err)
					}
				}
			}
		}
	}
}

// A file that a search cannot be trusted in is an error, not an absence.
func TestRule08AFileThatCannotBeSearchedSaysSo(t *testing.T) {
	sorted := hashes(3000)
	slices.Sort(sorted)
	backwards := slices.Clone(sorted)
	slices.Reverse(backwards)
	few := content(sorted[:3], "\r\n", 1)
	rows := []struct{ name, text string }{
		{"empty", ""},
		{"a blank line", "\r\n"},
		{"backwards", content(backwards, "\r\n", 1)},
		{"by count", content(hashes(3000), "\r\n", 1)},
		{"few, not sorted", content([]string{sorted[1], sorted[0]}, "\r\n", 1)},
		{"a hash twice", content([]string{sorted[1], sorted[1]}, "\r\n", 1)},
		{"without counts", strings.ReplaceAll(few, ":1", "")},
		{"other hashes", content([]string{strings.Repeat("A", 32)}, "\r\n", 1)},
		{"a page", "<html>\n<body>\n</body>\n</html>\n"},
		{"no line at all", strings.Repeat("A", 1<<20)},
		{"zeros", strings.Repeat("\x00", 1<<20)},
		{"a negative count", strings.ReplaceAll(few, ":1", ":-1")},
		{"more behind the hashes", few + "the end\r\n"},
	}
	for _, row := range rows {
		path := put(t, row.text)
		failed := 0
		for _, h := range append(hashes(40), strings.Repeat("F", 40)) {
			if _, err := countInFile(path, h); errors.Is(err, errFile) {
				failed++
			}
		}
		// One that happens to be met on the way is found nevertheless.
		if failed < 30 {
			t.Errorf("%s: only %d of 41 searches failed", row.name, failed)
		}
		if err := CheckFile(path); err == nil && row.name != "by count" && row.name != "more behind the hashes" {
			t.Errorf("%s: the start finds nothing wrong", row.name)
		}
	}
	if err := CheckFile(""); err != nil {
		t.Errorf("no file: %v", err)
	}
	if err := CheckFile(t.TempDir()); !errors.Is(err, errFile) {
		t.Errorf("a folder: %v", err)
	}
	if err := CheckFile(write(t, hashes(10), "\r\n", 1)); err != nil {
		t.Errorf("a good file: %v", err)
	}
}

// huge is a sorted file of a given number of lines that nobody had to write:
// line i has the hash i.
type huge struct {
	lines        int64
	reads, bytes int
}

const hugeLine = hashDigits + len(":0000001\r\n")

func (h *huge) ReadAt(p []byte, at int64) (int, error) {
	h.reads++
	h.bytes += len(p)
	for i := range p {
		if at+int64(i) >= h.lines*int64(hugeLine) {
			return i, io.EOF
		}
		line := fmt.Sprintf("%040X:0000001\r\n", (at+int64(i))/int64(hugeLine))
		p[i] = line[(at+int64(i))%int64(hugeLine)]
	}
	return len(p), nil
}

// A list of two billion passwords takes a few small reads.
func TestASearchReadsLittle(t *testing.T) {
	h := &huge{lines: 2_000_000_000}
	for _, want := range []int64{0, 1, 1_234_567_890, 1_999_999_999} {
		h.reads, h.bytes = 0, 0
		n, err := (&search{file: h, want: fmt.Sprintf("%040X", want), end: h.lines * int64(hugeLine)}).run()
		if n != 1 || err != nil {
			t.Errorf("hash %d: %d, %v", want, n, err)
		}
		if h.reads > 32 || h.bytes > 16<<10 {
			t.Errorf("hash %d took %d reads of %d bytes together", want, h.reads, h.bytes)
		}
	}
	if n, err := (&search{file: h, want: fmt.Sprintf("%040X", h.lines), end: h.lines * int64(hugeLine)}).run(); n != 0 || err != nil {
		t.Errorf("a hash behind the last: %d, %v", n, err)
	}
}

// FuzzLeakFile searches in anything: no panic, no endless search, and what is
// found stands in the file.
func FuzzLeakFile(f *testing.F) {
	f.Add([]byte(content(hashes(3), "\r\n", 1)), hashOf("1"))
	f.Add([]byte("\n\n\n"), "x")
	f.Add([]byte(strings.Repeat("A", 9000)+":1\n"), strings.Repeat("A", 40))
	f.Fuzz(func(t *testing.T, text []byte, want string) {
		want = strings.ToUpper(want)
		n, err := (&search{file: strings.NewReader(string(text)), want: want, end: int64(len(text))}).run()
		if err == nil && n > 0 && !strings.Contains(strings.ToUpper(string(text)), want+":") {
			t.Errorf("%q is found %d times in %q", want, n, text)
		}
	})
}
