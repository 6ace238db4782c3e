package e2e

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite"
)

// TestAStepThatIsKilledHalfwayHasNotHappened kills the program at chosen points
// of a step: between the count of a guess and the step, inside the step's
// transaction, and between the transaction and the answer.
func TestAStepThatIsKilledHalfwayHasNotHappened(t *testing.T) {
	const password = "the first administrator's password"
	for _, db := range databases {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			in := newInstallation(t, db, "WEIR_BOOTSTRAP_PASSWORD="+password)
			p := in.serve()
			look := in.open()
			ask := func(v *visitor, method, path string, body object) response {
				t.Helper()
				r, err := v.ask(t.Context(), p.URL, method, path, body)
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			// killIn kills the program while a request is stuck in its step.
			killIn := func(v *visitor, method string, body object) {
				t.Helper()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				stuck, release := in.stall()
				gone := make(chan error)
				go func() { _, err := v.ask(ctx, p.URL, method, loginPath, body); gone <- err }()
				wait(t, stuck)
				p.kill()
				if err := <-gone; err == nil {
					t.Error("a step that was not stored has been answered")
				}
				release()
				p = in.serve()
			}
			shows := func(v *visitor, want string) {
				t.Helper()
				if r := ask(v, "GET", loginPath, nil); r.component() != want {
					t.Errorf("the flow shows %d %s, want %s", r.status, r.text, want)
				}
			}
			nobody := func(v *visitor) {
				t.Helper()
				if r := ask(v, "GET", mePath, nil); r.status != 403 {
					t.Errorf("the browser is signed in: %s", r.text)
				}
			}

			v := newVisitor(t, "")
			shows(v, "ak-stage-identification")
			ask(v, "POST", loginPath, object{"uid_field": "akadmin"})
			shows(v, "ak-stage-password")
			killIn(v, "POST", object{"password": "a guess"})
			counts(t, look, map[string]int{
				"select coalesce(sum(n), 0) from session_counters":                          1, // it is spent
				"select coalesce(sum(failures), 0) from guesses where kind = 'account'":     1,
				"select count(*) from events where action = 'login_failed'":                 0,
				"select count(*) from executions where version <> 1":                        0,
				"select count(*) from sessions where user_id is not null":                   0,
				"select count(*) from execution_steps":                                      1,
				"select count(*) from executions e, sessions s where s.key = e.session_key": 1,
			})
			shows(v, "ak-stage-password")
			guesses := 1
			for ; guesses < 10; guesses++ {
				if r := ask(v, "POST", loginPath, object{"password": "another guess"}); r.component() != "ak-stage-password" {
					break
				}
			}
			if guesses != 4 { // of five
				t.Errorf("%d guesses were let through after the one that was killed", guesses)
			}
			nobody(v)

			v = newVisitor(t, "")
			shows(v, "ak-stage-identification")
			ask(v, "POST", loginPath, object{"uid_field": "akadmin"})
			killIn(v, "POST", object{"password": password})
			shows(v, "ak-stage-password")
			if r := ask(v, "POST", loginPath, object{"password": password}); r.status != 302 {
				t.Errorf("the password is refused: %s", r.text)
			}
			if r := ask(v, "GET", loginPath, nil); r.status != 302 { // no second factor
				t.Errorf("after the password: %s", r.text)
			}
			killIn(v, "GET", nil) // would sign in
			nobody(v)
			signedIn := map[string]int{
				"select count(*) from events where action = 'login'":      0,
				"select count(*) from sessions where user_id is not null": 0,
			}
			counts(t, look, signedIn)
			// The same step, and its answer gets lost.
			other := newVisitor(t, "")
			other.http.Jar.SetCookies(here, v.http.Jar.Cookies(here))
			shows(other, "xak-flow-redirect")
			p.kill()
			p = in.serve()
			nobody(v)
			shows(v, "ak-stage-identification")
			for query := range signedIn {
				signedIn[query] = 1
			}
			counts(t, look, signedIn)
			checkStore(t, look)
		})
	}
}

// wait polls until a condition holds.
func wait(t *testing.T, until func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(patience); !until(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it does not happen")
		}
	}
}

// stall holds every step up at its end, inside its transaction. stuck tells
// whether one is there.
func (in *installation) stall() (stuck func() bool, release func()) {
	in.t.Helper()
	if in.url == "" {
		return in.stallSQLite()
	}
	return in.stallPostgres()
}

// stallPostgres makes steps wait for a lock that the test has.
func (in *installation) stallPostgres() (stuck func() bool, release func()) {
	t, ctx := in.t, in.t.Context()
	conn, err := pgx.Connect(ctx, in.url)
	if err != nil {
		t.Fatal(err)
	}
	run := func(query string) {
		t.Helper()
		if _, err := conn.Exec(ctx, query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	run("select pg_advisory_lock(77)")
	run("create function stall() returns trigger language plpgsql as 'begin perform pg_advisory_xact_lock(77); return new; end'")
	run("create trigger stall before insert on execution_steps for each row execute function stall()")
	stuck = func() bool {
		var waiting bool
		err := conn.QueryRow(ctx, `select exists (select from pg_locks where locktype = 'advisory' and objid = 77 and not granted
			and database = (select oid from pg_database where datname = current_database()))`).Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
		return waiting
	}
	return stuck, func() {
		run("select pg_advisory_unlock(77)")
		run("drop function stall cascade")
		if err := conn.Close(ctx); err != nil {
			t.Error(err)
		}
	}
}

// stallSQLite makes steps count to a number that they never reach. No other
// process can write meanwhile, which is how they are noticed.
func (in *installation) stallSQLite() (stuck func() bool, release func()) {
	t, ctx := in.t, in.t.Context()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(in.data, "weir.db")+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1) // which has the pragmas
	if _, err := db.ExecContext(ctx, `pragma busy_timeout = 10000; create trigger stall before insert on execution_steps begin
		select count(*) from (with recursive c (x) as (select 1 union all select x + 1 from c) select x from c); end; pragma busy_timeout = 0`); err != nil {
		t.Fatal(err)
	}
	refused := 0 // in a row: other writes of the program are short
	stuck = func() bool {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			refused++
			return refused > 40
		}
		refused = 0
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		return false
	}
	return stuck, func() {
		if _, err := db.ExecContext(ctx, "pragma busy_timeout = 10000; drop trigger stall"); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
