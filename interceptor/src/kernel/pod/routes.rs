// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where a pod's connections lead. Tables and rules only tell where to ask: for each prefix in them the kernel itself
//! is asked, so that metrics, types, rules and its choice of a source address need not be known here.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use anyhow::Result;
use futures_util::TryStreamExt as _;
use interceptor_policy::LOOPBACK_INTERFACE;
use rtnetlink::{
    Error, Handle, IpVersion, RouteMessageBuilder,
    packet_route::{
        route::{RouteAddress, RouteAttribute, RouteMessage, RouteType},
        rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage},
    },
};

use crate::kernel::{
    pod::netlink::{all_routes, all_rules, talk},
    pod::netns::Netns,
};
use interceptor_config::{NoRoute, RouteFacts, UNNAMED_RANGES, Way, representatives};

/// The routes of a pod, and what chooses among them by more than the destination.
pub(crate) fn read(netns: &Netns) -> Result<(Vec<RouteFacts>, Vec<String>)> {
    talk(netns, async |handle| {
        let (mut routes, mut more) = (Vec::new(), Vec::new());
        for family in [IpVersion::V4, IpVersion::V6] {
            let (listed, rules) = (all_routes(&handle, &family).await?, all_rules(&handle, &family).await?);
            routes.extend(routes_of(&handle, &family, &listed, &rules).await);
            more.extend(
                rules
                    .iter()
                    .filter(|rule| !is_by_destination(rule))
                    .map(|rule| describe(rule, &family)),
            );
            more.extend(
                listed
                    .iter()
                    .filter(|route| route.header.source_prefix_length > 0 || route.header.tos > 0)
                    .map(|route| describe_route(route, &family)),
            );
        }
        Ok((routes, more))
    })
}

async fn routes_of(
    handle: &Handle,
    family: &IpVersion,
    listed: &[RouteMessage],
    rules: &[RuleMessage],
) -> Vec<RouteFacts> {
    let in_tables = listed
        .iter()
        .map(|route| (destination(route, family), route.header.destination_prefix_length));
    let in_rules = rules.iter().filter_map(rule_destination);
    let unnamed = UNNAMED_RANGES
        .into_iter()
        .filter(|(address, _)| address.is_ipv4() == (*family == IpVersion::V4));
    let prefixes: BTreeSet<(IpAddr, u8)> = in_tables.chain(in_rules).chain(unnamed).collect();
    let prefixes: Vec<(IpAddr, u8)> = prefixes.into_iter().collect();
    let mut hops: BTreeMap<(IpAddr, u8), Vec<u32>> = BTreeMap::new();
    for route in listed {
        let prefix = (destination(route, family), route.header.destination_prefix_length);
        hops.entry(prefix).or_default().extend(next_hops(route));
    }
    let mut routes = Vec::new();
    for ((address, prefix_len), representative) in prefixes.iter().zip(representatives(&prefixes)) {
        let Some(representative) = representative else { continue }; // hidden by others
        let hops = hops.get(&(*address, *prefix_len)).map_or(&[][..], Vec::as_slice);
        let answer = ask(handle, representative).await;
        let (way, source) = match &answer {
            Ok(answer) => (way(answer, hops, representative), source(answer)),
            Err(error) => (no_way(error), None),
        };
        // Of a local range without a source of its own, each address is the source of connections to itself.
        let source = source.filter(|source| match way {
            Way::Out(_) => true,
            Way::Local => *source != representative,
            Way::Many(_) | Way::Nowhere(_) => false,
        });
        routes.push(RouteFacts { address: *address, prefix_len: *prefix_len, way, source });
    }
    routes
}

/// `ip route get ADDRESS`
pub(super) async fn ask(handle: &Handle, address: IpAddr) -> Result<RouteMessage, Error> {
    let question = match address {
        IpAddr::V4(v4) => RouteMessageBuilder::<Ipv4Addr>::new().destination_prefix(v4, 32).build(),
        IpAddr::V6(v6) => RouteMessageBuilder::<Ipv6Addr>::new().destination_prefix(v6, 128).build(),
    };
    let answer: Option<RouteMessage> = handle.route().get(question).execute().try_next().await?;
    answer.ok_or(Error::RequestFailed)
}

/// Whether the kernel sends what it answers about over `lo`, as iptables means it by `-o lo`.
pub(super) fn is_local(answer: &RouteMessage) -> bool {
    matches!(answer.header.kind, RouteType::Local | RouteType::Anycast) || outgoing(answer) == Some(LOOPBACK_INTERFACE)
}

/// Which way an answer leads. `hops` are the interfaces of the route, if it has several.
fn way(answer: &RouteMessage, hops: &[u32], address: IpAddr) -> Way {
    let interfaces = || {
        if hops.is_empty() {
            outgoing(answer).into_iter().collect()
        } else {
            hops.to_vec()
        }
    };
    match answer.header.kind {
        RouteType::Broadcast | RouteType::Multicast => Way::Many(interfaces()),
        _ if address.is_multicast() => Way::Many(interfaces()),
        _ if is_local(answer) => Way::Local,
        _ => Way::Out(interfaces()),
    }
}

