// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the operator's lists and the pod's routes say of an address or a number: values of the tries. Of lists, each
//! entry carries the bits of all prefixes that cover it; of routes, those of the narrowest one.

use super::bits::bits;

bits! {
    /// What the lists and the routes say of an address.
    AddressClass {
        /// The kernel sends it to the pod itself: what `-o lo` means.
        LOCAL = 0,
        /// `ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR`, or `::1`.
        LOOPBACK_EXEMPT = 1,
        /// `-x`.
        OUTBOUND_EXCLUDED = 2,
        /// `-i`.
        OUTBOUND_INCLUDED = 3,
        /// A DNS server whose questions are captured.
        DNS_SERVER = 4,
        /// The route to the address uses an interface of `-c`.
        INTERFACE_EXCLUDED = 5,
        /// There was no route when the pod was enrolled (`ENETUNREACH`).
        NO_ROUTE = 6,
        /// The route is `unreachable` (`EHOSTUNREACH`).
        ROUTE_UNREACHABLE = 7,
        /// The route is `blackhole` (`EINVAL`).
        ROUTE_BLACKHOLE = 8,
        /// The route is `prohibit` (`EACCES`).
        ROUTE_PROHIBIT = 9,
        /// A broadcast or multicast address, to which TCP does not connect.
        MANY = 10,
    }
}

impl AddressClass {
    /// All that keeps connections from being made.
    pub const WITHOUT_ROUTE: Self = Self::NO_ROUTE
        .with(Self::ROUTE_UNREACHABLE)
        .with(Self::ROUTE_BLACKHOLE)
        .with(Self::ROUTE_PROHIBIT)
        .with(Self::MANY);
}

bits! {
    /// What the lists say of a port, a user, a group or an interface.
    NumberClass {
        /// `-o`.
        OUTBOUND_EXCLUDED = 0,
        /// `-q`.
        OUTBOUND_INCLUDED = 1,
        /// `-d`.
        INBOUND_EXCLUDED = 2,
        /// `-b`.
        INBOUND_INCLUDED = 3,
        /// `-u` or `-g`.
        PROXY_ID = 4,
        /// The first of `-u`.
        FIRST_PROXY_ID = 5,
        /// `ISTIO_OUTBOUND_OWNER_GROUPS` or `..._EXCLUDE`.
        OWNER_GROUP = 6,
        /// `-c`, by its index.
        INTERFACE_EXCLUDED = 7,
    }
}
