package store_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

func TestCleanDeletesWhatExpiredAndNothingElse(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	storetest.Each(t, func(t *testing.T, db store.DB) {
		err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
			var user int64
			if err := tx.QueryRow(ctx, `insert into users (uuid, username, username_key, name, email, email_key, upn_key, is_active,
					type, path, attributes, password_hash, password_changed_at, date_joined, last_updated)
				values ('u', 'u', 'u', '', '', '', '', true, '', '', '{}', '', $1, $1, $1) returning id`, now).Scan(&user); err != nil {
				return err
			}
			for name, at := range map[string]time.Time{"old": now.Add(-time.Second), "new": now} {
				for _, insert := range []string{
					`insert into sessions (key, uuid, created, expires, last_used, last_ip, last_user_agent, browser_length, data,
						auth_backend, auth_method, auth_method_args, network_binding, geoip_binding)
						values ($1, $1, $2, $2, $2, '', '', false, '{}', '', '', '{}', '', '')`,
					`insert into executions (id, session_key, flow_id, version, plan, created, updated, expires)
						values ($1, $1, $1, 1, '', $2, $2, $2)`,
					`insert into session_counters (session_key, name, n, expires) values ($1, 'c', 1, $2)`,
					`insert into execution_steps (execution_id, n, created, expires, step) values ($1, 1, $2, $2, '{}')`,
					`insert into events (id, action, app, user_json, context, client_ip, brand, created, expires)
						values ($1, '', '', '{}', '{}', '', '{}', $2, $2)`,
					`insert into mails (id, state, purpose, recipient, attempts, last_error, created, next_try, locked_until, valid_until, expires)
						values ($1, '', '', '', 0, '', $2, $2, $2, $2, $2)`,
					`insert into reputation (id, identifier, ip, ip_geo_data, ip_asn_data, score, updated, expires)
						values ($1, $1, '', '{}', '{}', -5, $2, $2)`,
					`insert into notifications (id, user_id, severity, body, seen, created, expires) select $1, id, '', '', false, $2, $2 from users`,
					`insert into notification_counts (rule_id, minute, fired, expires) values ($1, $2, 1, $2)`,
				} {
					if _, err := tx.Exec(ctx, insert, name, at); err != nil {
						return fmt.Errorf("%s: %w", insert, err)
					}
				}
			}
			old := now.Add(-time.Second)
			for _, token := range []struct {
				name, intent string
				expires      *time.Time
				expiring     bool
			}{
				{"old", "recovery", &old, true},
				{"new", "recovery", &now, true},
				{"kept api", "api", &old, true},
				{"kept for ever", "recovery", &old, false},
				{"kept without a time", "recovery", nil, true},
			} {
				if _, err := tx.Exec(ctx, `insert into tokens (id, identifier, key_hash, key_sealed, intent, user_id, description, expires, expiring, created)
					values ($1, $1, $1, '', $2, $3, '', $4, $5, $6)`, token.name, token.intent, user, token.expires, token.expiring, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		n, err := store.Clean(t.Context(), db, now)
		if err != nil || n != 10 {
			t.Errorf("deleted %d, %v, want 10", n, err)
		}
		for column, want := range map[string][]string{
			"key from sessions":                 {"new"},
			"id from executions":                {"new"},
			"session_key from session_counters": {"new"},
			"execution_id from execution_steps": {"new"},
			"id from events":                    {"new"},
			"id from mails":                     {"new"},
			"id from reputation":                {"new"},
			"id from notifications":             {"new"},
			"rule_id from notification_counts":  {"new"},
			"id from tokens":                    {"kept api", "kept for ever", "kept without a time", "new"},
		} {
			got, err := store.Select(t.Context(), db, store.Column[string], "select "+column)
			slices.Sort(got)
			if err != nil || !cmp.Equal(got, want) {
				t.Errorf("%s: %q, %v, want %q", column, got, err, want)
			}
		}
	})
}

func TestCleanGoesOnAfterAFullBatch(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	storetest.Each(t, func(t *testing.T, db store.DB) {
		if _, err := db.Exec(t.Context(), `with recursive c(i) as (select 1 union all select i + 1 from c where i < 1201)
			insert into session_counters (session_key, name, n, expires) select 'k' || i, '', 0, $1 from c`, now.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		if n, err := store.Clean(t.Context(), db, now); err != nil || n != 1201 {
			t.Errorf("deleted %d, %v, want 1201", n, err)
		}
	})
}
