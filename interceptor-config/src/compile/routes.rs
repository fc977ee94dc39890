// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A pod's routes: which address stands for each when the kernel is asked about it, and which source they give to
//! connections. Nothing here asks the kernel.

use std::net::IpAddr;

use interceptor_policy::Address;

use super::{
    compiled::{SourcePrefix, address_bits, bits_before},
    prefixes::{Prefix, flatten},
};
use crate::pod::{PodFacts, RouteFacts, Way};

/// For each of `prefixes` an address that lies in it and in no narrower prefix. `None` if the narrower prefixes cover
/// all of it.
pub fn representatives(prefixes: &[(IpAddr, u8)]) -> Vec<Option<IpAddr>> {
    let mut sorted: Vec<Prefix<usize>> = prefixes
        .iter()
        .enumerate()
        .map(|(index, (ip, len))| prefix(*ip, *len, index))
        .collect();
    sorted.sort_unstable_by_key(|prefix| (prefix.bits, prefix.len));
    let mut found = vec![None; prefixes.len()];
    for (position, around) in sorted.iter().enumerate() {
        // As a destination, `0.0.0.0` and `::` mean the pod itself.
        let unspecified = prefixes[around.class].0.is_unspecified();
        let mut free = if unspecified { around.bits.checked_add(1) } else { Some(around.bits) };
        for inner in sorted[position + 1..].iter().take_while(|inner| around.holds(inner.bits)) {
            match free {
                // The same prefix in another routing table.
                _ if inner.len == around.len => {}
                Some(first) if inner.bits > first => break,
                Some(first) if inner.last() >= first => free = inner.last().checked_add(1),
                _ => {}
            }
        }
        found[around.class] = free
            .filter(|bits| around.holds(*bits))
            .map(|bits| IpAddr::from(Address::from(IpAddr::V6(bits.into()))));
    }
    found
}

/// The source of connections by destination; empty if it is always the pod's, or the destination itself. The
/// unspecified address stands for the destination itself.
pub(super) fn sources(facts: &PodFacts, pod_v4: Address, pod_v6: Address) -> Vec<SourcePrefix> {
    let (v4, v6): (Vec<_>, Vec<_>) = facts.routes.iter().partition(|route| route.address.is_ipv4());
    let of_family = |routes: Vec<&RouteFacts>, usual: Address| -> Vec<Prefix<Address>> {
        if routes.iter().all(|route| is_usual(route, usual)) {
            return Vec::new();
        }
        let known = routes.into_iter().filter_map(|route| {
            let unspecified = if usual.is_v4() { Address::UNSPECIFIED_V4 } else { Address::default() };
            let itself = (route.way == Way::Local).then_some(unspecified);
            let source = route.source.map(Address::from).or(itself)?;
            (source.is_v4() == usual.is_v4()).then(|| prefix(route.address, route.prefix_len, source))
        });
        flatten(known.collect(), |inner, _around| inner)
    };
    let all = of_family(v4, pod_v4).into_iter().chain(of_family(v6, pod_v6));
    all.map(|Prefix { bits, len, class }| SourcePrefix {
        address: IpAddr::V6(bits.into()).into(),
        prefix_len: len,
        source: class,
    })
    .collect()
}

/// Whether the source is what one would expect without looking at the route: outward the pod's, toward an address of
/// the pod what its interface says, and toward loopback addresses the loopback address.
fn is_usual(route: &RouteFacts, usual: Address) -> bool {
    match route.way {
        Way::Local => route.is_host() || route.address.is_loopback() || route.source.is_none(),
        Way::Out(_) | Way::Many(_) | Way::Nowhere(_) => {
            route.source.is_none_or(|source| Address::from(source).same(usual))
        }
    }
}

fn prefix<C>(ip: IpAddr, len: u8, class: C) -> Prefix<C> {
    Prefix::new(address_bits(Address::from(ip)), bits_before(ip) + u32::from(len), class)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::alone("10.0.0.0/8", "10.0.0.0")]
    #[case::behind_a_narrower_one("10.0.0.0/8 10.0.0.0/16", "10.1.0.0 10.0.0.0")]
    #[case::behind_several("10.0.0.0/30 10.0.0.0/32 10.0.0.1/32", "10.0.0.2 10.0.0.0 10.0.0.1")]
    #[case::nested("10.0.0.0/8 10.0.0.0/16 10.0.0.0/24", "10.1.0.0 10.0.1.0 10.0.0.0")]
    #[case::between("10.0.0.0/8 10.0.0.0/16 10.2.0.0/16", "10.1.0.0 10.0.0.0 10.2.0.0")]
    #[case::nothing_left("10.0.0.0/31 10.0.0.0/32 10.0.0.1/32", "- 10.0.0.0 10.0.0.1")]
    #[case::default_route("0.0.0.0/0 10.0.0.0/8", "0.0.0.1 10.0.0.0")]
    #[case::both_families("::/0 0.0.0.0/0 fd00::/8", "::1 0.0.0.1 fd00::")]
    #[case::the_end("255.255.255.255/32", "255.255.255.255")]
    fn an_address_stands_for_a_prefix(#[case] prefixes: &str, #[case] expected: &str) {
        let parsed: Vec<(IpAddr, u8)> = prefixes
            .split_whitespace()
            .map(|prefix| {
                prefix
                    .split_once('/')
                    .map(|(ip, len)| (ip.parse().unwrap(), len.parse().unwrap()))
                    .unwrap()
            })
            .collect();
        let expected: Vec<Option<IpAddr>> = expected.split_whitespace().map(|ip| ip.parse().ok()).collect();
        assert_eq!(representatives(&parsed), expected);
    }
}
