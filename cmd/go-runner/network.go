package main

import (
	"fmt"
	"net/netip"
	"strings"
)

// networks are CIDRs, separated by commas; each flag adds to them.
type networks []netip.Prefix

const allowNetworkUsage = "private network that issuers may stand in, with https and verified certificates: `CIDR[,CIDR...]`, such as 10.1.0.0/16; may be repeated"

// Type implements pflag.Value.
func (*networks) Type() string { return "CIDR" }

func (n *networks) String() string {
	texts := make([]string, len(*n))
	for i, network := range *n {
		texts[i] = network.String()
	}
	return strings.Join(texts, ",")
}

// Set implements pflag.Value.
func (n *networks) Set(text string) error {
	for cidr := range strings.SplitSeq(text, ",") {
		network, err := parseNetwork(strings.TrimSpace(cidr))
		if err != nil {
			return err
		}
		*n = append(*n, network)
	}
	return nil
}

// parseNetwork takes a network whose address is its first one. Another address
// means that either it or the length is mistaken, and more would be allowed than
// was meant.
func parseNetwork(cidr string) (netip.Prefix, error) {
	network, err := netip.ParsePrefix(cidr)
	if err != nil {
		if address, err := netip.ParseAddr(cidr); err == nil && address.Zone() == "" {
			return netip.Prefix{}, fmt.Errorf("%q: want a network; this address alone is %s", cidr, netip.PrefixFrom(address, address.BitLen()))
		}
		return netip.Prefix{}, fmt.Errorf("%q: want a network such as 10.1.0.0/16 or fd12:3456::/32", cidr)
	}
	if network != network.Masked() {
		return netip.Prefix{}, fmt.Errorf("%q: the network of that length is %s; one address alone is %s",
			cidr, network.Masked(), netip.PrefixFrom(network.Addr(), network.Addr().BitLen()))
	}
	return network, nil
}
