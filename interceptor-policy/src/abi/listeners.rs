// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The listening sockets of sidecars: how the programs find them, and how they recognize what those sockets accept.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::enrollment::MAX_PODS;
use crate::address::Address;

/// How many listening sockets of one port, scope and family are kept: those that listened first, and the one that
/// listened last. Any live one serves its whole `SO_REUSEPORT` group.
pub const LISTENERS_PER_KIND: u16 = 3;

/// The most entries that a pod can have in the map of listening sockets: three ports of the sidecar, three scopes, two
/// families.
pub const LISTENERS_PER_POD: u32 = 3 * 3 * 2 * LISTENERS_PER_KIND as u32;

/// How many entries that map has. There is room for every pod's share, so no pod can take another's.
pub const MAX_LISTENERS: usize = MAX_PODS * LISTENERS_PER_POD as usize;

/// Key of the map of listening sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct ListenerKey {
    /// The pod: the cookie of its network namespace (`SO_NETNS_COOKIE`). The kernel never uses a cookie again while the
    /// node is up.
    pub netns_cookie: u64,
    /// Host byte order.
    pub port: u16,
    pub scope: ListenerScope,
    pub family: ListenerFamily,
    /// Below [`LISTENERS_PER_KIND`].
    pub index: u16,
}

impl ListenerKey {
    #[inline(always)]
    pub const fn new(netns_cookie: u64, port: u16, scope: ListenerScope, family: ListenerFamily, index: u16) -> Self {
        Self { netns_cookie, port, scope, family, index }
    }
}

/// Which redirected connections a listening socket may get.
///
/// REDIRECT sends connections from inside the pod to `127.0.0.1`, and connections from outside to an address of the
/// pod. A socket that is bound to one of these addresses does not get what is sent to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(transparent)]
pub struct ListenerScope(u16);

impl ListenerScope {
    /// Bound to no address.
    pub const ANY: Self = Self(0);
    /// Bound to a loopback address: gets connections from inside the pod.
    pub const INSIDE: Self = Self(1);
    /// Bound to an address of the pod: gets connections from outside.
    pub const OUTSIDE: Self = Self(2);

    /// The scope of a socket that is bound to `address`.
    #[inline(always)]
    pub const fn of(address: Address) -> Self {
        if address.is_unspecified() {
            Self::ANY
        } else if address.is_loopback() {
            Self::INSIDE
        } else {
            Self::OUTSIDE
        }
    }
}

/// The family of a listening socket. Sockets of one family cannot stand in for those of the other, so they do not take
/// their places either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(transparent)]
pub struct ListenerFamily(u16);

impl ListenerFamily {
    /// `AF_INET`.
    pub const V4: Self = Self(0);
    /// `AF_INET6`. Such a socket may listen for IPv4 as well.
    pub const V6: Self = Self(1);
}

/// Marks a listening socket of the sidecar. Every socket that it accepts inherits the mark. See
/// [`Policy::marks_listener`](super::Policy::marks_listener).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct ProxyListener {
    /// The port it listens on, host byte order.
    pub port: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: [u16; 3] = [15001, 15006, 15053];
    const SCOPES: [ListenerScope; 3] = [ListenerScope::ANY, ListenerScope::INSIDE, ListenerScope::OUTSIDE];
    const FAMILIES: [ListenerFamily; 2] = [ListenerFamily::V4, ListenerFamily::V6];

    /// Every key that one pod can have.
    fn keys() -> impl Iterator<Item = ListenerKey> {
        let kinds = SCOPES.into_iter().flat_map(|scope| FAMILIES.map(|family| (scope, family)));
        let kinds = PORTS
            .into_iter()
            .flat_map(move |port| kinds.clone().map(move |kind| (port, kind)));
        kinds.flat_map(|(port, (scope, family))| {
            (0..LISTENERS_PER_KIND).map(move |index| ListenerKey::new(7, port, scope, family, index))
        })
    }

    /// However many sockets the sidecars of all pods open, there are no more keys than places.
    #[test]
    fn the_map_has_a_place_for_every_key_of_every_pod() {
        assert!(keys().all(|key| keys().filter(|other| *other == key).count() == 1));
        assert_eq!(keys().count() * MAX_PODS, MAX_LISTENERS);
    }
}
