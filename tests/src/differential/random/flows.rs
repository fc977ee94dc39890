// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Connections, and datagrams.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::{prelude::*, sample::select};

use testkit::{
    flow::Flow,
    istio::config::{Config, META_DNS_CAPTURE, REDIRECT_DNS},
    records::{Credentials, How},
    scene::Stack,
};

const PORTS: &[u16] =
    &[22, 53, 79, 80, 81, 443, 8080, 8081, 9000, 9999, 15001, 15002, 15006, 15008, 15020, 15021, 15090];

const IDS: &[u32] = &[0, 1000, 1336, 1337, 1338, 2000, 2004, 2005, 2006];

const HERE: &[&str] = &[
    "10.99.0.2",
    "10.99.0.3",
    "10.98.0.2",
    "127.0.0.1",
    "127.0.0.2",
    "127.0.0.6",
    "127.0.0.53",
    "127.1.2.3",
    "0.0.0.0",
    "fd99::2",
    "fd99::3",
    "fd98::2",
    "::1",
    "::",
];

const THERE: &[&str] = &[
    "10.99.0.1",
    "10.98.0.1",
    "fd98::1",
    "10.50.0.0",
    "10.50.1.6",
    "10.50.1.7",
    "10.50.1.255",
    "10.50.2.0",
    "203.0.113.127",
    "203.0.113.128",
    "fd99::1",
    "fd50::1",
    "fd50::1:0",
    "fd50::1:ffff",
    "fd50::2:0",
    "2001:db8::1",
    "2001:db8::1:0:0:1",
];

/// Ranges that are local in the pod.
const RANGES: &[&str] = &["10.77.0.0", "10.77.0.5", "10.77.255.255", "10.201.0.1", "10.201.0.77", "fd77::", "fd77::5"];

/// No connection is made to these, in any pod that has the family.
const NOWHERE: &[&str] = &[
    "10.60.1.0",
    "10.60.1.1",
    "10.60.2.1",
    "10.60.2.255",
    "10.60.3.1",
    "fd60:1::1",
    "fd60:2::1",
    "fd60:3::1",
    "fd60:3::ffff",
];

/// Without a default route of IPv6.
const NOWHERE_DUAL: &[&str] = &["fd51::1", "2001:db9::1"];

/// Without IPv4.
const NOWHERE_V6: &[&str] = &["10.50.1.7", "203.0.113.128", "192.0.2.1"];

/// To many hosts, so not for TCP.
const MANY: &[&str] = &[
    "224.0.0.1",
    "239.1.2.3",
    "255.255.255.255",
    "10.99.0.255",
    "10.98.0.255",
    "10.201.0.255",
    "ff02::1",
    "ff0e::1",
];

/// Sources that the pod did not have when it was enrolled.
const LATE: &[&str] = &["10.99.0.77", "fd97::77"];

const SOURCES: &[&str] = &[
    "10.99.0.2",
    "10.99.0.3",
    "10.98.0.2",
    "127.0.0.1",
    "127.0.0.6",
    "fd99::2",
    "fd99::3",
    "fd98::2",
    "::1",
    "::6",
];

const DEVICES: &[&str] = &["eth0", "eth1", "lo"];

const CLIENTS: &[&str] = &["10.99.0.1", "10.50.1.7", "203.0.113.9", "fd99::1", "fd50::7"];

/// Sources that the kernel chooses by itself.
const CHOSEN: &[&str] = &["10.99.0.2", "fd99::2"];

pub(super) fn flow(stack: Stack) -> impl Strategy<Value = Flow> {
    let address = move || (destination(stack), select(PORTS));
    let common = (
        prop::bool::weighted(0.25),
        how(),
        address(),
        prop::collection::vec(destination(stack), 0..=2),
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
        credentials(),
        prop::option::weighted(0.15, credentials()),
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
pub(super) fn marked(config: &Config) -> impl Strategy<Value = Flow> + use<> {
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
    let own = prop::option::of(ip(SOURCES, stack));
    (
        flow(stack),
        ip(HERE, stack),
        ip(CLIENTS, stack),
        own,
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

/// Whether connections to the outside may come from it.
fn is_usual(source: IpAddr) -> bool {
    !source.is_loopback() && source != IpAddr::from([0, 0, 0, 0, 0, 0, 0, 6_u16])
}

/// Whether it is one of the addresses that come late.
pub(super) fn is_late(source: IpAddr) -> bool {
    is_one_of(LATE, source)
}

/// Whether it lies in a range that is local in the pod.
pub(super) fn is_in_range(to: IpAddr) -> bool {
    is_one_of(RANGES, to)
}

/// Whether it is an address of many hosts.
pub(super) fn is_many(to: IpAddr) -> bool {
    is_one_of(MANY, to)
}

/// Whether a pod with these addresses has no route to it.
pub(super) fn is_nowhere(to: IpAddr, stack: Stack) -> bool {
    is_one_of(NOWHERE, to) || is_one_of(nowhere_in(stack), to)
}

fn is_one_of(list: &[&str], address: IpAddr) -> bool {
    list.contains(&address.to_string().as_str())
}

/// What only pods with these addresses have no route to.
fn nowhere_in(stack: Stack) -> &'static [&'static str] {
    match stack {
        Stack::V4 => &[],
        Stack::V6 => NOWHERE_V6,
        Stack::Dual => NOWHERE_DUAL,
    }
}

fn destination(stack: Stack) -> impl Strategy<Value = IpAddr> {
    let nowhere = [NOWHERE, nowhere_in(stack)].concat();
    let nowhere = select(nowhere).prop_map(|text| text.parse().expect("an address"));
    prop_oneof![
        20 => ip(HERE, stack),
        20 => ip(THERE, stack),
        2 => ip(RANGES, stack),
        4 => nowhere,
        1 => ip(MANY, stack),
    ]
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

fn credentials() -> impl Strategy<Value = Credentials> {
    let supplementary = prop::collection::vec(select(IDS), 0..=1);
    (select(IDS), select(IDS), supplementary).prop_map(|(uid, gid, groups)| Credentials { uid, gid, groups })
}
