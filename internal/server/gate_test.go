package server

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/telemetry"
)

// crowd is a server whose requests to /wait stay until release.
type crowd struct {
	*Handler
	t       *testing.T
	metrics *prometheus.Registry
	arrived chan struct{}
	release chan struct{}
	group   sync.WaitGroup
	// now is the time where the server has a clock.
	now time.Time
}

func newCrowd(t *testing.T, places, share int) *crowd {
	c := &crowd{t: t, metrics: prometheus.NewRegistry(), arrived: make(chan struct{}), release: make(chan struct{})}
	c.Handler = handler(t, io.Discard, func(config *Config) {
		config.Limits.Requests, config.Limits.ClientRequests = places, share
		config.Metrics = telemetry.NewMetrics(c.metrics)
		config.Proxies = &request.Proxies{Log: config.Log, Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}}
		config.Scrape = http.HandlerFunc(c.wait)
	}, site, func(mux *http.ServeMux) {
		mux.HandleFunc("/wait", c.wait)
		mux.HandleFunc("GET /static/", c.wait)
		mux.HandleFunc("GET /media/", c.wait)
	})
	return c
}

func (c *crowd) wait(http.ResponseWriter, *http.Request) {
	c.arrived <- struct{}{}
	<-c.release
}

// from does one request as a client.
func (c *crowd) from(client, method, path string) *http.Response {
	return do(c.Handler, method, path, "", map[string]string{"X-Forwarded-For": client})
}

// fill begins n requests of a client and returns when all are being answered.
func (c *crowd) fill(n int, client, path string) {
	c.t.Helper()
	for range n {
		refused := make(chan int, 1)
		c.group.Go(func() { refused <- c.from(client, "GET", path).StatusCode })
		select {
		case <-c.arrived:
		case status := <-refused:
			c.t.Errorf("%s got %d", path, status)
		}
	}
}

// empty lets all of them end.
func (c *crowd) empty() {
	close(c.release)
	c.group.Wait()
	c.release = make(chan struct{})
}

// refused are the counts by reason, zeros left out.
func (c *crowd) refused() map[string]float64 {
	families, err := c.metrics.Gather()
	if err != nil {
		c.t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		if f.GetName() != "weir_refused_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			if n := m.GetCounter().GetValue(); n > 0 {
				out[m.GetLabel()[0].GetValue()] = n
			}
		}
	}
	return out
}

func TestAFullServerAsksToTryAgain(t *testing.T) {
	c := newCrowd(t, 3, 0)
	c.fill(3, "198.51.100.1", "/wait")
	for _, row := range []struct{ path, contentType string }{{"/page", "text/html"}, {"/api/thing", "application/json"}} {
		res := c.from("198.51.100.2", "GET", row.path)
		if res.StatusCode != 503 || res.Header.Get("Retry-After") != "5" || res.Header.Get("Content-Type") != row.contentType {
			t.Errorf("%s: %d %v", row.path, res.StatusCode, res.Header)
		}
		if res.Header.Get("Content-Type") == "application/json" {
			var body struct{ Detail string }
			if err := json.NewDecoder(res.Body).Decode(&body); err != nil || body.Detail == "" {
				t.Errorf("%s: no detail: %v", row.path, err)
			}
		}
	}
	if res := do(c.Handler, "POST", "/api/thing", "{}", nil); res.StatusCode != 503 || res.Header.Get("Connection") != "close" {
		t.Errorf("a body that is not read: %d %v", res.StatusCode, res.Header)
	}
	for _, path := range []string{livePath, readyPath} {
		if res := c.from("198.51.100.2", "GET", path); res.StatusCode != 200 {
			t.Errorf("%s: %d while the server is full", path, res.StatusCode)
		}
	}
	for _, path := range []string{"/static/flow.css", "/media/logo.png", metricsPath} {
		c.fill(1, "198.51.100.2", path)
	}
	if res := c.from("198.51.100.2", "POST", "/static/flow.css"); res.StatusCode != 503 {
		t.Errorf("a POST to a static file: %d", res.StatusCode)
	}
	if got := c.refused(); len(got) != 1 || got["requests"] != 4 {
		t.Errorf("refused %v", got)
	}

	c.empty()
	if res := c.from("198.51.100.2", "GET", "/page"); res.StatusCode != 200 {
		t.Errorf("%d after the crowd has left", res.StatusCode)
	}
	c.fill(3, "198.51.100.1", "/wait") // all places are there again
	c.empty()
}

func TestOneClientCannotTakeAllPlaces(t *testing.T) {
	c := newCrowd(t, 5, 2)
	for _, row := range []struct{ first, same, other string }{
		{"198.51.100.1", "198.51.100.1", "198.51.100.2"},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:3::1"},
		{"198.51.100.1", "::ffff:198.51.100.1", "::ffff:198.51.100.2"},
	} {
		c.fill(2, row.first, "/wait")
		if res := c.from(row.same, "GET", "/page"); res.StatusCode != 503 || res.Header.Get("Retry-After") != "5" {
			t.Errorf("%s: %d beyond the share of %s", row.same, res.StatusCode, row.first)
		}
		if res := c.from(row.other, "GET", "/page"); res.StatusCode != 200 {
			t.Errorf("%s: %d because of %s", row.other, res.StatusCode, row.first)
		}
		c.empty()
		if res := c.from(row.same, "GET", "/page"); res.StatusCode != 200 {
			t.Errorf("%s: %d after its requests have ended", row.same, res.StatusCode)
		}
	}
	if got := c.refused(); len(got) != 1 || got["client"] != 3 {
		t.Errorf("refused %v", got)
	}
	if n := len(c.requests.clients); n != 0 {
		t.Errorf("%d clients are remembered", n)
	}
}

func TestProbesHaveAGateOfTheirOwn(t *testing.T) {
	c := newCrowd(t, 3, 2)
	c.fill(probePlaces, "198.51.100.1", metricsPath)
	for path, want := range map[string]int{readyPath: 503, livePath: 200, "/page": 200} {
		if res := c.from("198.51.100.1", "GET", path); res.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, res.StatusCode, want)
		}
	}
	if got := c.refused(); len(got) != 1 || got["probes"] != 1 {
		t.Errorf("refused %v", got)
	}
	c.empty()
}

func TestAPanicGivesItsPlaceBack(t *testing.T) {
	c := newCrowd(t, 2, 2)
	for range 4 {
		if res := c.from("198.51.100.1", "GET", "/boom"); res.StatusCode != 500 {
			t.Errorf("status %d, want 500", res.StatusCode)
		}
	}
}

// TestASlowBodyHoldsItsPlaceOnlyForAClientsShare sends bodies that never end,
// over real connections.
func TestASlowBodyHoldsItsPlaceOnlyForAClientsShare(t *testing.T) {
	c := newCrowd(t, 8, 2)
	addr := listen(t, c.Handler, c.Limits)
	var conns []net.Conn
	for range 2 {
		conns = append(conns, dialAndSend(t, addr, "POST /api/thing HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"))
	}
	until(t, func() bool { return c.requests.held() == 2 })
	if answer := exchange(t, addr, "GET /page HTTP/1.1\r\nHost: x\r\n\r\n"); !strings.HasPrefix(answer, "HTTP/1.1 503 ") {
		t.Errorf("beyond the share: %s", answer)
	}
	if res := c.from("198.51.100.1", "GET", "/page"); res.StatusCode != 200 {
		t.Errorf("another client got %d", res.StatusCode)
	}
	for _, conn := range conns {
		_ = conn.Close()
	}
	until(t, func() bool { return c.requests.held() == 0 })
}

func (g *gate) held() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inside
}
