package fetch

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"
)

var errForbiddenAddress = errors.New("the address is not public")

// special are the addresses that are not the public Internet's: those of IANA's
// registries of special-purpose addresses (RFC 6890), multicast, and the ways to
// write an IPv4 address as an IPv6 one. The few public addresses inside of
// 192.0.0.0/24 and 2001::/23 serve protocols, not issuers, and are not excepted.
var special = prefixes(
	"0.0.0.0/8",       // this network (RFC 791)
	"10.0.0.0/8",      // private (RFC 1918)
	"100.64.0.0/10",   // carriers' own (RFC 6598)
	"127.0.0.0/8",     // loopback (RFC 1122)
	"169.254.0.0/16",  // link-local (RFC 3927), clouds' metadata
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments (RFC 6890)
	"192.0.2.0/24",    // documentation (RFC 5737)
	"192.88.99.0/24",  // 6to4 relays (RFC 7526)
	"192.168.0.0/16",  // private
	"198.18.0.0/15",   // benchmarks (RFC 2544)
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast (RFC 5771)
	"240.0.0.0/4",     // reserved (RFC 1112), and broadcast
	"::/96",           // unspecified, loopback, IPv4-compatible (RFC 4291)
	"64:ff9b:1::/48",  // NAT64 of one's own (RFC 8215)
	"100::/64",        // discard (RFC 6666)
	"100:0:0:1::/64",  // dummy (RFC 9780)
	"2001::/23",       // protocol assignments (RFC 2928), Teredo
	"2001:db8::/32",   // documentation (RFC 3849)
	"2002::/16",       // 6to4 (RFC 3056)
	"3fff::/20",       // documentation (RFC 9637)
	"5f00::/16",       // segment routing (RFC 9602)
	"fc00::/7",        // private (RFC 4193)
	"fe80::/10",       // link-local
	"fec0::/10",       // site-local (RFC 3879)
	"ff00::/8",        // multicast
)

// nat64 is where a translator gives every IPv4 address an IPv6 one (RFC 6052
// section 2.1), its last four bytes. A network without IPv4 reaches the public
// Internet by it, so these addresses are judged by the IPv4 address inside.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func prefixes(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

// Guard tells allowed addresses from others. The zero value allows the public
// Internet's.
type Guard struct {
	named []netip.Prefix
}

// NewGuard makes a guard that also allows the addresses in the named networks,
// and no others: naming an IPv4 network allows it written as IPv4-mapped IPv6
// too, since that is the same address, but not through NAT64.
func NewGuard(named []netip.Prefix) Guard {
	g := Guard{named: make([]netip.Prefix, len(named))}
	for i, network := range named {
		network = network.Masked()
		if mapped := network.Addr(); mapped.Is4In6() && network.Bits() >= 96 {
			network = netip.PrefixFrom(mapped.Unmap(), network.Bits()-96)
		}
		g.named[i] = network
	}
	return g
}

// Allows reports whether requests may go to an address.
func (g Guard) Allows(address netip.Addr) bool {
	address = address.Unmap().WithZone("") // no network contains an address with a zone
	return address.IsValid() && (anyContains(g.named, address) || public(address))
}

func public(address netip.Addr) bool {
	if nat64.Contains(address) {
		whole := address.As16()
		address = netip.AddrFrom4([4]byte(whole[12:]))
	}
	return !anyContains(special, address)
}

func anyContains(networks []netip.Prefix, address netip.Addr) bool {
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(address) })
}

// control is a net.Dialer's: it sees the address that a connection is about to
// be made to, after the name was resolved, so that a name which resolves to
// another address the second time gains nothing.
func (g Guard) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !g.Allows(at.Addr()) {
		return errForbiddenAddress
	}
	return nil
}
