// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An IP address in the form that crosses the kernel boundary. It knows no rule, and no range of a rule.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// An IP address of either family: four 32-bit words in network byte order. IPv4 has its IPv4-mapped form
/// `::ffff:a.b.c.d` ([RFC 4291 §2.5.5.2](https://www.rfc-editor.org/rfc/rfc4291#section-2.5.5.2)).
///
/// The address has words and not bytes, because the verifier tracks one load at a time. Equality is spelled out,
/// because the compiler may turn `==` on an array into a call to `memcmp`, which kernel programs do not have. Words are
/// combined before they are compared, because each branch can double what the verifier has to walk.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Address(pub [u32; 4]);

/// The third word of an IPv4-mapped address.
const MAPPED: u32 = 0xffff_u32.to_be();

impl Address {
    /// `0.0.0.0`, mapped.
    pub const UNSPECIFIED_V4: Self = Self::from_v4_be(0);
    /// `127.0.0.1`, mapped.
    pub const LOOPBACK_V4: Self = Self::from_v4_be(0x7f00_0001_u32.to_be());
    /// `::1`.
    pub const LOOPBACK_V6: Self = Self([0, 0, 0, 1_u32.to_be()]);
    /// `127.0.0.6`: the source of the connections that Envoy makes to its application. They are never redirected again.
    pub const PASSTHROUGH_V4: Self = Self::from_v4_be(0x7f00_0006_u32.to_be());
    /// `::6`: the same over IPv6.
    pub const PASSTHROUGH_V6: Self = Self([0, 0, 0, 6_u32.to_be()]);

    /// From an IPv4 address in network byte order, as in `struct sockaddr_in`.
    #[inline(always)]
    pub const fn from_v4_be(addr_be: u32) -> Self {
        Self([0, 0, MAPPED, addr_be])
    }

    /// The IPv4 address in network byte order. It has a meaning only if [`Self::is_v4`].
    #[inline(always)]
    pub const fn v4_be(self) -> u32 {
        self.0[3]
    }

    /// Whether this is an IPv4 or IPv4-mapped address. A connection to it is IPv4 on the wire, whatever the family of
    /// its socket is.
    #[inline(always)]
    pub const fn is_v4(self) -> bool {
        self.0[0] | self.0[1] | (self.0[2] ^ MAPPED) == 0
    }

    /// Whether this is `0.0.0.0` or `::`.
    #[inline(always)]
    pub const fn is_unspecified(self) -> bool {
        let last_of_v4 = (self.0[2] ^ MAPPED) | self.0[3];
        let last_of_v6 = self.0[2] | self.0[3];
        self.0[0] | self.0[1] == 0 && (last_of_v4 == 0 || last_of_v6 == 0)
    }

    /// Whether this lies in `127.0.0.0/8` or is `::1`.
    #[inline(always)]
    pub const fn is_loopback(self) -> bool {
        if self.is_v4() {
            u32::from_be(self.0[3]) >> 24 == 127
        } else {
            self.same(Self::LOOPBACK_V6)
        }
    }

    /// `127.0.0.1` or `::1`, of the same family.
    #[inline(always)]
    #[must_use]
    pub const fn loopback(self) -> Self {
        if self.is_v4() { Self::LOOPBACK_V4 } else { Self::LOOPBACK_V6 }
    }

    /// `0.0.0.0` or `::`, of the same family.
    #[inline(always)]
    #[must_use]
    pub const fn unspecified(self) -> Self {
        if self.is_v4() { Self::UNSPECIFIED_V4 } else { Self([0; 4]) }
    }

    /// Equality, word by word.
    #[inline(always)]
    pub const fn same(self, other: Self) -> bool {
        (self.0[0] ^ other.0[0]) | (self.0[1] ^ other.0[1]) | (self.0[2] ^ other.0[2]) | (self.0[3] ^ other.0[3]) == 0
    }

    /// The address that a connection to this address reaches. A connection to the unspecified address reaches the
    /// socket's own source address, or loopback if the socket has none ([`ip_route_output_key_hash_rcu`]).
    ///
    /// [`ip_route_output_key_hash_rcu`]: https://github.com/torvalds/linux/blob/v6.12/net/ipv4/route.c#L2640
    #[inline(always)]
    #[must_use]
    pub const fn as_reached_from(self, source: Self) -> Self {
        if !self.is_unspecified() {
            self
        } else if !self.is_v4() {
            Self::LOOPBACK_V6
        } else if source.is_v4() && !source.is_unspecified() {
            source
        } else {
            Self::LOOPBACK_V4
        }
    }
}

impl PartialEq for Address {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.same(*other)
    }
}

impl Eq for Address {}

impl From<IpAddr> for Address {
    #[expect(clippy::cast_possible_truncation, reason = "one word of four is wanted")]
    fn from(ip: IpAddr) -> Self {
        let v6 = match ip {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        Self([96, 64, 32, 0].map(|shift| ((v6.to_bits() >> shift) as u32).to_be()))
    }
}

impl From<Ipv4Addr> for Address {
    fn from(v4: Ipv4Addr) -> Self {
        Self::from(IpAddr::V4(v4))
    }
}

impl From<Address> for IpAddr {
    /// IPv4-mapped addresses become IPv4.
    fn from(address: Address) -> Self {
        let bits = address
            .0
            .iter()
            .fold(0, |bits, word| (bits << 32) | u128::from(u32::from_be(*word)));
        let v6 = Ipv6Addr::from_bits(bits);
        v6.to_ipv4_mapped().map_or(Self::V6(v6), Self::V4)
    }
}

impl core::fmt::Display for Address {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        IpAddr::from(*self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn address(text: &str) -> Address {
        Address::from(text.parse::<IpAddr>().unwrap())
    }

    #[rstest]
    #[case::v4("10.1.2.3")]
    #[case::v6("2001:db8::1")]
    #[case::loopback("::1")]
    #[case::unspecified("0.0.0.0")]
    fn survives_the_round_trip(#[case] text: &str) {
        let ip: IpAddr = text.parse().unwrap();
        assert_eq!(IpAddr::from(Address::from(ip)), ip);
    }

    #[test]
    fn a_mapped_address_is_ipv4() {
        assert!(address("::ffff:10.0.0.1").is_v4());
        assert_eq!(address("::ffff:10.0.0.1"), address("10.0.0.1"));
        assert!(!address("::10.0.0.1").is_v4());
    }

    #[rstest]
    #[case::specified("10.0.0.9", "10.0.0.1", "10.0.0.9")]
    #[case::any_unbound("0.0.0.0", "0.0.0.0", "127.0.0.1")]
    #[case::any_bound("0.0.0.0", "10.0.0.1", "10.0.0.1")]
    #[case::any_v6("::", "::", "::1")]
    fn the_unspecified_destination_is_this_host(
        #[case] destination: &str,
        #[case] source: &str,
        #[case] reached: &str,
    ) {
        assert_eq!(address(destination).as_reached_from(address(source)), address(reached));
    }
}
