// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What has to be known of a pod's network before its policy can be written. The caller finds it out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{id_maps::IdMaps, routes::RouteFacts};
use crate::error::ConfigError;

/// The network of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodFacts {
    /// In the kernel's order, `lo` included.
    pub interfaces: Vec<InterfaceFacts>,
    /// The source that the kernel picks for connections to the outside.
    pub source_v4: Option<Ipv4Addr>,
    /// The same for IPv6.
    pub source_v6: Option<Ipv6Addr>,
    /// By destination, for all ranges that the routing tables and rules name, and for [`UNNAMED_RANGES`]. Empty if
    /// nobody asked; then only the pod's addresses are known to be local.
    ///
    /// [`UNNAMED_RANGES`]: super::UNNAMED_RANGES
    pub routes: Vec<RouteFacts>,
    /// Rules that choose a routing table by more than the destination, as `ip rule` lists them.
    pub rules: Vec<String>,
    /// The ID maps of the user namespace that owns the pod's network namespace. `-m owner` compares IDs of that
    /// namespace.
    pub ids: IdMaps,
}

/// The addresses of one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceFacts {
    pub name: String,
    pub index: u32,
    /// In the kernel's order: the first address of each family is the primary address.
    pub addresses: Vec<IpAddr>,
}

impl PodFacts {
    /// Whether Istio would write rules for IPv6. It does if the first address is an IPv6 address; with `dual_stack`,
    /// if any address is ([`getLocalIP`](https://github.com/istio/istio/blob/master/tools/common/config/config.go)).
    ///
    /// The order is that of Go's `net.InterfaceAddrs`, which asks for one dump of all families. The kernel goes
    /// through the families, not through the interfaces ([`rtnl_dump_all`]), so every IPv4 address comes before all
    /// IPv6 addresses.
    ///
    /// [`rtnl_dump_all`]: https://github.com/torvalds/linux/blob/v6.12/net/core/rtnetlink.c
    pub fn ipv6_enabled(&self, dual_stack: bool) -> Result<bool, ConfigError> {
        let mut usable = self
            .addresses()
            .filter(|address| !is_loopback_or_link_local(*address))
            .peekable();
        if usable.peek().is_none() {
            return Err(ConfigError::NoLocalAddress);
        }
        let (v4, v6): (Vec<_>, Vec<_>) = usable.partition(IpAddr::is_ipv4);
        Ok(if dual_stack { !v6.is_empty() } else { v4.is_empty() })
    }

    /// All addresses of all interfaces. An IPv4-mapped address comes as an IPv4 address.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.interfaces
            .iter()
            .flat_map(|interface| &interface.addresses)
            .map(IpAddr::to_canonical)
    }
}

const fn is_loopback_or_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Interfaces apart by `;`, their addresses by blanks.
    fn facts(interfaces: &str) -> PodFacts {
        let interfaces = interfaces.split(';').enumerate().map(|(index, addresses)| InterfaceFacts {
            name: format!("eth{index}"),
            index: u32::try_from(index).unwrap() + 2,
            addresses: addresses.split_whitespace().map(|address| address.parse().unwrap()).collect(),
        });
        PodFacts { interfaces: interfaces.collect(), ..PodFacts::default() }
    }

    #[rstest]
    #[case::v4_pod("127.0.0.1 ::1; 10.1.0.5 fe80::1", false, false)]
    #[case::v6_pod("127.0.0.1 ::1; fe80::1 fd00::5", true, true)]
    #[case::both("10.1.0.5 fd00::5", false, true)]
    #[case::v6_listed_first("fd00::5 10.1.0.5", false, true)]
    #[case::v6_on_an_earlier_interface("fd00::5; 10.1.0.5", false, true)]
    #[case::link_local_v4_does_not_count("169.254.1.1 fd00::5", true, true)]
    #[case::mapped_is_v4("::ffff:10.1.0.5", false, false)]
    fn ipv6_follows_the_addresses(#[case] interfaces: &str, #[case] enabled: bool, #[case] enabled_dual_stack: bool) {
        let facts = facts(interfaces);
        assert_eq!(facts.ipv6_enabled(false), Ok(enabled));
        assert_eq!(facts.ipv6_enabled(true), Ok(enabled_dual_stack));
    }

    #[rstest]
    #[case::nothing("")]
    #[case::only_loopback_and_link_local("127.0.0.1 ::1; 169.254.1.1 fe80::1")]
    fn a_pod_without_an_address_is_refused(#[case] interfaces: &str) {
        assert_eq!(facts(interfaces).ipv6_enabled(false), Err(ConfigError::NoLocalAddress));
    }
}
