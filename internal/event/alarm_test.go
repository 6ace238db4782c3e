package event

import (
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/weir-id/weir/internal/store/storetest"
	"github.com/weir-id/weir/policy"
)

// Strangers cannot fill the audit trail.
func TestAlarmsAreBounded(t *testing.T) {
	db := storetest.SQLite(t)
	now := noon
	a := &Alarm{DB: db, Events: &Recorder{Now: func() time.Time { return now }}, Log: slog.New(slog.DiscardHandler)}
	raise := func(from string, action Action) int {
		a.Raise(t.Context(), action, &policy.HTTPRequest{ClientIP: netip.MustParseAddr(from)}, "m")
		n := 0
		if err := db.QueryRow(t.Context(), "select count(*) from events where action = $1", string(action)).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	got := 0
	for i := range 2 * alarmsPerClient {
		got = raise(fmt.Sprintf("2001:db8::%d", i), SuspiciousRequest)
	}
	if got != alarmsPerClient {
		t.Errorf("one network left %d events, want %d", got, alarmsPerClient)
	}
	if got := raise("192.0.2.1", SuspiciousRequest); got != alarmsPerClient+1 {
		t.Errorf("with another client there are %d events", got)
	}
	if got := raise("2001:db8::1", SystemException); got != 1 {
		t.Errorf("another action of the same client left %d events", got)
	}
	for i := range 2 * alarmsInAll {
		got = raise(fmt.Sprintf("10.0.%d.%d", i/200, i%200), SuspiciousRequest)
	}
	if got != alarmsInAll {
		t.Errorf("many clients left %d events, want %d", got, alarmsInAll)
	}
	now = now.Add(alarmWindow)
	if got := raise("2001:db8::1", SuspiciousRequest); got != alarmsInAll+1 {
		t.Errorf("an hour later there are %d events", got)
	}
}
