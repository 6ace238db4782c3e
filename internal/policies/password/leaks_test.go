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

	"github.com/google/uuid"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/outbound"
	"github.com/weir-id/weir/policy"
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

// source is one bound policy.
type source struct {
	object  *policy.Object
	binding *policy.Binding
}

func (s source) PolicyBindings(uuid.UUID) []*policy.Binding { return []*policy.Binding{s.binding} }
func (s source) Policy(id uuid.UUID) (*policy.Object, bool) { return s.object, id == s.object.ID }

// run has the engine judge a password by its leaks, with everything logged.
func run(t *testing.T, l *Leaks, plain string) policy.Result {
	t.Helper()
	typ := Type(Env{Leaks: l})
	c := typ.Defaults().(*Config)
	c.CheckLeaks, c.CheckStrength = true, true
	p, err := typ.Build("leaks", c)
	if err != nil {
		t.Fatal(err)
	}
	o := &policy.Object{Name: "leaks", ExecutionLogging: true, Policy: p}
	o.ID = uuid.New()
	b := policy.NewBinding()
	b.Policy = &o.ID
	return (&policy.Engine{}).Evaluate(t.Context(), policy.Run{Source: source{o, &b}, User: identity.Anonymous(), EmptyResult: policy.Pass,
		Context: func() map[string]any { return map[string]any{"prompt_data": map[string]any{"password": plain}} }})
}

func TestRule08UnknownLeaksDeny(t *testing.T) {
	s := newService(t)
	rows := []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request)
		plain  string
		want   policy.Verdict
		say    string
	}{
		{"leaked", nil, leaked, policy.Fail, "stands 12 times"},
		{"not leaked", nil, "tR7#qLw9!vZx2@", policy.Pass, ""},
		{"not leaked but easy to guess", nil, "password1", policy.Fail, "easy to guess"},
		{"nobody knows", status(503), "tR7#qLw9!vZx2@", policy.Error, ""},
		{"nobody understands", says("<html>"), "tR7#qLw9!vZx2@", policy.Error, ""},
	}
	for _, row := range rows {
		s.mu.Lock()
		s.answer = row.answer
		s.mu.Unlock()
		got := run(t, s.leaks(t), row.plain)
		if got.Verdict != row.want || !strings.Contains(strings.Join(got.Messages, "|"), row.say) || row.say == "" && len(got.Messages) > 0 {
			t.Errorf("%s: %v %q (%v)", row.name, got.Verdict, got.Messages, got.Err)
		}
	}
	if got := run(t, &Leaks{}, "tR7#qLw9!vZx2@"); got.Verdict != policy.Error {
		t.Errorf("without a source: %v", got.Verdict)
	}
}

func TestLeaksThatAreAllowed(t *testing.T) {
	s := newService(t)
	for allowed, want := range map[int32]policy.Verdict{11: policy.Fail, 12: policy.Pass} {
		p := &judge{Env{Leaks: s.leaks(t)}, Config{PasswordField: "password", CheckLeaks: true, AllowedLeaks: allowed}}
		got, err := p.Evaluate(t.Context(), &policy.Request{Context: map[string]any{"password": leaked}, User: identity.Anonymous()})
		if err != nil || got.Verdict != want {
			t.Errorf("%d allowed: %v, %v", allowed, got.Verdict, err)
		}
	}
}

// Five digits of the hash leave the process; what is logged and recorded holds
// not even those.
func TestRule45OnlyFiveDigitsLeave(t *testing.T) {
	s := newService(t)
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	hash := hashOf(leaked)
	closed := httptest.NewServer(nil)
	closed.Close()
	sources := map[string]*Leaks{"down": {URL: closed.URL + "/range", Client: outbound.Client(nil), Logger: logger}}
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"answers": nil, "refuses": status(429), "says nonsense": says(hash), "sends away": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
	} {
		own := newService(t)
		own.answer = answer
		l := own.leaks(t)
		l.Logger = logger
		sources[name] = l
		t.Cleanup(func() {
			if asked := own.seen.String(); strings.Contains(asked, hash[:6]) || strings.Contains(asked, leaked) {
				t.Errorf("%s: more than five digits left: %s", name, asked)
			}
		})
	}
	for name, l := range sources {
		for range maxFailures + 1 {
			got := run(t, l, leaked)
			told := fmt.Sprintf("%v %+v %q", got.Err, got.Events, got.Messages)
			for _, secret := range []string{leaked, hash, strings.ToLower(hash), hash[:prefixDigits], hash[prefixDigits:]} {
				if strings.Contains(told, secret) {
					t.Errorf("%s: %q is in %s", name, secret, told)
				}
			}
		}
	}
	if log.Len() == 0 {
		t.Error("nothing was logged, which proves nothing")
	}
	for _, secret := range []string{leaked, hash, hash[:prefixDigits]} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is in the log: %s", secret, log.String())
		}
	}
	if n, err := s.leaks(t).Count(t.Context(), hash); n != 12 || err != nil {
		t.Fatal(n, err)
	}
	if asked := s.seen.String(); !strings.HasPrefix(asked, "GET /range/"+hash[:5]+" HTTP/1.1\r\n") || !strings.Contains(asked, "Add-Padding: true\r\n") {
		t.Errorf("asked %s", asked)
	}
}
