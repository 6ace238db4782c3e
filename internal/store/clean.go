package store

import (
	"context"
	"fmt"
	"time"
)

// cleanBatch is how many rows one transaction of Clean deletes: few enough that
// nobody waits for the writer noticeably.
const cleanBatch = 500

// expired lists the tables whose rows end by themselves: the key, and which rows
// besides their time are meant. API tokens are kept, for they are renewed
// rather than removed.
var expired = []struct{ table, key, only string }{
	{"executions", "id", ""},
	{"sessions", "key", ""},
	{"session_counters", "session_key, name", ""},
	{"guesses", "id", ""},
	{"reputation", "id", ""},
	{"execution_steps", "execution_id, n", ""},
	{"invitations", "id", ""},
	{"consents", "id", ""},
	{"flow_tokens", "id", ""},
	{"tokens", "id", " and expiring and intent <> 'api'"},
	{"events", "id", ""},
	{"mails", "id", ""},
	{"notifications", "id", ""},
	{"notification_counts", "rule_id, minute", ""},
}

// Clean deletes what has expired before now, in small transactions, and returns
// how many rows went (those that a cascade took along are not counted). It only
// frees space: whoever reads such a row checks its expiry.
func Clean(ctx context.Context, db DB, now time.Time) (deleted int64, err error) {
	for _, e := range expired {
		// The outer condition repeats the inner one: in PostgreSQL a row may be
		// renewed between the choice and the deletion.
		sql := fmt.Sprintf(`delete from %[1]s where (%[2]s) in
			(select %[2]s from %[1]s where expires < $1%[3]s limit %[4]d) and expires < $1%[3]s`,
			e.table, e.key, e.only, cleanBatch)
		for {
			n, err := db.Exec(ctx, sql, now)
			deleted += n
			if err != nil {
				return deleted, fmt.Errorf("clean %s: %w", e.table, err)
			}
			if n == 0 {
				break
			}
		}
	}
	return deleted, nil
}
