package weir

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/weir-id/weir/bench/measure"
)

// scored is the score of a name as the API shows it; 0 for none.
func (o *office) scored(query string) (sum int) {
	o.t.Helper()
	for _, row := range results(o.must("GET", "policies/reputation/scores/?"+query, nil)) {
		sum += int(row["score"].(float64))
	}
	return sum
}

// TestRule18ReputationTellsNobodyWhoExists: whatever is tried with a name, it
// costs one that nobody has as much as one that somebody has, in scores and at
// the database.
func TestRule18ReputationTellsNobodyWhoExists(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		o := openOffice(t, s)
		apply(t, o.site, onePage)
		o.user("ada", m{"email": "ada@example.com"})
		o.password("ada", "the right one")
		for i := 1; i <= 3; i++ {
			for entrance, try := range entrances() {
				for _, name := range []string{"ada", "nobody"} {
					try(visit(t, o.site), name, "wrong")
				}
				if ada, nobody := o.scored("identifier=ada"), o.scored("identifier=nobody"); ada != nobody || ada >= 0 {
					t.Errorf("%s, round %d: ada has %d, nobody %d", entrance, i, ada, nobody)
				}
			}
		}
		// Who gives a name and goes away has done nothing wrong.
		for _, name := range []string{"ada", "nobody"} {
			before := o.scored("identifier=" + name)
			visit(t, o.site).do("POST", loginFlow, fmt.Sprintf(`{"uid_field":%q}`, name))
			visit(t, o.site).do("GET", loginFlow+"login_hint%3D"+name, "")
			if after := o.scored("identifier=" + name); after != before {
				t.Errorf("%s had %d, and has %d", name, before, after)
			}
		}
	})
}

func TestReputationWritesNoTransactionOfItsOwn(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.Bootstrap.Password = "correct horse"
		site := assembled(t, s)
		apply(t, site, onePage)
		const flow = "/api/v3/flows/executor/one-page/?query="
		browser := measure.Browser{}
		browser.Do(t.Context(), site, "GET", flow, "")
		var done []string
		for _, name := range []string{"akadmin", "nobody"} {
			var did effort
			browser.Do(did.in(t.Context()), site, "POST", flow, fmt.Sprintf(`{"uid_field":%q,"password":"wrong"}`, name))
			done = append(done, fmt.Sprintf("%d reads, %d writes", did.reads(), did.writes()))
		}
		if done[1] != "2 reads, 2 writes" {
			t.Errorf("for a name that nobody has: %s; for another: %s", done[1], done[0])
		}
	})
}