/// What it means that the kernel answers with an error. If it is another error, nothing is known.
fn no_way(error: &Error) -> Way {
    let code = match error {
        Error::NetlinkError(message) => -message.raw_code(),
        _ => 0,
    };
    match code {
        nix::libc::ENETUNREACH => Way::Nowhere(NoRoute::None),
        nix::libc::EHOSTUNREACH => Way::Nowhere(NoRoute::Unreachable),
        nix::libc::EINVAL => Way::Nowhere(NoRoute::Blackhole),
        nix::libc::EACCES => Way::Nowhere(NoRoute::Prohibit),
        _ => Way::Out(Vec::new()),
    }
}

/// The range of destinations that a rule is for.
fn rule_destination(rule: &RuleMessage) -> Option<(IpAddr, u8)> {
    rule.attributes.iter().find_map(|attribute| match attribute {
        RuleAttribute::Destination(address) => Some((*address, rule.header.dst_len)),
        _ => None,
    })
}

fn destination(route: &RouteMessage, family: &IpVersion) -> IpAddr {
    let found = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(address) => ip(address),
        _ => None,
    });
    found.unwrap_or_else(|| match family {
        IpVersion::V4 => IpAddr::from([0; 4]),
        IpVersion::V6 => IpAddr::from([0; 16]),
    })
}

fn outgoing(answer: &RouteMessage) -> Option<u32> {
    answer.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => Some(*index),
        _ => None,
    })
}

fn source(answer: &RouteMessage) -> Option<IpAddr> {
    answer.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::PrefSource(address) => ip(address),
        _ => None,
    })
}

/// The interfaces of a route with several next hops.
fn next_hops(route: &RouteMessage) -> impl Iterator<Item = u32> {
    let of_attribute = |attribute: &'_ RouteAttribute| match attribute {
        RouteAttribute::MultiPath(hops) => hops.iter().map(|hop| hop.interface_index).collect(),
        _ => Vec::new(),
    };
    route.attributes.iter().flat_map(of_attribute)
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(v4) => Some(IpAddr::V4(*v4)),
        RouteAddress::Inet6(v6) => Some(IpAddr::V6(*v6)),
        _ => None,
    }
}

/// Whether an unmarked socket's connections are routed by it for their destination alone. A rule for what arrives at
/// an interface, to be forwarded, has no part in them, and one for a mark none in those without.
fn is_by_destination(rule: &RuleMessage) -> bool {
    let harmless = |attribute: &RuleAttribute| match attribute {
        RuleAttribute::Iifname(name) => name != "lo",
        RuleAttribute::Table(_)
        | RuleAttribute::Priority(_)
        | RuleAttribute::Protocol(_)
        | RuleAttribute::SuppressPrefixLen(_)
        | RuleAttribute::Destination(_)
        | RuleAttribute::FwMark(_)
        | RuleAttribute::FwMask(_) => true,
        _ => false,
    };
    let forwarded = rule
        .attributes
        .iter()
        .any(|attribute| matches!(attribute, RuleAttribute::Iifname(name) if name != "lo"));
    let plain = rule.header.src_len == 0 && rule.header.tos == 0 && !rule.header.flags.contains(RuleFlags::Invert);
    forwarded || (plain && rule.header.action == RuleAction::ToTable && rule.attributes.iter().all(harmless))
}

/// As one finds it in `ip route`.
fn describe_route(route: &RouteMessage, family: &IpVersion) -> String {
    let option = if *family == IpVersion::V6 { " -6" } else { "" };
    let (address, len) = (destination(route, family), route.header.destination_prefix_length);
    format!("`ip{option} route` {address}/{len}, for some sources or some types of service only")
}

/// As one finds it in `ip rule`.
fn describe(rule: &RuleMessage, family: &IpVersion) -> String {
    let priority = rule.attributes.iter().find_map(|attribute| match attribute {
        RuleAttribute::Priority(priority) => Some(*priority),
        _ => None,
    });
    let option = if *family == IpVersion::V6 { " -6" } else { "" };
    format!("`ip{option} rule` {}", priority.unwrap_or(0))
}

/// Reads all that is read of a route or of a rule.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_message(message: &rtnetlink::packet_route::RouteNetlinkMessage) {
    use rtnetlink::packet_route::RouteNetlinkMessage::{NewRoute, NewRule};
    use std::hint::black_box;
    for family in [IpVersion::V4, IpVersion::V6] {
        match message {
            NewRoute(route) => {
                black_box((destination(route, &family), next_hops(route).count()));
                black_box((outgoing(route), source(route), describe_route(route, &family)));
            }
            NewRule(rule) => {
                black_box((is_by_destination(rule), rule_destination(rule), describe(rule, &family)));
            }
            _ => {}
        }
    }
}
