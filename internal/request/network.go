package request

import "net/netip"

// Network is who counts as one client: an address, or in IPv6 the 64 bits that a
// customer has to themselves. Unknown addresses are one client, the zero Prefix.
func Network(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits) // fails for the unknown address alone
	return p
}
