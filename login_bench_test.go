package weir

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/weir-id/weir/bench/measure"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

// bare is a handler that does what a login did to the database, in the same
// transactions, and writes the same answers: what net/http and the database
// cost without an engine.
type bare struct {
	db     store.DB
	did    []effort
	bodies [][]byte
	fresh  map[string]string
}

// begin starts another login, with keys and ids of its own.
func (h *bare) begin() {
	h.fresh = map[string]string{}
	for _, e := range h.did {
		for _, w := range e.done {
			for _, q := range w.queries {
				ids := 0
				switch {
				case strings.HasPrefix(q.sql, "insert into sessions"):
					ids = 2
				case strings.HasPrefix(q.sql, "insert into executions"), strings.HasPrefix(q.sql, "insert into events"):
					ids = 1
				}
				for _, id := range q.args[:ids] {
					h.fresh[fmt.Sprint(id)] = uuid.NewString()
				}
			}
		}
	}
}

func (h *bare) args(of []any) []any {
	args := make([]any, len(of))
	for i, v := range of {
		args[i] = v
		switch v := v.(type) {
		case string:
			if id, ok := h.fresh[v]; ok {
				args[i] = id
			}
		case uuid.UUID:
			if id, ok := h.fresh[v.String()]; ok {
				args[i] = id
			}
		}
	}
	return args
}

func (h *bare) run(ctx context.Context, q store.Querier, queries []query) error {
	for _, x := range queries {
		sql := strings.TrimSpace(x.sql)
		if !strings.HasPrefix(sql, "select") && !strings.Contains(sql, "returning") {
			if _, err := q.Exec(ctx, sql, h.args(x.args)...); err != nil {
				return err
			}
			continue
		}
		rows, err := q.Query(ctx, sql, h.args(x.args)...)
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (h *bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var i int
	_, _ = fmt.Sscan(r.PathValue("i"), &i)
	_, _ = io.Copy(io.Discard, r.Body)
	for _, part := range h.did[i].done {
		err := error(nil)
		if part.write {
			err = h.db.Write(r.Context(), func(ctx context.Context, tx store.Tx) error { return h.run(ctx, tx, part.queries) })
		} else {
			err = h.run(r.Context(), h.db, part.queries)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(h.bodies[i])
}

// hashTime is the processor time of one verification alone.
func hashTime(b *testing.B, site *Server) time.Duration {
	stored, err := site.people.HashPassword(b.Context(), measure.Password)
	if err != nil {
		b.Fatal(err)
	}
	least := time.Hour
	for range 5 {
		const n = 20
		begin := measure.CPUTime(b)
		for range n {
			if ok, err := site.hasher.Verify(b.Context(), stored, measure.Password); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
		least = min(least, (measure.CPUTime(b)-begin)/n)
	}
	return least
}

// BenchmarkLogin measures a whole login of six requests, with the cost of
// hashing that new installations have and with the least that is allowed, and
// the same reads and writes without an engine. What PostgreSQL's server costs
// is not in it.
func BenchmarkLogin(b *testing.B) {
	for _, database := range []string{"sqlite", "postgres"} {
		for _, cost := range []string{"owasp", "least"} {
			b.Run(database+"/"+cost, func(b *testing.B) {
				s := settings(b)
				if cost == "owasp" {
					s.Hashing = DefaultSettings().Hashing
				}
				if database == "postgres" {
					s.DatabaseURL, s.SecretKey = Secret(storetest.Postgres(b)), Secret(strings.Repeat("k", 32))
				}
				s.Bootstrap.Password = measure.Password
				site := assembled(b, s)
				ctx := b.Context()
				did := make([]effort, len(measure.LoginRequests))
				bodies, err := measure.Login(site, func(i int) context.Context { return did[i].in(ctx) })
				if err != nil {
					b.Fatal(err)
				}
				hash := hashTime(b, site)
				var engine time.Duration
				b.Run("engine", func(b *testing.B) {
					each := measure.CPU(b, func() {
						if _, err := measure.Login(site, func(int) context.Context { return ctx }); err != nil {
							b.Fatal(err)
						}
					})
					b.ReportMetric(measure.Microseconds(hash), "hash-cpu-us/op")
					b.ReportMetric(100*float64(hash)/float64(each), "%hashing")
					engine = each - hash
				})
				b.Run("bare", func(b *testing.B) {
					h := &bare{db: site.db, did: did, bodies: bodies}
					mux := http.NewServeMux()
					mux.Handle("/bare/{i}", h)
					each := measure.CPU(b, func() {
						h.begin()
						for i, step := range measure.LoginRequests {
							w := httptest.NewRecorder()
							mux.ServeHTTP(w, httptest.NewRequestWithContext(ctx, step.Method, fmt.Sprintf("/bare/%d", i), strings.NewReader(step.Body)))
							if w.Code != http.StatusOK {
								b.Fatalf("request %d: %s", i, w.Body)
							}
						}
					})
					b.ReportMetric(float64(engine)/float64(each), "engine/bare")
				})
			})
		}
	}
}
