// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What an accelerated socket knows about itself: the value in its socket storage.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{
    flow_key::FlowKey,
    handshake::{Handshake, SeqNumbers},
};

/// The path that the data of one direction takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(transparent)]
pub struct Path(u32);

impl Path {
    /// Nothing has been sent.
    pub const UNDECIDED: Self = Self(0);
    /// Into the receiver's queue.
    pub const DIRECT: Self = Self(1);
    /// Through TCP, for good.
    pub const TCP: Self = Self(2);

    #[inline(always)]
    pub const fn is(self, other: Self) -> bool {
        self.0 == other.0
    }
}

/// Kept with each socket in the map of accelerated sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct SocketState {
    pub key: FlowKey,
    /// The network namespace in which the peer is looked up.
    pub peer_netns_cookie: u64,
    /// This end's sequence numbers, when the connection was established.
    pub sequence: SeqNumbers,
    /// The path of what this socket sends.
    pub path: Path,
    /// Not zero once the socket was asked to send urgent data, which only TCP carries.
    pub urgent: u32,
    /// `--accelerate-budget`, when the connection was established. Once the peer is proven, the smaller one of both
    /// ends' budgets.
    pub budget: u32,
    /// How many bytes this socket may send at least before it must check what waits for the reader. Only this socket
    /// adds to what waits there, so the true number can only be greater.
    pub credit: u32,
    /// The peer's [`Handshake::socket`](super::Handshake::socket), once the peer is proven.
    pub peer_socket: u64,
    /// [`Memory::low`](super::Memory::low), when the connection was established. To read it again for each message
    /// would take a helper call.
    pub memory_low: i64,
}

impl SocketState {
    /// The state of a socket whose connection has just been established.
    #[inline(always)]
    pub const fn new(key: FlowKey, peer_netns_cookie: u64, sequence: SeqNumbers, budget: u32, memory_low: i64) -> Self {
        Self {
            key,
            peer_netns_cookie,
            sequence,
            path: Path::UNDECIDED,
            urgent: 0,
            budget,
            credit: 0,
            peer_socket: 0,
            memory_low,
        }
    }

    /// What this socket publishes for its peer. `socket` is the kernel's address of it.
    #[inline(always)]
    #[must_use]
    pub const fn handshake(&self, socket: u64) -> Handshake {
        Handshake { sequence: self.sequence, socket, budget: self.budget, padding: 0 }
    }

    /// Notes what a proven peer has published. What waits is charged to the receiver, so the sender's budget alone must
    /// not decide how much that may be.
    #[inline(always)]
    pub const fn meet(&mut self, peer: Handshake) {
        self.peer_socket = peer.socket;
        if peer.budget < self.budget {
            self.budget = peer.budget;
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::address::Address;

    #[rstest]
    #[case::the_senders(1, 2, 1)]
    #[case::the_receivers(2, 1, 1)]
    #[case::either(3, 3, 3)]
    fn the_smaller_budget_counts(#[case] own: u32, #[case] peers: u32, #[case] counts: u32) {
        let [local, remote] = [1, 2].map(|last| Address([0, 0, 0, last]));
        let key = FlowKey { netns_cookie: 7, local, remote, local_port: 40_000, remote_port: 80, padding: 0 };
        let sequence = SeqNumbers { snd_nxt: 1, rcv_nxt: 2 };
        let mut state = SocketState::new(key, 8, sequence, own, 0);
        let peer = SocketState::new(key.reversed(8), 7, sequence, peers, 0);
        state.meet(peer.handshake(4711));
        assert_eq!((state.budget, state.peer_socket), (counts, 4711));
    }
}
