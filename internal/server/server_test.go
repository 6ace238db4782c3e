package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weir-id/weir/internal/config"
	"github.com/weir-id/weir/internal/request"
	"github.com/weir-id/weir/internal/telemetry"
)

func handler(t *testing.T, log io.Writer, change func(*Config), mount ...func(*http.ServeMux)) *Handler {
	t.Helper()
	logger := telemetry.NewLogger(log, slog.LevelDebug, true)
	c := Config{
		Log: logger, Metrics: telemetry.NewMetrics(prometheus.NewRegistry()), Proxies: &request.Proxies{Log: logger},
		Limits: config.New().Limits, Ready: func(context.Context) error { return nil }, Scrape: http.NotFoundHandler(),
		Problem: func(w http.ResponseWriter, _ *http.Request, status int) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(status)
		},
	}
	if change != nil {
		change(&c)
	}
	h, err := New(c, mount...)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func do(h http.Handler, method, target, body string, header map[string]string) *http.Response {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for k, v := range header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func site(mux *http.ServeMux) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err != nil {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	}
	boom := func(http.ResponseWriter, *http.Request) { panic("boom") }
	mux.HandleFunc("/page", echo)
	mux.HandleFunc("/api/thing", echo)
	mux.HandleFunc("/api/boom", boom)
	mux.HandleFunc("/boom", boom)
}

func TestAnswers(t *testing.T) {
	big := strings.Repeat("x", 2<<20)
	foreign := map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
	own := map[string]string{"Origin": "https://id.example"}
	rows := []struct {
		name, method, path, body string
		header                   map[string]string
		status                   int
		contentType              string
	}{
		{"an ordinary request passes", "GET", "/page", "", nil, 200, ""},
		{"a panic behind a page is a page", "GET", "/boom", "", nil, 500, "text/html"},
		{"a panic behind the API is JSON", "GET", "/api/boom", "", nil, 500, "application/json"},
		{"too large a body is refused", "POST", "/page", big, nil, 413, "text/html"},
		{"too large a body is refused in JSON", "POST", "/api/thing", big, nil, 413, "application/json"},
		{"another site may not post", "POST", "/page", "", foreign, 403, "text/html"},
		{"another site may not post to the API", "POST", "/api/thing", "", foreign, 403, "application/json"},
		{"another site may link here", "GET", "/page", "", foreign, 200, ""},
		{"a program without Origin may post", "POST", "/api/thing", "{}", nil, 200, ""},
		{"the site's own origin may post behind a proxy that changes Host", "POST", "/page", "", own, 200, ""},
		{"live is 200", "GET", "/-/health/live/", "", nil, 200, ""},
		{"ready is 200", "GET", "/-/health/ready/", "", nil, 200, ""},
	}
	h := handler(t, io.Discard, func(c *Config) { c.Origin = "https://id.example" }, site)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			res := do(h, row.method, row.path, row.body, row.header)
			if res.StatusCode != row.status || res.Header.Get("Content-Type") != row.contentType {
				t.Errorf("got %d %q, want %d %q", res.StatusCode, res.Header.Get("Content-Type"), row.status, row.contentType)
			}
			if len(res.Header.Get("X-authentik-id")) != 32 || res.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers = %v", res.Header)
			}
		})
	}
}

func TestALengthNotDeclaredIsStillLimited(t *testing.T) {
	h := handler(t, io.Discard, nil, site)
	r := httptest.NewRequest("POST", "/page", io.MultiReader(strings.NewReader(strings.Repeat("x", 2<<20))))
	r.ContentLength = -1
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d, want 413", w.Code)
	}
}

func TestThePanicIsInTheLogUnderTheIDOfTheAnswer(t *testing.T) {
	var log bytes.Buffer
	res := do(handler(t, &log, nil, site), "GET", "/boom?flow_token=hunter2", "", nil)
	if !strings.Contains(log.String(), res.Header.Get("X-authentik-id")) || !strings.Contains(log.String(), "boom") {
		t.Errorf("log = %s", log.String())
	}
	if strings.Contains(log.String(), "hunter2") {
		t.Errorf("the log repeats the query: %s", log.String())
	}
}

func TestReadiness(t *testing.T) {
	var broken error
	h := handler(t, io.Discard, func(c *Config) { c.Ready = func(context.Context) error { return broken } })
	for _, row := range []struct {
		name   string
		change func()
		want   int
	}{
		{"ready", func() {}, 200},
		{"the database does not answer", func() { broken = errors.New("no connection") }, 503},
		{"it answers again", func() { broken = nil }, 200},
		{"stopping", h.Stop, 503},
	} {
		row.change()
		res := do(h, "GET", "/-/health/ready/", "", nil)
		if body, _ := io.ReadAll(res.Body); res.StatusCode != row.want || len(body) > 0 {
			t.Errorf("%s: status %d body %q, want %d and none", row.name, res.StatusCode, body, row.want)
		}
		if again := res.Header.Get("Retry-After") != ""; again != (broken != nil) {
			t.Errorf("%s: Retry-After is %q", row.name, res.Header.Get("Retry-After"))
		}
	}
}

func TestRequestsInFlightFinishBeforeTheProgramEnds(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	h := handler(t, io.Discard, nil, func(mux *http.ServeMux) {
		mux.HandleFunc("/slow", func(w http.ResponseWriter, _ *http.Request) {
			close(entered)
			<-release
			_, _ = io.WriteString(w, "done")
		})
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stopping, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- Serve(ctx, l, h, config.New().Limits, h.Log, func() { h.Stop(); close(stopping) })
	}()
	answered := make(chan string, 1)
	go func() {
		res, err := http.Get("http://" + l.Addr().String() + "/slow")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		answered <- string(body)
	}()
	<-entered
	stop()
	<-stopping
	if res := do(h, "GET", "/-/health/ready/", "", nil); res.StatusCode != 503 {
		t.Errorf("ready = %d while stopping, want 503", res.StatusCode)
	}
	select {
	case err := <-ended:
		t.Fatalf("ended with a request in flight: %v", err)
	default:
	}
	close(release)
	if got := <-answered; got != "done" {
		t.Errorf("the request in flight got %q", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("serve: %v", err)
	}
}

func TestAStuckRequestDoesNotKeepTheProgramAlive(t *testing.T) {
	entered := make(chan struct{})
	h := handler(t, io.Discard, nil, func(mux *http.ServeMux) {
		mux.HandleFunc("/stuck", func(_ http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done()
		})
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	limits := config.New().Limits
	limits.ShutdownTimeout = time.Millisecond
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		if res, err := http.Get("http://" + l.Addr().String() + "/stuck"); err == nil {
			res.Body.Close()
		}
	}()
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, h, limits, h.Log, h.Stop) }()
	<-entered
	stop()
	if err := <-ended; err == nil {
		t.Error("no error although a request was cut off")
	}
}
