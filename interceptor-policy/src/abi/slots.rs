// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is remembered about a redirected connection or question: where it was going.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::address::Address;

/// Where a redirected connection was going.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Destination {
    pub address: Address,
    /// Host byte order.
    pub port: u16,
    pub padding: u16,
}

impl Destination {
    #[inline(always)]
    pub const fn new(address: Address, port: u16) -> Self {
        Self { address, port, padding: 0 }
    }

    /// Equality, word by word.
    #[inline(always)]
    pub const fn same(&self, other: &Self) -> bool {
        self.address.same(other.address) && self.port == other.port
    }
}

/// What a slot holds: a destination, and the pod that took the slot for it.
///
/// A pod that reads a slot of another pod finds nothing. So the connections of one pod can push a destination of
/// another out of the map, but never put their own in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct SlotEntry {
    /// The pod: the cookie of its network namespace.
    pub netns_cookie: u64,
    pub destination: Destination,
    pub padding: u32,
}

impl SlotEntry {
    #[inline(always)]
    pub const fn new(netns_cookie: u64, destination: Destination) -> Self {
        Self { netns_cookie, destination, padding: 0 }
    }

    /// Equality, word by word.
    #[inline(always)]
    pub const fn same(&self, other: &Self) -> bool {
        self.netns_cookie == other.netns_cookie && self.destination.same(&other.destination)
    }
}

/// The DNS server that a UDP socket asks by way of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct AskedServer {
    pub server: Destination,
    /// Not zero when the socket asks from loopback although its application left the source open. Then the application
    /// is shown the pod's address.
    pub source_is_pod: u32,
}
