package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// build builds the command as a release is built and returns its file.
func build(b *testing.B) string {
	b.Helper()
	program := filepath.Join(b.TempDir(), "weir")
	cmd := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "../cmd/weir")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// process is the real command in a process of its own.
type process struct {
	b    *testing.B
	cmd  *exec.Cmd
	addr string
	// ready is how long it took until it was ready.
	ready time.Duration
	log   bytes.Buffer
}

// launch starts the program with settings as they stand in the environment, and
// waits until it is ready. It ends with the benchmark.
func launch(b *testing.B, program string, settings ...string) *process {
	b.Helper()
	p := &process{b: b, cmd: exec.Command(program, "serve")}
	p.cmd.Env = append(append(os.Environ(), "WEIR_LISTEN=127.0.0.1:0", "WEIR_MAX_CLIENT_RATE=0"), settings...)
	p.cmd.Stderr = &p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { p.stop() })
	lines := bufio.NewScanner(out)
	for p.addr == "" && lines.Scan() {
		if url, ok := strings.CutPrefix(lines.Text(), "Weir is at http://"); ok {
			p.addr = strings.TrimSuffix(url, "/")
		}
	}
	if p.addr == "" {
		b.Fatalf("the program does not say where it is:\n%s", p.log.String())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	p.until("it is ready", func() bool { return p.status(nil, "/-/health/ready/") == http.StatusOK })
	p.ready = time.Since(begin)
	return p
}

// stop ends the process, if it runs, and returns the processor time that it used.
func (p *process) stop() time.Duration {
	if p.cmd.ProcessState == nil {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		if err := p.cmd.Wait(); err != nil {
			p.b.Errorf("the program ends with %v:\n%s", err, p.log.String())
		}
	}
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

func (p *process) until(what string, ok func() bool) {
	p.b.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			p.b.Fatalf("not within a minute: %s", what)
		}
	}
}

// status does a GET; 0 means that there was no answer.
func (p *process) status(c *http.Client, path string) int {
	if c == nil {
		c = http.DefaultClient
	}
	res, err := c.Get("http://" + p.addr + path)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// memory is what the process holds, in bytes.
func (p *process) memory() float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.b.Skipf("no way to tell the memory of a process: %v", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib := 0
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		p.b.Fatal(err)
	}
	return float64(kib << 10)
}
