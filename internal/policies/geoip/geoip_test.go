package geoip_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-id/weir/field"
	"github.com/weir-id/weir/identity"
	"github.com/weir-id/weir/internal/geoip"
	located "github.com/weir-id/weir/internal/policies/geoip"
	"github.com/weir-id/weir/policy"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// before are the logins of ada, newest first.
type before []located.Login

func (b before) Logins(_ context.Context, user int64, limit int) ([]located.Login, error) {
	if user != 7 {
		return nil, fmt.Errorf("asked for the logins of user %d", user)
	}
	return b[:min(limit, len(b))], nil
}

// from is a login some time ago, to the north of the equator by so many km.
func from(km float64, ago time.Duration) located.Login {
	return located.Login{At: now.Add(-ago), From: geoip.Point{Lat: km / (2 * math.Pi * 6371.0088) * 360}}
}

type failing struct{}

func (failing) Logins(context.Context, int64, int) ([]located.Login, error) {
	return nil, errors.New("the database is away")
}

// here is where the client is, on the equator, with changes.
func here(change func(place, network map[string]any)) map[string]any {
	place := map[string]any{"continent": "EU", "country": "DE", "city": "Berlin", "lat": 0.0, "long": 0.0}
	network := map[string]any{"asn": int64(64496), "as_org": "Example", "network": "192.0.2.0/24"}
	if change != nil {
		change(place, network)
	}
	return map[string]any{"geoip": place, "asn": network}
}

const (
	network = "This is not allowed from the network you are in."
	country = "This is not allowed from the country you are in."
	far     = "You are too far away from where you signed in before."
	travel  = "You can’t have got here since you last signed in."
)

