// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How the maps of acceleration name one end of a connection.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::address::Address;

/// One end of a connection: key of the map of accelerated sockets and of the map of handshakes.
///
/// Addresses and ports are unique in one network namespace only, so its cookie is part of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct FlowKey {
    pub netns_cookie: u64,
    pub local: Address,
    pub remote: Address,
    /// Host byte order.
    pub local_port: u16,
    /// Host byte order.
    pub remote_port: u16,
    pub padding: u32,
}

impl FlowKey {
    /// The key of the other end, which is in the network namespace `netns_cookie`. This is wrong for a connection whose
    /// addresses are translated on the way, so a peer must also be proven by its sequence numbers.
    #[inline(always)]
    #[must_use]
    pub const fn reversed(&self, netns_cookie: u64) -> Self {
        let Self { netns_cookie: _, local, remote, local_port, remote_port, padding } = *self;
        Self {
            netns_cookie,
            local: remote,
            remote: local,
            local_port: remote_port,
            remote_port: local_port,
            padding,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reversed_twice_is_itself() {
        let [local, remote] = [1, 2].map(|last| Address([0, 0, 0, last]));
        let key = FlowKey { netns_cookie: 7, local, remote, local_port: 40_000, remote_port: 80, padding: 0 };
        assert_ne!(key.reversed(8), key);
        assert_eq!(key.reversed(8).reversed(7), key);
    }
}
