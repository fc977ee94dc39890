// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Connections, and datagrams.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::{prelude::*, sample::select};

use super::{
    super::own::Own,
    addresses::{
        CHOSEN, CLIENTS, DEVICES, HERE, IDS, LATE, MANY, NOWHERE, PORTS, RANGES, SOURCES, THERE, is_in_range, is_late,
        is_many, is_nowhere, is_one_of, is_usual, nowhere_in,
    },
};
use crate::{
    Stack,
    flow::Flow,
    istio::config::{Config, META_DNS_CAPTURE, REDIRECT_DNS},
    messages::{Credentials, How},
};

pub(super) fn flow(stack: Stack, own: &Own) -> impl Strategy<Value = Flow> + use<> {
    let ports = [PORTS, own.ports.as_slice()].concat();
    let ids = [IDS, own.ids.as_slice()].concat();
    let destinations = own.destinations.clone();
    let address = || (destination(stack, &destinations), select(ports.clone()));
    let common = (
        prop::bool::weighted(0.25),
        how(),
        address(),
        prop::collection::vec(destination(stack, &destinations), 0..=2),
    );
    let socket = (
        (
            prop::bool::weighted(0.15),
            prop::bool::weighted(0.2),
            prop::bool::weighted(0.3),
            prop::bool::weighted(0.1),
        ),
        (prop::option::weighted(0.1, address()), prop::option::weighted(0.1, address())),
        prop::option::weighted(0.03, select(DEVICES)),
    );
    let who = (
        credentials(&ids),
        prop::option::weighted(0.15, credentials(&ids)),
        prop::option::weighted(0.25, prop_oneof![5 => ip(SOURCES, stack), 1 => ip(LATE, stack)]),
    );
    (common, socket, who).prop_map(
        move |((inbound, how, to, also), (choices, earlier, device), (user, maker, bind))| {
            let (mapped, bind_port, late_port, to_own_port) = choices;
            let mut to: SocketAddr = to.into();
            if how.is_udp() && is_many(to.ip()) {
                to.set_ip(if to.is_ipv4() {
                    Ipv4Addr::LOCALHOST.into()
                } else {
                    Ipv6Addr::LOCALHOST.into()
                });
            }
            // With fast open it would hear its question before its greeting; of MPTCP with itself the kernel loses
            // the first byte.
            let hears_itself = !(how.is_udp() || matches!(how, How::FastOpen | How::FastOpenConnect | How::Mptcp));
            if to_own_port && bind_port && !inbound && hears_itself {
                to.set_port(0);
            }
            let also = also
                .into_iter()
                .filter(|also| also.is_ipv4() == to.is_ipv4() && !is_many(*also))
                // Where sending to one fails, the others are not asked.
                .filter(|also| !is_nowhere(*also, stack) && !is_nowhere(to.ip(), stack))
                .map(|also| (also, 53).into())
                .collect();
            let bind = bind.filter(|bind| {
                bind.is_ipv4() == to.is_ipv4()
                    && (is_usual(*bind) || is_one_of(HERE, to.ip()))
                    // To the pod itself it is foreign until the pod is enrolled again.
                    && !(is_late(*bind) && (is_one_of(HERE, to.ip()) || is_in_range(to.ip())))
            });
            // From ::1 a refusal comes back only where DNS was captured: that is listed.
            if bind.is_some_and(|bind| bind == IpAddr::from(Ipv6Addr::LOCALHOST)) && to.port() != 0 {
                to.set_port(8080);
            }
            let mapped = mapped && to.is_ipv4();
            // A socket that is bound to what would have been chosen for it looks as if it had been, and one that is
            // bound to a port of `::ffff:0.0.0.0` keeps the source that its first connection had: both are listed. (A
            // mapped one with a port is bound to that.)
            let may_be_reused =
                bind.map_or(!(mapped && bind_port), |bind| !CHOSEN.contains(&bind.to_string().as_str()));
            let [before, first] = <[_; 2]>::from(earlier).map(|earlier| {
                let earlier = earlier.map(SocketAddr::from);
                earlier.filter(|earlier| {
                    earlier.is_ipv4() == to.is_ipv4() && may_be_reused && !(is_many(earlier.ip()) && how.is_udp())
                })
            });
            // From loopback there is no way to the outside, which redirection does not notice, and with a port a
            // source cannot be changed: both are listed.
            let first = first.filter(|first| !bind_port && !first.ip().is_loopback() && !first.ip().is_unspecified());
            let late_port = late_port && bind.is_some() && !bind_port;
            let device = device.map(str::to_owned);
            let flow = Flow {
                inbound,
                how,
                to,
                also,
                before,
                first,
                user,
                maker,
                bind,
                bind_port,
                late_port,
                device,
                mapped,
                mark: None,
                transparent: false,
            };
            let flow = if how.is_udp() {
                datagram(flow)
            } else {
                Flow { also: Vec::new(), first: None, ..flow }
            };
            if inbound { from_outside(&flow, stack) } else { flow }
        },
    )
}

