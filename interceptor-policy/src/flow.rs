// SPDX-License-Identifier: Apache-2.0 OR MIT
use zerocopy::{Immutable, IntoBytes};

use crate::{address::Address, owner::Owner};

/// The index of `lo`, the same in every network namespace
/// ([`loopback.c`](https://github.com/torvalds/linux/blob/v6.12/drivers/net/loopback.c#L230)).
pub const LOOPBACK_INTERFACE: u32 = 1;

/// The first packet of a connection, as far as the rules look at it.
#[derive(Clone, Copy, Debug)]
pub enum Flow {
    /// Made by a socket of the pod.
    Outbound(Outbound),
    /// Arriving at the pod.
    Inbound(Inbound),
}

/// A connection that a socket of the pod makes.
///
/// No padding, which `zerocopy` sees to: kernel programs pass it to a function, and older verifiers let only what was
/// written be passed.
#[derive(Clone, Copy, Debug, Immutable, IntoBytes)]
#[repr(C)]
pub struct Outbound {
    /// What the socket is bound to; unspecified when it is not.
    pub source: Address,
    /// What the connection reaches (see [`Address::as_reached_from`]).
    pub destination: Address,
    /// Who made the socket.
    pub owner: Owner,
    /// `SO_MARK`.
    pub mark: u32,
    /// The interface that the socket is bound to (`SO_BINDTODEVICE`), by its index; 0 when the destination's route
    /// decides.
    pub interface: u32,
    /// Destination port, host byte order.
    pub port: u16,
    pub protocol: Protocol,
}

/// A connection that arrives at the pod.
#[derive(Clone, Copy, Debug)]
pub struct Inbound {
    pub protocol: Protocol,
    pub source: Address,
    pub destination: Address,
    /// Destination port, host byte order.
    pub port: u16,
    /// Where it arrives, by its index; 0 when that is not known: then the interface toward the source counts.
    pub interface: u32,
}

/// The transport protocol, as IP numbers it: MPTCP is TCP on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Immutable, IntoBytes)]
#[repr(u16)]
pub enum Protocol {
    Tcp,
    Udp,
    Other,
}

impl Protocol {
    /// From the number in a socket (`IPPROTO_MPTCP`, 262, included).
    #[inline(always)]
    pub const fn from_number(number: u32) -> Self {
        match number {
            6 | 262 => Self::Tcp,
            17 => Self::Udp,
            _ => Self::Other,
        }
    }
}
