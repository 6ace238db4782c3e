package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/weir-id/weir/internal/store"
)

// events counts what the audit trail holds.
type events struct {
	t     *testing.T
	users map[string]int // by action and user
	named map[string]int // by action, model and name
	keyed map[string]int // by action, model and key
}

func readEvents(t *testing.T, db store.DB) *events {
	t.Helper()
	e := &events{t: t, users: map[string]int{}, named: map[string]int{}, keyed: map[string]int{}}
	rows, err := db.Query(t.Context(), "select action, coalesce(user_id, 0), context from events")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var action string
		var user int64
		var details struct {
			Model struct {
				PK    string
				Name  string
				Model string `json:"model_name"`
			}
		}
		if err := rows.Scan(&action, &user, store.JSON(&details)); err != nil {
			t.Fatal(err)
		}
		m := details.Model
		e.users[fmt.Sprint(action, " ", user)]++
		e.named[fmt.Sprint(action, " ", m.Model, " ", m.Name)]++
		if action == "model_created" || action == "model_deleted" {
			e.keyed[fmt.Sprint(action, " ", m.Model, " ", m.PK)]++
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *events) of(action string, user int64) int { return e.users[fmt.Sprint(action, " ", user)] }

func (e *events) about(action, model, name string) int {
	return e.named[fmt.Sprint(action, " ", model, " ", name)]
}

// onceEach makes sure that nothing was created or deleted twice.
func (e *events) onceEach() {
	if len(e.keyed) == 0 {
		e.t.Error("there are no events of objects")
	}
	for what, n := range e.keyed {
		if n != 1 {
			e.t.Errorf("%s is recorded %d times", what, n)
		}
	}
}

// checkStore looks for what a transaction that was cut off would leave behind.
func checkStore(t *testing.T, db store.DB) {
	t.Helper()
	if db.Dialect() == store.SQLite {
		var verdict string
		if err := db.QueryRow(t.Context(), "pragma integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
			t.Errorf("integrity check: %q %v", verdict, err)
		}
		none(t, db, "rows refer to nothing", "select count(*) from pragma_foreign_key_check()")
	}
	var head, revisions int64
	err := db.QueryRow(t.Context(), "select revision, (select count(*) from catalog_revisions) from catalog_head").Scan(&head, &revisions)
	if err != nil || head == 0 || head != revisions {
		t.Errorf("the head is revision %d of %d (%v)", head, revisions, err)
	}
	for what, query := range map[string]string{
		"revisions are beyond the head":            "select count(*) from catalog_revisions where revision > (select revision from catalog_head)",
		"versions belong to no revision":           "select count(*) from catalog_versions v where not exists (select 1 from catalog_revisions r where r.revision = v.revision)",
		"revisions changed nothing":                "select count(*) from catalog_revisions r where not exists (select 1 from catalog_versions v where r.revision = v.revision)",
		"objects have no or the wrong current one": "select count(*) from (select id from catalog_versions group by id having max(revision) <> coalesce(max(case when current then revision end), 0)) x",
		"references come from nowhere":             "select count(*) from catalog_refs f where not exists (select 1 from catalog_versions v where v.id = f.from_id and v.current and not v.deleted)",
		"executions have no session":               "select count(*) from executions e where not exists (select 1 from sessions s where s.key = e.session_key)",
		"executions are of no flow":                "select count(*) from executions e where not exists (select 1 from catalog_versions v where v.id = e.flow_id and v.kind = 'flow')",
		"executions have not the steps they took":  "select count(*) from executions e where version <> (select count(*) from execution_steps s where s.execution_id = e.id)",
		"traces have gaps":                         "select count(*) from (select execution_id from execution_steps group by execution_id having count(*) <> max(n)) x",
		"sessions are of nobody that exists":       "select count(*) from sessions s where user_id is not null and not exists (select 1 from users u where u.id = s.user_id)",
		"users never signed in and have a session": "select count(*) from sessions s join users u on u.id = s.user_id where u.last_login is null",
	} {
		none(t, db, what, query)
	}
}

// none makes sure that the count is 0.
func none(t *testing.T, db store.DB, what, query string) {
	t.Helper()
	var n int
	if err := db.QueryRow(context.WithoutCancel(t.Context()), query).Scan(&n); err != nil || n != 0 {
		t.Errorf("%d %s (%v)", n, what, err)
	}
}
