package weir

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/geoip"
	"github.com/weir-id/weir/internal/geoip/geoiptest"
)

// The addresses of the clients in these tests.
const (
	inBerlin    = "203.0.113.1"
	inBerlinToo = "203.0.113.2"  // in the same network
	inBerlinDSL = "203.0.113.65" // in another network of the provider
	inBonn      = "203.0.113.129"
	inParis     = "198.51.100.1"
	inOttawa    = "192.0.2.1"
	inNoPlace   = "192.0.2.129"
)

// mapped gives an installation databases that know the addresses, and trusts
// proxies on this machine to name clients.
func mapped(t *testing.T, s *Settings) {
	t.Helper()
	dir := t.TempDir()
	s.GeoIP.City, s.GeoIP.ASN = filepath.Join(dir, "city.mmdb"), filepath.Join(dir, "asn.mmdb")
	s.TrustedProxies = append(s.TrustedProxies, loopback)
	place := func(continent, country, city string, lat, long float64) geoip.Place {
		return geoip.Place{Continent: continent, Country: country, City: city, Point: &geoip.Point{Lat: lat, Long: long}}
	}
	geoiptest.City(t, s.GeoIP.City, map[string]geoip.Place{
		"203.0.113.0/25":   place("EU", "DE", "Berlin", 52.52, 13.405),
		"203.0.113.128/25": place("EU", "DE", "Bonn", 50.7374, 7.0982),
		"198.51.100.0/24":  place("EU", "FR", "Paris", 48.8566, 2.3522),
		"192.0.2.0/25":     place("NA", "CA", "Ottawa", 45.4215, -75.6972),
	})
	geoiptest.ASN(t, s.GeoIP.ASN, map[string]geoip.Network{
		"203.0.113.0/26":   {ASN: 64496, Org: "Spree"},
		"203.0.113.64/26":  {ASN: 64496, Org: "Spree DSL"},
		"203.0.113.128/25": {ASN: 64497, Org: "Rhein"},
		"198.51.100.0/24":  {ASN: 64498, Org: "Seine"},
		"192.0.2.0/25":     {ASN: 64499},
	})
}

// from makes all further requests of a client come from an address.
func (c *client) from(ip string) *client {
	c.http.Transport = through{ip}
	return c
}

// through is a proxy that names the client.
type through struct{ ip string }

func (p through) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", p.ip)
	return http.DefaultTransport.RoundTrip(r)
}

