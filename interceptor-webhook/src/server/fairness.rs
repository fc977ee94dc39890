// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who gives way where there is no room for one more: of the peer that takes the most room, what came first.
//!
//! So a peer cannot take the room of another one, unless it has as many addresses as there are places. With that many,
//! and where all peers have one address (behind NAT), what came first gives way. The API server sends a body at once,
//! so its request has gone long before.

use std::{collections::HashMap, net::IpAddr};

/// The address that a connection is from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// The index of what gives way. The peers are in the order in which they came.
pub(super) fn gives_way(peers: impl Iterator<Item = IpAddr> + Clone) -> Option<usize> {
    let mut counts: HashMap<IpAddr, usize> = HashMap::new();
    for peer in peers.clone() {
        *counts.entry(peer).or_default() += 1;
    }
    let most = counts.values().copied().max()?;
    peers.into_iter().position(|peer| counts.get(&peer) == Some(&most))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::nobody(&[], None)]
    #[case::one(&[1], Some(0))]
    #[case::the_first_of_the_greediest(&[1, 2, 2, 1, 2], Some(1))]
    #[case::the_first_of_all_where_none_is_greedier(&[3, 2, 1], Some(0))]
    #[case::never_the_modest_one(&[1, 2, 2], Some(1))]
    fn of_the_peer_with_the_most_the_first_gives_way(#[case] peers: &[u8], #[case] expected: Option<usize>) {
        let peers = peers.iter().map(|last| IpAddr::from(Ipv4Addr::new(10, 0, 0, *last)));
        assert_eq!(gives_way(peers), expected);
    }
}
