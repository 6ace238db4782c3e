package geoip_test

import (
	"math"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/weir-id/weir/internal/geoip"
	"github.com/weir-id/weir/internal/geoip/geoiptest"
)

var berlin = geoip.Place{Continent: "EU", Country: "DE", City: "Berlin", Point: &geoip.Point{Lat: 52.52, Long: 13.405}}

// files are the databases of a test.
type files struct{ city, asn string }

func write(t testing.TB) files {
	t.Helper()
	dir := t.TempDir()
	f := files{filepath.Join(dir, "city.mmdb"), filepath.Join(dir, "asn.mmdb")}
	geoiptest.City(t, f.city, map[string]geoip.Place{
		"192.0.2.0/25":     berlin,
		"2001:db8::/48":    berlin,
		"198.51.100.0/24":  {Continent: "AQ"},
		"203.0.113.0/25":   {Country: "DE", Point: &geoip.Point{Lat: 91, Long: 0}},
		"203.0.113.128/25": {},
	})
	geoiptest.ASN(t, f.asn, map[string]geoip.Network{
		"192.0.2.0/26":    {ASN: 64496, Org: "Example"},
		"2001:db8::/32":   {ASN: 4294967295},
		"198.51.100.0/24": {Org: "Nobody"},
	})
	return f
}

func open(t testing.TB, c geoip.Config) *geoip.Databases {
	t.Helper()
	d := geoip.New(c)
	if err := d.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestContext(t *testing.T) {
	f := write(t)
	here := map[string]any{"continent": "EU", "country": "DE", "city": "Berlin", "lat": 52.52, "long": 13.405}
	both, city, asn := geoip.Config{City: f.city, ASN: f.asn}, geoip.Config{City: f.city}, geoip.Config{ASN: f.asn}
	tests := []struct {
		name   string
		config geoip.Config
		ip     string
		want   map[string]any
	}{
		{"a known address", both, "192.0.2.1", map[string]any{"geoip": here, "asn": map[string]any{"asn": int64(64496), "as_org": "Example", "network": "192.0.2.0/26"}}},
		{"IPv6", both, "2001:db8::1", map[string]any{"geoip": here, "asn": map[string]any{"asn": int64(4294967295), "as_org": nil, "network": "2001:db8::/32"}}},
		{"IPv4 in IPv6", city, "::ffff:192.0.2.1", map[string]any{"geoip": here}},
		{"an address with a zone", city, "2001:db8::1%eth0", map[string]any{"geoip": here}},
		{"a known place, an unknown network", both, "192.0.2.65", map[string]any{"geoip": here, "asn": nil}},
		{"nothing is known", both, "192.0.2.129", map[string]any{"geoip": nil, "asn": nil}},
		{"no address", both, "", map[string]any{"geoip": nil, "asn": nil}},
		{"only a database of places", city, "192.0.2.1", map[string]any{"geoip": here}},
		{"only a database of networks", asn, "192.0.2.65", map[string]any{"asn": nil}},
		{"no databases", geoip.Config{}, "192.0.2.1", map[string]any{}},
		{"what is not known of a place is null, and the city empty", both, "198.51.100.1",
			map[string]any{"geoip": map[string]any{"continent": "AQ", "country": nil, "city": "", "lat": nil, "long": nil}, "asn": nil}},
		{"a position that there is not", city, "203.0.113.1", map[string]any{"geoip": map[string]any{"continent": nil, "country": "DE", "city": "", "lat": nil, "long": nil}}},
		{"a record that says nothing", city, "203.0.113.129", map[string]any{"geoip": nil}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ip, _ := netip.ParseAddr(tt.ip) // the empty one is none
			if diff := cmp.Diff(tt.want, open(t, tt.config).Context(ip)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Databases of countries know no cities; those of providers know more.
func TestOtherTypesOfDatabases(t *testing.T) {
	dir := t.TempDir()
	country, isp := filepath.Join(dir, "country.mmdb"), filepath.Join(dir, "isp.mmdb")
	geoiptest.Write(t, country, "GeoIP2-Country", map[string]mmdbtype.DataType{"192.0.2.0/24": mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String("FR")}}})
	geoiptest.Write(t, isp, "GeoIP2-ISP", map[string]mmdbtype.DataType{"192.0.2.0/24": mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(7)}})
	d := open(t, geoip.Config{City: country, ASN: isp})
	ip := netip.MustParseAddr("192.0.2.1")
	if p, ok := d.Place(ip); !ok || p != (geoip.Place{Country: "FR"}) {
		t.Errorf("place %+v %v", p, ok)
	}
	if n, ok := d.Network(ip); !ok || n.ASN != 7 || n.Prefix != netip.MustParsePrefix("192.0.2.0/24") {
		t.Errorf("network %+v %v", n, ok)
	}
}

func TestDistance(t *testing.T) {
	tests := []struct {
		name     string
		from, to geoip.Point
		// km is the distance on the ellipsoid WGS 84.
		km float64
	}{
		{"the same place", *berlin.Point, *berlin.Point, 0},
		{"Berlin and Paris", *berlin.Point, geoip.Point{Lat: 48.8566, Long: 2.3522}, 879.7},
		{"Ottawa and Tokyo", geoip.Point{Lat: 45.4215, Long: -75.6972}, geoip.Point{Lat: 35.6762, Long: 139.6503}, 10338},
		{"across the date line", geoip.Point{Lat: 0, Long: 179.5}, geoip.Point{Lat: 0, Long: -179.5}, 111.3},
		{"from pole to pole", geoip.Point{Lat: 90}, geoip.Point{Lat: -90, Long: 77}, 20004},
		{"to the other side of the earth", geoip.Point{Lat: 10, Long: 20}, geoip.Point{Lat: -10, Long: -160}, 20004},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			there, back := tt.from.Distance(tt.to), tt.to.Distance(tt.from)
			if math.Abs(there-tt.km) > tt.km*0.006 || math.IsNaN(there) || there != back {
				t.Errorf("%v and %v km, want %v", there, back, tt.km)
			}
		})
	}
}

func BenchmarkContext(b *testing.B) {
	f := write(b)
	d := open(b, geoip.Config{City: f.city, ASN: f.asn})
	ip := netip.MustParseAddr("192.0.2.1")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if d.Context(ip)["asn"] == nil {
				b.Fatal("not found")
			}
		}
	})
}

func BenchmarkPlace(b *testing.B) {
	f := write(b)
	d := open(b, geoip.Config{City: f.city})
	ip := netip.MustParseAddr("192.0.2.1")
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := d.Place(ip); !ok {
			b.Fatal("not found")
		}
	}
}
