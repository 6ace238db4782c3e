package weir

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weir-id/weir/internal/store"
)

// effort is how often one request asked the database: reads outside of
// transactions, and write transactions.
type effort struct{ reads, writes atomic.Int32 }

type effortKey struct{}

// watchedDB counts for the request whose context a query comes with.
type watchedDB struct{ store.DB }

func watched(db store.DB) store.DB { return watchedDB{db} }

func count(ctx context.Context, what func(*effort) *atomic.Int32) {
	if e, ok := ctx.Value(effortKey{}).(*effort); ok {
		what(e).Add(1)
	}
}

func reads(e *effort) *atomic.Int32  { return &e.reads }
func writes(e *effort) *atomic.Int32 { return &e.writes }

func (db watchedDB) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	count(ctx, writes)
	return db.DB.Exec(ctx, sql, args...)
}

func (db watchedDB) Query(ctx context.Context, sql string, args ...any) (store.Rows, error) {
	count(ctx, reads)
	return db.DB.Query(ctx, sql, args...)
}

func (db watchedDB) QueryRow(ctx context.Context, sql string, args ...any) store.Row {
	count(ctx, reads)
	return db.DB.QueryRow(ctx, sql, args...)
}

func (db watchedDB) Write(ctx context.Context, fn func(context.Context, store.Tx) error) error {
	count(ctx, writes)
	return db.DB.Write(ctx, fn)
}

// assembled is a site without work in the background, which knows its own
// databases only.
func assembled(t *testing.T, c Config) *Server {
	t.Helper()
	in, err := Connect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	site := &Server{Installation: in}
	t.Cleanup(func() { _ = site.Close(context.Background()) })
	if err := site.setUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := site.assemble(); err != nil {
		t.Fatal(err)
	}
	return site
}

// TestBudgetOfTheDatabase holds each request of a login to what it may ask the
// database: one read of session and execution besides what the stage looks up,
// one write transaction, two where a secret is guessed, and nothing to write
// for the first look of a visitor.
func TestBudgetOfTheDatabase(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.Bootstrap.Password = "correct horse"
		site := assembled(t, Config{Settings: s, Log: slog.New(slog.DiscardHandler), watch: watched})
		const page = "/if/flow/default-authentication-flow/"
		rows := []struct {
			name, method, path, body string
			reads, writes            int32
		}{
			// Besides session and execution, a step looks the person up; a wrong
			// password also app passwords, and the login also sessions from
			// the same address.
			{"the first challenge", "GET", loginFlow, "", 0, 0},
			{"the first challenge once more", "GET", loginFlow, "", 1, 0},
			{"the first page", "GET", page, "", 1, 0},
			{"an answer that is none", "POST", loginFlow, "{}", 1, 0},
			{"a name", "POST", loginFlow, `{"uid_field":"akadmin"}`, 2, 1},
			{"the challenge of the password", "GET", loginFlow, "", 2, 0},
			{"a wrong password", "POST", loginFlow, `{"password":"wrong"}`, 3, 2},
			{"the right password", "POST", loginFlow, `{"password":"correct horse"}`, 2, 2},
			{"the second factor, which nobody has", "GET", loginFlow, "", 2, 1},
			{"the login", "GET", loginFlow, "", 3, 1},
		}
		cookies := map[string]string{}
		for _, row := range rows {
			var did effort
			r := httptest.NewRequestWithContext(context.WithValue(t.Context(), effortKey{}, &did), row.method, row.path, strings.NewReader(row.body))
			for name, value := range cookies {
				r.AddCookie(&http.Cookie{Name: name, Value: value})
			}
			if row.body != "" {
				r.Header.Set("Content-Type", "application/json")
			}
			w := httptest.NewRecorder()
			site.ServeHTTP(w, r)
			for _, c := range w.Result().Cookies() {
				cookies[c.Name] = c.Value
			}
			got := fmt.Sprintf("%d reads, %d writes", did.reads.Load(), did.writes.Load())
			if did.reads.Load() > row.reads || did.writes.Load() > row.writes {
				t.Errorf("%s: %s, want at most %d and %d", row.name, got, row.reads, row.writes)
			}
			if strings.Contains(w.Body.String(), "ak-stage-flow-error") || w.Code >= 400 {
				t.Fatalf("%s: answer %d %s", row.name, w.Code, w.Body)
			}
		}
	})
}