// Whoever is bound to a network or a place and goes elsewhere has to sign in
// again.
func TestSessionsAreBoundToNetworkAndPlace(t *testing.T) {
	rows := []struct{ name, network, place, to, reason string }{
		{"nothing is bound", "no_binding", "no_binding", inOttawa, ""},
		{"the ASN stays", "bind_asn", "no_binding", inBerlinDSL, ""},
		{"another ASN", "bind_asn", "no_binding", inBonn, "network.asn"},
		{"the network stays", "bind_asn_network", "no_binding", inBerlinToo, ""},
		{"another network of the ASN", "bind_asn_network", "no_binding", inBerlinDSL, "network.asn_network"},
		{"another address", "bind_asn_network_ip", "no_binding", inBerlinToo, "network.ip"},
		{"an unknown network", "bind_asn", "no_binding", inNoPlace, "network.missing"},
		{"the continent stays", "no_binding", "bind_continent", inParis, ""},
		{"another continent", "no_binding", "bind_continent", inOttawa, "geoip.continent"},
		{"the country stays", "no_binding", "bind_continent_country", inBonn, ""},
		{"another country", "no_binding", "bind_continent_country", inParis, "geoip.country"},
		{"the city stays", "no_binding", "bind_continent_country_city", inBerlinDSL, ""},
		{"another city", "no_binding", "bind_continent_country_city", inBonn, "geoip.city"},
		{"an unknown place", "no_binding", "bind_continent", inNoPlace, "geoip.missing"},
		{"both are bound, both stay", "bind_asn", "bind_continent_country_city", inBerlinDSL, ""},
	}
	each(t, func(t *testing.T, s Settings) {
		s.Bootstrap.Password, s.Bootstrap.Token = "correct horse", adminKey
		mapped(t, &s)
		site := start(t, s)
		root := admin(t, site)
		for _, row := range rows {
			apply(t, site, fmt.Sprintf(`
entries:
  - {model: authentik_stages_user_login.userloginstage, identifiers: {name: default-authentication-login}, attrs: {network_binding: %s, geoip_binding: %s}}
`, row.network, row.place))
			c := visit(t, site).from(inBerlin)
			if r := c.signIn("akadmin", "correct horse"); r.component() != "xak-flow-redirect" {
				t.Fatalf("%s: the login ends with %v", row.name, r.body)
			}
			if r := c.do("GET", "/api/v3/core/users/me/", ""); r.status != http.StatusOK {
				t.Fatalf("%s: at home %d", row.name, r.status)
			}
			want := http.StatusOK
			if row.reason != "" {
				want = http.StatusForbidden
			}
			// Going back home does not help.
			for _, ip := range []string{row.to, inBerlin} {
				if r := c.from(ip).do("GET", "/api/v3/core/users/me/", ""); row.reason != "" && r.status != want || ip == row.to && r.status != want {
					t.Errorf("%s: from %s %d, want %d", row.name, ip, r.status, want)
				}
			}
			if got := lastLogout(t, site); got != row.reason {
				t.Errorf("%s: logged out for %q, want %q", row.name, got, row.reason)
			}
			forgetEvents(t, site)
			root.call("DELETE", "core/authenticated_sessions/bulk_delete/?user_pks=1", "")
		}
	})
}

