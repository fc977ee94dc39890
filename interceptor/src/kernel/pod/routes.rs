// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where a pod's connections leave. The tables only tell where to ask: for each prefix in them the kernel itself is
//! asked, so that metrics, rules and its choice of a source address need not be known here.

use std::net::IpAddr;

use anyhow::Result;
use futures_util::TryStreamExt as _;
use interceptor_policy::LOOPBACK_INTERFACE;
use rtnetlink::{
    Handle, IpVersion, RouteMessageBuilder,
    packet_route::{
        route::{RouteAddress, RouteAttribute, RouteMessage, RouteType},
        rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage},
    },
};

use crate::kernel::{
    pod::netlink::{all_routes, all_rules, table_of, talk},
    pod::netns::Netns,
};
use interceptor_config::{RouteFacts, representatives};

/// `enum rt_class_t`: where the kernel keeps local addresses.
const RT_TABLE_LOCAL: u32 = 255;

/// The routes of a pod, and the rules that choose among tables by more than the destination.
pub(crate) fn read(netns: &Netns) -> Result<(Vec<RouteFacts>, Vec<String>)> {
    talk(netns, async |handle| {
        let (mut routes, mut rules) = (Vec::new(), Vec::new());
        for family in [IpVersion::V4, IpVersion::V6] {
            routes.extend(routes_of(&handle, &family).await?);
            let chosen = all_rules(&handle, &family).await?;
            rules.extend(
                chosen
                    .iter()
                    .filter(|rule| !is_by_destination(rule))
                    .map(|rule| describe(rule, &family)),
            );
        }
        Ok((routes, rules))
    })
}

async fn routes_of(handle: &Handle, family: &IpVersion) -> Result<Vec<RouteFacts>> {
    // What marked packets are routed by says nothing of others.
    let is_for_marked =
        |route: &RouteMessage| route.header.kind == RouteType::Local && route.header.destination_prefix_length == 0;
    let listed: Vec<RouteMessage> = all_routes(handle, family)
        .await?
        .into_iter()
        .filter(|route| !is_for_marked(route))
        .collect();
    let prefixes: Vec<(IpAddr, u8)> = listed
        .iter()
        .map(|route| (destination(route, family), route.header.destination_prefix_length))
        .collect();
    let mut routes = Vec::new();
    for ((route, (address, prefix_len)), representative) in listed.iter().zip(&prefixes).zip(representatives(&prefixes))
    {
        if table_of(route) == RT_TABLE_LOCAL {
            continue; // the pod's own addresses, and broadcasts
        }
        let Some(representative) = representative else { continue }; // hidden by others
        // An error means that there is no way: then it leads nowhere.
        let answer = ask(handle, representative).await.unwrap_or_default();
        let (interface, source) = (outgoing(&answer), source(&answer));
        let interfaces = next_hops(route).unwrap_or_else(|| interface.into_iter().collect());
        if !interfaces.contains(&LOOPBACK_INTERFACE) {
            routes.push(RouteFacts { address: *address, prefix_len: *prefix_len, interfaces, source });
        }
    }
    Ok(routes)
}

/// `ip route get ADDRESS`
async fn ask(handle: &Handle, address: IpAddr) -> Result<Vec<RouteAttribute>> {
    let question = match address {
        IpAddr::V4(v4) => RouteMessageBuilder::<std::net::Ipv4Addr>::new()
            .destination_prefix(v4, 32)
            .build(),
        IpAddr::V6(v6) => RouteMessageBuilder::<std::net::Ipv6Addr>::new()
            .destination_prefix(v6, 128)
            .build(),
    };
    let answers: Vec<RouteMessage> = handle.route().get(question).execute().try_collect().await?;
    Ok(answers.into_iter().flat_map(|answer| answer.attributes).collect())
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

fn outgoing(attributes: &[RouteAttribute]) -> Option<u32> {
    attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Oif(index) => Some(*index),
        _ => None,
    })
}

fn source(attributes: &[RouteAttribute]) -> Option<IpAddr> {
    attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::PrefSource(address) => ip(address),
        _ => None,
    })
}

/// All the interfaces of a route with several next hops.
fn next_hops(route: &RouteMessage) -> Option<Vec<u32>> {
    route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::MultiPath(hops) => Some(hops.iter().map(|hop| hop.interface_index).collect()),
        _ => None,
    })
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
                black_box((table_of(route), destination(route, &family), next_hops(route)));
                black_box((outgoing(&route.attributes), source(&route.attributes)));
            }
            NewRule(rule) => {
                black_box((is_by_destination(rule), describe(rule, &family)));
            }
            _ => {}
        }
    }
}
