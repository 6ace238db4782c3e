package password

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/outbound"
)

const leaked = "correct horse"

// hashOf is the hash of a password as the service knows it.
func hashOf(plain string) string { return fmt.Sprintf("%X", sha1.Sum([]byte(plain))) }

// service speaks the range protocol and keeps what it was asked.
type service struct {
	*httptest.Server
	calls atomic.Int32
	mu    sync.Mutex
	seen  bytes.Buffer
	// answer overrides the usual answer.
	answer func(w http.ResponseWriter, r *http.Request)
}

func newService(t *testing.T) *service {
	s := &service{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		dump, err := httputil.DumpRequest(r, true)
		if err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		s.seen.Write(dump)
		answer := s.answer
		s.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		ranges(w, r, 12)
	}))
	t.Cleanup(s.Close)
	return s
}

// ranges answers as the public service does: other suffixes, the leaked
// password where it belongs, padding.
func ranges(w http.ResponseWriter, r *http.Request, count int) {
	fmt.Fprintf(w, "0000000000000000000000000000000000A:3\r\n")
	if prefix := strings.TrimPrefix(r.URL.Path, "/range/"); prefix == hashOf(leaked)[:5] {
		fmt.Fprintf(w, "%s:%d\r\n", hashOf(leaked)[5:], count)
	}
	fmt.Fprintf(w, "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF:0")
}

func (s *service) leaks(t *testing.T) *Leaks {
	return &Leaks{URL: s.URL + "/range/", Client: outbound.Client(nil), Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
}

// list writes a file with these passwords and returns its path.
func list(t *testing.T, plain ...string) string {
	t.Helper()
	var hashes []string
	for _, p := range plain {
		hashes = append(hashes, hashOf(p))
	}
	return write(t, hashes, "\r\n", 7)
}

func TestLeaks(t *testing.T) {
	s := newService(t)
	rows := []struct {
		name   string
		plain  string
		count  int64
		broken error
		answer func(w http.ResponseWriter, r *http.Request)
	}{
		{"a leaked password", leaked, 12, nil, nil},
		{"another one", "Correct horse", 0, nil, nil},
		{"one line without an end", leaked, 4, nil, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "%s:4", hashOf(leaked)[5:]) }},
		{"lower case, one line break", leaked, 4, nil, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, "%s:4\n", strings.ToLower(hashOf(leaked)[5:]))
		}},
		{"padding says nothing", leaked, 0, nil, func(w http.ResponseWriter, r *http.Request) { ranges(w, r, 0) }},
		{"padding beside the real line", leaked, 5, nil, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, "%[1]s:5\r\n%[1]s:0\r\n", hashOf(leaked)[5:])
		}},
		{"too many requests", leaked, 0, errors.New("status 429"), status(http.StatusTooManyRequests)},
		{"a service that is down", leaked, 0, errors.New("status 503"), status(http.StatusServiceUnavailable)},
		{"an address that is none", leaked, 0, errors.New("status 404"), status(http.StatusNotFound)},
		{"no content", leaked, 0, errors.New("status 204"), status(http.StatusNoContent)},
		{"a page to sign in to a network", leaked, 0, errAnswer, says("<html><title>Welcome</title></html>")},
		{"nothing", leaked, 0, errAnswer, says("")},
		{"blank lines", leaked, 0, errAnswer, says("\r\n\r\n")},
		{"whole hashes", leaked, 0, errAnswer, says(hashOf(leaked) + ":3\r\n")},
		{"a count that is none", leaked, 0, errAnswer, says(hashOf(leaked)[5:] + ":many\r\n")},
		{"a negative count", leaked, 0, errAnswer, says(hashOf(leaked)[5:] + ":-1\r\n")},
		{"a count beyond counting", leaked, 0, errAnswer, says(hashOf(leaked)[5:] + ":99999999999999999999\r\n")},
		{"lines and then something else", leaked, 0, errAnswer, says(hashOf("x")[5:] + ":1\r\nand so on\r\n")},
		{"a line that was cut off", leaked, 0, errAnswer, says(hashOf("x")[5:] + ":1\r\n" + hashOf(leaked)[5:20])},
		{"an answer that was cut off", leaked, 0, io.ErrUnexpectedEOF, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "4000")
			fmt.Fprintf(w, "%s:1\r\n", hashOf("x")[5:])
		}},
		{"an answer without an end", leaked, 0, outbound.ErrTooLarge, func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := fmt.Fprintf(w, "%s:1\r\n", hashOf("x")[5:]); err != nil {
					return
				}
			}
		}},
		{"a redirect without an end", leaked, 0, errors.New("redirects"), func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}},
		{"a connection that breaks", leaked, 0, io.EOF, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s.mu.Lock()
			s.answer = row.answer
			s.mu.Unlock()
			// With a file, whatever is wrong with the service does not matter.
			for _, file := range []string{"", list(t, leaked, "x")} {
				l := s.leaks(t)
				l.File = file
				got, err := l.Count(t.Context(), hashOf(row.plain))
				switch {
				case row.broken == nil && (err != nil || got != row.count):
					t.Errorf("%d, %v; want %d", got, err, row.count)
				case row.broken != nil && file == "" && (err == nil || !errors.Is(err, row.broken) && !strings.Contains(err.Error(), row.broken.Error())):
					t.Errorf("%d, %v; want the error %v", got, err, row.broken)
				case row.broken != nil && file != "" && (err != nil || got != 7):
					t.Errorf("with a file: %d, %v", got, err)
				}
			}
		})
	}
}

