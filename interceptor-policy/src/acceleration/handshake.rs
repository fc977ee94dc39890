// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What an accelerated socket publishes for its peer, and how that proves two sockets to be the ends of one connection.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The sequence numbers of a connection when it was established, under the kernel's names.
///
/// The two ends chose the first numbers at random. So matching numbers prove that two sockets are the ends of one
/// connection. Equal addresses do not: something between the sockets may end one connection and begin another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct SeqNumbers {
    /// The number of the next byte that this end sends.
    pub snd_nxt: u32,
    /// The number of the next byte that this end expects.
    pub rcv_nxt: u32,
}

impl SeqNumbers {
    /// Whether `self` and `other` were read at the two ends of one connection.
    #[inline(always)]
    pub const fn matches(self, other: Self) -> bool {
        (self.snd_nxt ^ other.rcv_nxt) | (self.rcv_nxt ^ other.snd_nxt) == 0
    }
}

/// What a socket publishes for its peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Handshake {
    pub sequence: SeqNumbers,
    /// The kernel's address of the socket, from which the peer's program reads how much waits for the reader. The
    /// program must not trust what it reads, because the socket may be gone.
    pub socket: u64,
    /// `--accelerate-budget` of the socket's pod, when the connection was established: what its reader may be made to
    /// hold.
    pub budget: u32,
    pub padding: u32,
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::both_directions(SeqNumbers { snd_nxt: 2, rcv_nxt: 1 }, true)]
    #[case::only_what_this_end_sends(SeqNumbers { snd_nxt: 3, rcv_nxt: 1 }, false)]
    #[case::only_what_this_end_receives(SeqNumbers { snd_nxt: 2, rcv_nxt: 3 }, false)]
    #[case::itself(SeqNumbers { snd_nxt: 1, rcv_nxt: 2 }, false)]
    fn sequence_numbers_match_in_both_directions_or_not_at_all(#[case] other: SeqNumbers, #[case] matches: bool) {
        assert_eq!(SeqNumbers { snd_nxt: 1, rcv_nxt: 2 }.matches(other), matches);
    }
}
