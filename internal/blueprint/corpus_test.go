package blueprint_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/internal/blueprint"
	"github.com/weir-id/weir/internal/store/storetest"
)

const (
	compatibility = "../../docs/compatibility.md"
	tableBegins   = "<!-- published blueprints: written by TestEveryPublishedFile with WEIR_UPDATE=1 -->\n"
	tableEnds     = "<!-- end of published blueprints -->\n"
)

// Every published file imports over the default flows and changes nothing the
// second time, or stops because it needs what Weir does not have and says so.
// What becomes of each stands in the documentation.
func TestEveryPublishedFile(t *testing.T) {
	root := os.DirFS(corpus)
	var table strings.Builder
	table.WriteString("| file | outcome | conversions |\n|---|---|---|\n")
	files := 0
	err := fs.WalkDir(root, ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		files++
		t.Run(name, func(t *testing.T) { table.WriteString(importOne(t, root, name)) })
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the published blueprints are not in %s, so nothing is compared", corpus)
	}
	if err != nil || files < 30 {
		t.Fatalf("%d published files: %v", files, err)
	}
	doc, err := os.ReadFile(compatibility)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(doc), tableBegins)
	is, after, ends := strings.Cut(rest, tableEnds)
	if !begins || !ends {
		t.Fatalf("%s has no place for the table", compatibility)
	}
	if diff := cmp.Diff(is, table.String()); diff != "" && os.Getenv("WEIR_UPDATE") == "" {
		t.Errorf("%s differs; look at it and write it with WEIR_UPDATE=1:\n%s", compatibility, diff)
	} else if diff != "" {
		if err := os.WriteFile(compatibility, []byte(before+tableBegins+table.String()+tableEnds+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// importOne imports one file, twice, and returns its row.
func importOne(t *testing.T, root fs.FS, name string) string {
	data, err := fs.ReadFile(root, name)
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, storetest.SQLite(t), func(c *blueprint.Config) { c.Instances = blueprint.Folder(root, blueprint.Defaults()) })
	if _, err := s.Apply(t.Context(), defaultFiles(t), blueprint.Options{}); err != nil {
		t.Fatal(err)
	}
	file := []blueprint.File{{Name: path.Base(name), Data: data}}
	before := s.tables(t)
	report, err := s.Apply(t.Context(), file, blueprint.Options{AllowEnv: true})
	var problems blueprint.Errors
	if errors.As(err, &problems) {
		if diff := cmp.Diff(before, s.tables(t)); diff != "" {
			t.Errorf("the refused file changed the store:\n%s", diff)
		}
		for _, p := range problems {
			if !strings.Contains(p.Message, "which Weir does not have") || p.Line == 0 || p.Entry == 0 || p.Model == "" {
				t.Errorf("refused for another reason: %v", p)
			}
		}
		return fmt.Sprintf("| `%s` | stops: %s | |\n", name, problems[0])
	}
	if err != nil {
		t.Fatal(err)
	}
	before = s.tables(t)
	again, err := s.Apply(t.Context(), file, blueprint.Options{AllowEnv: true})
	if err != nil || again.Changed() {
		t.Errorf("imported again: %v, %v", again.Changes, err)
	}
	if diff := cmp.Diff(before, s.tables(t)); diff != "" {
		t.Errorf("the second import changed the store:\n%s", diff)
	}
	converted, outcome := 0, "imports"
	for _, w := range report.Warnings {
		if w.Converted {
			converted++
			continue
		}
		outcome += "; " + w.String()
	}
	if converted == 0 {
		return fmt.Sprintf("| `%s` | %s | |\n", name, outcome)
	}
	return fmt.Sprintf("| `%s` | %s | %d |\n", name, outcome, converted)
}
