// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The other end of a connection, as far as one end can tell.

use super::handshake::SeqNumbers;
use crate::reason::Reason;

/// Where the other end of a new connection is, by its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerLocation {
    SamePod,
    /// In another accelerated pod of this node.
    OtherPod,
    Elsewhere,
}

/// What the other end has published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// It has published no handshake.
    Absent,
    /// Its sequence numbers belong to another connection.
    Unproven,
    /// Its sequence numbers match.
    Proven,
}

impl Peer {
    /// Compares the sequence numbers of both ends. `None` means that the other end has published none.
    #[inline(always)]
    pub const fn of(own: SeqNumbers, other: Option<SeqNumbers>) -> Self {
        match other {
            None => Self::Absent,
            Some(other) if own.matches(other) => Self::Proven,
            Some(_) => Self::Unproven,
        }
    }

    /// Only a proven peer is sent to directly.
    #[inline(always)]
    pub(super) const fn require_proven(self) -> Result<(), Reason> {
        match self {
            Self::Absent => Err(Reason::AccelerationPeerAbsent),
            Self::Unproven => Err(Reason::AccelerationUnproven),
            Self::Proven => Ok(()),
        }
    }
}
