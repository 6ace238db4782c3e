package weir

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/config"
)

// The diff that shows how a kind is added is that of one that is there: each
// line that it adds stands in the file.
func TestTheDiffInTheArchitectureIsReal(t *testing.T) {
	page, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "```diff\n")
	diff, _, closed := strings.Cut(rest, "```\n")
	if !found || !closed {
		t.Fatal("docs/architecture.md shows no diff")
	}
	var lines []string
	name, checked := "", 0
	for line := range strings.SplitSeq(diff, "\n") {
		if path, ok := strings.CutPrefix(line, "+++ b/"); ok {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name, lines = path, strings.Split(string(text), "\n")
			continue
		}
		added, ok := strings.CutPrefix(line, "+")
		if !ok {
			continue
		}
		if checked++; !slices.Contains(lines, added) {
			t.Errorf("%s does not have the line %q", name, added)
		}
	}
	if checked < 50 {
		t.Errorf("the diff adds only %d lines", checked)
	}
}

// TestTheLimitsAreWrittenDown finds every setting that limits something in
// docs/limits.md.
func TestTheLimitsAreWrittenDown(t *testing.T) {
	text, err := os.ReadFile("docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range config.Settings() {
		limits := strings.HasPrefix(s.Key, "max_") || strings.HasSuffix(s.Key, "_timeout") || strings.HasPrefix(s.Key, "guess_") || strings.HasPrefix(s.Key, "mail_") && s.Key != "mail_from" || s.Key == "hash_workers" || s.Key == "hash_queue"
		if limits && !strings.Contains(string(text), "| `"+s.Key+"` |") {
			t.Errorf("the setting %s is not in the tables", s.Key)
		}
	}
}
