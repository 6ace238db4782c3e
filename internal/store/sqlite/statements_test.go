package sqlite_test

import (
	"fmt"
	"testing"

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

// A statement that was used before sees other arguments, another schema and a
// failure of its own as a new one would.
func TestStatementsServeAgain(t *testing.T) {
	db := storetest.SQLite(t)
	exec := func(sql string, args ...any) error { _, err := db.Exec(t.Context(), sql, args...); return err }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(exec("create table words (id integer primary key, word text unique)"))
	const insert, all = "insert into words (word) values ($1)", "select * from words where word >= $1 order by id"
	must(exec(insert, "one"))
	if err := exec(insert, "one"); err == nil {
		t.Error("a word that is there is taken again")
	}
	must(exec(insert, "two"))
	count := func(from string) (n int) {
		t.Helper()
		rows, err := db.Query(t.Context(), all, from)
		must(err)
		defer rows.Close()
		for rows.Next() {
			n++
		}
		must(rows.Err())
		return n
	}
	for from, want := range map[string]int{"": 2, "p": 1, "z": 0} {
		if got := count(from); got != want {
			t.Errorf("%d words from %q, want %d", got, from, want)
		}
	}

	// Rows that are not read to their end hold nothing up, and two results of one
	// text do not disturb each other.
	first, err := db.Query(t.Context(), all, "")
	must(err)
	first.Next()
	if got := count(""); got != 2 {
		t.Errorf("%d words beside an open result", got)
	}
	first.Close()

	must(exec("alter table words add column length integer not null default 3"))
	for range 8 { // on each connection of the pool
		var id, length int
		var word string
		must(db.QueryRow(t.Context(), all, "p").Scan(&id, &word, &length))
		if word != "one" && word != "two" || length != 3 {
			t.Errorf("after the change of the table: %q %d", word, length)
		}
	}

	// More texts than are kept.
	for i := range 300 {
		var got int
		if err := db.QueryRow(t.Context(), fmt.Sprintf("select %d + $1", i), 1).Scan(&got); err != nil || got != i+1 {
			t.Fatalf("text %d gives %d, %v", i, got, err)
		}
	}
	if err := db.QueryRow(t.Context(), all, "z").Scan(new(int)); err != store.ErrNotFound {
		t.Errorf("no row gives %v", err)
	}
}
