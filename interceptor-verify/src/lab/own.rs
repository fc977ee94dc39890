// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The flows that a configuration itself calls for: to its ports and ranges and their neighbors, as its users and
//! theirs. It carries nothing out.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use interceptor::SystemAccounts;
use interceptor_config::Accounts as _;
use ipnet::IpNet;

use super::{
    list::{WRITTEN, cases},
    network,
};
use crate::{
    flow::Flow,
    istio::{
        Config,
        config::{OWNER_GROUPS, OWNER_GROUPS_EXCLUDE, items},
    },
    messages::{Credentials, How},
};

/// Ports, users and destinations that a configuration names, and those next to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    pub(super) ports: Vec<u16>,
    pub(super) ids: Vec<u32>,
    pub(super) destinations: Vec<IpAddr>,
}

/// Where somebody else listens.
const SIDECAR: [u16; 1] = [15053];

impl Own {
    pub fn of(config: &Config) -> Self {
        let taken = [config.flag('p').parse().ok(), config.flag('z').parse().ok()];
        let ports = "bdqo".chars().flat_map(|letter| config.list(letter)).flat_map(around_ports);
        let tunnel = around_ports(config.flag('e'));
        let ports: BTreeSet<u16> = ports
            .chain(tunnel)
            .filter(|port| !SIDECAR.contains(port) && !taken.contains(&Some(*port)))
            .collect();

        let groups = [OWNER_GROUPS, OWNER_GROUPS_EXCLUDE].map(|name| items(config.variable(name).unwrap_or_default()));
        let lists = [config.list('u'), config.list('g')].into_iter().chain(groups).flatten();
        let ids: BTreeSet<u32> = lists.flat_map(around_ids).collect();

        let ranges = "ix"
            .chars()
            .flat_map(|letter| config.list(letter))
            .filter_map(|text| text.parse().ok());
        let servers = config.servers.iter().copied();
        let destinations: BTreeSet<IpAddr> = ranges
            .flat_map(around_range)
            .chain(servers)
            .filter(|address| if address.is_ipv4() { config.stack.has_v4() } else { config.stack.has_v6() })
            .filter(|address| network::is_elsewhere(*address) || network::is_outside(*address))
            .collect();
        Self {
            ports: ports.into_iter().collect(),
            ids: ids.into_iter().collect(),
            destinations: destinations.into_iter().collect(),
        }
    }

    /// Every written flow that is plain enough for any configuration, and those that this configuration calls for.
    pub fn written(&self, config: &Config) -> anyhow::Result<Vec<Flow>> {
        let mut flows: Vec<Flow> = Vec::new();
        for list in WRITTEN {
            let of_stack = cases(list)?.into_iter().filter(|case| case.config.stack == config.stack);
            flows.extend(of_stack.flat_map(|case| case.flows).filter(is_plain));
        }
        flows.extend(self.flows(config));
        let mut seen = BTreeSet::new();
        flows.retain(|flow| seen.insert(flow.to_string()));
        Ok(flows)
    }

    fn flows(&self, config: &Config) -> Vec<Flow> {
        let (uid, gid) = config.proxy();
        let (application, sidecar) = (who(1000, 1000), who(uid, gid));
        let [outside, pod, loopback] = places(config);
        let to = |address: IpAddr, port| SocketAddr::new(address, port);
        let mut flows = Vec::new();
        for port in &self.ports {
            flows.push(Flow { inbound: true, ..tcp(to(pod, *port), who(0, 0)) });
            for who in [&application, &sidecar] {
                let addresses = [outside, pod, loopback].map(|address| tcp(to(address, *port), who.clone()));
                flows.extend(addresses);
                // The sidecar connects to its application from there.
                flows.push(Flow { bind: Some(passthrough(pod)), ..tcp(to(pod, *port), who.clone()) });
            }
        }
        // Where a range decides, users and groups decide as well.
        let ranged = self.destinations.iter().take(4).map(|address| (*address, 80));
        let places: Vec<(IpAddr, u16)> = [(outside, 80), (pod, 8080), (loopback, 8080)]
            .into_iter()
            .chain(ranged)
            .collect();
        for id in &self.ids {
            for who in [who(*id, *id), who(*id, 1000), who(1000, *id)] {
                flows.extend(places.iter().map(|(address, port)| tcp(to(*address, *port), who.clone())));
                flows.push(Flow { how: How::Udp, ..tcp(to(outside, 53), who) });
            }
        }
        for address in &self.destinations {
            let ports = [80, 443, 53].into_iter().chain(self.ports.iter().copied().take(8));
            flows.extend(ports.map(|port| tcp(to(*address, port), application.clone())));
            flows.push(tcp(to(*address, 80), sidecar.clone()));
            for (how, who) in [(How::Udp, &application), (How::Sendto, &application), (How::Udp, &sidecar)] {
                flows.push(Flow { how, ..tcp(to(*address, 53), who.clone()) });
            }
        }
        flows
    }
}

