package session_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/weir-id/weir/flow"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/session"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/internal/store/storetest"
)

// atlas knows addresses 192.0.2.0 to 192.0.2.9.
type atlas struct{}

func (atlas) Network(ip netip.Addr) (session.Network, bool) {
	switch ip.String() {
	case "192.0.2.1", "192.0.2.2":
		return session.Network{ASN: 1, Prefix: netip.MustParsePrefix("192.0.2.0/29")}, true
	case "192.0.2.8":
		return session.Network{ASN: 1, Prefix: netip.MustParsePrefix("192.0.2.8/29")}, true
	case "192.0.2.9":
		return session.Network{ASN: 2, Prefix: netip.MustParsePrefix("192.0.2.8/29")}, true
	}
	return session.Network{}, false
}

func (atlas) Place(ip netip.Addr) (session.Place, bool) {
	switch ip.String() {
	case "192.0.2.1", "192.0.2.2":
		return session.Place{Continent: "EU", Country: "DE", City: "Berlin"}, true
	case "192.0.2.3":
		return session.Place{Continent: "EU", Country: "DE", City: "Bonn"}, true
	case "192.0.2.4":
		return session.Place{Continent: "EU", Country: "FR", City: "Bonn"}, true
	case "192.0.2.5":
		return session.Place{Continent: "NA", Country: "FR", City: "Berlin"}, true
	case "192.0.2.6", "192.0.2.7":
		return session.Place{Continent: "EU", Country: "DE"}, true
	case "192.0.2.10", "192.0.2.11":
		return session.Place{Continent: "EU"}, true
	case "192.0.2.12":
		return session.Place{City: "Berlin"}, true
	}
	return session.Place{}, false
}

func TestBinding(t *testing.T) {
	tests := []struct {
		name    string
		network string
		geo     string
		locator session.Locator
		to      string
		reason  string
	}{
		{"no binding allows any address", "no_binding", "no_binding", nil, "203.0.113.1", ""},
		{"the same address needs no database", "bind_asn_network_ip", "bind_continent_country_city", nil, "192.0.2.1", ""},
		{"without databases a change is missing data", "bind_asn", "", nil, "192.0.2.2", "network.missing"},
		{"without databases a change of place is missing data", "", "bind_continent", nil, "192.0.2.2", "geoip.missing"},
		{"an unknown address is missing data", "bind_asn", "", atlas{}, "203.0.113.1", "network.missing"},
		{"the same network", "bind_asn_network", "", atlas{}, "192.0.2.2", ""},
		{"another address of the network", "bind_asn_network_ip", "", atlas{}, "192.0.2.2", "network.ip"},
		{"another network of the ASN, ASN bound", "bind_asn", "", atlas{}, "192.0.2.8", ""},
		{"another network of the ASN, network bound", "bind_asn_network", "", atlas{}, "192.0.2.8", "network.asn_network"},
		{"another ASN", "bind_asn", "", atlas{}, "192.0.2.9", "network.asn"},
		{"a binding of an unknown name", "bind_something", "", atlas{}, "192.0.2.2", "network.missing"},
		{"the same city", "", "bind_continent_country_city", atlas{}, "192.0.2.2", ""},
		{"another city", "", "bind_continent_country_city", atlas{}, "192.0.2.3", "geoip.city"},
		{"another city, country bound", "", "bind_continent_country", atlas{}, "192.0.2.3", ""},
		{"another country", "", "bind_continent_country", atlas{}, "192.0.2.4", "geoip.country"},
		{"another country, continent bound", "", "bind_continent", atlas{}, "192.0.2.4", ""},
		{"another continent", "", "bind_continent", atlas{}, "192.0.2.5", "geoip.continent"},
		{"an unknown place", "", "bind_continent", atlas{}, "203.0.113.1", "geoip.missing"},
		{"an unknown city", "", "bind_continent_country_city", atlas{}, "192.0.2.6", "geoip.missing"},
		{"an unknown city, country bound", "", "bind_continent_country", atlas{}, "192.0.2.6", ""},
		{"an unknown country", "", "bind_continent_country", atlas{}, "192.0.2.10", "geoip.missing"},
		{"an unknown country, continent bound", "", "bind_continent", atlas{}, "192.0.2.10", ""},
		{"an unknown continent", "", "bind_continent", atlas{}, "192.0.2.12", "geoip.missing"},
		{"a binding to a place of an unknown name", "", "bind_planet", atlas{}, "192.0.2.2", "geoip.missing"},
		{"both, the place breaks", "bind_asn", "bind_continent", atlas{}, "192.0.2.8", "geoip.missing"},
	}
	storetest.Each(t, func(t *testing.T, db store.DB) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				f := newFixture(t, db, tt.locator)
				p := f.user(func(u *identity.User) { u.Username = uuid.NewString() })
				token := f.login(p, func(l *flow.Login) { l.NetworkBinding, l.GeoIPBinding = tt.network, tt.geo })
				got, err := f.Check(t.Context(), f.current(token, nil), from(tt.to))
				if err != nil {
					t.Fatal(err)
				}
				if alive := f.current(token, nil).Person.Saved(); alive != (tt.reason == "") || got.Person.Saved() != alive {
					t.Errorf("alive: %v", alive)
				}
				list, err := f.events.List(t.Context(), db, event.Filter{Actions: []event.Action{event.Logout}, Limit: 1000})
				if err != nil {
					t.Fatal(err)
				}
				var reasons []string
				for _, e := range list {
					if e.User["username"] == p.Username {
						reasons = append(reasons, e.Context["binding"].(map[string]any)["reason"].(string))
					}
				}
				var want []string
				if tt.reason != "" {
					want = []string{tt.reason}
					if got.Broken == nil || got.Broken.Reason != tt.reason || !got.Fresh {
						t.Errorf("got %+v, want %s", got.Broken, tt.reason)
					}
				}
				if diff := cmp.Diff(want, reasons); diff != "" {
					t.Error(diff)
				}
			})
		}
	})
}

// A write that carries a new address must not make it the session's: that is
// what Check compares with.
func TestOnlyCheckMovesABoundSession(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db store.DB) {
		f := newFixture(t, db, atlas{})
		of := newFlow()
		token := f.login(f.user(), func(l *flow.Login) { l.NetworkBinding = "bind_asn" })
		f.clock.pass(time.Hour)
		c := f.current(token, of)
		f.commit(&flow.Commit{Session: c.Session, Flow: of, After: f.plan(of, "a"), User: c.Person, HTTP: from("192.0.2.2")})
		c = f.current(token, of)
		if c.Row.LastIP != "192.0.2.1" || !c.Row.LastUsed.Equal(f.clock.now()) {
			t.Errorf("after a step: %+v", c.Row)
		}
		if got, err := f.Check(t.Context(), c, from("192.0.2.2")); err != nil || got != c {
			t.Fatal(got, err)
		}
		f.Close()
		if got := f.current(token, of).Row.LastIP; got != "192.0.2.2" {
			t.Errorf("after a check that passed: %s", got)
		}
	})
}
