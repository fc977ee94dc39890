// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which connections are accelerated, and when a direction goes back to TCP. Acceleration moves the data of a
//! connection whose two ends are on this node from socket to socket.
//!
//! A direction is decided by its first message, for good, but for one way back: from the socket to TCP, never the other
//! way. What was put into the receiver's queue is read before what arrives by TCP, so that way is in order, and the
//! other is not. Nor is it once everything sent by TCP has been read: a reader whom TCP keeps waiting for more
//! (`MSG_WAITALL`) does not look into that queue.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, Reason};

/// One end of a connection: key of the table of accelerated sockets and of what is noted of them.
///
/// Tuples are unique in a network namespace only, so its cookie is part of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct FlowKey {
    pub netns_cookie: u64,
    pub local: Address,
    pub remote: Address,
    /// Host byte order, as the next.
    pub local_port: u16,
    pub remote_port: u16,
    pub padding: u32,
}

impl FlowKey {
    /// The key of the other end, in the network namespace `netns_cookie`, unless the addresses are translated on the
    /// way.
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

/// Where the two byte streams of a connection stood when it was established: the numbers of the next bytes, as TCP
/// counts them.
///
/// Both begin at numbers that the two kernels ends chose at random, so they prove that two sockets are the ends of one
/// connection: equal addresses alone do not, if something between them ends one connection and begins another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct SeqNumbers {
    /// The next byte that this end sends (`snd_nxt`).
    pub snd_nxt: u32,
    /// The next byte that it expects (`rcv_nxt`).
    pub rcv_nxt: u32,
}

impl SeqNumbers {
    /// Whether this and `other` were noted at the two ends of one connection.
    #[inline(always)]
    pub const fn matches(self, other: Self) -> bool {
        (self.snd_nxt ^ other.rcv_nxt) | (self.rcv_nxt ^ other.snd_nxt) == 0
    }
}

/// What an end lets the other know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Handshake {
    pub sequence: SeqNumbers,
    /// Where the kernel keeps its socket: there stands how much waits to be read. Only for reading, and never for
    /// trust: the socket may be gone.
    pub socket: u64,
}

/// The least budget that makes sense: some messages.
pub const MIN_BUDGET: u32 = 128 * 1024;
/// The greatest.
pub const MAX_BUDGET: u32 = 1 << 30;

/// Which way the data of one direction goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(transparent)]
pub struct Path(u32);

impl Path {
    /// Nothing has been sent.
    pub const UNDECIDED: Self = Self(0);
    /// Into the receiver's queue.
    pub const DIRECT: Self = Self(1);
    /// By TCP, for good.
    pub const TCP: Self = Self(2);

    #[inline(always)]
    pub const fn is(self, other: Self) -> bool {
        self.0 == other.0
    }
}

/// How much memory TCP takes up on the whole machine, in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    pub taken: i64,
    /// The first number of `net.ipv4.tcp_mem`; with zero, nothing goes the direct way.
    pub low: i64,
}

impl Memory {
    /// Whether the kernel is going to take a message into the receiver's queue, whatever its size. Where it is not,
    /// `send()` would fail with `ENOMEM`; TCP has its writer wait instead.
    ///
    /// Below the first number the kernel refuses nobody, and knows no pressure. From the second on it refuses sockets
    /// that have more than their share, beginning with the one that gets there, so it would be too late to ask whether
    /// it is under pressure. What lies between the two is for what is sent by others at the same moment.
    #[inline(always)]
    pub const fn suffices(self) -> bool {
        // The kernel counts in part per processor, so the sum may be less than nothing for a while.
        self.low > 0 && self.taken < self.low
    }
}

