// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The listening sockets of sidecars: how the programs find them, and how they recognize what those sockets accept.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::address::Address;

/// How many listening sockets of one port and scope are kept. Any live one serves its whole `SO_REUSEPORT` group.
pub const LISTENERS_PER_PORT: u32 = 128;

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
    /// Below [`LISTENERS_PER_PORT`].
    pub index: u32,
}

impl ListenerKey {
    #[inline(always)]
    pub const fn new(netns_cookie: u64, port: u16, scope: ListenerScope, index: u32) -> Self {
        Self { netns_cookie, port, scope, index }
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

/// Marks a listening socket of the sidecar. Every socket that it accepts inherits the mark. See
/// [`Policy::marks_listener`](super::Policy::marks_listener).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct ProxyListener {
    /// The port it listens on, host byte order.
    pub port: u32,
}
