package bench

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weir-id/weir/internal/store/storetest"
)

const (
	loginPage = "/if/flow/default-authentication-flow/"
	loginFlow = "/api/v3/flows/executor/default-authentication-flow/?query="
	// executions is how many flows are opened, each in a browser of its own.
	executions = 10_000
	// places is how many requests the program answers at once.
	places = 512
)

// besiege starts the program on one of the databases, with cheap hashes and time
// for slow bodies.
func besiege(b *testing.B, database string) *process {
	settings := []string{"WEIR_DATA=" + b.TempDir(), "WEIR_HASH_MEMORY=7168", "WEIR_HASH_TIME=1", "WEIR_LOG_LEVEL=warn", "WEIR_READ_TIMEOUT=10m",
		"WEIR_BOOTSTRAP_PASSWORD=a-password-for-benchmarks"}
	if database == "postgres" {
		settings = append(settings, "WEIR_DATABASE_URL="+storetest.Postgres(b), "WEIR_SECRET_KEY="+strings.Repeat("k", 32))
	}
	return launch(b, build(b), settings...)
}

// browser is a client without cookies that calls from an address of this
// machine; follows no redirects.
func browser(from string) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	return &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// open begins n flows and answers their first stage, from some clients at once.
func (p *process) open(n int) {
	var left atomic.Int64
	left.Store(int64(n))
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			c := browser("127.0.0.1")
			for left.Add(-1) >= 0 {
				res, err := c.Post("http://"+p.addr+loginFlow, "application/json", strings.NewReader(`{"uid_field":"akadmin"}`))
				if err != nil {
					p.b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				_ = res.Body.Close()
				if res.StatusCode != http.StatusFound {
					p.b.Errorf("the first answer got %d", res.StatusCode)
					return
				}
			}
		})
	}
	work.Wait()
}

// slow opens n connections from an address that send the beginning of a request
// and then nothing.
func (p *process) slow(n int, from, text string) (closeAll func()) {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	conns := make([]net.Conn, n)
	for i := range conns {
		conn, err := dialer.DialContext(p.b.Context(), "tcp", p.addr)
		if err != nil {
			p.b.Fatal(err)
		}
		if _, err := io.WriteString(conn, text); err != nil {
			p.b.Fatal(err)
		}
		conns[i] = conn
	}
	return func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}
}

const (
	slowHeader = "GET " + loginPage + " HTTP/1.1\r\nHost: x\r\nX-Slow: "
	slowBody   = "POST " + loginPage + " HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nuid_field="
)

// crowd takes all places with bodies that do not end.
func (p *process) crowd() (closeAll func()) {
	var closers []func()
	for i := range 5 { // one more than fits
		closers = append(closers, p.slow(places/4, fmt.Sprintf("127.0.1.%d", i+1), slowBody))
	}
	p.until("all places are taken", func() bool { return p.status(nil, loginPage) == http.StatusServiceUnavailable })
	return func() {
		for _, c := range closers {
			c()
		}
	}
}

// BenchmarkOverload measures what open flows and slow clients cost in memory,
// and how many requests a second are answered and refused.
func BenchmarkOverload(b *testing.B) {
	for _, database := range databases {
		b.Run(database, func(b *testing.B) {
			p := besiege(b, database)
			p.open(1000) // what is made once, such as connections, is made now
			b.Run(fmt.Sprintf("%d open flows", executions), func(b *testing.B) {
				p.b = b
				before := p.memory()
				n := 0
				for b.Loop() {
					p.open(executions)
					n += executions
				}
				b.ReportMetric(before/(1<<20), "MiB-before")
				b.ReportMetric(p.memory()/(1<<20), "MiB-after")
				b.ReportMetric((p.memory()-before)/float64(n), "B/flow")
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "flows/s")
			})
			b.Run("500 slow connections", func(b *testing.B) {
				p.b = b
				before := p.memory()
				for b.Loop() {
					header := p.slow(400, "127.0.0.2", slowHeader)
					body := p.slow(100, "127.0.0.3", slowBody)
					if got := p.status(nil, loginPage); got != http.StatusOK {
						b.Errorf("the login page answers %d", got)
					}
					b.ReportMetric((p.memory()-before)/500, "B/connection")
					header()
					body()
				}
			})
			b.Run("answered", func(b *testing.B) { p.rate(b, http.StatusOK) })
			b.Run("refused", func(b *testing.B) {
				p.b = b
				leave := p.crowd()
				p.rate(b, http.StatusServiceUnavailable)
				if got := p.status(nil, "/-/health/live/"); got != http.StatusOK {
					b.Errorf("live answers %d", got)
				}
				leave()
				p.until("it answers again", func() bool { return p.status(nil, loginPage) == http.StatusOK })
			})
			b.Run("answered afterwards", func(b *testing.B) { p.rate(b, http.StatusOK) })
		})
	}
}

// rate asks for the login page, which has to give the status.
func (p *process) rate(b *testing.B, want int) {
	p.b = b
	b.SetParallelism(4)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		c := browser("127.0.0.9")
		for pb.Next() {
			if got := p.status(c, loginPage); got != want {
				b.Errorf("status %d, want %d", got, want)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}
