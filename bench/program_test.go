package bench

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"testing"
	"time"
)

// BenchmarkProgram builds the program as a release is built and starts it on an
// existing store: how large it is, how soon it is ready (the best of all
// starts), how much memory it holds when nobody comes, and what the first page
// costs a browser.
func BenchmarkProgram(b *testing.B) {
	program := build(b)
	file, err := os.Stat(program)
	if err != nil {
		b.Fatal(err)
	}
	data := "WEIR_DATA=" + b.TempDir()
	launch(b, program, data).stop() // makes the store
	var ready, cpu time.Duration
	var idle float64
	var page cost
	for b.Loop() {
		p := launch(b, program, data)
		if ready == 0 || p.ready < ready {
			ready = p.ready
		}
		page = firstPage(b, "http://"+p.addr)
		time.Sleep(6 * time.Second) // what the start took is given back after 5
		idle = p.memory()
		if used := p.stop(); cpu == 0 || used < cpu {
			cpu = used
		}
	}
	b.ReportMetric(float64(file.Size())/1e6, "binary-MB")
	b.ReportMetric(float64(ready)/1e6, "ready-ms")
	b.ReportMetric(float64(cpu)/1e6, "cpu-ms")
	b.ReportMetric(idle/1e6, "idle-MB")
	b.ReportMetric(float64(page.bytes), "page-bytes")
	b.ReportMetric(float64(page.requests), "page-requests")
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
