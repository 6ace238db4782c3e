package session

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"

	"github.com/weir-id/weir/internal/event"
	"github.com/weir-id/weir/internal/store"
	"github.com/weir-id/weir/policy"
)

// Network is where an address is announced.
type Network struct {
	ASN uint32
	// Prefix is the announced network.
	Prefix netip.Prefix
}

// Place is where an address probably is; codes and names as the database has
// them, empty for what it does not know.
type Place struct{ Continent, Country, City string }

// tells whether the place has all that a binding compares. Two cities that are
// not known are not the same city.
func (p Place) tells(binding string) bool {
	switch binding {
	case bindContinent:
		return p.Continent != ""
	case bindContinentLand:
		return p.Continent != "" && p.Country != ""
	case bindContinentPlace:
		return p.Continent != "" && p.Country != "" && p.City != ""
	}
	return false
}

// Locator looks addresses up. A false second result means that it does not know.
type Locator interface {
	Network(ip netip.Addr) (Network, bool)
	Place(ip netip.Addr) (Place, bool)
}

// The bindings of a session, values of the user_login stage.
const (
	unbound            = "no_binding"
	bindASN            = "bind_asn"
	bindASNNetwork     = "bind_asn_network"
	bindASNNetworkIP   = "bind_asn_network_ip"
	bindContinent      = "bind_continent"
	bindContinentLand  = "bind_continent_country"
	bindContinentPlace = "bind_continent_country_city"
)

func bound(network, place string) bool {
	return network != "" && network != unbound || place != "" && place != unbound
}

// Broken says why a session was ended: its address changed to one that its
// binding does not allow.
type Broken struct {
	// Reason is "network.missing", "network.asn", "network.asn_network",
	// "network.ip", "geoip.missing", "geoip.continent", "geoip.country" or
	// "geoip.city".
	Reason        string
	Previous, New string
}

// Check is to be called on every request before its session is used; it returns
// the session that goes on. Mostly that is c itself, whose use is noted. When
// the client address has changed and the session's binding does not allow the
// new one, the session is ended with an event logout, and the result is a fresh
// one that says why in Broken. An address that passes becomes the session's.
func (m *Manager) Check(ctx context.Context, c *Current, h *policy.HTTPRequest) (*Current, error) {
	if c.Row == nil {
		return c, nil
	}
	ip := origin(h).ip
	if ip == c.Row.LastIP || !bound(c.Row.NetworkBinding, c.Row.GeoIPBinding) {
		m.touch(ctx, c, h)
		return c, nil
	}
	old, _ := netip.ParseAddr(c.Row.LastIP)
	now, _ := netip.ParseAddr(ip)
	broken := m.compare(c.Row, old, now)
	if broken == nil {
		_, err := m.db.Exec(ctx, "update sessions set last_ip = $2 where key = $1 and last_ip = $3", c.Session.Key, ip, c.Row.LastIP)
		if err != nil {
			return nil, fmt.Errorf("move session to another address: %w", err)
		}
		c.Row.LastIP = ip
		m.touch(ctx, c, h)
		return c, nil
	}
	e := event.Event{Action: event.Logout, User: c.Person, HTTP: h, Context: map[string]any{
		"logout_reason": "Session is bound to its network or place.",
		"binding":       map[string]any{"reason": broken.Reason, "previous_value": broken.Previous, "new_value": broken.New},
		"ip":            map[string]any{"previous": c.Row.LastIP, "new": ip},
	}}
	if err := m.end(ctx, c, e); err != nil {
		return nil, fmt.Errorf("end session whose binding broke: %w", err)
	}
	m.log.InfoContext(ctx, "session ended", slog.String("reason", broken.Reason), slog.Int64("user", c.Person.ID))
	fresh := m.visit()
	fresh.Broken = broken
	return fresh, nil
}

// end deletes a session and tells why, once.
func (m *Manager) end(ctx context.Context, c *Current, e event.Event) error {
	return m.db.Write(ctx, func(ctx context.Context, tx store.Tx) error {
		n, err := tx.Exec(ctx, "delete from sessions where key = $1", c.Session.Key)
		if err != nil || n == 0 {
			return err // a parallel request has told already
		}
		return m.events.Record(ctx, tx, e)
	})
}

// compare finds the first rule that the new address breaks. A binding of an
// unknown name is broken: it was meant to restrict something.
func (m *Manager) compare(row *Row, old, now netip.Addr) *Broken {
	if b := row.NetworkBinding; b != "" && b != unbound {
		if broken := m.compareNetwork(b, old, now); broken != nil {
			return broken
		}
	}
	if b := row.GeoIPBinding; b != "" && b != unbound {
		return m.comparePlace(b, old, now)
	}
	return nil
}

func (m *Manager) compareNetwork(binding string, old, now netip.Addr) *Broken {
	var a, b Network
	known := false
	if m.locator != nil {
		var oldKnown, newKnown bool
		a, oldKnown = m.locator.Network(old)
		b, newKnown = m.locator.Network(now)
		known = oldKnown && newKnown
	}
	switch {
	case !known, binding != bindASN && binding != bindASNNetwork && binding != bindASNNetworkIP:
		return &Broken{Reason: "network.missing", Previous: old.String(), New: now.String()}
	case a.ASN != b.ASN:
		return &Broken{Reason: "network.asn", Previous: fmt.Sprint(a.ASN), New: fmt.Sprint(b.ASN)}
	case binding != bindASN && a.Prefix != b.Prefix:
		return &Broken{Reason: "network.asn_network", Previous: a.Prefix.String(), New: b.Prefix.String()}
	case binding == bindASNNetworkIP && old != now:
		return &Broken{Reason: "network.ip", Previous: old.String(), New: now.String()}
	}
	return nil
}

func (m *Manager) comparePlace(binding string, old, now netip.Addr) *Broken {
	var a, b Place
	known := false
	if m.locator != nil {
		var oldKnown, newKnown bool
		a, oldKnown = m.locator.Place(old)
		b, newKnown = m.locator.Place(now)
		known = oldKnown && newKnown
	}
	switch {
	case !known || !a.tells(binding) || !b.tells(binding):
		return &Broken{Reason: "geoip.missing", Previous: old.String(), New: now.String()}
	case a.Continent != b.Continent:
		return &Broken{Reason: "geoip.continent", Previous: a.Continent, New: b.Continent}
	case binding != bindContinent && a.Country != b.Country:
		return &Broken{Reason: "geoip.country", Previous: a.Country, New: b.Country}
	case binding == bindContinentPlace && a.City != b.City:
		return &Broken{Reason: "geoip.city", Previous: a.City, New: b.City}
	}
	return nil
}
