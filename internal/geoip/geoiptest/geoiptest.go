// Package geoiptest writes databases of the MaxMind format for tests.
package geoiptest

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/weir-id/weir/internal/geoip"
)

// City writes a database of places, by network in the notation of CIDR. A file
// that is there is replaced at once, as programs that update databases do it.
func City(t testing.TB, path string, places map[string]geoip.Place) {
	t.Helper()
	records := map[string]mmdbtype.DataType{}
	for network, p := range places {
		record := mmdbtype.Map{
			"continent": mmdbtype.Map{"code": mmdbtype.String(p.Continent)},
			"country":   mmdbtype.Map{"iso_code": mmdbtype.String(p.Country)},
			"city":      mmdbtype.Map{"names": mmdbtype.Map{"de": mmdbtype.String(p.City + " (de)"), "en": mmdbtype.String(p.City)}},
		}
		if p.Point != nil {
			record["location"] = mmdbtype.Map{"latitude": mmdbtype.Float64(p.Point.Lat), "longitude": mmdbtype.Float64(p.Point.Long)}
		}
		records[network] = record
	}
	Write(t, path, "GeoLite2-City", records)
}

// ASN writes a database of who announces networks. Their prefixes are those
// under which they stand; neighbours with equal records become one.
func ASN(t testing.TB, path string, networks map[string]geoip.Network) {
	t.Helper()
	records := map[string]mmdbtype.DataType{}
	for network, n := range networks {
		records[network] = mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(n.ASN), "autonomous_system_organization": mmdbtype.String(n.Org)}
	}
	Write(t, path, "GeoLite2-ASN", records)
}

// Write writes a database of any type.
func Write(t testing.TB, path, databaseType string, records map[string]mmdbtype.DataType) {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: databaseType, RecordSize: 28, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for text, record := range records {
		_, network, err := net.ParseCIDR(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(network, record); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.CreateTemp(filepath.Dir(path), "new-*.mmdb")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := tree.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		t.Fatal(err)
	}
}