func TestVerdicts(t *testing.T) {
	ada := identity.NewPerson(identity.User{ID: 7, Username: "ada"}, nil)
	without := func(keys ...string) map[string]any {
		c := here(nil)
		for _, key := range keys {
			delete(c, key)
		}
		return c
	}
	unknown := func(key string) map[string]any { c := here(nil); c[key] = nil; return c }
	placed := func(key string, v any) map[string]any {
		return here(func(place, _ map[string]any) { place[key] = v })
	}
	const (
		asns       = `"asns":[64496,64497],"countries":[]`
		others     = `"asns":[64500],"countries":[]`
		german     = `"countries":["DE","AT"]`
		french     = `"countries":["FR"]`
		both       = `"asns":[64496],"countries":["DE"]`
		nothing    = `"countries":[]`
		history    = `"countries":[],"check_history_distance":true`
		impossible = `"countries":[],"check_impossible_travel":true`
	)
	tests := []struct {
		name, config string
		context      map[string]any
		logins       located.Logins
		user         *identity.Person
		want         policy.Verdict
		messages     []string
	}{
		{"nothing is asked for", nothing, nil, nil, nil, policy.Pass, nil},
		{"nothing is asked for, of nobody", nothing, nil, nil, identity.Anonymous(), policy.Pass, nil},

		{"the network is allowed", asns, here(nil), nil, nil, policy.Pass, nil},
		{"the network is another one", others, here(nil), nil, nil, policy.Fail, []string{network}},
		{"the network is unknown", asns, unknown("asn"), nil, nil, policy.Error, nil},
		{"there is no database of networks", asns, without("asn"), nil, nil, policy.Error, nil},
		{"there is no context", asns, nil, nil, nil, policy.Error, nil},
		{"the network has no number", asns, here(func(_, n map[string]any) { n["asn"] = nil }), nil, nil, policy.Error, nil},
		{"the number is none", asns, here(func(_, n map[string]any) { n["asn"] = "64496" }), nil, nil, policy.Error, nil},
		{"the network is not an object", asns, map[string]any{"asn": "64496"}, nil, nil, policy.Error, nil},
		{"the place does not matter to a network", asns, unknown("geoip"), nil, nil, policy.Pass, nil},
		{"a number as JSON has it", asns, here(func(_, n map[string]any) { n["asn"] = json.Number("64496") }), nil, nil, policy.Pass, nil},
		{"a number as tests send it", asns, here(func(_, n map[string]any) { n["asn"] = 64496.0 }), nil, nil, policy.Pass, nil},

		{"the country is allowed", german, here(nil), nil, nil, policy.Pass, nil},
		{"the country is another one", french, here(nil), nil, nil, policy.Fail, []string{country}},
		{"the place is unknown", german, unknown("geoip"), nil, nil, policy.Error, nil},
		{"there is no database of places", german, without("geoip"), nil, nil, policy.Error, nil},
		{"the country is unknown", german, placed("country", nil), nil, nil, policy.Error, nil},
		{"the country is empty", german, placed("country", ""), nil, nil, policy.Error, nil},
		{"the country is not a text", german, placed("country", 49), nil, nil, policy.Error, nil},
		{"the network does not matter to a country", german, unknown("asn"), nil, nil, policy.Pass, nil},

		{"network and country are allowed", both, here(nil), nil, nil, policy.Pass, nil},
		{"only the country is allowed", `"asns":[1],` + german, here(nil), nil, nil, policy.Pass, []string{network}},
		{"only the network is allowed", `"asns":[64496],` + french, here(nil), nil, nil, policy.Pass, []string{country}},
		{"neither is allowed", `"asns":[1],` + french, here(nil), nil, nil, policy.Fail, []string{network, country}},
		{"the country is allowed, the network unknown", both, unknown("asn"), nil, nil, policy.Error, nil},
		{"the network is allowed, the place unknown", both, unknown("geoip"), nil, nil, policy.Error, nil},
		{"neither is known", both, without("geoip", "asn"), nil, nil, policy.Error, nil},

		{"no earlier login", history, here(nil), before{}, nil, policy.Pass, nil},
		{"a login nearby", history, here(nil), before{from(49, time.Hour)}, nil, policy.Pass, nil},
		{"a login at the limit: 100 km less 50", history, here(nil), before{from(50.001, time.Hour)}, nil, policy.Fail, []string{far}},
		{"a login in another country", history, here(nil), before{from(6000, 365*24*time.Hour)}, nil, policy.Fail, []string{far}},
		{"another limit", history + `,"history_max_distance_km":7000`, here(nil), before{from(6000, time.Hour)}, nil, policy.Pass, nil},
		{"another tolerance", history + `,"distance_tolerance_km":0`, here(nil), before{from(99, time.Hour)}, nil, policy.Pass, nil},
		{"a tolerance above the limit leaves nothing", history + `,"distance_tolerance_km":200`, here(nil), before{from(0, time.Hour)}, nil, policy.Fail, []string{far}},
		{"one of five logins is far away", history, here(nil), before{from(1, 1), from(1, 2), from(1, 3), from(1, 4), from(999, 5)}, nil, policy.Fail, []string{far}},
		{"the sixth login does not count", history, here(nil), before{from(1, 1), from(1, 2), from(1, 3), from(1, 4), from(1, 5), from(999, 6)}, nil, policy.Pass, nil},
		{"fewer logins count", history + `,"history_login_count":1`, here(nil), before{from(1, 1), from(999, 2)}, nil, policy.Pass, nil},
		{"no logins count", history + `,"history_login_count":0`, here(nil), before{from(999, 1)}, nil, policy.Pass, nil},
		{"the history does not look at speed", history + `,"history_max_distance_km":20000`, here(nil), before{from(6000, time.Second)}, nil, policy.Pass, nil},
		{"history: the place is unknown", history, unknown("geoip"), before{}, nil, policy.Error, nil},
		{"history: there is no database of places", history, without("geoip"), before{}, nil, policy.Error, nil},
		{"history: the latitude is unknown", history, placed("lat", nil), before{}, nil, policy.Error, nil},
		{"history: the longitude is unknown", history, placed("long", nil), before{}, nil, policy.Error, nil},
		{"history: there is no such latitude", history, placed("lat", 90.1), before{}, nil, policy.Error, nil},
		{"history: there is no such longitude", history, placed("long", math.NaN()), before{}, nil, policy.Error, nil},
		{"history: the latitude is a text", history, placed("lat", "0"), before{}, nil, policy.Error, nil},
		{"history: whole degrees", history, placed("lat", int64(1)), before{from(111, time.Hour)}, nil, policy.Pass, nil},
		{"history of nobody", history, here(nil), before{}, identity.Anonymous(), policy.Error, nil},
		{"history: the logins cannot be read", history, here(nil), failing{}, nil, policy.Error, nil},

		{"travel: no earlier login", impossible, here(nil), before{}, nil, policy.Pass, nil},
		{"within the first hour: 1000 km less 100", impossible, here(nil), before{from(899, time.Minute)}, nil, policy.Pass, nil},
		{"too far for the first hour", impossible, here(nil), before{from(900.001, 59*time.Minute)}, nil, policy.Fail, []string{travel}},
		{"hours that have begun do not count", impossible, here(nil), before{from(901, 119*time.Minute)}, nil, policy.Fail, []string{travel}},
		{"after two hours", impossible, here(nil), before{from(1899, 2*time.Hour)}, nil, policy.Pass, nil},
		{"too far for two hours", impossible, here(nil), before{from(1901, 2*time.Hour)}, nil, policy.Fail, []string{travel}},
		{"around the world in a day", impossible, here(nil), before{from(20000, 24*time.Hour)}, nil, policy.Pass, nil},
		{"travel: another tolerance", impossible + `,"impossible_tolerance_km":500`, here(nil), before{from(501, time.Hour)}, nil, policy.Fail, []string{travel}},
		{"travel: the tolerance of the history does not count", impossible + `,"distance_tolerance_km":900`, here(nil), before{from(899, time.Hour)}, nil, policy.Pass, nil},
		{"travel: an older login is impossible", impossible, here(nil), before{from(0, time.Hour), from(5000, 2*time.Hour)}, nil, policy.Fail, []string{travel}},
		{"a login of the future, by a clock that goes wrong", impossible, here(nil), before{from(899, -time.Hour)}, nil, policy.Pass, nil},
		{"travel: the place is unknown", impossible, unknown("geoip"), before{}, nil, policy.Error, nil},
		{"travel of nobody", impossible, here(nil), before{}, identity.Anonymous(), policy.Error, nil},

		{"country and history are right", german + `,"check_history_distance":true`, here(nil), before{from(1, 1)}, nil, policy.Pass, nil},
		{"the country is right, the history is not", german + `,"check_history_distance":true`, here(nil), before{from(999, 1)}, nil, policy.Fail, []string{far}},
		{"the history is right, the country is not", french + `,"check_history_distance":true`, here(nil), before{from(1, 1)}, nil, policy.Fail, []string{country}},
		{"nothing is right", `"asns":[1],` + french + `,"check_history_distance":true`, here(nil), before{from(999, 1)}, nil, policy.Fail, []string{network, country, far}},
		{"the country is wrong, the position unknown", french + `,"check_history_distance":true`, placed("lat", nil), before{}, nil, policy.Error, nil},
		{"the history is fine, the travel impossible", history + `,"check_impossible_travel":true,"history_max_distance_km":20000`, here(nil), before{from(6000, time.Hour)}, nil,
			policy.Fail, []string{travel}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.user == nil {
				tt.user = ada
			}
			o := build(t, "{"+tt.config+"}", tt.logins)
			got := o.Evaluate(t.Context(), &policy.Request{User: tt.user, Context: tt.context}, policy.DefaultTimeout)
			if got.Verdict != tt.want || (got.Err != nil) != (tt.want == policy.Error) {
				t.Errorf("%v (%v), want %v", got.Verdict, got.Err, tt.want)
			}
			if diff := cmp.Diff(tt.messages, got.Messages); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// build makes a policy of a configuration in JSON.
func build(t *testing.T, config string, logins located.Logins) *policy.Object {
	t.Helper()
	typ := located.Type(logins, func() time.Time { return now })
	c := typ.Defaults()
	var data map[string]any
	if err := json.Unmarshal([]byte(config), &data); err != nil {
		t.Fatal(err)
	}
	if unknown, errs := field.Decode(c, data, field.Create); len(unknown) > 0 || errs != nil {
		t.Fatal(unknown, errs)
	}
	p, err := typ.Build("where", c)
	if err != nil {
		t.Fatal(err)
	}
	return &policy.Object{Name: "where", Type: &typ, Config: c, Policy: p}
}

func TestDefaultsAndBounds(t *testing.T) {
	typ := located.Type(nil, nil)
	want := map[string]any{"asns": []any{}, "countries": []any{}, "check_history_distance": false, "history_max_distance_km": int64(100),
		"distance_tolerance_km": int64(50), "history_login_count": int64(5), "check_impossible_travel": false, "impossible_tolerance_km": int64(100)}
	if diff := cmp.Diff(want, field.Encode(typ.Defaults(), field.Public)); diff != "" {
		t.Error(diff)
	}
	tests := []struct{ name, config, problem string }{
		{"countries have to be given", `{}`, "countries"},
		{"countries may be none", `{"countries":[]}`, ""},
		{"all countries", `{"countries":["` + strings.Join(geoip.CountryCode("").Choices(), `","`) + `"]}`, ""},
		{"more countries than there are", `{"countries":["DE","` + strings.Join(geoip.CountryCode("").Choices(), `","`) + `"]}`, "countries"},
		{"no such country", `{"countries":["DE","XX"]}`, "countries"},
		{"a country in small letters", `{"countries":["de"]}`, "countries"},
		{"no such network", `{"countries":[],"asns":["AS1"]}`, "asns"},
		{"a negative distance", `{"countries":[],"history_max_distance_km":-1}`, "history_max_distance_km"},
		{"the greatest distance", `{"countries":[],"history_max_distance_km":9223372036854775807}`, ""},
		{"a negative tolerance", `{"countries":[],"distance_tolerance_km":-1}`, "distance_tolerance_km"},
		{"another negative tolerance", `{"countries":[],"impossible_tolerance_km":-1}`, "impossible_tolerance_km"},
		{"too many logins", `{"countries":[],"history_login_count":1001}`, "history_login_count"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dec := json.NewDecoder(strings.NewReader(tt.config))
			dec.UseNumber()
			var data map[string]any
			if err := dec.Decode(&data); err != nil {
				t.Fatal(err)
			}
			_, errs := field.Decode(typ.Defaults(), data, field.Create)
			if _, found := errs[tt.problem]; found != (tt.problem != "") || len(errs) > 1 {
				t.Errorf("problems %v, want one of %q", errs, tt.problem)
			}
		})
	}
}

func TestTheCountriesAreNamed(t *testing.T) {
	c := &located.Config{Countries: []geoip.CountryCode{"FR", "DE"}}
	want := map[string]any{"countries_obj": []any{map[string]any{"code": "FR", "name": "France"}, map[string]any{"code": "DE", "name": "Germany"}}}
	if diff := cmp.Diff(want, field.Encode(c.Derived(), field.Public)); diff != "" {
		t.Error(diff)
	}
	if got := field.Encode((&located.Config{}).Derived(), field.Public)["countries_obj"]; cmp.Diff([]any{}, got) != "" {
		t.Errorf("no countries are %v", got)
	}
}
