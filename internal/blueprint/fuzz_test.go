package blueprint_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/internal/blueprint"
	"github.com/weir-id/weir/internal/store/storetest"
)

// FuzzApply applies blueprints, first as a dry run. What would not work does
// not work and leaves nothing behind, not even a part.
func FuzzApply(f *testing.F) {
	names, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(names) == 0 {
		f.Fatalf("no golden files: %v", err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, p := range split(string(text)) {
			if strings.HasSuffix(p.name, ".yaml") {
				f.Add(p.text)
			}
		}
	}
	f.Add(`{"version": 1, "entries": [{"model": "authentik_stages_deny.denystage", "identifiers": {"name": "a"}}, {"model": "authentik_flows.flow", "identifiers": {"slug": "/"}}]}`)
	s := newSite(f, storetest.SQLite(f), nil)
	f.Fuzz(func(t *testing.T, text string) {
		before := s.tables(t)
		_, dry := s.apply(t, blueprint.Options{DryRun: true}, text)
		if diff := cmp.Diff(before, s.tables(t)); diff != "" {
			t.Fatalf("a dry run of %q left something behind: %s", text, diff)
		}
		if dry == nil {
			return
		}
		_, err := s.apply(t, blueprint.Options{}, text)
		if err == nil {
			t.Errorf("%q is applied although the dry run said %v", text, dry)
		}
		var problems blueprint.Errors
		if !errors.As(err, &problems) {
			t.Errorf("%q fails without a problem of the file: %v", text, err)
		}
		if diff := cmp.Diff(before, s.tables(t)); diff != "" {
			t.Errorf("%q failed and left something behind: %s", text, diff)
		}
	})
}