/// The machine outside, an address of the pod, and its loopback address.
fn places(config: &Config) -> [IpAddr; 3] {
    if config.stack.has_v4() {
        [[10, 99, 0, 1].into(), [10, 99, 0, 2].into(), Ipv4Addr::LOCALHOST.into()]
    } else {
        let of = |last| Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, 0, last).into();
        [of(1), of(2), Ipv6Addr::LOCALHOST.into()]
    }
}

/// The source that Istio's rules except.
fn passthrough(like: IpAddr) -> IpAddr {
    if like.is_ipv4() {
        [127, 0, 0, 6].into()
    } else {
        [0, 0, 0, 0, 0, 0, 0, 6_u16].into()
    }
}

fn tcp(to: SocketAddr, user: Credentials) -> Flow {
    Flow { user, ..Flow::plain(to) }
}

fn who(uid: u32, gid: u32) -> Credentials {
    Credentials { uid, gid, groups: Vec::new() }
}

/// Whether a flow meets none of the differences that depend on the configuration: `docs/differences.md` lists those of
/// sockets that are used twice, are bound, or have a mark.
fn is_plain(flow: &Flow) -> bool {
    let Flow { also, before, first, bind, device, mark, transparent, to, .. } = flow;
    let used_once = also.is_empty() && before.is_none() && first.is_none();
    let unmarked = device.is_none() && mark.is_none() && !transparent;
    used_once && unmarked && bind.is_none() && to.port() != 0
}

/// Both ends of a port or a range of ports, `A:B`, and those next to them.
fn around_ports(item: &str) -> Vec<u16> {
    let number = |text: &str| text.parse().ok().or_else(|| SystemAccounts.service(text));
    around(item, ':', number, u16::checked_sub, u16::checked_add)
}

/// The same of users or groups, `A-B`.
fn around_ids(item: &str) -> Vec<u32> {
    let number = |text: &str| text.parse().ok();
    around(item, '-', number, u32::checked_sub, u32::checked_add)
}

fn around<T: Copy + From<u8> + PartialEq>(
    item: &str,
    between: char,
    number: impl Fn(&str) -> Option<T>,
    less: impl Fn(T, T) -> Option<T>,
    more: impl Fn(T, T) -> Option<T>,
) -> Vec<T> {
    let (first, last) = item.split_once(between).unwrap_or((item, item));
    let (Some(first), Some(last)) = (number(first), number(last)) else {
        return Vec::new();
    };
    let one = T::from(1);
    let all = [less(first, one), Some(first), Some(last), more(last, one)];
    all.into_iter().flatten().filter(|number| *number != T::from(0)).collect()
}

/// The first and the last address of a range, and those next to them.
fn around_range(range: IpNet) -> Vec<IpAddr> {
    let (first, last) = (range.network(), range.broadcast());
    let beside = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => [
            first.to_bits().checked_sub(1).map(|bits| Ipv4Addr::from_bits(bits).into()),
            last.to_bits().checked_add(1).map(|bits| Ipv4Addr::from_bits(bits).into()),
        ],
        (IpAddr::V6(first), IpAddr::V6(last)) => [
            first.to_bits().checked_sub(1).map(|bits| Ipv6Addr::from_bits(bits).into()),
            last.to_bits().checked_add(1).map(|bits| Ipv6Addr::from_bits(bits).into()),
        ],
        _ => [None, None],
    };
    [Some(first), Some(last)].into_iter().chain(beside).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_configuration_names_and_its_neighbors_are_dialed() {
        let config: Config = "stack=v4 servers=10.96.0.10 -u '1337' -b '*' -d '15020,100:200' -i '*' -x '10.96.0.0/12'"
            .parse()
            .unwrap();
        let own = Own::of(&config);
        assert!(
            [99, 100, 200, 201, 15019, 15020, 15021, 15007, 15008, 15009]
                .iter()
                .all(|port| own.ports.contains(port))
        );
        assert_eq!(own.ids, [1336, 1337, 1338]);
        let addresses = ["10.95.255.255", "10.96.0.0", "10.96.0.10", "10.111.255.255", "10.112.0.0"];
        assert_eq!(own.destinations, addresses.map(|text| text.parse::<IpAddr>().unwrap()));
        let flows = own.written(&config).unwrap();
        for flow in [
            "in tcp 10.99.0.2:15020 user=0:0",
            "out tcp 10.96.0.0:443 user=1000:1000",
            "out tcp 10.99.0.1:80 user=1336:1336",
        ] {
            assert!(flows.contains(&flow.parse().unwrap()), "{flow}");
        }
    }

    #[test]
    fn an_address_that_the_pods_themselves_have_is_no_destination_of_its_own() {
        let config: Config = "stack=v4 -x '127.0.0.0/8,10.99.0.0/24,0.0.0.0/0,224.0.0.0/4' -i '10.50.1.7/32'"
            .parse()
            .unwrap();
        let own = Own::of(&config);
        let here = |address: &IpAddr| address.is_loopback() || address.is_multicast() || address.is_unspecified();
        assert!(!own.destinations.iter().any(here), "{own:?}");
        assert!(own.destinations.contains(&IpAddr::from([10, 50, 1, 7])), "{own:?}");
    }
}
