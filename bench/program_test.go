package bench

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkProgram builds the program as a release is built and starts it on an
// existing store: how large it is, how soon it is ready (the best of all
// starts), how much memory it holds when nobody comes, and what the first page
// costs a browser.
func BenchmarkProgram(b *testing.B) {
	program := filepath.Join(b.TempDir(), "weir")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "../cmd/weir")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	file, err := os.Stat(program)
	if err != nil {
		b.Fatal(err)
	}
	data := b.TempDir()
	first := launch(b, program, data) // makes the store
	first.stop(b)
	var ready, cpu time.Duration
	var idle int
	var page cost
	for b.Loop() {
		p := launch(b, program, data)
		if ready == 0 || p.ready < ready {
			ready = p.ready
		}
		page = firstPage(b, p.url)
		time.Sleep(time.Second) // the memory of start-up is given back meanwhile
		idle = p.resident(b)
		if used := p.stop(b); cpu == 0 || used < cpu {
			cpu = used
		}
	}
	b.ReportMetric(float64(file.Size())/1e6, "binary-MB")
	b.ReportMetric(float64(ready)/1e6, "ready-ms")
	b.ReportMetric(float64(cpu)/1e6, "cpu-ms")
	b.ReportMetric(float64(idle)/1e6, "idle-MB")
	b.ReportMetric(float64(page.bytes), "page-bytes")
	b.ReportMetric(float64(page.requests), "page-requests")
}

type process struct {
	cmd   *exec.Cmd
	url   string
	ready time.Duration
}

// launch starts the program and waits until it is ready.
func launch(b *testing.B, program, data string) *process {
	cmd := exec.Command(program, "serve")
	cmd.Env = append(os.Environ(), "WEIR_DATA="+data, "WEIR_LISTEN=127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	p := &process{cmd: cmd}
	lines := bufio.NewScanner(out)
	for p.url == "" && lines.Scan() {
		p.url = regexp.MustCompile(`http://[^/ ]+`).FindString(lines.Text())
	}
	if p.url == "" {
		b.Fatal("the program does not say where it is")
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	for {
		res, err := http.Get(p.url + "/-/health/ready/")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Since(begin) > time.Minute {
			b.Fatal("the program is not ready after a minute")
		}
		time.Sleep(time.Millisecond)
	}
	p.ready = time.Since(begin)
	return p
}

// resident is the memory that the process holds, in bytes.
func (p *process) resident(b *testing.B) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		b.Skip("no /proc here: ", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib := 0
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		b.Fatal(err)
	}
	return kib << 10
}

// stop ends the process and returns the processor time that it used.
func (p *process) stop(b *testing.B) time.Duration {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		b.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		b.Fatal(err)
	}
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

type cost struct{ bytes, requests int }

// firstPage loads the page of the login with its files, uncompressed.
func firstPage(b *testing.B, url string) (c cost) {
	load := func(path string) string {
		res, err := http.Get(url + path)
		if err != nil {
			b.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			b.Fatalf("GET %s: %d, %v", path, res.StatusCode, err)
		}
		c.bytes += len(body)
		c.requests++
		return string(body)
	}
	page := load("/if/flow/default-authentication-flow/")
	for _, tag := range regexp.MustCompile(`<(?:link|script|img)[^>]*>`).FindAllString(page, -1) {
		if at := regexp.MustCompile(`(?:href|src)="(/[^"]*)"`).FindStringSubmatch(tag); at != nil {
			load(at[1])
		}
	}
	return c
}
