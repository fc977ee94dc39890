// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who follows the verdicts of which pods (`interceptor trace`), and what they get to see. The loader writes who
//! follows; the programs write what happened.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{address::Address, flow::Protocol, reason::Reason};

/// How many traces run at once on a node.
pub const MAX_TRACES: usize = 8;

/// All traces of the node. The loader writes this under its lock, and programs only read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Traces {
    /// When the last of them ends, or a later time; zero if there is none. Nothing else is looked at then. In
    /// nanoseconds since the machine started (`CLOCK_BOOTTIME`), as all times here.
    pub latest: u64,
    pub places: [TracePlace; MAX_TRACES],
}

/// One trace. It has the ring buffer, and the counter of lost events, with the number of its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct TracePlace {
    /// When it ends by itself. The process that follows puts this off while it runs.
    pub until: u64,
    /// Distinguishes this trace from an earlier one in the same place. Zero if nobody has the place.
    pub owner: u64,
    /// The pod that is followed; zero for all pods.
    pub netns_cookie: u64,
    /// The reasons that are of interest, one bit for each.
    pub reasons: u64,
    /// The port that is of interest, as source or destination, host byte order; zero for all ports.
    pub port: u32,
    pub padding: u32,
}

impl TracePlace {
    /// The bit of a reason in [`Self::reasons`].
    #[inline(always)]
    pub const fn bit(reason: u32) -> u64 {
        const { assert!(Reason::COUNT <= 64, "there is a bit for each reason") };
        1 << (reason & 63)
    }

    /// Whether the trace wants to know of this. A port of an event is never zero, except where it is not known.
    #[inline(always)]
    pub const fn wants(&self, now: u64, event: &TraceEvent) -> bool {
        let pod = self.netns_cookie == 0 || self.netns_cookie == event.netns_cookie;
        let port = self.port == 0 || self.port == event.port as u32 || self.port == event.source_port as u32;
        now < self.until && pod && port && self.reasons & Self::bit(event.reason as u32) != 0
    }
}

/// How many events each trace did not get, because nobody had read its ring buffer. Per CPU.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct LostEvents(pub [u64; MAX_TRACES]);

/// What happened: a verdict, or why one could not be carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct TraceEvent {
    /// When, in nanoseconds since the machine started.
    pub time: u64,
    /// The pod.
    pub netns_cookie: u64,
    /// Unspecified where nobody has chosen a source yet.
    pub source: Address,
    pub destination: Address,
    /// Zero where it is not known, as before `connect()` has chosen one. Host byte order, as all ports.
    pub source_port: u16,
    /// The port of the destination.
    pub port: u16,
    /// A [`Reason`].
    pub reason: u16,
    /// A [`Direction`], and in the upper half a [`Protocol`].
    pub kind: u16,
    /// Who made the system call: the user that files get, the group, the process, and its name. The process is zero
    /// where no process made one.
    pub uid: u32,
    pub gid: u32,
    pub pid: u32,
    pub padding: u32,
    pub command: [u64; 2],
}

/// Where an event comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Direction {
    /// A process of the pod connects, or sends a datagram.
    Out,
    /// A connection or a datagram arrives at the pod, or comes from inside to the sidecar.
    In,
    /// A process binds a socket, to what stands as the source.
    Bind,
    /// A process listens, at what stands as the source.
    Listen,
    /// A packet is about to leave the pod (`--guard`).
    Packet,
}

impl Direction {
    /// All of them, each at its own number.
    pub const ALL: &[Self] = &[Self::Out, Self::In, Self::Bind, Self::Listen, Self::Packet];

    /// Whether the process that runs is the one that did it.
    #[inline(always)]
    pub const fn has_process(self) -> bool {
        matches!(self, Self::Out | Self::Bind | Self::Listen)
    }

    /// A short name.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
            Self::Bind => "bind",
            Self::Listen => "listen",
            Self::Packet => "packet",
        }
    }
}

impl TraceEvent {
    /// [`Self::kind`] of an event.
    #[inline(always)]
    pub const fn kind_of(direction: Direction, protocol: Protocol) -> u16 {
        direction as u16 | (protocol as u16) << 8
    }

    /// `None` if another version wrote the event.
    pub fn direction(&self) -> Option<Direction> {
        Direction::ALL.get(usize::from(self.kind & 0xff)).copied()
    }

    /// `None` if another version wrote the event.
    pub fn protocol(&self) -> Option<Protocol> {
        [Protocol::Tcp, Protocol::Udp, Protocol::Other]
            .get(usize::from(self.kind >> 8))
            .copied()
    }

    /// `None` if another version wrote the event.
    pub fn reason(&self) -> Option<Reason> {
        Reason::ALL.get(usize::from(self.reason)).copied()
    }

    /// The name of the process, up to its first zero.
    pub fn command(&self) -> ([u8; 16], usize) {
        let mut bytes = [0; 16];
        for (to, from) in bytes.chunks_exact_mut(8).zip(self.command) {
            to.copy_from_slice(&from.to_ne_bytes());
        }
        (bytes, bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> TraceEvent {
        TraceEvent {
            netns_cookie: 7,
            port: 80,
            source_port: 4000,
            reason: Reason::ProxyOwner as u16,
            kind: TraceEvent::kind_of(Direction::In, Protocol::Udp),
            ..TraceEvent::default()
        }
    }

    fn everything() -> TracePlace {
        TracePlace { until: 10, reasons: u64::MAX, ..TracePlace::default() }
    }

    #[test]
    fn a_trace_wants_what_its_filters_name_and_nothing_after_its_end() {
        let event = event();
        let wants = |place: TracePlace| place.wants(9, &event);
        assert!(wants(everything()));
        assert!(wants(TracePlace { netns_cookie: 7, port: 80, ..everything() }));
        assert!(wants(TracePlace { port: 4000, ..everything() }));
        assert!(wants(TracePlace {
            reasons: TracePlace::bit(Reason::ProxyOwner as u32),
            ..everything()
        }));
        assert!(!wants(TracePlace { netns_cookie: 8, ..everything() }));
        assert!(!wants(TracePlace { port: 81, ..everything() }));
        assert!(!wants(TracePlace {
            reasons: TracePlace::bit(Reason::NoSlot as u32),
            ..everything()
        }));
        assert!(!everything().wants(10, &event));
    }

    #[test]
    fn an_event_says_what_it_is() {
        let event = event();
        assert_eq!(
            (event.direction(), event.protocol(), event.reason()),
            (Some(Direction::In), Some(Protocol::Udp), Some(Reason::ProxyOwner))
        );
        let unknown = TraceEvent { reason: u16::MAX, kind: u16::MAX, ..event };
        assert_eq!((unknown.direction(), unknown.protocol(), unknown.reason()), (None, None, None));
    }

    #[test]
    fn directions_stand_at_their_own_numbers() {
        for (number, direction) in Direction::ALL.iter().enumerate() {
            assert_eq!(*direction as usize, number);
        }
    }
}
