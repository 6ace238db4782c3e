package weir

import (
	"context"
	"net/netip"

	"github.com/weir-id/weir/internal/geoip"
	located "github.com/weir-id/weir/internal/policies/geoip"
	"github.com/weir-id/weir/internal/session"
	"github.com/weir-id/weir/policy"
)

// locate looks up where requests come from; nil without databases, so that
// nothing is done for them.
func (in *Installation) locate() func(netip.Addr) map[string]any {
	if !in.geoip.HasPlaces() && !in.geoip.HasNetworks() {
		return nil
	}
	return in.geoip.Context
}

// places tells where an address is and whose network it belongs to; nil for what
// nobody knows.
func (in *Installation) places(ip netip.Addr) (geo, asn map[string]any) {
	known := in.geoip.Context(ip)
	geo, _ = known[policy.KeyGeoIP].(map[string]any)
	asn, _ = known[policy.KeyASN].(map[string]any)
	return geo, asn
}

// capabilities are what clients may be told that this installation can do.
func (in *Installation) capabilities() []string {
	out := []string{"can_save_media"}
	if in.geoip.HasPlaces() {
		out = append(out, "can_geo_ip")
	}
	if in.geoip.HasNetworks() {
		out = append(out, "can_asn")
	}
	return out
}

// locator tells sessions where addresses are.
type locator struct{ databases *geoip.Databases }

var _ session.Locator = locator{}

// Network implements session.Locator.
func (l locator) Network(ip netip.Addr) (session.Network, bool) {
	n, ok := l.databases.Network(ip)
	return session.Network{ASN: n.ASN, Prefix: n.Prefix}, ok
}

// Place implements session.Locator.
func (l locator) Place(ip netip.Addr) (session.Place, bool) {
	p, ok := l.databases.Place(ip)
	return session.Place{Continent: p.Continent, Country: p.Country, City: p.City}, ok
}

// placedLogins finds the earlier logins of people among the events.
type placedLogins struct{ in *Installation }

var _ located.Logins = placedLogins{}

// Logins implements located.Logins.
func (l placedLogins) Logins(ctx context.Context, user int64, limit int) ([]located.Login, error) {
	logins, err := l.in.events.PlacedLogins(ctx, l.in.db, user, limit)
	if err != nil {
		return nil, err
	}
	out := make([]located.Login, len(logins))
	for i, e := range logins {
		out[i] = located.Login{At: e.At, From: geoip.Point{Lat: e.Lat, Long: e.Long}}
	}
	return out, nil
}