func TestReputationHasItsLimitsAndItsAddresses(t *testing.T) {
	each(t, func(t *testing.T, s Settings) {
		s.TrustedProxies = append(s.TrustedProxies, loopback)
		o := openOffice(t, s)
		apply(t, o.site, onePage)
		o.user("ada", nil)
		o.password("ada", "the right one")
		const flow = "/api/v3/flows/executor/one-page/?query="
		try := func(name, password, from string) {
			t.Helper()
			c := visit(t, o.site).from(from)
			r := c.do("POST", flow, fmt.Sprintf(`{"uid_field":%q,"password":%q}`, name, password))
			for r.status == http.StatusFound {
				r = c.do("GET", r.header.Get("Location"), "")
			}
		}
		o.must("PATCH", "admin/settings/", m{"reputation_lower_limit": -2, "reputation_upper_limit": 1})
		for range 3 {
			try("Ada", "wrong", "198.51.100.7")
			try("bob", "wrong", "2001:db8:1:2::7")
		}
		try("bob", "wrong", "2001:db8:1:2::8")
		for range 2 {
			try("ada", "the right one", "203.0.113.9")
		}
		for query, want := range map[string]int{"identifier=ADA": -1, "identifier=ada&ip=198.51.100.7": -2, "ip=203.0.113.9": 1, "identifier=bob": -2,
			"ip=2001:db8:1:2::99": -2, "identifier_in=ada,bob": -3, "identifier_in=bob&identifier_in=eve": -2, "score=1": 1, "search=203.0": 1, "ip=nonsense": 0} {
			if got := o.scored(query); got != want {
				t.Errorf("%s: %d, want %d", query, got, want)
			}
		}

		// An outpost names the address of the end client.
		pk := o.user("outpost", m{"type": "internal_service_account"})
		visit(t, o.site).do("POST", flow, `{"uid_field":"carl","password":"wrong"}`, "X-authentik-outpost-token", o.token(pk), "X-authentik-remote-ip", "192.0.2.50")
		rows := results(o.must("GET", "policies/reputation/scores/?identifier=carl", nil))
		if len(rows) != 1 || rows[0]["ip"] != "192.0.2.50" {
			t.Fatalf("through an outpost: %v", rows)
		}
		row := rows[0]
		if got := fmt.Sprint(row["ip_geo_data"], row["ip_asn_data"], row["score"]); got != "map[] map[] -1" {
			t.Errorf("shown as %s", got)
		}
		_, reader := o.clerk("reader", "authentik_policies_reputation.view_reputation")
		_, stranger := o.clerk("stranger")
		path := "policies/reputation/scores/" + row["pk"].(string) + "/"
		for _, tt := range []struct {
			token, method, path string
			want                int
		}{{stranger, "GET", path, 403}, {stranger, "DELETE", path, 403}, {reader, "GET", path, 200}, {reader, "GET", path + "used_by/", 200}, {reader, "DELETE", path, 403},
			{root, "PUT", path, 405}, {root, "GET", "policies/reputation/scores/used_by/", 404}, {root, "GET", "policies/reputation/" + row["pk"].(string) + "/uses/", 404},
			{root, "DELETE", path, 204}, {root, "DELETE", path, 404}} {
			if a := o.call(tt.token, tt.method, tt.path, nil); a.status != tt.want {
				t.Errorf("%s %s = %d %s, want %d", tt.method, tt.path, a.status, a.raw, tt.want)
			}
		}
		if o.scored("identifier=carl") != 0 {
			t.Error("a deleted score is there")
		}
	})
}

func TestReputationKnowsThePlace(t *testing.T) {
	s := settings(t)
	mapped(t, &s)
	o := openOffice(t, s)
	for _, from := range []string{inBonn, inNoPlace} {
		c := visit(t, o.site).from(from)
		c.do("POST", loginFlow, `{"uid_field":"nobody"}`)
		c.do("POST", loginFlow, `{"password":"wrong"}`)
	}
	for ip, want := range map[string]string{inBonn: "Bonn DE 64497", inNoPlace: "<nil> <nil> <nil>"} {
		row := results(o.must("GET", "policies/reputation/scores/?ip="+ip, nil))[0]
		geo, asn := row["ip_geo_data"].(m), row["ip_asn_data"].(m)
		if got := fmt.Sprint(geo["city"], " ", geo["country"], " ", asn["asn"]); got != want {
			t.Errorf("%s is in %s, want %s", ip, got, want)
		}
	}
}

// TestRule37NobodyChoosesWhoseReputationFalls: of strangers neither forwarding
// header nor an outpost's address counts.
func TestRule37NobodyChoosesWhoseReputationFalls(t *testing.T) {
	o := openOffice(t, settings(t))
	for _, header := range [][]string{{"X-Forwarded-For", "198.51.100.7"}, {"X-authentik-remote-ip", "198.51.100.7", "X-authentik-outpost-token", "made up"}} {
		c := visit(t, o.site)
		c.do("POST", loginFlow, `{"uid_field":"nobody"}`, header...)
		c.do("POST", loginFlow, `{"password":"wrong"}`, header...)
	}
	var at []string
	for _, row := range results(o.must("GET", "policies/reputation/scores/", nil)) {
		at = append(at, fmt.Sprint(row["identifier"], " ", row["ip"], " ", row["score"]))
	}
	if !slices.Equal(at, []string{"nobody 127.0.0.1 -2"}) {
		t.Errorf("scores %q", at)
	}
}
