package server

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/config"
)

// patience is how long a test waits for what has to come.
const patience = 20 * time.Second

// listen serves h as the program does, on a port of its own.
func listen(t *testing.T, h *Handler, limits config.Limits) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	limits.ShutdownTimeout = time.Millisecond
	ended := make(chan struct{})
	go func() { _ = Serve(ctx, l, h, limits, h.Log, h.Stop); close(ended) }()
	t.Cleanup(func() { stop(); <-ended })
	return l.Addr().String()
}

func dialAndSend(t *testing.T, addr, text string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	return conn
}

// exchange sends a request and returns the answer; the connection stays open.
func exchange(t *testing.T, addr, text string) string {
	t.Helper()
	conn := dialAndSend(t, addr, text)
	buf := make([]byte, 4096)
	n, err := io.ReadAtLeast(conn, buf, len("HTTP/1.1 200 "))
	if err != nil {
		t.Fatalf("no answer: %v", err)
	}
	return string(buf[:n])
}

// cut reads until the server ends the connection and returns what came before.
func cut(t *testing.T, conn net.Conn) string {
	t.Helper()
	got, err := io.ReadAll(conn)
	if e, ok := err.(net.Error); ok && e.Timeout() {
		t.Fatalf("still connected after %v", patience)
	}
	return string(got) // a reset is an end too
}

// until polls for what has to become true.
func until(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not happen")
		}
	}
}

func TestLimitsOfTheRequestLineAndHeader(t *testing.T) {
	h := handler(t, io.Discard, nil, site)
	addr := listen(t, h, h.Limits)
	long := strings.Repeat("a", maxURLBytes)
	rows := []struct{ name, target, header, want string }{
		{"an address within the limit", "/page?" + long[:maxURLBytes-100], "", "HTTP/1.1 200 "},
		{"a long path", "/" + long, "", "HTTP/1.1 414 "},
		{"a long query", "/page?q=" + long, "", "HTTP/1.1 414 "},
		{"a long address of the API", "/api/thing?q=" + long, "", "HTTP/1.1 414 "},
		{"as many parameters as may be", "/page?" + strings.Repeat("a&", maxQueryFields-1), "", "HTTP/1.1 200 "},
		{"too many parameters", "/page?" + strings.Repeat("a&", maxQueryFields), "", "HTTP/1.1 400 "},
		{"too large a header", "/page", "X-Large: " + strings.Repeat("a", h.Limits.HeaderBytes+4096) + "\r\n", "HTTP/1.1 431 "},
		{"too many headers", "/page", strings.Repeat("X-Many: a\r\n", h.Limits.HeaderBytes/8), "HTTP/1.1 431 "},
		{"a length that is none", "/page", "Content-Length: many\r\n", "HTTP/1.1 400 "},
		{"two lengths", "/page", "Content-Length: 1\r\nContent-Length: 2\r\n", "HTTP/1.1 400 "},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			got := exchange(t, addr, "GET "+row.target+" HTTP/1.1\r\nHost: x\r\n"+row.header+"\r\n")
			if !strings.HasPrefix(got, row.want) {
				t.Errorf("got %.60q, want %q", got, row.want)
			}
		})
	}
}

// TestSlowClientsAreCutOff gives each case one short limit; the others are far
// away.
func TestSlowClientsAreCutOff(t *testing.T) {
	const short = 200 * time.Millisecond
	wrote := make(chan error, 1)
	noise := make([]byte, 1<<20)
	_, _ = rand.Read(noise)
	routes := func(mux *http.ServeMux) {
		mux.HandleFunc("/body", func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err != nil {
				w.WriteHeader(http.StatusRequestTimeout)
			}
		})
		mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) {
			for range 64 { // more than the buffers on the way hold
				if _, err := w.Write(noise); err != nil {
					wrote <- err
					return
				}
			}
			wrote <- nil
		})
	}
	const get = "GET /page HTTP/1.1\r\nHost: x\r\n"
	rows := []struct {
		name, sent, want string
		limit            func(*config.Limits)
	}{
		{"a connection without a request", "", "", func(l *config.Limits) { l.HeaderTimeout = short }},
		{"a header that does not end", get + "X-Slow: ", "", func(l *config.Limits) { l.HeaderTimeout = short }},
		{"a body that does not end", "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc", "HTTP/1.1 408 ", func(l *config.Limits) { l.ReadTimeout = short }},
		{"a body in pieces that does not end", "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "HTTP/1.1 408 ",
			func(l *config.Limits) { l.ReadTimeout = short }},
		{"an answer that is not read", "GET /large HTTP/1.1\r\nHost: x\r\n\r\n", "", func(l *config.Limits) { l.WriteTimeout = short }},
		{"a connection that is kept for nothing", get + "\r\n", "HTTP/1.1 200 ", func(l *config.Limits) { l.IdleTimeout = short }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			limits := config.New().Limits
			limits.HeaderTimeout, limits.ReadTimeout, limits.WriteTimeout, limits.IdleTimeout = time.Hour, time.Hour, time.Hour, time.Hour
			row.limit(&limits)
			h := handler(t, io.Discard, nil, site, routes)
			addr := listen(t, h, limits)
			conn := dialAndSend(t, addr, row.sent)
			if limits.WriteTimeout == short {
				select {
				case err := <-wrote:
					if err == nil {
						t.Error("the whole answer was written although nobody reads")
					}
				case <-time.After(patience):
					t.Error("the answer is still being written")
				}
			} else if got := cut(t, conn); !strings.HasPrefix(got, row.want) || row.want == "" && got != "" {
				t.Errorf("got %.40q, want %q", got, row.want)
			}
			until(t, func() bool { return h.requests.held() == 0 })
			if got := exchange(t, addr, get+"\r\n"); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
				t.Errorf("another one got %.40q", got)
			}
		})
	}
}

// TestThereIsNoHTTP2 keeps the limits above complete: streams and their
// windows would need limits of their own.
func TestThereIsNoHTTP2(t *testing.T) {
	h := handler(t, io.Discard, nil, site)
	addr := listen(t, h, h.Limits)
	if got := exchange(t, addr, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 ") || strings.HasPrefix(got, "HTTP/1.1 2") {
		t.Errorf("prior knowledge: %.60q", got)
	}
	upgrade := "GET /page HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
	if got := exchange(t, addr, upgrade); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
		t.Errorf("upgrade: %.60q", got)
	}
}
