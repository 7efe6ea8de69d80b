//! Which addresses the public internet is made of: everything else is refused unless an action allows it.
//!
//! From the IANA special-purpose address registries for IPv4 and IPv6 (read 2026-11-20). IPv4 addresses that travel inside
//! IPv6 ones are judged by what is inside.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPv4 networks that are not public: address, prefix length, and who is there.
const V4: [([u8; 4], u32, &str); 15] = [
    ([0, 0, 0, 0], 8, "this network"),
    ([10, 0, 0, 0], 8, "private"),
    ([100, 64, 0, 0], 10, "carrier-grade NAT"),
    ([127, 0, 0, 0], 8, "loopback"),
    ([168, 63, 129, 16], 32, "Azure's host agent"),
    ([169, 254, 0, 0], 16, "link-local, cloud metadata"),
    ([172, 16, 0, 0], 12, "private"),
    ([192, 0, 0, 0], 24, "protocol assignments"),
    ([192, 0, 2, 0], 24, "documentation"),
    ([192, 88, 99, 0], 24, "old 6to4 relays"),
    ([192, 168, 0, 0], 16, "private"),
    ([198, 18, 0, 0], 15, "benchmarks"),
    ([198, 51, 100, 0], 24, "documentation"),
    ([203, 0, 113, 0], 24, "documentation"),
    ([224, 0, 0, 0], 3, "multicast, reserved, broadcast"),
];

/// IPv6 networks that are not public.
const V6: [(u128, u32, &str); 7] = [
    (1, 128, "loopback"),
    (0xfc00 << 112, 7, "private"),
    (0xfe80 << 112, 10, "link-local"),
    (0xff00 << 112, 8, "multicast"),
    // Among them Teredo, which carries IPv4 addresses in disguise.
    (0x2001_0000 << 96, 23, "protocol assignments"),
    (0x2001_0db8 << 96, 32, "documentation"),
    (0x3fff_0000 << 96, 20, "documentation"),
];

/// Who is at an address that is not public; `None` for one that belongs to the public internet.
pub(crate) fn reserved_for(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => reserved_v4(address),
        IpAddr::V6(address) => reserved_v6(address),
    }
}

fn reserved_v4(address: Ipv4Addr) -> Option<&'static str> {
    let bits = u32::from(address);
    let within = |network: [u8; 4], length| bits >> (32 - length) == u32::from_be_bytes(network) >> (32 - length);
    V4.iter().find(|(network, length, _)| within(*network, *length)).map(|(.., who)| *who)
}

fn reserved_v6(address: Ipv6Addr) -> Option<&'static str> {
    let bits = u128::from(address);
    let within = |network: u128, length| bits >> (128 - length) == network >> (128 - length);
    let named = V6.iter().find(|(network, length, _)| within(*network, *length)).map(|(.., who)| *who);
    match (named, carried_v4(address)) {
        (Some(who), _) => Some(who),
        (None, Some(inside)) => reserved_v4(inside),
        (None, None) => (bits >> 125 != 0b001).then_some("not assigned"),
    }
}

/// The IPv4 address inside a mapped, compatible, NAT64 or 6to4 address.
fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(public: bool, addresses: &[&str]) {
        for address in addresses {
            assert_eq!(reserved_for(address.parse().expect(address)).is_none(), public, "{address}");
        }
    }

    #[test]
    fn what_is_not_the_public_internet_is_known() {
        check(false, &["0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "100.100.100.200"]);
        check(
            false,
            &["127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255"],
        );
        check(false, &["192.0.0.8", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9"]);
        check(false, &["224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"]);
        check(false, &["::", "::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "100::1", "2001:db8::1", "3fff::1"]);
        check(false, &["2001::1", "2001:10::1", "4000::1"]);
    }

    #[test]
    fn an_address_inside_another_is_judged_by_itself() {
        check(false, &["::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.1.2.3", "::127.0.0.1", "::0.0.0.2"]);
        check(false, &["64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::1", "2002:a00:1::"]);
        check(true, &["::ffff:1.1.1.1", "64:ff9b::8.8.8.8", "2002:101:101::1"]);
    }

    #[test]
    fn their_neighbours_are_public() {
        check(true, &["1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0"]);
        check(
            true,
            &["168.63.129.15", "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.167.255.255", "198.17.0.1", "223.255.255.255"],
        );
        check(true, &["2606:4700:4700::1111", "2001:200::1", "2a00::1", "3fff:1000::1"]);
    }
}