/// Kept with each socket in the table of accelerated sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct SocketState {
    pub key: FlowKey,
    /// The network namespace that the other end is looked for in.
    pub peer_netns_cookie: u64,
    pub sequence: SeqNumbers,
    /// Of what this socket sends.
    pub path: Path,
    /// Not zero once it was asked to send urgent data, which only TCP carries.
    pub urgent: u32,
    /// `--accelerate-budget` when it was established.
    pub budget: u32,
    /// How much of it is left at least: nobody but this socket adds to what waits at the other end.
    pub credit: u32,
    /// The other end's [`Handshake::socket`], once it is proven.
    pub peer_socket: u64,
    /// [`Memory::low`] when it was established: to read it for each message would take a helper call.
    pub memory_low: i64,
}

impl SocketState {
    /// Of a connection that has just been established.
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

    /// Whether a message of `size` bytes may go the direct way. `memory` is that of this moment, if anybody can tell.
    /// `waiting` tells how many bytes wait at the other end, if it is still there, and is only asked when what is known
    /// to be left does not suffice.
    #[inline(always)]
    pub fn take_credit(
        &mut self,
        size: u32,
        memory: Option<Memory>,
        waiting: impl FnOnce() -> Option<u32>,
    ) -> Result<(), Reason> {
        if !memory.is_some_and(Memory::suffices) {
            return Err(Reason::AccelerationMemoryPressure);
        }
        if size > self.credit {
            self.credit = waiting().map_or(0, |waiting| self.budget.saturating_sub(waiting));
        }
        let fits = size <= self.credit;
        self.credit = self.credit.saturating_sub(size);
        if fits { Ok(()) } else { Err(Reason::AccelerationOverBudget) }
    }
}

/// Where the other end of a new connection is, by its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerLocation {
    SamePod,
    /// In another pod of this node that is accelerated too.
    OtherPod,
    Elsewhere,
}

/// The other end, as far as it has noted anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Absent,
    /// Its sequence numbers say that it is the end of another connection.
    Unproven,
    Proven,
}

impl Peer {
    /// Compares what both ends noted.
    #[inline(always)]
    pub const fn of(own: SeqNumbers, other: Option<SeqNumbers>) -> Self {
        match other {
            None => Self::Absent,
            Some(other) if own.matches(other) => Self::Proven,
            Some(_) => Self::Unproven,
        }
    }

    #[inline(always)]
    const fn require(self) -> Result<(), Reason> {
        match self {
            Self::Absent => Err(Reason::AccelerationPeerAbsent),
            Self::Unproven => Err(Reason::AccelerationUnproven),
            Self::Proven => Ok(()),
        }
    }
}

/// A socket whose connection was just established.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct Candidate {
    /// It was accepted; else it connected.
    pub accepted: bool,
    pub peer_location: PeerLocation,
    /// The sidecar made it, or it leads to one of the sidecar's redirect ports.
    pub sidecar: bool,
    pub mptcp: bool,
    /// Data was sent, received or queued before (TCP Fast Open).
    pub early_data: bool,
    /// It had another connection before this one.
    pub reused: bool,
    pub peer: Peer,
}

/// Whether a socket becomes one that data can be moved from and to.
///
/// The end that connects is there first. Of a pair inside a pod it must be the sidecar's, or lead to the sidecar; the
/// end that accepts only has to be the other end of such a one.
#[inline(always)]
pub const fn admit(candidate: &Candidate) -> Result<(), Reason> {
    let Candidate { accepted, peer_location, sidecar, mptcp, early_data, reused, peer } = *candidate;
    if matches!(peer_location, PeerLocation::Elsewhere) {
        return Err(Reason::AccelerationPeerElsewhere);
    }
    if mptcp {
        return Err(Reason::AccelerationMptcp);
    }
    if early_data {
        return Err(Reason::AccelerationEarlyData);
    }
    if reused {
        return Err(Reason::AccelerationSocketReused);
    }
    if accepted {
        return peer.require();
    }
    if matches!(peer_location, PeerLocation::SamePod) && !sidecar {
        return Err(Reason::AccelerationNoSidecar);
    }
    Ok(())
}