func status(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func says(text string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// A service that accepts and never answers costs half of the time that there
// is, so that the file still has its turn.
func TestASilentServiceLeavesTimeForTheFile(t *testing.T) {
	s := newService(t)
	s.answer = func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	l := s.leaks(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := l.Count(ctx, hashOf(leaked)); !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		t.Errorf("without a file: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	l.File = list(t, leaked)
	if n, err := l.Count(ctx, hashOf(leaked)); n != 7 || err != nil {
		t.Errorf("with a file: %d, %v", n, err)
	}
}

func TestWhereNobodyCanBeAsked(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	rows := []struct {
		name  string
		leaks *Leaks
		want  error
	}{
		{"nothing is configured", &Leaks{}, errNoSource},
		{"nothing at all", nil, errNoSource},
		{"nobody listens", &Leaks{URL: closed.URL, Client: outbound.Client(nil)}, errors.New("refused")},
		{"an address that is none", &Leaks{URL: "http://%zz", Client: outbound.Client(nil)}, errors.New("cannot be used")},
		{"the file is gone", &Leaks{File: filepath.Join(t.TempDir(), "gone")}, os.ErrNotExist},
		{"nobody listens and the file is gone", &Leaks{URL: closed.URL, File: filepath.Join(t.TempDir(), "gone"), Client: outbound.Client(nil)}, os.ErrNotExist},
	}
	for _, row := range rows {
		if _, err := row.leaks.Count(t.Context(), hashOf(leaked)); err == nil || !errors.Is(err, row.want) && !strings.Contains(err.Error(), row.want.Error()) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
	only := &Leaks{File: list(t, leaked)}
	if n, err := only.Count(t.Context(), hashOf(leaked)); n != 7 || err != nil {
		t.Errorf("without a service: %d, %v", n, err)
	}
}

func TestAnOutageIsNotWaitedForAgainAndAgain(t *testing.T) {
	s := newService(t)
	s.answer = status(http.StatusServiceUnavailable)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l := s.leaks(t)
	var log bytes.Buffer
	l.Now, l.Logger = func() time.Time { return now }, slog.New(slog.NewTextHandler(&log, nil))
	ask := func(n int) (paused int) {
		t.Helper()
		for range n {
			if _, err := l.Count(t.Context(), hashOf(leaked)); errors.Is(err, errPaused) {
				paused++
			} else if err == nil {
				t.Error("an outage is no answer")
			}
		}
		return paused
	}
	if paused := ask(10); s.calls.Load() != maxFailures || paused != 10-maxFailures {
		t.Errorf("%d calls, %d were told that it is asked later", s.calls.Load(), paused)
	}
	if n := strings.Count(log.String(), "out of reach"); n != 1 {
		t.Errorf("logged %d times", n)
	}
	now = now.Add(pause)
	if ask(5); s.calls.Load() != maxFailures+1 {
		t.Errorf("%d calls after the pause, want one more", s.calls.Load())
	}

	// The one that tries it does not hold up the others.
	now = now.Add(pause)
	entered, release := make(chan struct{}), make(chan struct{})
	s.mu.Lock()
	s.answer = func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		ranges(w, r, 12)
	}
	s.mu.Unlock()
	first := make(chan error, 1)
	go func() {
		_, err := l.Count(t.Context(), hashOf(leaked))
		first <- err
	}()
	<-entered
	if paused := ask(3); paused != 3 {
		t.Errorf("%d of 3 went on without", paused)
	}
	close(release)
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.answer = nil
	s.mu.Unlock()
	if n, err := l.Count(t.Context(), hashOf(leaked)); n != 12 || err != nil {
		t.Errorf("when the service is back: %d, %v", n, err)
	}
}

// Whoever goes away does not make an outage for the others.
func TestRule31GoneCallersDoNotSwitchTheServiceOff(t *testing.T) {
	s := newService(t)
	entered := make(chan struct{}, 1)
	s.answer = func(_ http.ResponseWriter, r *http.Request) { entered <- struct{}{}; <-r.Context().Done() }
	l := s.leaks(t)
	for range maxFailures + 1 {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-entered; cancel() }()
		if _, err := l.Count(ctx, hashOf(leaked)); !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who has gone: %v", err)
		}
	}
	s.mu.Lock()
	s.answer = nil
	s.mu.Unlock()
	if n, err := l.Count(t.Context(), hashOf(leaked)); n != 12 || err != nil {
		t.Errorf("the next one: %d, %v", n, err)
	}
}
