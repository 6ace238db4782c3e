package bench

import (
	"context"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weir-id/weir"
	"github.com/weir-id/weir/bench/measure"
	"github.com/weir-id/weir/internal/store"
)

// fillEvents makes n events of the last year, about as many for each person.
func fillEvents(b *testing.B, s weir.Settings, n, people int) {
	db := tables(b, s)
	series := "with recursive s (n) as (select $1 union all select n + 1 from s where n < $2)"
	id, created := "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))",
		"datetime(unixepoch() - cast(n * $4 as integer), 'unixepoch') || '+00:00'"
	expires := "datetime(unixepoch() + 31536000, 'unixepoch') || '+00:00'"
	if db.Dialect() == store.Postgres {
		series = "with s (n) as (select generate_series($1::int, $2::int))"
		id, created, expires = "gen_random_uuid()::text", "now() - make_interval(secs => n * $4::float8)", "now() + interval '1 year'"
	}
	sql := "insert into events (id, action, app, user_json, context, client_ip, brand, created, expires, user_id, username) " + series + `
		select ` + id + `, case n % 3 when 0 then 'login' when 1 then 'login_failed' else 'logout' end, 'flow',
			` + jsonText(db, `'{"username": "person' || (n % $3::int) || '"}'`) + `, ` + jsonText(db, `'{"auth_method": "password", "auth_method_args": {}, "http_request": {"path": "/api/v3/flows/executor/default-authentication-flow/", "method": "POST",
				"args": {"next": "/"}, "user_agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36", "request_id": "0123456789abcdef"}}'`) + `, '192.0.2.1',
			` + jsonText(db, `'{}'`) + `, ` + created + `, ` + expires + `, (select min(id) from users) + 1 + n % $3::int, 'person' || (n % $3::int) from s`
	if db.Dialect() == store.SQLite {
		sql = strings.ReplaceAll(sql, "$3::int", "$3")
	}
	const batch = 20_000
	for from := 1; from <= n; from += batch {
		if _, err := db.Exec(b.Context(), sql, from, min(n, from+batch-1), people, 31536000/float64(n)); err != nil {
			b.Fatal(err)
		}
	}
}

// turn is how many logins come in a row, so that the garbage collector does not
// fall into step with the turns.
const turn = 16

// BenchmarkScale compares a login on a new store with one among
// WEIR_BENCH_USERS people and WEIR_BENCH_EVENTS events, taking turns. It runs
// only where WEIR_BENCH_EVENTS is set, since filling the store takes minutes.
func BenchmarkScale(b *testing.B) {
	events, err := strconv.Atoi(os.Getenv("WEIR_BENCH_EVENTS"))
	if err != nil {
		b.Skip("WEIR_BENCH_EVENTS names no number of events")
	}
	for _, database := range databases {
		b.Run(database, func(b *testing.B) {
			site := func(full bool) *weir.Server {
				s := settings(b, database)
				s.Bootstrap.Password = measure.Password
				site := open(b, s)
				if full {
					fill(b, s, users(b))
					fillEvents(b, s, events, users(b))
				}
				return site.server
			}
			sites := []*weir.Server{site(false), site(true)}
			var clock, cpu [2][]time.Duration
			for b.Loop() {
				for i, site := range sites {
					begin, used := time.Now(), measure.CPUTime(b)
					for range turn {
						if _, err := measure.Login(site, func(int) context.Context { return b.Context() }); err != nil {
							b.Fatal(err)
						}
					}
					cpu[i] = append(cpu[i], (measure.CPUTime(b)-used)/turn)
					clock[i] = append(clock[i], time.Since(begin)/turn)
				}
			}
			median := func(of []time.Duration) float64 { slices.Sort(of); return measure.Microseconds(of[len(of)/2]) }
			b.ReportMetric(median(cpu[0]), "new-cpu-us")
			b.ReportMetric(median(cpu[1]), "full-cpu-us")
			b.ReportMetric(median(cpu[1])/median(cpu[0]), "cpu-ratio")
			b.ReportMetric(median(clock[1])/median(clock[0]), "time-ratio")
		})
	}
}
