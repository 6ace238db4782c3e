package event

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
	"github.com/weir-id/weir/policy"
)

// at is a request from a place, of which known tells what is known.
func at(known map[string]any) *policy.HTTPRequest {
	return &policy.HTTPRequest{ClientIP: netip.MustParseAddr("192.0.2.1"), Located: func() map[string]any { return known }}
}

// position is a place of which only the position matters.
func position(lat, long any) map[string]any {
	return map[string]any{"geoip": map[string]any{"continent": nil, "country": nil, "city": "", "lat": lat, "long": long}}
}

func TestEventsTellWhereTheyCameFrom(t *testing.T) {
	place := map[string]any{"continent": "EU", "country": "DE", "city": "Berlin", "lat": 52.5, "long": 13.4}
	network := map[string]any{"asn": int64(64496), "as_org": nil, "network": "192.0.2.0/24"}
	stored := map[string]any{"asn": 64496.0, "as_org": nil, "network": "192.0.2.0/24"} // as JSON has it
	forged := map[string]any{"geo": "mine", "asn": "mine"}
	tests := []struct {
		name     string
		http     *policy.HTTPRequest
		context  map[string]any
		geo, asn any
	}{
		{"both are known", at(map[string]any{"geoip": place, "asn": network}), nil, place, stored},
		{"one database", at(map[string]any{"geoip": place}), nil, place, nil},
		{"an unknown address", at(map[string]any{"geoip": nil, "asn": nil}), nil, nil, nil},
		{"no databases", at(nil), nil, nil, nil},
		{"no request", nil, nil, nil, nil},
		{"what others wrote gives way", at(map[string]any{"geoip": place, "asn": network}), forged, place, stored},
		{"what others wrote goes where the address is unknown", at(map[string]any{"geoip": nil, "asn": nil}), forged, nil, nil},
		{"without databases the keys are free", at(nil), forged, "mine", "mine"},
		{"a context that is too large", at(map[string]any{"geoip": place, "asn": network}), map[string]any{"big": bigContext()}, place, stored},
	}
	storetest.Each(t, func(t *testing.T, db store.DB) {
		for i, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				got := record(t, db, Event{Action: Action(fmt.Sprintf("custom_%d", i)), HTTP: tt.http, Context: tt.context}).Context
				if diff := cmp.Diff(tt.geo, got["geo"]); diff != "" {
					t.Errorf("geo: %s", diff)
				}
				if diff := cmp.Diff(tt.asn, got["asn"]); diff != "" {
					t.Errorf("asn: %s", diff)
				}
			})
		}
	})
}

func TestPlacedLogins(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		clock := noon
		r := Recorder{Now: func() time.Time { return clock }, Retention: func() time.Duration { return 24 * time.Hour }}
		stranger := identity.NewPerson(identity.User{ID: 8, Username: "stranger"}, nil)
		for _, e := range []struct {
			after  time.Duration
			action Action
			user   *identity.Person
			http   *policy.HTTPRequest
		}{
			{0, Login, alice, at(position(1.0, 1.0))}, // expired by the end
			{48 * time.Hour, Login, alice, at(position(2.0, -2.0))},
			{time.Minute, Login, stranger, at(position(3.0, 3.0))},
			{time.Minute, LoginFailed, alice, at(position(4.0, 4.0))},
			{time.Minute, Login, alice, at(position(5.25, 0.0))},
			{time.Minute, Login, alice, at(position(nil, 6.0))},
			{time.Minute, Login, alice, at(position(7.0, nil))},
			{time.Minute, Login, alice, at(map[string]any{"geoip": nil})},
			{time.Minute, Login, alice, nil},
			{time.Minute, Login, alice, at(position(8.0, 180.0))},
			{time.Minute, "custom_login", alice, at(position(9.0, 9.0))},
		} {
			clock = clock.Add(e.after)
			if err := db.Write(t.Context(), func(ctx context.Context, tx store.Tx) error {
				return r.Record(ctx, tx, Event{Action: e.action, User: e.user, HTTP: e.http})
			}); err != nil {
				t.Fatal(err)
			}
		}
		second := noon.Add(48 * time.Hour)
		all := []PlacedLogin{{second.Add(8 * time.Minute), 8, 180}, {second.Add(3 * time.Minute), 5.25, 0}, {second, 2, -2}}
		for limit := range 5 {
			got, err := r.PlacedLogins(t.Context(), db, alice.ID, limit)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(all[:min(limit, len(all))], append([]PlacedLogin{}, got...)); diff != "" {
				t.Errorf("at most %d: %s", limit, diff)
			}
		}
	})
}

// Somebody's logins are not looked for among those of everybody.
func TestPlacedLoginsAreFoundByTheirPerson(t *testing.T) {
	db := storetest.SQLite(t)
	plan, err := store.Select(t.Context(), db, func(row store.Row) (detail string, err error) {
		var id, parent, unused int
		err = row.Scan(&id, &parent, &unused, &detail)
		return detail, err
	}, "explain query plan "+selectPlacedLogins, alice.ID, string(Login), noon, 5)
	if err != nil || !strings.Contains(strings.Join(plan, "\n"), "(user_id=? AND action=?") {
		t.Errorf("%q, %v", plan, err)
	}
}
