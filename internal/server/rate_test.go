package server

import (
	"encoding/json"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/telemetry"
)

// clocked is a server that takes perSecond requests of each client, with a clock.
func clocked(t *testing.T, perSecond int) *crowd {
	c := &crowd{t: t, metrics: prometheus.NewRegistry(), now: time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)}
	c.Handler = handler(t, io.Discard, func(config *Config) {
		config.Limits.ClientRate, config.Now = perSecond, func() time.Time { return c.now }
		config.Metrics = telemetry.NewMetrics(c.metrics)
		config.Proxies = &request.Proxies{Log: config.Log, Trusted: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}}
	}, site, func(mux *http.ServeMux) {
		mux.HandleFunc("GET /static/", func(http.ResponseWriter, *http.Request) {})
	})
	return c
}

func TestAClientThatAsksTooOftenHasToWait(t *testing.T) {
	c := clocked(t, 2)
	const one = "198.51.100.1"
	for i := range 20 { // ten seconds' worth
		if res := c.from(one, "GET", "/page"); res.StatusCode != 200 {
			t.Fatalf("request %d: %d", i, res.StatusCode)
		}
	}
	for _, row := range []struct{ method, path, contentType string }{{"GET", "/page", "text/html"}, {"POST", "/api/thing", "application/json"}} {
		res := c.from(one, row.method, row.path)
		if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") != "1" || res.Header.Get("Content-Type") != row.contentType {
			t.Errorf("%s: %d %v", row.path, res.StatusCode, res.Header)
		}
		if row.contentType == "application/json" {
			var body struct{ Detail string }
			if err := json.NewDecoder(res.Body).Decode(&body); err != nil || body.Detail == "" {
				t.Errorf("%s: no detail: %v", row.path, err)
			}
		}
	}
	if res := do(c.Handler, "POST", "/api/thing", "{}", map[string]string{"X-Forwarded-For": one}); res.StatusCode != 429 || res.Header.Get("Connection") != "close" {
		t.Errorf("a body that is not read: %d %v", res.StatusCode, res.Header)
	}
	// Probes and files are for anybody, and others are not concerned.
	for _, path := range []string{livePath, readyPath, "/static/flow.css"} {
		if res := c.from(one, "GET", path); res.StatusCode != 200 {
			t.Errorf("%s: %d", path, res.StatusCode)
		}
	}
	if res := c.from("198.51.100.2", "GET", "/page"); res.StatusCode != 200 {
		t.Errorf("another client: %d", res.StatusCode)
	}
	if got := c.refused(); len(got) != 1 || got["rate"] != 3 {
		t.Errorf("refused %v", got)
	}
	if h := c.requests.held(); h != 0 {
		t.Errorf("%d places are taken", h)
	}

	// Half a second is worth one request, and asking too early costs none.
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{499 * time.Millisecond, 429}, {time.Millisecond, 200}, {0, 429}, {time.Second, 200}, {0, 200}, {0, 429}} {
		c.now = c.now.Add(step.after)
		if res := c.from(one, "GET", "/page"); res.StatusCode != step.want {
			t.Errorf("after %v: %d, want %d", step.after, res.StatusCode, step.want)
		}
	}
	c.now = c.now.Add(time.Hour)
	for range 20 {
		if res := c.from(one, "GET", "/page"); res.StatusCode != 200 {
			t.Fatalf("after an hour: %d", res.StatusCode)
		}
	}
	if res := c.from(one, "GET", "/page"); res.StatusCode != 429 {
		t.Errorf("an hour is worth more than the bucket holds: %d", res.StatusCode)
	}
}

// The wait is told in whole seconds, so that nobody comes too early.
func TestTheWaitOfAClientIsTold(t *testing.T) {
	now := time.Now()
	l := newRate(1, func() time.Time { return now })
	from := netip.MustParsePrefix("198.51.100.1/32")
	for range 10 {
		if wait := l.take(from); wait != 0 {
			t.Fatalf("wait %v", wait)
		}
	}
	now = now.Add(100 * time.Millisecond)
	wait := l.take(from)
	if wait != 900*time.Millisecond || seconds(wait) != 1 || seconds(time.Second) != 1 || seconds(time.Second+1) != 2 {
		t.Errorf("wait %v, told as %s", wait, strconv.Itoa(seconds(wait)))
	}
	now = now.Add(wait)
	if wait := l.take(from); wait != 0 {
		t.Errorf("after the wait: another %v", wait)
	}
}

// TestRule37TheRateIsThatOfTheClientBehindTrustedProxies: in IPv6 of a network, and
// nobody gets another bucket by a header.
func TestRule37TheRateIsThatOfTheClientBehindTrustedProxies(t *testing.T) {
	for _, row := range []struct {
		first, second string
		same          bool
	}{
		{"198.51.100.1", "198.51.100.2", false},
		{"198.51.100.1", "::ffff:198.51.100.1", true},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"203.0.113.1, 198.51.100.1", "203.0.113.2, 198.51.100.1", true},
	} {
		c := clocked(t, 1)
		for range 10 {
			c.from(row.first, "GET", "/page")
		}
		if res := c.from(row.second, "GET", "/page"); (res.StatusCode == 429) != row.same {
			t.Errorf("%s after %s: %d", row.second, row.first, res.StatusCode)
		}
	}
	c := clocked(t, 1)
	c.Proxies.Trusted = nil
	for i := range 10 {
		c.from("198.51.100."+strconv.Itoa(i), "GET", "/page")
	}
	if res := c.from("198.51.100.99", "GET", "/page"); res.StatusCode != 429 {
		t.Errorf("a header of somebody who is no proxy counts: %d", res.StatusCode)
	}
}

func TestTheRateIsHeldWithoutEndlessMemory(t *testing.T) {
	now := time.Now()
	l := newRate(1, func() time.Time { return now })
	for i := range 2 * rateClients {
		l.take(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32))
	}
	if n := l.full.Len(); n != rateClients {
		t.Errorf("%d clients are remembered", n)
	}
	if newRate(0, time.Now) != nil {
		t.Error("no rate is one")
	}

	// Requests at once get what the bucket holds.
	var group sync.WaitGroup
	passed := make(chan bool, 40)
	for range cap(passed) {
		group.Go(func() { passed <- l.take(netip.MustParsePrefix("198.51.100.1/32")) == 0 })
	}
	group.Wait()
	close(passed)
	n := 0
	for ok := range passed {
		if ok {
			n++
		}
	}
	if n != 10 {
		t.Errorf("%d requests at once passed, want 10", n)
	}
}
