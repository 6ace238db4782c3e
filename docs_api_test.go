package weir

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/stages/authenticatortotp/totptest"
)

// shellBlocks are the commands of a page, each with what it says that comes out.
var shellBlocks = regexp.MustCompile("(?ms)^```sh\n(.*?)^```\n(?:```output\n(.*?)^```\n)?")

// TestTheRecipesOfTheAPIWork runs docs/api.md as it stands, from top to bottom, in one
// shell.
func TestTheRecipesOfTheAPIWork(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("CI") != "true" {
			t.Skipf("there is no %s", tool)
		}
	}
	page, err := os.ReadFile("docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	found := shellBlocks.FindAllStringSubmatch(string(page), -1)
	if len(found) < 10 {
		t.Fatalf("the page has %d blocks", len(found))
	}
	recipes, err := filepath.Abs("docs/recipes")
	if err != nil {
		t.Fatal(err)
	}
	o := openOffice(t, settings(t))
	dir := t.TempDir()
	// The app that people have is an address here that computes codes, each time for
	// a later moment, since each is good once.
	var asked int64
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintln(w, totptest.Code(t, strings.TrimSpace(string(key)), asked))
		asked++
	}))
	t.Cleanup(app.Close)
	if err := os.WriteFile(filepath.Join(dir, "oathtool"), []byte("#!/bin/sh\nexec curl -sS --data-binary @- "+app.URL+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	const end = "== end of block =="
	script := "set -euo pipefail\n"
	for _, b := range found {
		script += b[1] + "echo '" + end + "'\n"
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "SITE="+o.base, "TOKEN="+root, "RECIPES="+recipes, "no_proxy=*")
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	failed := cmd.Run()
	got := strings.Split(out.String(), end+"\n")
	for i, b := range found {
		if i >= len(got)-1 {
			t.Fatalf("%v in\n%s\nprinted so far:\n%s%s", failed, b[1], got[i], complaints.String())
		}
		if got[i] != b[2] {
			t.Errorf("%s\nprints\n%s\nnot\n%s", b[1], got[i], b[2])
		}
	}
	if failed != nil {
		t.Errorf("%v: %s", failed, complaints.String())
	}
}
