package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/weir-id/weir"
	"github.com/weir-id/weir/internal/store/dial"
	"github.com/weir-id/weir/internal/store/storetest"
)

// databases are what every journey runs on.
var databases = []string{"sqlite", "postgres"}

// site is the real program, assembled as the command does it, on a port of
// its own.
type site struct {
	URL string
	*weir.Server
	users    atomic.Int64
	database dial.Options
}

var (
	sitesMu sync.Mutex
	sites   = map[string]*site{}
)

// sharedSite is one site for each database and test process; journeys bring
// their own users. It has the flows of testdata besides the default ones.
func sharedSite(t *testing.T, db string) *site {
	t.Helper()
	sitesMu.Lock()
	defer sitesMu.Unlock()
	if s, ok := sites[db]; ok {
		return s
	}
	s := startSite(t, db, atTheEnd)
	s.apply(t, filepath.Join("testdata", "flows.yaml"))
	s.apply(t, filepath.Join("testdata", "outpost.yaml"))
	s.apply(t, filepath.Join("testdata", "passkeys.yaml"))
	sites[db] = s
	return s
}

// newSite is a site for one test alone, with other settings than usual if set
// makes them.
func newSite(t *testing.T, db string, set ...func(*weir.Settings)) *site {
	t.Helper()
	return startSite(t, db, t.Cleanup, set...)
}

func startSite(t *testing.T, db string, cleanup func(func()), set ...func(*weir.Settings)) *site {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir-e2e")
	if err != nil {
		t.Fatal(err)
	}
	c := weir.Config{Settings: weir.DefaultSettings(), Log: slog.New(slog.NewTextHandler(&logFile, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	c.Data, c.Limits.ClientRate = dir, 0
	c.Bootstrap.Password = "the first administrator's password"
	c.Bootstrap.Token = token
	if db == "postgres" {
		c.DatabaseURL = weir.Secret(storetest.PostgresFor(t, cleanup))
		c.SecretKey = "a secret key of more than thirty-two characters"
	}
	listener := httptest.NewUnstartedServer(nil)
	base, err := url.Parse("http://" + listener.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.BaseURL = base
	for _, change := range set {
		change(&c.Settings)
	}
	server, err := weir.Open(context.Background(), c)
	if err != nil {
		t.Fatalf("open on %s: %v", db, err)
	}
	listener.Config.Handler = server
	listener.Start()
	database := dial.Options{URL: c.DatabaseURL.Reveal(), DataDir: dir}
	cleanup(func() {
		listener.Close()
		checkTrail(database)
		if err := server.Close(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, "close site:", err)
		}
		_ = os.RemoveAll(dir)
	})
	return &site{URL: base.String(), Server: server, database: database}
}

// logFile takes what the sites log; TestMain shows it when a test failed.
var logFile logBuffer

type logBuffer struct {
	mu   sync.Mutex
	data []byte
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data = append(b.data, p...)
	return len(p), nil
}

func (s *site) apply(t *testing.T, path string) {
	t.Helper()
	if _, err := s.Apply(t.Context(), []string{path}, false); err != nil {
		t.Fatalf("apply %s: %v", path, err)
	}
}

// account is somebody who can sign in.
type account struct {
	id       int64
	name     string
	password string
}

// user makes an account; display is the name that pages greet.
func (s *site) user(t *testing.T, display string) account {
	t.Helper()
	n := s.users.Add(1)
	a := account{name: fmt.Sprintf("user%d", n), password: fmt.Sprintf("correct horse %d", n)}
	id, err := s.CreateUser(t.Context(), weir.NewUser{Username: a.name, Name: display, Email: a.name + "@example.com", Password: a.password})
	if err != nil {
		t.Fatal(err)
	}
	a.id = id
	return a
}

// sessions counts where somebody is signed in.
func (s *site) sessions(t *testing.T, a account) int {
	t.Helper()
	n, err := s.CountSessions(t.Context(), a.id)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func sorted(list []string) []string { slices.Sort(list); return list }