// lastLogout is why the last session was ended; empty when none was.
func lastLogout(t *testing.T, site *Server) string {
	t.Helper()
	list, err := site.events.List(t.Context(), site.db, event.Filter{Actions: []event.Action{event.Logout}, Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		return ""
	}
	binding, _ := list[0].Context["binding"].(map[string]any)
	return fmt.Sprint(binding["reason"])
}

func forgetEvents(t *testing.T, site *Server) {
	t.Helper()
	if _, err := site.db.Exec(t.Context(), "delete from events"); err != nil {
		t.Fatal(err)
	}
}

// guarded applies a login whose flow, stages and applications have GeoIP
// policies.
//
//	by-flow       people in Germany may use it
//	by-password   the password is asked for in Germany; elsewhere nobody may go on
//	by-negation   the password is asked for outside of France
//	by-history    whoever is too far from earlier logins is denied
//	by-travel     whoever cannot have come so far is denied
//	by-network    people of one provider may use it; errors let pass
//	seen          tells what policies see
func guarded(t *testing.T, site *Server) {
	t.Helper()
	flows := ""
	for _, slug := range []string{"by-flow", "by-password", "by-negation", "by-history", "by-travel", "by-network"} {
		flows += fmt.Sprintf(`
  - {model: authentik_flows.flow, id: %[1]s, identifiers: {slug: %[1]s}, attrs: {name: A, title: A, designation: authentication}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf %[1]s, stage: !KeyOf who, order: 0}}
  - {model: authentik_flows.flowstagebinding, id: %[1]s-password, identifiers: {target: !KeyOf %[1]s, stage: !KeyOf password, order: 10}}
  - {model: authentik_flows.flowstagebinding, id: %[1]s-deny, identifiers: {target: !KeyOf %[1]s, stage: !KeyOf deny, order: 20}}
  - {model: authentik_flows.flowstagebinding, identifiers: {target: !KeyOf %[1]s, stage: !KeyOf login, order: 30}}
`, slug)
		if slug != "by-history" && slug != "by-travel" && slug != "by-password" {
			flows += fmt.Sprintf("  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf %s-deny, policy: !KeyOf never, order: 0}}\n", slug)
		}
	}
	apply(t, site, `
entries:
  - {model: authentik_stages_identification.identificationstage, id: who, identifiers: {name: who}, attrs: {user_fields: [username]}}
  - {model: authentik_stages_password.passwordstage, id: password, identifiers: {name: how}, attrs: {backends: [authentik.core.auth.InbuiltBackend]}}
  - {model: authentik_stages_deny.denystage, id: deny, identifiers: {name: refusal}, attrs: {deny_message: Not from there}}
  - {model: authentik_stages_user_login.userloginstage, id: login, identifiers: {name: in}}
  - {model: authentik_policies_geoip.geoippolicy, id: german, identifiers: {name: german}, attrs: {countries: [DE]}}
  - {model: authentik_policies_geoip.geoippolicy, id: french, identifiers: {name: french}, attrs: {countries: [FR]}}
  - {model: authentik_policies_geoip.geoippolicy, id: spree, identifiers: {name: spree}, attrs: {countries: [], asns: [64496]}}
  - {model: authentik_policies_geoip.geoippolicy, id: near, identifiers: {name: near}, attrs: {countries: [], check_history_distance: true}}
  - {model: authentik_policies_geoip.geoippolicy, id: reachable, identifiers: {name: reachable}, attrs: {countries: [], check_impossible_travel: true}}
  - {model: authentik_policies_expression.expressionpolicy, id: never, identifiers: {name: never}, attrs: {expression: return False}}
  - model: authentik_policies_expression.expressionpolicy
    id: tell
    identifiers: {name: tell}
    attrs:
      expression: |
        geoip, asn = context.get("geoip", {"city": "missing"}), context.get("asn", {"asn": "missing"})
        ak_message(str(geoip and geoip["city"]) + " " + str(asn and asn["asn"]))
        return False
  - {model: authentik_core.application, id: app, identifiers: {slug: app}, attrs: {name: App, meta_launch_url: "https://app.example.com/"}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf app, policy: !KeyOf tell, order: 0}}
  - {model: authentik_flows.flow, id: seen, identifiers: {slug: seen}, attrs: {name: A, title: A, designation: authentication}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf seen, policy: !KeyOf tell, order: 0}}
`+flows+`
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf by-flow, policy: !KeyOf german, order: 0}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf by-password-password, policy: !KeyOf german, order: 0}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf by-password-deny, policy: !KeyOf german, order: 0}, attrs: {negate: true}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf by-negation-password, policy: !KeyOf french, order: 0}, attrs: {negate: true}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf by-history-deny, policy: !KeyOf near, order: 0}, attrs: {negate: true}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf by-travel-deny, policy: !KeyOf reachable, order: 0}, attrs: {negate: true}}
  - {model: authentik_policies.policybinding, identifiers: {target: !KeyOf by-network, policy: !KeyOf spree, order: 0}, attrs: {failure_result: true}}
`)
}

// walk signs somebody in through a flow, with whatever it asks for, and tells
// how it ends: "in", or the component of the answer with its message.
func (c *client) walk(slug string) string {
	c.t.Helper()
	path := "/api/v3/flows/executor/" + slug + "/?query="
	r := c.do("GET", path, "")
	for range 8 {
		switch {
		case r.status == http.StatusFound:
			r = c.do("GET", r.header.Get("Location"), "")
		case r.component() == "ak-stage-identification":
			r = c.do("POST", path, `{"uid_field":"akadmin"}`)
		case r.component() == "ak-stage-password":
			r = c.do("POST", path, `{"password":"correct horse"}`)
		case r.component() == "xak-flow-redirect":
			if c.do("GET", "/api/v3/core/users/me/", "").status == http.StatusOK {
				return "in"
			}
			return "over"
		default:
			return fmt.Sprint(r.component(), ": ", r.body["error_message"])
		}
	}
	return "lost"
}

const (
	denied    = "ak-stage-access-denied: "
	notSure   = denied + "This could not be decided."
	deniedDE  = denied + "This is not allowed from the country you are in."
	notThere  = denied + "Not from there"
	unlocated = "the neighbours"
)

// Flows go by where the client is. Where that is not known there is no verdict,
// whatever was the reason, and no way in (rule 8): no stage is skipped.
func TestRule08FlowsGoByWhereTheClientIs(t *testing.T) {
	rows := []struct{ slug, ip, want string }{
		{"by-flow", inBerlin, "in"},
		{"by-flow", inBonn, "in"},
		{"by-flow", inParis, deniedDE},
		{"by-flow", inNoPlace, notSure},
		{"by-flow", unlocated, notSure},
		{"by-flow", "10.0.0.1", notSure},
		{"by-password", inBerlin, "in"},
		{"by-password", inParis, notThere},
		{"by-password", inNoPlace, notSure},
		{"by-password", unlocated, notSure},
		{"by-negation", inBerlin, "in"},
		{"by-negation", inNoPlace, notSure},
		{"by-negation", unlocated, notSure},
		{"by-history", inNoPlace, notSure},
		{"by-history", unlocated, notSure},
		{"by-travel", inNoPlace, notSure},
		{"by-network", inBerlin, "in"},
		{"by-network", inBonn, denied + "This is not allowed from the network you are in."},
		{"by-network", inNoPlace, "in"}, // as the binding says
	}
	check := func(t *testing.T, site *Server, name, ip, slug, want string) {
		t.Helper()
		got := visit(t, site).from(ip).walk(slug)
		// The id that the log has follows where there was no verdict.
		if got != want && (want != notSure || !strings.HasPrefix(got, want)) {
			t.Errorf("%s, %s from %s: %s, want %s", name, slug, ip, got, want)
		}
	}
	each(t, func(t *testing.T, s Settings) {
		s.Bootstrap.Password = "correct horse"
		mapped(t, &s)
		site := start(t, s)
		guarded(t, site)
		for _, row := range rows {
			check(t, site, "with databases", row.ip, row.slug, row.want)
		}
		// Nobody but a trusted peer names the address (rules 29 and 37).
		strict := s
		strict.TrustedProxies = nil
		other := start(t, strict)
		check(t, other, "named by no proxy", inBerlin, "by-flow", notSure)
		check(t, other, "named by no proxy", inBerlin, "by-negation", notSure)

		strict = s
		strict.GeoIP.City, strict.GeoIP.ASN = "", ""
		other = start(t, strict)
		for _, slug := range []string{"by-flow", "by-password", "by-negation", "by-history", "by-travel"} {
			check(t, other, "without databases", inBerlin, slug, notSure)
		}
	})
}

// What policies see of the client's place, at every door.
func TestPoliciesSeeWhereTheClientIs(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.Bootstrap.Password, s.Bootstrap.Token = "correct horse", adminKey
		mapped(t, &s)
		city, asn := s.GeoIP.City, s.GeoIP.ASN
		for _, row := range []struct{ name, city, asn, ip, want, capabilities string }{
			{"both databases", city, asn, inOttawa, "Ottawa 64499", "[can_save_media can_geo_ip can_asn]"},
			{"an address that is not known", city, asn, inNoPlace, "None None", "[can_save_media can_geo_ip can_asn]"},
			{"only places", city, "", inOttawa, "Ottawa missing", "[can_save_media can_geo_ip]"},
			{"only networks", "", asn, inOttawa, "missing 64499", "[can_save_media can_asn]"},
			{"no databases", "", "", inOttawa, "missing missing", "[can_save_media]"},
		} {
			s.GeoIP.City, s.GeoIP.ASN = row.city, row.asn
			site := start(t, s)
			guarded(t, site)
			if got := visit(t, site).from(row.ip).walk("seen"); got != denied+row.want {
				t.Errorf("%s: a flow sees %q", row.name, got)
			}
			root := admin(t, site)
			root.from(row.ip)
			if r := root.call("GET", "core/applications/app/check_access/", ""); fmt.Sprint(r.body["messages"]) != "["+row.want+"]" {
				t.Errorf("%s: an application sees %v", row.name, r.body)
			}
			if r := root.call("GET", "root/config/", ""); fmt.Sprint(r.body["capabilities"]) != row.capabilities {
				t.Errorf("%s: capabilities %v", row.name, r.body["capabilities"])
			}
		}
	})
}
