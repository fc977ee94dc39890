// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where a pod's connections lead, as its kernel answered. Nothing here asks the kernel.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where connections to a range of addresses lead. Narrower ranges are not a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteFacts {
    pub address: IpAddr,
    pub prefix_len: u8,
    pub way: Way,
    /// The source of connections that are bound to no address. `None` if it is not known, or if each address of the
    /// range is its own source.
    pub source: Option<IpAddr>,
}

/// Which way a route leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Out of the pod. Interfaces are given by index. There are several if the kernel spreads connections over them,
    /// and none if they are not known.
    Out(Vec<u32>),
    /// To the pod itself: the kernel sends it over `lo`.
    Local,
    /// To many hosts at once: broadcast or multicast. The interfaces are as above.
    Many(Vec<u32>),
    /// Nowhere.
    Nowhere(NoRoute),
}

/// Why a connection has no way, and `connect()` fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// There is no route (`ENETUNREACH`).
    None,
    /// A route of type `unreachable` (`EHOSTUNREACH`).
    Unreachable,
    /// A route of type `blackhole` (`EINVAL`).
    Blackhole,
    /// A route of type `prohibit` (`EACCES`).
    Prohibit,
}

impl RouteFacts {
    /// Whether the route leads to a single address.
    pub(crate) const fn is_host(&self) -> bool {
        self.prefix_len == if self.address.is_ipv4() { 32 } else { 128 }
    }
}

/// Ranges that no routing table needs to name: all of a family, so that what has no route is known, and addresses of
/// many hosts.
pub const UNNAMED_RANGES: [(IpAddr, u8); 5] = [
    (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
    (IpAddr::V4(Ipv4Addr::new(224, 0, 0, 0)), 4),
    (IpAddr::V4(Ipv4Addr::BROADCAST), 32),
    (IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
    (IpAddr::V6(Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0)), 8),
];

/// Whether no route can make this the address of one host.
pub(crate) const fn is_many(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_multicast(),
    }
}
