// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The input of the rules: the first packet of a connection, as far as a rule can look at it.

use zerocopy::{Immutable, IntoBytes};

use crate::{address::Address, owner::Owner};

/// The index of `lo`, the same in every network namespace
/// ([`loopback.c`](https://github.com/torvalds/linux/blob/v6.12/drivers/net/loopback.c#L230)).
pub const LOOPBACK_INTERFACE: u32 = 1;

/// The first packet of a connection.
#[derive(Clone, Copy, Debug)]
pub enum Flow {
    /// A socket of the pod makes the connection.
    Outbound(Outbound),
    /// The connection arrives at the pod.
    Inbound(Inbound),
}

/// A connection that a socket of the pod makes.
///
/// It has no padding, which `zerocopy` checks: kernel programs pass it to a function, and older verifiers refuse to
/// pass memory that was not written.
#[derive(Clone, Copy, Debug, Immutable, IntoBytes)]
#[repr(C)]
pub struct Outbound {
    /// The address that the socket is bound to, or unspecified.
    pub source: Address,
    /// The address that the connection reaches (see [`Address::as_reached_from`]).
    pub destination: Address,
    /// What the rules ask about the maker of the socket.
    pub owner: Owner,
    /// `SO_MARK`.
    pub mark: u32,
    /// Index of the interface that the socket is bound to (`SO_BINDTODEVICE`), or 0 if the route decides.
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
    /// Index of the interface at which the connection arrives. If it is 0, it is not known, and the interface of the
    /// route to the source counts.
    pub interface: u32,
}

/// The transport protocol. MPTCP counts as TCP, because it is TCP on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Immutable, IntoBytes)]
#[repr(u16)]
pub enum Protocol {
    Tcp,
    Udp,
    Other,
}

impl Protocol {
    /// From the protocol number of a socket, which is 262 for MPTCP (`IPPROTO_MPTCP`).
    #[inline(always)]
    pub const fn from_number(number: u32) -> Self {
        match number {
            6 | 262 => Self::Tcp,
            17 => Self::Udp,
            _ => Self::Other,
        }
    }
}
