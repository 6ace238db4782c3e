// Package bench measures what needs a lot of data or the whole program. Run it
// with
//
//	go test ./bench -bench . -benchtime 20x
//
// The first benchmark of a database fills it; that is not measured.
package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/dial"
	"github.com/weir-id/weir/internal/store/storetest"
)

const token = "a-token-for-benchmarks-of-weir"

// users is how many people the directory holds: WEIR_BENCH_USERS, or a million.
func users(b *testing.B) int { return number(b, "WEIR_BENCH_USERS", 1_000_000) }

// number is a number from the environment.
func number(b *testing.B, name string, preset int) int {
	s := os.Getenv(name)
	if s == "" {
		return preset
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	return n
}

// site is a running program.
type site struct {
	b      *testing.B
	server *weir.Server
}

func settings(b *testing.B, database string) weir.Settings {
	s := weir.DefaultSettings()
	s.Limits.ClientRate = 0
	s.Data = b.TempDir()
	s.Bootstrap.Token, s.Bootstrap.Password = token, "a-password-for-benchmarks"
	s.Hashing.MemoryKiB, s.Hashing.Time = 7168, 1
	if database == "postgres" {
		s.DatabaseURL, s.SecretKey = weir.Secret(storetest.Postgres(b)), weir.Secret(strings.Repeat("k", 32))
	}
	return s
}

func open(b *testing.B, s weir.Settings) *site {
	server, err := weir.Open(b.Context(), weir.Config{Settings: s, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Close(context.Background()) })
	return &site{b, server}
}

// call does one request and returns the answer's body.
func (s *site) call(method, path, body string, want int) string {
	r := httptest.NewRequest(method, "/api/v3/"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	s.server.ServeHTTP(w, r)
	out, _ := io.ReadAll(w.Body)
	if w.Code != want {
		s.b.Fatalf("%s %s: %d %s", method, path, w.Code, out)
	}
	return string(out)
}

// tables opens the database of a site, for statements that may take their time.
func tables(b *testing.B, s weir.Settings) store.DB {
	url := s.DatabaseURL.Reveal()
	if url != "" {
		url = storetest.With(url, "statement_timeout", "1h")
	}
	db, err := dial.Open(b.Context(), dial.Options{URL: url, DataDir: s.Data})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	return db
}

// fill makes n people, in the tables themselves: the API would take an hour.
func fill(b *testing.B, s weir.Settings, n int) {
	db := tables(b, s)
	series := "with recursive s (n) as (select 1 union all select n + 1 from s where n < $1)"
	uuid := "substr(hex(randomblob(16)) || '', 1, 32)"
	if db.Dialect() == store.Postgres {
		series = "with s (n) as (select generate_series(1, $1::int))"
		uuid = "gen_random_uuid()::text"
	}
	const name = `'person' || n`
	sql := `insert into users (uuid, username, username_key, name, email, email_key, upn_key, is_active, type, path, attributes, password_hash,
			password_changed_at, date_joined, last_updated, search_text) ` + series + `
		select ` + uuid + `, ` + name + `, ` + name + `, 'Person Number ' || n, 'p' || n || '@example.org', 'p' || n || '@example.org', '',
			n % 10 <> 0, 'internal', 'users/' || (n % 50), ` + jsonText(db, `'{"department": "d' || (n % 1000) || '"}'`) + `, '!', $2, $2, $2,
			` + name + ` || char10 || 'person number ' || n || char10 || 'p' || n || '@example.org' from s`
	newline := "char(10)"
	if db.Dialect() == store.Postgres {
		newline = "chr(10)"
	}
	sql = strings.ReplaceAll(sql, "char10", newline)
	if _, err := db.Exec(b.Context(), sql, n, noon); err != nil {
		b.Fatal(err)
	}
	if db.Dialect() == store.Postgres {
		if _, err := db.Exec(b.Context(), "analyze users"); err != nil {
			b.Fatal(err)
		}
	}
}

func jsonText(db store.DB, text string) string {
	if db.Dialect() == store.Postgres {
		return "(" + text + ")::jsonb"
	}
	return text
}

var databases = []string{"sqlite", "postgres"}

// BenchmarkPeople lists, searches and filters the directory.
func BenchmarkPeople(b *testing.B) {
	rows := []struct{ name, path string }{
		{"first page", "core/users/"},
		{"by last login", "core/users/?ordering=-last_login"},
		{"page 1000 of 100", "core/users/?page=1000&page_size=100"},
		{"search one", "core/users/?search=person777777"},
		{"search many", "core/users/?search=person77"},
		{"search two words", "core/users/?search=person%20777777"},
		{"search two letters", "core/users/?search=77"},
		{"by name", "core/users/?username=person777777"},
		{"by e-mail address", "core/users/?email=p777777@example.org"},
		{"by folder", "core/users/?path=users/7"},
		{"by attribute", "core/users/?attributes=%7B%22department%22%3A%22d77%22%7D"},
		{"inactive", "core/users/?is_active=false"},
		{"superusers", "core/users/?is_superuser=true"},

		{"one", "core/users/1/"},
	}
	for _, database := range databases {
		b.Run(database, func(b *testing.B) {
			s := settings(b, database)
			site := open(b, s)
			fill(b, s, users(b))
			for _, row := range rows {
				b.Run(row.name, func(b *testing.B) {
					site.b = b
					for b.Loop() {
						site.call(http.MethodGet, row.path, "", http.StatusOK)
					}
				})
			}
		})
	}
}

// BenchmarkCatalog writes objects one by one through the API, as
// infrastructure-as-code does: create, then read. Each row begins with more
// objects in the catalog; its time must not grow with them.
func BenchmarkCatalog(b *testing.B) {
	for _, database := range databases {
		b.Run(database, func(b *testing.B) {
			site := open(b, settings(b, database))
			made := 0
			create := func() {
				made++
				site.call(http.MethodPost, "stages/dummy/", fmt.Sprintf(`{"name": "stage-%d"}`, made), http.StatusCreated)
			}
			for _, size := range []int{100, 1000, 5000, 10_000} {
				b.Run(strconv.Itoa(size), func(b *testing.B) {
					site.b = b
					for made < size {
						create()
					}
					for b.Loop() {
						create()
					}
				})
			}
		})
	}
}

// noon is when everything happened.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
