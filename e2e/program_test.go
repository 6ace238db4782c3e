package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/dial"
	"github.com/weir-id/weir/internal/store/storetest"
)

// patience is how long a program may take for anything on a busy machine.
const patience = 60 * time.Second

// binary is the command, built once for all tests that kill it.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "weir-e2e-binary")
	if err != nil {
		return "", err
	}
	atTheEnd(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "weir")
	cmd := exec.Command("go", "build", "-o", path, "github.com/weir-id/weir/cmd/weir")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

// installation is a store and the settings with which programs are started on
// it, one after the other.
type installation struct {
	t    *testing.T
	data string
	url  string
	env  []string
}

// newInstallation makes an empty store. More settings are given as they stand
// in the environment.
func newInstallation(t *testing.T, db string, env ...string) *installation {
	t.Helper()
	in := &installation{t: t, data: t.TempDir()}
	in.env = append([]string{"WEIR_DATA=" + in.data, "WEIR_LISTEN=127.0.0.1:0", "WEIR_HASH_MEMORY=7168", "WEIR_HASH_TIME=1", "WEIR_LOG_LEVEL=warn"}, env...)
	if db == "postgres" {
		in.url = storetest.Postgres(t)
		in.env = append(in.env, "WEIR_DATABASE_URL="+in.url, "WEIR_SECRET_KEY=a secret key of more than thirty-two characters")
	}
	return in
}

// command is a run of the command that has not begun.
func (in *installation) command(args ...string) *exec.Cmd {
	in.t.Helper()
	path, err := binary()
	if err != nil {
		in.t.Fatalf("build weir: %v", err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = in.env
	return cmd
}

// open opens the store beside the program, to look at it.
func (in *installation) open() store.DB {
	in.t.Helper()
	db, err := dial.Open(in.t.Context(), dial.Options{URL: in.url, DataDir: in.data})
	if err != nil {
		in.t.Fatalf("open the store: %v", err)
	}
	in.t.Cleanup(func() {
		if err := db.Close(); err != nil {
			in.t.Error(err)
		}
	})
	return db
}

// program is one run of `weir serve`.
type program struct {
	cmd  *exec.Cmd
	in   *installation
	once sync.Once
	// URL is known once site is closed; gone is closed when the program has
	// ended and all of its output has been read.
	URL        string
	site, gone chan struct{}
	mu         sync.Mutex
	out        strings.Builder
	log        killingLog
}

// killingLog takes what a program logs, and kills it on a certain line.
type killingLog struct {
	logBuffer
	lines int // until the kill; never when it is 0
	kill  func() error
}

// Write implements io.Writer.
func (l *killingLog) Write(p []byte) (int, error) {
	if n := bytes.Count(p, []byte{'\n'}); l.lines > 0 && n > 0 {
		if l.lines = max(0, l.lines-n); l.lines == 0 {
			_ = l.kill() // it may have ended
		}
	}
	return l.logBuffer.Write(p)
}

var siteLine = regexp.MustCompile(`^Weir is at (https?://\S+)/$`)

// launch starts the program and does not wait for it. It is killed on the given
// line of its log, unless that is 0.
func (in *installation) launch(line int) *program {
	in.t.Helper()
	p := &program{cmd: in.command("serve"), in: in, site: make(chan struct{}), gone: make(chan struct{})}
	p.cmd.Stderr = &p.log
	p.log.lines, p.log.kill = line, func() error { return p.cmd.Process.Kill() }
	read, err := p.cmd.StdoutPipe()
	if err != nil {
		in.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		in.t.Fatal(err)
	}
	go p.follow(read)
	in.t.Cleanup(p.kill)
	return p
}

func (p *program) follow(read io.Reader) {
	defer close(p.gone)
	for lines := bufio.NewScanner(read); lines.Scan(); {
		p.mu.Lock()
		p.out.WriteString(lines.Text() + "\n")
		p.mu.Unlock()
		if m := siteLine.FindStringSubmatch(lines.Text()); m != nil {
			p.URL = m[1]
			close(p.site)
		}
	}
	_ = p.cmd.Wait() // it was killed, or output tells why it ended
}

// kill ends the program as the kernel would, and returns when it is gone.
func (p *program) kill() {
	p.once.Do(func() { _ = p.cmd.Process.Kill() })
	<-p.gone
}

// output is what the program printed, without its log.
func (p *program) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// rise starts the program on what is there and waits until it has a site.
func (in *installation) rise() *program {
	in.t.Helper()
	p := in.launch(0)
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	select {
	case <-p.site:
	case <-p.gone:
		in.t.Fatalf("the program did not start by itself:\n%s%s", p.output(), p.log.data)
	case <-deadline.C:
		in.t.Fatalf("the program is not up after %v:\n%s%s", patience, p.output(), p.log.data)
	}
	return p
}

// serve starts the program on what is there and waits until it is ready.
func (in *installation) serve() *program {
	in.t.Helper()
	p := in.rise()
	res, err := http.Get(p.URL + "/-/health/ready/")
	if err != nil {
		in.t.Fatalf("ask whether the program is ready: %v", err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		in.t.Fatalf("the program is up and not ready: %d", res.StatusCode)
	}
	return p
}
