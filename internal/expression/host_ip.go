package expression

import (
	"math/big"
	"net/netip"

	"go.starlark.net/starlark"
)

// ipValue is an IP address.
type ipValue struct{ ip netip.Addr }

func (v *ipValue) String() string        { return v.Type() + "('" + v.ip.String() + "')" }
func (v *ipValue) str() string           { return v.ip.String() }
func (v *ipValue) Freeze()               {}
func (v *ipValue) Truth() starlark.Bool  { return true }
func (v *ipValue) Hash() (uint32, error) { return starlark.String(v.ip.String()).Hash() }

func (v *ipValue) Type() string {
	if v.ip.Is4() {
		return "IPv4Address"
	}
	return "IPv6Address"
}

func (v *ipValue) compare(other starlark.Value) (int, bool) {
	o, ok := other.(*ipValue)
	if !ok || o.ip.Is4() != v.ip.Is4() {
		return 0, false
	}
	return v.ip.Compare(o.ip), true
}

func (v *ipValue) asInteger() starlark.Int {
	return starlark.MakeBigInt(new(big.Int).SetBytes(v.ip.AsSlice()))
}

// format lets an address stand in f-strings with a width.
func (v *ipValue) format(e *evaluation, spec string) (string, error) {
	return e.format(starlark.String(v.str()), spec)
}

func version(ip netip.Addr) starlark.Value {
	if ip.Is4() {
		return starlark.MakeInt(4)
	}
	return starlark.MakeInt(6)
}

func (v *ipValue) attr(_ *evaluation, name string) (starlark.Value, error) {
	switch name {
	case "version":
		return version(v.ip), nil
	case "compressed":
		return starlark.String(v.ip.String()), nil
	case "exploded":
		return starlark.String(v.ip.StringExpanded()), nil
	case "packed":
		return starlark.Bytes(v.ip.AsSlice()), nil
	}
	if is, ok := ipTest(v.ip, name); ok {
		return starlark.Bool(is), nil
	}
	return nil, nil
}

// special are the networks of the IANA registries for special purposes that
// are not reachable from everywhere, without those that netip knows.
func special() []netip.Prefix {
	var out []netip.Prefix
	for _, s := range []string{
		"0.0.0.0/8", "192.0.0.0/29", "192.0.0.170/31", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "240.0.0.0/4", "::/128", "100::/64", "2001::/23", "2001:db8::/32",
	} {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

func isPrivate(ip netip.Addr) bool {
	if ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
		return true
	}
	for _, p := range special() {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// ipTest answers the is_... attributes.
func ipTest(ip netip.Addr, name string) (is, known bool) {
	switch name {
	case "is_private":
		return isPrivate(ip), true
	case "is_global":
		shared := netip.MustParsePrefix("100.64.0.0/10").Contains(ip) // RFC 6598: neither private nor global
		return !isPrivate(ip) && !shared, true
	case "is_loopback":
		return ip.IsLoopback(), true
	case "is_multicast":
		return ip.IsMulticast(), true
	case "is_link_local":
		return ip.IsLinkLocalUnicast(), true
	case "is_unspecified":
		return ip.IsUnspecified(), true
	case "is_reserved":
		return netip.MustParsePrefix("240.0.0.0/4").Contains(ip), true
	}
	return false, false
}

// networkValue is an IP network.
type networkValue struct{ net netip.Prefix }

func (v *networkValue) String() string        { return v.Type() + "('" + v.net.String() + "')" }
func (v *networkValue) str() string           { return v.net.String() }
func (v *networkValue) Freeze()               {}
func (v *networkValue) Truth() starlark.Bool  { return true }
func (v *networkValue) Hash() (uint32, error) { return starlark.String(v.net.String()).Hash() }

func (v *networkValue) Type() string {
	if v.net.Addr().Is4() {
		return "IPv4Network"
	}
	return "IPv6Network"
}

func (v *networkValue) compare(other starlark.Value) (int, bool) {
	o, ok := other.(*networkValue)
	if !ok || o.net.Addr().Is4() != v.net.Addr().Is4() {
		return 0, false
	}
	if s := v.net.Addr().Compare(o.net.Addr()); s != 0 {
		return s, true
	}
	return v.net.Bits() - o.net.Bits(), true
}

func (v *networkValue) contains(_ *evaluation, x starlark.Value) (bool, error) {
	ip, ok := x.(*ipValue)
	if !ok {
		return false, raise(excType, "'in' wants an IP address on the left, not %s; use ip_address()", kindOf(x))
	}
	return v.net.Contains(ip.ip), nil
}

func (v *networkValue) attr(_ *evaluation, name string) (starlark.Value, error) {
	size := v.net.Addr().BitLen() - v.net.Bits()
	switch name {
	case "version":
		return version(v.net.Addr()), nil
	case "prefixlen":
		return starlark.MakeInt(v.net.Bits()), nil
	case "num_addresses":
		return starlark.MakeBigInt(new(big.Int).Lsh(big.NewInt(1), uint(size))), nil
	case "network_address":
		return &ipValue{v.net.Addr()}, nil
	case "broadcast_address":
		return &ipValue{lastAddr(v.net)}, nil
	case "with_prefixlen", "compressed":
		return starlark.String(v.net.String()), nil
	case "subnet_of", "supernet_of", "overlaps":
		return builtin(name, func(_ *evaluation, c call) (starlark.Value, error) {
			x, err := c.one()
			if err != nil {
				return nil, err
			}
			o, ok := x.(*networkValue)
			if !ok {
				return nil, raise(excType, "%s() wants a network, not %s", name, kindOf(x))
			}
			in, out := v.net, o.net
			if name == "supernet_of" {
				in, out = out, in
			}
			if name == "overlaps" {
				return starlark.Bool(in.Overlaps(out)), nil
			}
			return starlark.Bool(out.Bits() <= in.Bits() && out.Contains(in.Addr())), nil
		}), nil
	}
	first, known := ipTest(v.net.Addr(), name)
	last, _ := ipTest(lastAddr(v.net), name)
	if known {
		return starlark.Bool(first && last), nil
	}
	return nil, nil
}

func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	ip, _ := netip.AddrFromSlice(b)
	return ip
}

func fnIPAddress(_ *evaluation, c call) (starlark.Value, error) {
	v, err := c.only("address")
	if err != nil {
		return nil, err
	}
	if ip, ok := v.(*ipValue); ok {
		return ip, nil
	}
	ip, perr := netip.ParseAddr(str(v))
	if perr != nil {
		return nil, raise(excValue, "%s does not appear to be an IPv4 or IPv6 address", repr(v))
	}
	return &ipValue{ip}, nil
}

func fnIPNetwork(_ *evaluation, c call) (starlark.Value, error) {
	var v starlark.Value
	strict := true
	if err := c.take("address", &v, "strict?", &strict); err != nil {
		return nil, err
	}
	if n, ok := v.(*networkValue); ok {
		return n, nil
	}
	p, err := netip.ParsePrefix(str(v))
	if err != nil {
		ip, aerr := netip.ParseAddr(str(v))
		if aerr != nil {
			return nil, raise(excValue, "%s does not appear to be an IPv4 or IPv6 network", repr(v))
		}
		p = netip.PrefixFrom(ip, ip.BitLen())
	}
	if strict && p.Masked() != p {
		return nil, raise(excValue, "%s has host bits set", str(v))
	}
	return &networkValue{p.Masked()}, nil
}
