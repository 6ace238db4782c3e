package e2e

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/weir-id/weir/internal/store"
)

// moments is at how many points, spread over its duration, the program is
// killed.
const moments = 8

var shownLink = regexp.MustCompile(`(?m)^ +http://\S+/if/flow/initial-setup/\?(flow_token=\S+)$`)

// TestAKilledFirstStartIsFinishedByTheNextOne kills the first start of new
// installations: at points before it logs anything, and on every line of its
// log. The next start has to go on with the set-up, and show a way in.
func TestAKilledFirstStartIsFinishedByTheNextOne(t *testing.T) {
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, "watched.yaml"), []byte(stagesFile("watched", 40)), 0o600); err != nil {
				t.Fatal(err)
			}
			start := func(line int, after time.Duration) (*installation, *program, time.Duration) {
				in := newInstallation(t, db, "WEIR_BLUEPRINTS="+folder, "WEIR_LOG_LEVEL=info")
				if db == "postgres" {
					in.empty()
				}
				p, began := in.launch(line), time.Now()
				select {
				case <-p.site:
				case <-p.gone:
				case <-time.After(after):
				}
				p.kill()
				return in, p, time.Since(began)
			}
			_, first, silent := start(1, patience)
			_, whole, _ := start(0, patience)
			lines := bytes.Count(whole.log.data, []byte{'\n'})
			if lines < 3 || len(first.log.data) == 0 {
				t.Fatalf("a first start logs %d lines:\n%s", lines, whole.log.data)
			}
			for i := range moments / 2 {
				in, p, _ := start(0, silent*time.Duration(i+1)/(moments/2))
				checkFirstStart(t, in, p.output())
			}
			for line := range lines {
				in, p, _ := start(line+1, patience)
				checkFirstStart(t, in, p.output())
				if line < lines-1 {
					continue
				}
				if p := in.serve(); shownLink.MatchString(p.output()) {
					t.Errorf("a start after the set-up shows a link: %s", p.output())
				}
			}
			t.Logf("killed at %d points, %d of them lines of the log", lines+moments/2, lines)
		})
	}
}

// empty takes the schema away that databases for tests come with.
func (in *installation) empty() {
	in.t.Helper()
	conn, err := pgx.Connect(in.t.Context(), in.url)
	if err != nil {
		in.t.Fatal(err)
	}
	defer conn.Close(in.t.Context())
	if _, err := conn.Exec(in.t.Context(), "drop schema public cascade; create schema public"); err != nil {
		in.t.Fatal(err)
	}
}

// checkFirstStart starts the program again on what a killed first start left.
func checkFirstStart(t *testing.T, in *installation, killed string) {
	t.Helper()
	p := in.serve()
	shown := shownLink.FindAllStringSubmatch(killed+p.output(), -1)
	if len(shown) == 0 {
		t.Fatalf("no link for the set-up was shown:\n%s%s", killed, p.output())
	}
	// Any that was shown works, the one of the start that was killed as well.
	path := "/api/v3/flows/executor/initial-setup/?query=" + url.QueryEscape(shown[0][1])
	v, method, body := newVisitor(t, ""), "POST", object{"username": "root", "email": "root@example.org", "password": "correct horse", "password_repeat": "correct horse"}
	var r response
	for hops := 0; hops == 0 || r.status == 302 && hops < 5; hops++ {
		var err error
		if r, err = v.ask(t.Context(), p.URL, method, path, body); err != nil {
			t.Fatal(err)
		}
		method, path, body = "GET", r.location, nil
	}
	if r.body["component"] != "xak-flow-redirect" {
		t.Errorf("the link that was shown first leads to %s", r.text)
	}
	p.kill()
	look := in.open()
	readEvents(t, look).onceEach()
	checkStore(t, look)
	counts(t, look, map[string]int{
		"select count(*) from users":                                                                   1,
		"select count(*) from users where password_hash like '$argon2id$%'":                            1,
		"select count(*) from group_members m join groups g on g.id = m.group_id where g.is_superuser": 1,
		"select count(*) from catalog_versions where current and kind = 'flow'":                        14,
		stagesNamed("watched"): 40,
	})
}

// TestAKilledImportLeavesAllOrNothing kills `weir apply` at points that are
// spread over its duration.
func TestAKilledImportLeavesAllOrNothing(t *testing.T) {
	const size = 100
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			in := newInstallation(t, db)
			apply := func(name string, after time.Duration) time.Duration {
				path := filepath.Join(t.TempDir(), name+".yaml")
				if err := os.WriteFile(path, []byte(stagesFile(name, size)), 0o600); err != nil {
					t.Fatal(err)
				}
				cmd := in.command("apply", path)
				began := time.Now()
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				if after > 0 {
					timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
					defer timer.Stop()
				}
				if err := cmd.Wait(); err != nil && after == 0 {
					t.Fatalf("apply: %v", err)
				}
				return time.Since(began)
			}
			apply("first", 0)
			whole := apply("whole", 0)
			look := in.open()
			left := 0
			for i := range moments {
				name := fmt.Sprintf("part%d", i)
				apply(name, whole*time.Duration(i+1)*12/(10*moments))
				var n int
				if err := look.QueryRow(t.Context(), stagesNamed(name)).Scan(&n); err != nil || n != 0 && n != size {
					t.Errorf("an import that was killed left %d of %d stages (%v)", n, size, err)
				}
				if n == 0 {
					left++
				}
				whole = apply(name, 0)
				counts(t, look, map[string]int{stagesNamed(name): size})
			}
			readEvents(t, look).onceEach()
			checkStore(t, look)
			t.Logf("%d of %d imports were killed before they were stored", left, moments)
			if left == 0 {
				t.Error("every import was over before it was killed")
			}
		})
	}
}

// stagesFile is a blueprint of n dummy stages.
func stagesFile(name string, n int) string {
	var b strings.Builder
	b.WriteString("version: 1\nentries:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - {model: authentik_stages_dummy.dummystage, identifiers: {name: %s-stage-%d}}\n", name, i)
	}
	return b.String()
}

// stagesNamed counts the stages of a stagesFile that are there.
func stagesNamed(name string) string {
	return "select count(*) from catalog_versions where current and not deleted and kind = 'stage' and cast(doc as text) like '%" + name + "-stage-%'"
}

// counts compares the results of queries that count.
func counts(t *testing.T, db store.DB, want map[string]int) {
	t.Helper()
	for query, want := range want {
		var n int
		if err := db.QueryRow(t.Context(), query).Scan(&n); err != nil || n != want {
			t.Errorf("%s: %d, want %d (%v)", query, n, want, err)
		}
	}
}
