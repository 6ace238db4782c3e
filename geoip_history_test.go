package weir

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/geoip"
	"github.com/weir-id/weir/internal/geoip/geoiptest"
)

// Earlier logins are those of the events.
func TestWhoeverIsTooFarFromEarlierLoginsIsDenied(t *testing.T) {
	rows := []struct {
		name, slug string
		// first is where the person has signed in, after is how long ago, and
		// then they come from now.
		first []string
		after time.Duration
		now   string
		want  string
	}{
		{"the first login", "by-history", nil, 0, inOttawa, "in"},
		{"the first login, by travel", "by-travel", nil, 0, inOttawa, "in"},
		{"at home again", "by-history", []string{inBerlin}, time.Minute, inBerlinDSL, "in"},
		{"480 km away", "by-history", []string{inBerlin}, 1000 * time.Hour, inBonn, notThere},
		{"480 km away at once", "by-travel", []string{inBerlin}, time.Second, inBonn, "in"},
		{"6100 km away at once", "by-travel", []string{inBerlin}, time.Second, inOttawa, notThere},
		{"6100 km away within 7 hours", "by-travel", []string{inBerlin}, 7 * time.Hour, inOttawa, "in"},
		{"6100 km away within 6 hours", "by-travel", []string{inBerlin}, 6*time.Hour + 59*time.Minute, inOttawa, notThere},
		{"the fifth login before counts", "by-history", []string{inOttawa, inBerlin, inBerlin, inBerlin, inBerlin}, 0, inBerlin, notThere},
		{"the sixth does not", "by-history", []string{inOttawa, inBerlin, inBerlin, inBerlin, inBerlin, inBerlin}, 0, inBerlin, "in"},
		{"logins from nowhere do not", "by-history", []string{inBerlin, inNoPlace, inNoPlace, inNoPlace, inNoPlace, inNoPlace}, 0, inBonn, notThere},
	}
	each(t, func(t *testing.T, s Settings) {
		s.Bootstrap.Password = "correct horse"
		mapped(t, &s)
		var passed atomic.Int64
		site, err := Open(t.Context(), Config{Settings: s, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = site.Close(context.Background()) })
		guarded(t, site)
		for _, row := range rows {
			forgetEvents(t, site)
			for _, ip := range row.first {
				if got := visit(t, site).from(ip).signIn("akadmin", "correct horse"); got.component() != "xak-flow-redirect" {
					t.Fatalf("%s: the login from %s ends with %v", row.name, ip, got.body)
				}
				passed.Add(int64(time.Second))
			}
			passed.Add(int64(row.after))
			if got := visit(t, site).from(row.now).walk(row.slug); got != row.want {
				t.Errorf("%s: %s, want %s", row.name, got, row.want)
			}
		}
	})
}

// Events and the list of sessions tell where people were.
func TestWhereALoginCameFromIsKept(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.Bootstrap.Password, s.Bootstrap.Token = "correct horse", adminKey
		mapped(t, &s)
		site := start(t, s)
		place := m{"continent": "NA", "country": "CA", "city": "Ottawa", "lat": 45.4215, "long": -75.6972}
		network := m{"asn": 64499.0, "as_org": nil, "network": "192.0.2.0/25"}
		for _, row := range []struct {
			ip       string
			geo, asn any
			hasPlace bool
		}{{inOttawa, place, network, true}, {inNoPlace, nil, nil, false}} {
			forgetEvents(t, site)
			c := visit(t, site).from(row.ip)
			c.signIn("akadmin", "correct horse")
			list, err := site.events.List(t.Context(), site.db, event.Filter{Actions: []event.Action{event.Login}})
			if err != nil || len(list) != 1 {
				t.Fatalf("%d logins, %v", len(list), err)
			}
			geo, hasGeo := list[0].Context["geo"]
			if diff := cmp.Diff(row.geo, geo); diff != "" || hasGeo != row.hasPlace {
				t.Errorf("geo of %s: %v %s", row.ip, hasGeo, diff)
			}
			if diff := cmp.Diff(row.asn, list[0].Context["asn"]); diff != "" {
				t.Errorf("asn of %s: %s", row.ip, diff)
			}
			found := false
			for _, o := range c.do("GET", "/api/v3/core/authenticated_sessions/", "").body["results"].([]any) {
				if o := o.(m); o["last_ip"] == row.ip {
					found = true
					if diff := cmp.Diff([]any{row.geo, row.asn}, []any{o["geo_ip"], o["asn"]}); diff != "" {
						t.Errorf("session from %s: %s", row.ip, diff)
					}
				}
			}
			if !found {
				t.Errorf("no session from %s", row.ip)
			}
		}
	})
}

