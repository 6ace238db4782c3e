// Package geoip tells where network addresses are and who announces them. It
// looks them up in databases of the MaxMind format, which are files that the
// operator keeps up to date; a replaced file is taken up while requests are
// served.
//
// A file is read into memory instead of being mapped: whoever overwrites or
// truncates it in place would otherwise end the program with it.
package geoip

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/netip"
	"time"

	"github.com/oschwald/geoip2-golang/v2"

	"github.com/weir-id/weir/policy"
)

// Config names the files of the databases; an empty path is no database.
type Config struct {
	// City tells places: a City, Country or Enterprise database. ASN tells who
	// announces an address: an ASN or ISP database.
	City, ASN string
	// Log is told about files; nil discards.
	Log *slog.Logger
}

// Databases looks addresses up. Until Open has succeeded no address is known.
// It is safe for concurrent use.
type Databases struct {
	city, asn *database
}

// New returns databases that are not open yet.
func New(c Config) *Databases {
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Databases{
		city: newDatabase("city", c.City, log, func(r *geoip2.Reader) error { _, err := r.City(probe); return err }),
		asn:  newDatabase("asn", c.ASN, log, func(r *geoip2.Reader) error { _, err := r.ASN(probe); return err }),
	}
}

// probe is looked up in a new file, to see that it answers.
var probe = netip.IPv4Unspecified()

// Open reads the files. The error tells of every one that cannot be used.
func (d *Databases) Open(ctx context.Context) error {
	return errors.Join(d.city.open(ctx), d.asn.open(ctx))
}

// Reload takes up the files that were replaced. One that cannot be used is
// logged, and the last one that could be goes on being used.
func (d *Databases) Reload(ctx context.Context) {
	d.city.reload(ctx)
	d.asn.reload(ctx)
}

// Watch calls Reload at an interval until ctx ends.
func (d *Databases) Watch(ctx context.Context, every time.Duration) {
	if !d.HasPlaces() && !d.HasNetworks() {
		return
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.Reload(ctx)
		}
	}
}

// HasPlaces tells whether there is a database of places.
func (d *Databases) HasPlaces() bool { return d.city != nil }

// HasNetworks tells whether there is a database of networks.
func (d *Databases) HasNetworks() bool { return d.asn != nil }

// Place is where an address probably is. What the database does not know is
// empty.
type Place struct {
	// Continent and Country are codes of two letters, the latter of ISO 3166-1.
	Continent, Country string
	// City is the English name.
	City string
	// Point is in the middle of the area in which the address may be; nil when
	// unknown.
	Point *Point
}

// Point is a position in degrees.
type Point struct{ Lat, Long float64 }

// Valid tells whether there is such a position.
func (p Point) Valid() bool { return math.Abs(p.Lat) <= 90 && math.Abs(p.Long) <= 180 }

// earthRadius is the mean radius of the earth in km (IUGG). On a sphere of that
// size distances are wrong by half a percent at most, much less than places are.
const earthRadius = 6371.0088

// Distance is how far away another position is, in km over the ground.
func (p Point) Distance(to Point) float64 {
	const degree = math.Pi / 180
	lat, long := math.Sin((to.Lat-p.Lat)*degree/2), math.Sin((to.Long-p.Long)*degree/2)
	h := lat*lat + math.Cos(p.Lat*degree)*math.Cos(to.Lat*degree)*long*long
	return 2 * earthRadius * math.Asin(math.Sqrt(min(h, 1)))
}

// Place looks an address up; false means that nothing is known.
func (d *Databases) Place(ip netip.Addr) (Place, bool) {
	record, ok := lookup(d.city, ip, (*geoip2.Reader).City)
	if !ok {
		return Place{}, false
	}
	p := Place{Continent: record.Continent.Code, Country: record.Country.ISOCode, City: record.City.Names.English}
	if at := record.Location; at.HasCoordinates() {
		if point := (Point{*at.Latitude, *at.Longitude}); point.Valid() {
			p.Point = &point
		}
	}
	return p, p != Place{}
}

// Network is where an address is announced.
type Network struct {
	// ASN is the number of the autonomous system, never 0.
	ASN uint32
	// Org is who runs it; empty when unknown.
	Org string
	// Prefix is the announced network.
	Prefix netip.Prefix
}

// Network looks an address up; false means that it is not known who announces
// it.
func (d *Databases) Network(ip netip.Addr) (Network, bool) {
	record, ok := lookup(d.asn, ip, (*geoip2.Reader).ASN)
	if !ok || record.AutonomousSystemNumber == 0 || record.AutonomousSystemNumber > math.MaxUint32 {
		return Network{}, false
	}
	return Network{uint32(record.AutonomousSystemNumber), record.AutonomousSystemOrganization, record.Network}, true
}

// Context is what policies and events see of an address: policy.KeyGeoIP and
// policy.KeyASN with what is known, nil where nothing is, each only if there is
// a database for it.
func (d *Databases) Context(ip netip.Addr) map[string]any {
	out := map[string]any{}
	if d.HasPlaces() {
		out[policy.KeyGeoIP] = nil
		if p, ok := d.Place(ip); ok {
			out[policy.KeyGeoIP] = p.values()
		}
	}
	if d.HasNetworks() {
		out[policy.KeyASN] = nil
		if n, ok := d.Network(ip); ok {
			out[policy.KeyASN] = map[string]any{"asn": int64(n.ASN), "as_org": text(n.Org), "network": n.Prefix.String()}
		}
	}
	return out
}

// values is the place on the wire.
func (p Place) values() map[string]any {
	out := map[string]any{"continent": text(p.Continent), "country": text(p.Country), "city": p.City, "lat": nil, "long": nil}
	if p.Point != nil {
		out["lat"], out["long"] = p.Point.Lat, p.Point.Long
	}
	return out
}

// text is nil for a text that is not known.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}