/// What a sidecar does under TPROXY in its client's name, and what others might do with its mark.
pub(super) fn marked(config: &Config, own: &Own) -> impl Strategy<Value = Flow> + use<> {
    let stack = config.stack;
    let mark = config.flag('t').parse().ok();
    let (uid, gid) = config.proxy();
    // Where nat sends it to 127.0.0.1, or an interface of its way is excluded, it meets the inherent difference.
    let nat_passes = config.list('c').is_empty()
        && !config.list('u').contains(&"0")
        && config
            .list('i')
            .iter()
            .all(|range| !range.starts_with("127.") && *range != "::1/128");
    // So it does with port 53 where DNS is captured, if the group tells the sidecar.
    let dns = config.has(REDIRECT_DNS) || config.variable(META_DNS_CAPTURE) == Some("true");
    let source = prop::option::of(ip(SOURCES, stack));
    (
        flow(stack, own),
        ip(HERE, stack),
        ip(CLIENTS, stack),
        source,
        any::<bool>(),
        select(PORTS),
    )
        .prop_map(move |(flow, to, client, own, named, port)| {
            let flow = Flow {
                inbound: false,
                how: How::Tcp,
                also: Vec::new(),
                before: None,
                first: None,
                device: None,
                mapped: false,
                mark,
                to: (to, port).into(),
                ..flow
            };
            let fits = |source: &IpAddr| source.is_ipv4() == to.is_ipv4();
            // Nobody routes marked packets of a family that is not intercepted.
            let routed = client.is_ipv4() || stack.has_v6();
            if named
                && nat_passes
                && routed
                && !(dns && port == 53)
                && fits(&client)
                && !(to.is_loopback() || to.is_unspecified())
            {
                let user = Credentials { uid, gid, groups: Vec::new() };
                Flow { user, maker: None, bind: Some(client), transparent: true, ..flow }
            } else {
                // From ::1 a refusal does not come back: that is listed.
                Flow {
                    bind: own.filter(|own| fits(own) && *own != IpAddr::from(Ipv6Addr::LOCALHOST)),
                    ..flow
                }
            }
        })
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        10 => Just(How::Tcp),
        1 => Just(How::Nonblocking),
        1 => Just(How::Polled),
        1 => Just(How::Uring),
        1 => Just(How::Mptcp),
        1 => Just(How::FastOpen),
        1 => Just(How::FastOpenConnect),
        3 => Just(How::Udp),
        3 => Just(How::Sendto),
    ]
}

/// Only to ports where somebody answers: of refusals the kernel sends as many as its limit for ICMP allows.
fn datagram(mut flow: Flow) -> Flow {
    if flow.to.port() != 53 && flow.to.port() != 8080 {
        flow.to.set_port(if flow.to.port() > 100 { 8080 } else { 53 });
    }
    // A connected socket hears nobody else, and one that is bound is shown the last server only; one that was
    // connected stays bound. Both are listed.
    if flow.how == How::Udp || flow.inbound || flow.bind.is_some() {
        flow.also.clear();
    }
    if flow.how == How::Sendto {
        flow.before = None;
    }
    // Connected to somebody else while it is connected, not afterward: one of both.
    if flow.how == How::Sendto || flow.before.is_some() {
        flow.first = None;
    }
    flow
}

/// Someone elsewhere: only where to, and how, matters.
fn from_outside(flow: &Flow, stack: Stack) -> Flow {
    let to = match flow.to.ip() {
        IpAddr::V4(_) if !stack.has_v4() => [0xfd99, 0, 0, 0, 0, 0, 0, 2].into(),
        IpAddr::V4(v4) if !matches!(v4.octets(), [10, 98 | 99, 0, 2 | 3]) => [10, 99, 0, 2].into(),
        IpAddr::V6(v6) if !matches!(v6.segments(), [0xfd98 | 0xfd99, .., 2 | 3]) => {
            [0xfd99, 0, 0, 0, 0, 0, 0, 2].into()
        }
        to => to,
    };
    let user = Credentials { uid: 0, gid: 0, groups: Vec::new() };
    Flow {
        to: (to, flow.to.port()).into(),
        user,
        before: None,
        first: None,
        maker: None,
        bind: None,
        late_port: false,
        device: None,
        mapped: false,
        ..flow.clone()
    }
}

fn destination(stack: Stack, own: &[IpAddr]) -> impl Strategy<Value = IpAddr> + use<> {
    let nowhere = [NOWHERE, nowhere_in(stack)].concat();
    let nowhere = select(nowhere).prop_map(|text| text.parse().expect("an address"));
    let known = prop_oneof![
        20 => ip(HERE, stack),
        20 => ip(THERE, stack),
        2 => ip(RANGES, stack),
        4 => nowhere,
        1 => ip(MANY, stack),
    ];
    if own.is_empty() {
        known.boxed()
    } else {
        prop_oneof![2 => known, 1 => select(own.to_vec())].boxed()
    }
}

/// An address of a family that the pod has; loopback it always has.
fn ip(texts: &'static [&'static str], stack: Stack) -> impl Strategy<Value = IpAddr> {
    let addresses: Vec<IpAddr> = texts.iter().filter_map(|text| text.parse().ok()).collect();
    let addresses: Vec<IpAddr> = addresses
        .into_iter()
        .filter(|ip| stack.has_v4() || ip.is_ipv6() || ip.is_loopback() || ip.is_unspecified())
        .collect();
    select(addresses)
}

fn credentials(ids: &[u32]) -> impl Strategy<Value = Credentials> + use<> {
    let id = || select(ids.to_vec());
    let supplementary = prop::collection::vec(id(), 0..=1);
    (id(), id(), supplementary).prop_map(|(uid, gid, groups)| Credentials { uid, gid, groups })
}