// A policy is tried out with the context that is given, not with the place of
// whoever tries it.
func TestAGeoIPPolicyIsTriedOutWithTheGivenContext(t *testing.T) {
	s := settings(t)
	s.Bootstrap.Token = adminKey
	mapped(t, &s)
	site := start(t, s)
	root := admin(t, site)
	root.from(inBerlin)
	made := root.call("POST", "policies/geoip/", `{"name":"german","countries":["DE","NO"],"asns":[64496],"check_history_distance":true}`)
	if made.status != http.StatusCreated {
		t.Fatal(made.status, made.body)
	}
	countries := []any{m{"code": "DE", "name": "Germany"}, m{"code": "NO", "name": "Norway"}}
	if diff := cmp.Diff(countries, made.body["countries_obj"]); diff != "" {
		t.Error(diff)
	}
	const place, network = `"geoip":{"country":"NO","lat":60,"long":10.5}`, `"asn":{"asn":64496}`
	rows := []struct{ name, context, messages string }{
		{"all that is needed", `{` + place + `,` + network + `}`, "[]"},
		{"no context", `{}`, `[policy "german": asn of the client's address is not known: no asn]`},
		{"no place", `{` + network + `,"geoip":null}`, `[policy "german": geoip of the client's address is not known: no country]`},
		{"no position", `{` + network + `,"geoip":{"country":"NO"}}`, `[policy "german": geoip of the client's address is not known: no lat]`},
		{"elsewhere", `{"asn":{"asn":1},"geoip":{"country":"FR","lat":1,"long":2}}`,
			"[This is not allowed from the network you are in. This is not allowed from the country you are in.]"},
	}
	for _, row := range rows {
		r := root.call("POST", fmt.Sprintf("policies/all/%v/test/", made.body["pk"]), `{"user":1,"context":`+row.context+`}`)
		if r.status != http.StatusOK || fmt.Sprint(r.body["messages"]) != row.messages || r.body["passing"] != (row.messages == "[]") {
			t.Errorf("%s: %d %v", row.name, r.status, r.body)
		}
	}
	// The list of countries is for everybody.
	list := visit(t, site).do("GET", "/api/v3/policies/geoip_iso3166/", "")
	if list.status != http.StatusOK || len(list.list) != 249 || cmp.Diff(m{"code": "AD", "name": "Andorra"}, list.list[0]) != "" {
		t.Errorf("the countries: %d, %d of them", list.status, len(list.list))
	}
}

func TestAServerNeedsTheDatabasesThatItIsToldOf(t *testing.T) {
	s := settings(t)
	s.GeoIP.City = filepath.Join(t.TempDir(), "none.mmdb")
	_, err := Open(t.Context(), Config{Settings: s, Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), s.GeoIP.City) {
		t.Errorf("a server without its database: %v", err)
	}
	in, err := Connect(t.Context(), Config{Settings: s, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("commands need no places: %v", err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}

// A file that is replaced moves people while the server runs.
func TestAReplacedDatabaseIsTakenUp(t *testing.T) {
	s := settings(t)
	s.Bootstrap.Password = "correct horse"
	mapped(t, &s)
	site := start(t, s)
	guarded(t, site)
	c := visit(t, site).from(inParis)
	if got := c.walk("by-flow"); got != deniedDE {
		t.Fatalf("from Paris: %s", got)
	}
	geoiptest.City(t, s.GeoIP.City, map[string]geoip.Place{"198.51.100.0/24": {Country: "DE"}})
	site.geoip.Reload(t.Context())
	if got := c.walk("by-flow"); got != "in" {
		t.Errorf("from what is Germany now: %s", got)
	}
	geoiptest.City(t, s.GeoIP.City, nil)
	site.geoip.Reload(t.Context())
	if got := visit(t, site).from(inParis).walk("by-flow"); !strings.HasPrefix(got, notSure) {
		t.Errorf("from what is nowhere now: %s", got)
	}
}