/// Whether a direction whose first message is about to be sent goes the direct way.
#[inline(always)]
pub const fn decide_direction(urgent: bool, peer: Peer) -> Result<(), Reason> {
    if urgent {
        return Err(Reason::AccelerationUrgentData);
    }
    peer.require()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn key() -> FlowKey {
        let [local, remote] = [1, 2].map(|last| Address([0, 0, 0, last]));
        FlowKey { netns_cookie: 7, local, remote, local_port: 40_000, remote_port: 80, padding: 0 }
    }

    #[test]
    fn a_key_reversed_twice_is_itself() {
        assert_ne!(key().reversed(8), key());
        assert_eq!(key().reversed(8).reversed(7), key());
    }

    #[rstest]
    #[case::both_directions(SeqNumbers { snd_nxt: 2, rcv_nxt: 1 }, true)]
    #[case::only_what_this_end_sends(SeqNumbers { snd_nxt: 2, rcv_nxt: 3 }, false)]
    #[case::only_what_this_end_receives(SeqNumbers { snd_nxt: 3, rcv_nxt: 1 }, false)]
    #[case::itself(SeqNumbers { snd_nxt: 1, rcv_nxt: 2 }, false)]
    fn sequence_numbers_match_in_both_directions_or_not_at_all(#[case] other: SeqNumbers, #[case] matches: bool) {
        assert_eq!(SeqNumbers { snd_nxt: 1, rcv_nxt: 2 }.matches(other), matches);
    }

    const CONNECTED: Candidate = Candidate {
        accepted: false,
        peer_location: PeerLocation::SamePod,
        sidecar: true,
        mptcp: false,
        early_data: false,
        reused: false,
        peer: Peer::Absent,
    };
    const ACCEPTED: Candidate = Candidate { accepted: true, sidecar: false, peer: Peer::Proven, ..CONNECTED };

    #[rstest]
    #[case::to_the_sidecar(CONNECTED, Ok(()))]
    #[case::to_a_neighbor(Candidate { peer_location: PeerLocation::OtherPod, sidecar: false, ..CONNECTED }, Ok(()))]
    #[case::to_another_node(Candidate { peer_location: PeerLocation::Elsewhere, ..CONNECTED }, Err(Reason::AccelerationPeerElsewhere))]
    #[case::between_applications(Candidate { sidecar: false, ..CONNECTED }, Err(Reason::AccelerationNoSidecar))]
    #[case::accepted(ACCEPTED, Ok(()))]
    #[case::accepted_from_an_unknown_peer(Candidate { peer: Peer::Absent, ..ACCEPTED }, Err(Reason::AccelerationPeerAbsent))]
    #[case::accepted_through_a_proxy(Candidate { peer: Peer::Unproven, ..ACCEPTED }, Err(Reason::AccelerationUnproven))]
    #[case::multipath(Candidate { mptcp: true, ..ACCEPTED }, Err(Reason::AccelerationMptcp))]
    #[case::fast_open(Candidate { early_data: true, ..ACCEPTED }, Err(Reason::AccelerationEarlyData))]
    #[case::second_connection(Candidate { reused: true, ..CONNECTED }, Err(Reason::AccelerationSocketReused))]
    fn admission(#[case] candidate: Candidate, #[case] admitted: Result<(), Reason>) {
        assert_eq!(admit(&candidate), admitted);
    }

    #[rstest]
    #[case::proven(false, Peer::Proven, Ok(()))]
    #[case::not_there_yet(false, Peer::Absent, Err(Reason::AccelerationPeerAbsent))]
    #[case::another_connection(false, Peer::Unproven, Err(Reason::AccelerationUnproven))]
    #[case::urgent(true, Peer::Proven, Err(Reason::AccelerationUrgentData))]
    fn direction(#[case] urgent: bool, #[case] peer: Peer, #[case] decided: Result<(), Reason>) {
        assert_eq!(decide_direction(urgent, peer), decided);
    }

    fn state(credit: u32) -> SocketState {
        SocketState { credit, ..SocketState::new(key(), 8, SeqNumbers::default(), MIN_BUDGET, 0) }
    }

    const ENOUGH: Option<Memory> = Some(Memory { taken: 0, low: 1 });
    const OVER_BUDGET: Result<(), Reason> = Err(Reason::AccelerationOverBudget);
    const MEMORY_PRESSURE: Result<(), Reason> = Err(Reason::AccelerationMemoryPressure);

    #[rstest]
    #[case::all_of_it(0, MIN_BUDGET, Ok(()))]
    #[case::one_byte_too_many(1, MIN_BUDGET, OVER_BUDGET)]
    #[case::more_than_the_budget_waits(u32::MAX, 1, OVER_BUDGET)]
    #[case::no_overflow(u32::MAX, u32::MAX, OVER_BUDGET)]
    fn what_waits_is_taken_off_the_budget(#[case] waiting: u32, #[case] size: u32, #[case] taken: Result<(), Reason>) {
        assert_eq!(state(0).take_credit(size, ENOUGH, || Some(waiting)), taken);
    }

    #[test]
    fn what_waits_is_read_only_when_the_known_credit_is_too_small() {
        let mut state = state(10);
        assert_eq!(state.take_credit(6, ENOUGH, || panic!("10 are left")), Ok(()));
        assert_eq!(state.take_credit(4, ENOUGH, || panic!("4 are left")), Ok(()));
        assert_eq!(
            (state.take_credit(6, ENOUGH, || Some(MIN_BUDGET - 10)), state.credit),
            (Ok(()), 4)
        );
        assert_eq!(
            state.take_credit(6, ENOUGH, || Some(MIN_BUDGET - 5)),
            OVER_BUDGET,
            "one too many, though 4 were left and 5 are"
        );
    }

    #[test]
    fn a_peer_that_is_gone_gives_no_credit() {
        assert_eq!(state(0).take_credit(1, ENOUGH, || None), OVER_BUDGET);
    }

    #[rstest]
    #[case::the_last_page_is_left(Some(Memory { taken: 99, low: 100 }), Ok(()))]
    #[case::no_page_is_left(Some(Memory { taken: 100, low: 100 }), MEMORY_PRESSURE)]
    #[case::pages_are_lacking(Some(Memory { taken: i64::MAX, low: 100 }), MEMORY_PRESSURE)]
    #[case::pages_to_be_taken_are_given_back_already(Some(Memory { taken: -1, low: 1 }), Ok(()))]
    #[case::tcp_may_have_none(Some(Memory { taken: 0, low: 0 }), MEMORY_PRESSURE)]
    #[case::tcp_may_have_none_and_gives_back(Some(Memory { taken: -1, low: 0 }), MEMORY_PRESSURE)]
    #[case::nobody_can_tell(None, MEMORY_PRESSURE)]
    fn memory_is_checked_for_every_message(#[case] memory: Option<Memory>, #[case] taken: Result<(), Reason>) {
        assert_eq!(state(0).take_credit(10, memory, || Some(0)), taken);
        assert_eq!(state(10).take_credit(10, memory, || panic!("10 are left")), taken);
    }

    /// However a writer and a reader take turns, no more than the budget ever waits.
    #[test]
    fn never_more_than_the_budget_waits() {
        let (mut state, mut waiting) = (state(0), 0);
        for turn in 0..10_000_u32 {
            let size = turn.wrapping_mul(0x9e37_79b1) % 5_000;
            if state.take_credit(size, ENOUGH, || Some(waiting)).is_ok() {
                waiting += size;
            }
            assert!(waiting <= MIN_BUDGET && state.credit <= MIN_BUDGET - waiting);
            waiting -= waiting.min(turn.wrapping_mul(0x85eb_ca6b) % 4_900);
        }
    }
}
