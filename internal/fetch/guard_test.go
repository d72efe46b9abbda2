package fetch_test

import (
	"net/netip"
	"testing"

	"github.com/apisix-auth0-jwt/apisix-auth0-jwt/internal/fetch"
)

func networks(texts ...string) []netip.Prefix {
	list := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}

func TestOnlyPublicAddressesAreAllowed(t *testing.T) {
	for _, tt := range []struct {
		network  string
		inside   []string // refused: the first and the last, and what is known by name
		outside  []string // allowed: the nearest neighbours that no other line refuses
		refusedN []string // neighbours that another line refuses
	}{
		{"0.0.0.0/8", []string{"0.0.0.0", "0.255.255.255"}, []string{"1.0.0.0"}, nil},
		{"10.0.0.0/8", []string{"10.0.0.0", "10.255.255.255"}, []string{"9.255.255.255", "11.0.0.0"}, nil},
		{"100.64.0.0/10", []string{"100.64.0.0", "100.127.255.255"}, []string{"100.63.255.255", "100.128.0.0"}, nil},
		{"127.0.0.0/8", []string{"127.0.0.0", "127.0.0.1", "127.255.255.255"}, []string{"126.255.255.255", "128.0.0.0"}, nil},
		{"169.254.0.0/16", []string{"169.254.0.0", "169.254.169.254", "169.254.255.255"}, []string{"169.253.255.255", "169.255.0.0"}, nil},
		{"172.16.0.0/12", []string{"172.16.0.0", "172.31.255.255"}, []string{"172.15.255.255", "172.32.0.0"}, nil},
		{"192.0.0.0/24", []string{"192.0.0.0", "192.0.0.9", "192.0.0.255"}, []string{"191.255.255.255", "192.0.1.0"}, nil},
		{"192.0.2.0/24", []string{"192.0.2.0", "192.0.2.255"}, []string{"192.0.1.255", "192.0.3.0"}, nil},
		{"192.88.99.0/24", []string{"192.88.99.0", "192.88.99.255"}, []string{"192.88.98.255", "192.88.100.0"}, nil},
		{"192.168.0.0/16", []string{"192.168.0.0", "192.168.255.255"}, []string{"192.167.255.255", "192.169.0.0"}, nil},
		{"198.18.0.0/15", []string{"198.18.0.0", "198.19.255.255"}, []string{"198.17.255.255", "198.20.0.0"}, nil},
		{"198.51.100.0/24", []string{"198.51.100.0", "198.51.100.255"}, []string{"198.51.99.255", "198.51.101.0"}, nil},
		{"203.0.113.0/24", []string{"203.0.113.0", "203.0.113.255"}, []string{"203.0.112.255", "203.0.114.0"}, nil},
		{"224.0.0.0/4", []string{"224.0.0.0", "239.255.255.255"}, []string{"223.255.255.255"}, []string{"240.0.0.0"}},
		{"240.0.0.0/4", []string{"240.0.0.0", "255.255.255.254", "255.255.255.255"}, nil, []string{"239.255.255.255"}},
		{"::/96", []string{"::", "::1", "::2", "::7f00:1", "::808:808", "::ffff:ffff"}, []string{"::1:0:0"}, nil},
		{"::ffff:0:0/96 of refused addresses", []string{"::ffff:0.0.0.0", "::ffff:127.0.0.1", "::ffff:10.1.2.3", "::ffff:169.254.169.254"}, []string{"::ffff:8.8.8.8", "::fffe:ffff:ffff", "::1:0:0:0"}, nil},
		{"64:ff9b::/96 of refused addresses", []string{"64:ff9b::", "64:ff9b::127.0.0.1", "64:ff9b::10.1.2.3", "64:ff9b::169.254.169.254", "64:ff9b::255.255.255.255"}, []string{"64:ff9b::8.8.8.8", "64:ff9a:ffff:ffff:ffff:ffff:7f00:1", "64:ff9b::1:7f00:1"}, nil},
		{"64:ff9b:1::/48", []string{"64:ff9b:1::", "64:ff9b:1::8.8.8.8", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"}, []string{"64:ff9b:0:ffff:ffff:ffff:ffff:ffff", "64:ff9b:2::"}, nil},
		{"100::/64", []string{"100::", "100::ffff:ffff:ffff:ffff"}, []string{"ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, []string{"100:0:0:1::"}},
		{"100:0:0:1::/64", []string{"100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff"}, []string{"100:0:0:2::"}, []string{"100::ffff:ffff:ffff:ffff"}},
		{"2001::/23", []string{"2001::", "2001::1", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"}, []string{"2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"}, nil},
		{"2001:db8::/32", []string{"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"}, []string{"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"}, nil},
		{"2002::/16", []string{"2002::", "2002:7f00:1::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, []string{"2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"}, nil},
		{"3fff::/20", []string{"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"}, []string{"3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"}, nil},
		{"5f00::/16", []string{"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, []string{"5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "5f01::"}, nil},
		{"fc00::/7", []string{"fc00::", "fd00:ec2::254", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, []string{"fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe00::"}, nil},
		{"fe80::/10", []string{"fe80::", "fe80::1%eth0", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, []string{"fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, []string{"fec0::"}},
		{"fec0::/10", []string{"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, nil, []string{"febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ff00::"}},
		{"ff00::/8", []string{"ff00::", "ff02::1%eth0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, nil, []string{"feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}},
		{"issuers' own", nil, []string{"8.8.8.8", "104.16.0.1", "2606:4700::1111", "2a00:1450:4001::1"}, nil},
	} {
		t.Run(tt.network, func(t *testing.T) {
			for _, refused := range append(tt.inside, tt.refusedN...) {
				if (fetch.Guard{}).Allows(netip.MustParseAddr(refused)) {
					t.Errorf("%s is allowed", refused)
				}
			}
			for _, allowed := range tt.outside {
				if !(fetch.Guard{}).Allows(netip.MustParseAddr(allowed)) {
					t.Errorf("%s is refused", allowed)
				}
			}
		})
	}
	if (fetch.Guard{}).Allows(netip.Addr{}) {
		t.Error("no address at all is allowed")
	}
}

func TestANamedNetworkAllowsExactlyItsAddresses(t *testing.T) {
	for _, tt := range []struct {
		name             string
		networks         []netip.Prefix
		allowed, refused []string
	}{
		{
			"one of IPv4", networks("10.1.0.0/16"),
			[]string{"10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3", "8.8.8.8", "2606:4700::1111"},
			[]string{"10.0.255.255", "10.2.0.0", "::ffff:10.2.0.0", "::10.1.2.3", "64:ff9b::10.1.2.3", "64:ff9b:1::10.1.2.3", "2002:a01:203::", "127.0.0.1"},
		},
		{"written as mapped IPv6", networks("::ffff:10.1.0.0/112"), []string{"10.1.2.3", "::ffff:10.1.2.3"}, []string{"10.2.0.0"}},
		{"with more than the network", networks("10.1.2.3/16"), []string{"10.1.0.0"}, []string{"10.2.0.0"}},
		{"a single address", networks("10.1.2.3/32"), []string{"10.1.2.3"}, []string{"10.1.2.2", "10.1.2.4"}},
		{"loopback", networks("127.0.0.0/8", "::1/128"), []string{"127.0.0.1", "::1"}, []string{"::", "::2", "10.0.0.1"}},
		{"one of IPv6", networks("fd12:3456::/32"), []string{"fd12:3456::1", "fd12:3456::1%eth0"}, []string{"fd12:3455::1", "fd12:3457::1"}},
		{"all of IPv6 is none of IPv4", networks("::/0"), []string{"::1", "fe80::1"}, []string{"10.0.0.1", "::ffff:10.0.0.1"}},
		{"all of IPv4 is none of IPv6", networks("0.0.0.0/0"), []string{"10.0.0.1", "::ffff:10.0.0.1"}, []string{"::1", "64:ff9b::10.0.0.1"}},
		{"NAT64", networks("64:ff9b::/96"), []string{"64:ff9b::10.1.2.3"}, []string{"10.1.2.3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := fetch.NewGuard(tt.networks)
			for _, allowed := range tt.allowed {
				if !g.Allows(netip.MustParseAddr(allowed)) {
					t.Errorf("%s is refused", allowed)
				}
			}
			for _, refused := range tt.refused {
				if g.Allows(netip.MustParseAddr(refused)) {
					t.Errorf("%s is allowed", refused)
				}
			}
		})
	}
}
