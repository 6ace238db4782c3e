package e2e

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const historyFlow = `version: 1
entries:
- {model: authentik_flows.flow, id: flow, identifiers: {slug: history}, attrs: {name: History, title: TITLE, designation: recovery}}
- {model: authentik_stages_dummy.dummystage, id: page, identifiers: {name: history-page}}
- {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf flow, stage: !KeyOf page, order: 0}}
`

// run runs the command beside the server and returns what it prints and its exit
// code.
func (in *installation) run(args ...string) (string, int) {
	in.t.Helper()
	out, err := in.command(args...).Output()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return string(out) + string(exit.Stderr), exit.ExitCode()
	case err != nil:
		in.t.Fatalf("weir %v: %v", args, err)
	}
	return string(out), 0
}

// An administrator plans a change, makes it, looks at what has become of it and
// goes back, while the server runs.
func TestACommandGoesBackWhileTheServerRuns(t *testing.T) {
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			in := newInstallation(t, db, "WEIR_BOOTSTRAP_TOKEN="+token, "WEIR_BOOTSTRAP_PASSWORD=the first administrator's password")
			p := in.serve()
			served := &node{URL: p.URL}
			file := func(title string) string {
				path := filepath.Join(t.TempDir(), "flow.yaml")
				if err := os.WriteFile(path, []byte(strings.ReplaceAll(historyFlow, "TITLE", title)), 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			shows := func(title string) {
				t.Helper()
				// Administrators read what was written last; from then on everybody does.
				if got := administrator(served).call(t, 200, "GET", "/api/v3/flows/instances/history/", nil).json()["title"]; got != title {
					t.Errorf("the API shows %q, want %q", got, title)
				}
				asked := browser(served).call(t, 200, "GET", executor+"history/", nil).json()
				if info, _ := asked["flow_info"].(object); info["title"] != title {
					t.Errorf("whoever begins the flow sees %v, want %q", asked, title)
				}
			}
			steps := func(code int, want string, args ...string) string {
				t.Helper()
				out, got := in.run(args...)
				if got != code || !strings.Contains(out, want) {
					t.Fatalf("weir %v exits with %d, want %d and %q:\n%s", args, got, code, want, out)
				}
				return out
			}
			before, after := file("Before"), file("After")
			steps(3, "+ flow:history", "apply", "--dry-run", before)
			administrator(served).call(t, 404, "GET", "/api/v3/flows/instances/history/", nil)
			steps(0, "+ authentik_flows.flow history", "apply", before)
			shows("Before")
			newest := administrator(served).call(t, 200, "GET", "/api/v3/weir/history/", nil).json()["results"].([]any)[0].(object)
			then := strconv.Itoa(int(newest["revision"].(float64)))
			steps(0, "would be 0 created, 0 changed, 0 deleted", "apply", "--dry-run", before)
			steps(3, `title: "Before" -> "After"`, "diff", after)
			steps(0, "~ authentik_flows.flow history (title)", "apply", after)
			shows("After")
			steps(0, "revision "+then+"  ", "history", "--object", "history")
			steps(3, `title: "Before" -> "After"`, "diff", then)
			steps(3, `title: "After" -> "Before"`, "rollback", then, "--dry-run")
			shows("After")
			steps(0, "this is revision ", "rollback", then)
			shows("Before")
			steps(0, "0 created, 0 changed, 0 deleted", "diff", then)
			steps(1, "no such revision", "rollback", "1000")
			shows("Before")
		})
	}
}
