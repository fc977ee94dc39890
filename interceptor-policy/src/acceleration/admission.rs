// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The two decisions of acceleration: whether a socket takes part, and whether a direction starts on the direct path.

use super::peer::{Peer, PeerLocation};
use crate::reason::Reason;

/// A socket whose connection was just established.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
pub struct Candidate {
    /// True if the socket was accepted, false if it connected.
    pub accepted: bool,
    pub peer_location: PeerLocation,
    /// The sidecar made the socket, or it is connected to one of the sidecar's redirect ports.
    pub sidecar: bool,
    pub mptcp: bool,
    /// Data was sent, received or queued before the connection was established (TCP Fast Open).
    pub early_data: bool,
    /// The socket had another connection before this one.
    pub reused: bool,
    pub peer: Peer,
}

/// Whether a socket is accelerated: whether data may be moved directly from it and to it.
///
/// Inside a pod, one of the two ends must be the sidecar. The end that connects is established first, so it is the one
/// that is asked. The end that accepts only has to prove that its peer was admitted.
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
        return peer.require_proven();
    }
    if matches!(peer_location, PeerLocation::SamePod) && !sidecar {
        return Err(Reason::AccelerationNoSidecar);
    }
    Ok(())
}

/// Whether a direction that is about to send its first message takes the direct path.
#[inline(always)]
pub const fn decide_direction(urgent: bool, peer: Peer) -> Result<(), Reason> {
    if urgent {
        return Err(Reason::AccelerationUrgentData);
    }
    peer.require_proven()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

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
    #[case::to_another_accelerated_pod(
        Candidate { peer_location: PeerLocation::OtherPod, sidecar: false, ..CONNECTED },
        Ok(())
    )]
    #[case::to_another_node(
        Candidate { peer_location: PeerLocation::Elsewhere, ..CONNECTED },
        Err(Reason::AccelerationPeerElsewhere)
    )]
    #[case::between_applications(Candidate { sidecar: false, ..CONNECTED }, Err(Reason::AccelerationNoSidecar))]
    #[case::accepted(ACCEPTED, Ok(()))]
    #[case::accepted_from_an_unknown_peer(
        Candidate { peer: Peer::Absent, ..ACCEPTED },
        Err(Reason::AccelerationPeerAbsent)
    )]
    #[case::accepted_through_a_proxy(Candidate { peer: Peer::Unproven, ..ACCEPTED }, Err(Reason::AccelerationUnproven))]
    #[case::multipath(Candidate { mptcp: true, ..ACCEPTED }, Err(Reason::AccelerationMptcp))]
    #[case::fast_open(Candidate { early_data: true, ..ACCEPTED }, Err(Reason::AccelerationEarlyData))]
    #[case::second_connection(Candidate { reused: true, ..CONNECTED }, Err(Reason::AccelerationSocketReused))]
    fn sockets_are_admitted_or_the_reason_says_why_not(
        #[case] candidate: Candidate,
        #[case] admitted: Result<(), Reason>,
    ) {
        assert_eq!(admit(&candidate), admitted);
    }

    #[rstest]
    #[case::proven(false, Peer::Proven, Ok(()))]
    #[case::absent(false, Peer::Absent, Err(Reason::AccelerationPeerAbsent))]
    #[case::another_connection(false, Peer::Unproven, Err(Reason::AccelerationUnproven))]
    #[case::urgent(true, Peer::Proven, Err(Reason::AccelerationUrgentData))]
    fn a_direction_starts_direct_if_its_peer_is_proven(
        #[case] urgent: bool,
        #[case] peer: Peer,
        #[case] decided: Result<(), Reason>,
    ) {
        assert_eq!(decide_direction(urgent, peer), decided);
    }
}
