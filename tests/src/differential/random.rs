// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Configurations and flows by chance, chosen so that they meet: the ports, ranges and users of the flows are those of the flags, and
//! their neighbours.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use proptest::{
    prelude::*,
    sample::{select, subsequence},
    test_runner::{Config as RunnerConfig, RngAlgorithm, TestError, TestRng, TestRunner},
};

use super::{
    config::{CAPTURE_ALL_DNS, Config, DROP_INVALID, LOOPBACK_CIDR, META_DNS_CAPTURE, OWNER_GROUPS, OWNER_GROUPS_EXCLUDE, REDIRECT_DNS},
    flow::Flow,
    lab::Lab,
};
use crate::{
    records::{Credentials, How},
    scene::Stack,
};

/// Flows for each configuration.
const FLOWS: usize = 40;
/// Shrinking ends after so many milliseconds.
const SHRINK: u32 = 15_000;

const PORTS: &[u16] = &[22, 53, 79, 80, 81, 443, 8080, 8081, 9000, 9999, 15001, 15002, 15006, 15008, 15020, 15021, 15090];
const PORT_ITEMS: &[&str] = &["22", "53", "80", "443", "8080", "80:90", "8081:9000", "15008", "15020", "9999", "1:65535"];
const RANGES: &[&str] = &[
    "10.50.0.0/16",
    "10.50.1.0/24",
    "10.50.1.7/32",
    "10.99.0.0/24",
    "10.99.0.1/32",
    "10.98.0.0/15",
    "127.0.0.0/8",
    "127.0.0.2/32",
    "0.0.0.0/0",
    "10.50.1.7/24",
    "203.0.113.0/25",
    "fd50::/32",
    "fd50::1:0/112",
    "fd99::/64",
    "fd98::2/128",
    "::/0",
    "::1/128",
    "2001:db8::/96",
];
const IDS: &[u32] = &[0, 1000, 1336, 1337, 1338, 2000, 2004, 2005, 2006];
const ID_ITEMS: &[&str] = &["1337", "1000", "1338", "2000-2005", "0"];
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
const SOURCES: &[&str] = &["10.99.0.2", "10.99.0.3", "10.98.0.2", "127.0.0.1", "127.0.0.6", "fd99::2", "fd99::3", "fd98::2", "::1", "::6"];

const CLIENTS: &[&str] = &["10.99.0.1", "10.50.1.7", "203.0.113.9", "fd99::1", "fd50::7"];
const SERVERS: &[&str] =
    &["10.50.1.7", "10.99.0.1", "203.0.113.128", "127.0.0.53", "127.0.0.1", "10.99.0.2", "fd50::1", "fd99::1", "::1", "fd99::2"];

/// Sources that the kernel chooses by itself.
const CHOSEN: &[&str] = &["10.99.0.2", "fd99::2"];

/// A case that differs, as small as it could be made.
#[derive(Debug)]
pub struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Compares `count` configurations that follow from `seed`; `tick` is called after each.
pub fn random(lab: &mut Lab<'_>, stacks: &'static [Stack], count: u32, seed: u64, tick: impl Fn()) -> Result<(), Failure> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let settings =
        RunnerConfig { cases: count, max_shrink_iters: 60, max_shrink_time: SHRINK, failure_persistence: None, ..RunnerConfig::default() };
    let mut runner = TestRunner::new_with_rng(settings, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let lab = RefCell::new(lab);
    let result = runner.run(&case(stacks), |(config, flows)| {
        let differences = lab.borrow_mut().compare(&config, &flows).map_err(TestCaseError::fail)?;
        tick();
        match differences.first() {
            None => Ok(()),
            Some(first) => Err(TestCaseError::fail(first.to_string())),
        }
    });
    result.map_err(|error| match error {
        TestError::Fail(reason, _) => Failure(format!("seed {seed}:\n{reason}")),
        TestError::Abort(reason) => Failure(format!("seed {seed}: gave up: {reason}")),
    })
}

fn case(stacks: &'static [Stack]) -> impl Strategy<Value = (Config, Vec<Flow>)> {
    config(stacks).prop_flat_map(|config| {
        let flow = if config.is_tproxy() { prop_oneof![flow(config.stack), marked(&config)].boxed() } else { flow(config.stack).boxed() };
        let flows = prop::collection::vec(flow, 1..=FLOWS);
        (Just(config), flows)
    })
}

fn config(stacks: &'static [Stack]) -> impl Strategy<Value = Config> {
    let fixed = (
        prop::option::of(select(&["15001", "16001"][..])),
        prop::option::of(select(&["15006", "16006"][..])),
        prop::option::of(select(&["15008", "9000"][..])),
    );
    let lists = (
        prop::option::weighted(0.7, ids()),
        prop::option::weighted(0.4, ids()),
        prop::option::weighted(0.8, all_or(PORT_ITEMS)),
        prop::option::of(list(PORT_ITEMS)),
        prop::option::weighted(0.9, all_or(RANGES)),
        prop::option::of(list(RANGES)),
        prop::option::weighted(0.3, list(PORT_ITEMS)),
        prop::option::weighted(0.2, list(PORT_ITEMS)),
    );
    let tproxy = prop::option::weighted(0.3, (prop::option::of(select(&["1337", "77"][..])), prop::option::of(select(&["133", "88"][..]))));
    let interfaces = prop::option::weighted(0.25, list(&["eth0", "eth1", "eth+", "lo", "nosuch0"]));
    (select(stacks), (tproxy, interfaces), fixed, lists, dns(), environment()).prop_map(
        |(stack, (tproxy, c), (p, z, e), (u, g, b, d, i, x, q, o), (servers, switches), variables)| {
            let (m, (t, r)) = (tproxy.map(|_| "TPROXY"), tproxy.unwrap_or_default());
            let fixed =
                [('p', p), ('z', z), ('e', e), ('m', m), ('t', t), ('r', r)].map(|(letter, value)| (letter, value.map(str::to_owned)));
            let lists = [('u', u), ('g', g), ('b', b), ('d', d), ('i', i), ('x', x), ('q', q), ('o', o), ('c', c)];
            let flags = fixed.into_iter().chain(lists).filter_map(|(letter, value)| Some((letter, value?))).collect();
            Config { servers, switches, environment: variables, flags, ..Config::new(stack) }
        },
    )
}

/// Servers, and the switches that are given.
fn dns() -> impl Strategy<Value = (Vec<IpAddr>, BTreeSet<String>)> {
    let servers = subsequence(SERVERS, 0..=3).prop_shuffle();
    let switches = [(REDIRECT_DNS, 0.5), (CAPTURE_ALL_DNS, 0.3), (DROP_INVALID, 0.2)]
        .map(|(switch, weight)| prop::bool::weighted(weight).prop_map(move |given| given.then(|| switch.to_owned())));
    (servers, switches).prop_map(|(servers, switches)| {
        let servers = servers.iter().filter_map(|server| server.parse().ok()).collect();
        (servers, switches.into_iter().flatten().collect())
    })
}

fn environment() -> impl Strategy<Value = BTreeMap<String, String>> {
    let groups = || prop::option::weighted(0.2, list(&["1000", "2000-2004", "0", "1337"]));
    let loopback = prop::option::weighted(0.2, select(&["127.0.0.1/32", "127.0.0.1/8", "127.0.0.2/32"][..]));
    let capture = prop::option::weighted(0.15, select(&["true", "false"][..]));
    (groups(), groups(), loopback, capture).prop_map(|(groups, excluded, loopback, capture)| {
        let fixed = [(LOOPBACK_CIDR, loopback), (META_DNS_CAPTURE, capture)].map(|(name, value)| (name, value.map(str::to_owned)));
        let lists = [(OWNER_GROUPS, groups), (OWNER_GROUPS_EXCLUDE, excluded)];
        fixed.into_iter().chain(lists).filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    })
}

fn list(items: &'static [&'static str]) -> impl Strategy<Value = String> {
    subsequence(items, 0..=3).prop_map(|items| items.join(","))
}

fn all_or(items: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![Just("*".to_owned()), list(items)]
}

fn ids() -> impl Strategy<Value = String> {
    subsequence(ID_ITEMS, 1..=2).prop_shuffle().prop_map(|items| items.join(","))
}

fn flow(stack: Stack) -> impl Strategy<Value = Flow> {
    let address = move || (destination(stack), select(PORTS));
    let common = (prop::bool::weighted(0.25), how(), address(), prop::collection::vec(destination(stack), 0..=2));
    let socket = (prop::bool::weighted(0.15), prop::bool::weighted(0.2), prop::option::weighted(0.1, address()));
    let who = (credentials(), prop::option::weighted(0.15, credentials()), prop::option::weighted(0.25, ip(SOURCES, stack)));
    (common, socket, who).prop_map(move |((inbound, how, to, also), (mapped, bind_port, before), (user, maker, bind))| {
        let to: SocketAddr = to.into();
        let also = also.into_iter().filter(|also| also.is_ipv4() == to.is_ipv4()).map(|also| (also, 53).into()).collect();
        let bind = bind.filter(|bind| bind.is_ipv4() == to.is_ipv4() && (is_usual(*bind) || HERE.contains(&to.ip().to_string().as_str())));
        // A socket that is bound to what would have been chosen for it looks as if it had been: that is listed.
        let may_be_reused = bind.is_none_or(|bind| !CHOSEN.contains(&bind.to_string().as_str()));
        let before = before.map(SocketAddr::from).filter(|before| before.is_ipv4() == to.is_ipv4() && may_be_reused);
        let mapped = mapped && to.is_ipv4();
        let flow = Flow { inbound, how, to, also, before, user, maker, bind, bind_port, mapped, mark: None, transparent: false };
        let flow = if how.is_udp() { datagram(flow) } else { Flow { also: Vec::new(), ..flow } };
        if inbound { from_outside(&flow, stack) } else { flow }
    })
}

/// What a sidecar does under TPROXY in its client's name, and what others might do with its mark.
fn marked(config: &Config) -> impl Strategy<Value = Flow> + use<> {
    let stack = config.stack;
    let mark = config.flag('t').parse().ok();
    let (uid, gid) = config.proxy();
    // Where nat sends it to 127.0.0.1, or an interface of its way is excluded, it meets the inherent difference.
    let nat_passes = config.list('c').is_empty()
        && !config.list('u').contains(&"0")
        && config.list('i').iter().all(|range| !range.starts_with("127.") && *range != "::1/128");
    // So it does with port 53 where DNS is captured, if the group tells the sidecar.
    let dns = config.has(REDIRECT_DNS) || config.variable(META_DNS_CAPTURE) == Some("true");
    let own = prop::option::of(ip(SOURCES, stack));
    (flow(stack), ip(HERE, stack), ip(CLIENTS, stack), own, any::<bool>(), select(PORTS)).prop_map(
        move |(flow, to, client, own, named, port)| {
            let flow =
                Flow { inbound: false, how: How::Tcp, also: Vec::new(), before: None, mapped: false, mark, to: (to, port).into(), ..flow };
            let fits = |source: &IpAddr| source.is_ipv4() == to.is_ipv4();
            // Nobody routes marked packets of a family that is not intercepted.
            let routed = client.is_ipv4() || stack.has_v6();
            if named && nat_passes && routed && !(dns && port == 53) && fits(&client) && !(to.is_loopback() || to.is_unspecified()) {
                let user = Credentials { uid, gid, groups: Vec::new() };
                Flow { user, maker: None, bind: Some(client), transparent: true, ..flow }
            } else {
                // From ::1 a refusal does not come back: that is listed.
                Flow { bind: own.filter(|own| fits(own) && *own != IpAddr::from(Ipv6Addr::LOCALHOST)), ..flow }
            }
        },
    )
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        10 => Just(How::Tcp),
        2 => Just(How::Nonblocking),
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
    // A connected socket hears nobody else, and one that is bound is shown the last server only; one that was connected stays bound. Both
    // are listed.
    if flow.how == How::Udp || flow.inbound || flow.bind.is_some() {
        flow.also.clear();
    }
    if flow.how == How::Sendto {
        flow.before = None;
    }
    flow
}

/// Someone elsewhere: only where to, and how, matters.
fn from_outside(flow: &Flow, stack: Stack) -> Flow {
    let to = match flow.to.ip() {
        IpAddr::V4(_) if !stack.has_v4() => [0xfd99, 0, 0, 0, 0, 0, 0, 2].into(),
        IpAddr::V4(v4) if !matches!(v4.octets(), [10, 98 | 99, 0, 2 | 3]) => [10, 99, 0, 2].into(),
        IpAddr::V6(v6) if !matches!(v6.segments(), [0xfd98 | 0xfd99, .., 2 | 3]) => [0xfd99, 0, 0, 0, 0, 0, 0, 2].into(),
        to => to,
    };
    let user = Credentials { uid: 0, gid: 0, groups: Vec::new() };
    Flow { to: (to, flow.to.port()).into(), user, before: None, maker: None, bind: None, mapped: false, ..flow.clone() }
}

/// Whether connections to the outside may come from it.
fn is_usual(source: IpAddr) -> bool {
    !source.is_loopback() && source != IpAddr::from([0, 0, 0, 0, 0, 0, 0, 6_u16])
}

fn destination(stack: Stack) -> impl Strategy<Value = IpAddr> {
    prop_oneof![ip(HERE, stack), ip(THERE, stack)]
}

/// An address of a family that the pod has; loopback it always has.
fn ip(texts: &'static [&'static str], stack: Stack) -> impl Strategy<Value = IpAddr> {
    let addresses: Vec<IpAddr> = texts.iter().filter_map(|text| text.parse().ok()).collect();
    let addresses: Vec<IpAddr> =
        addresses.into_iter().filter(|ip| stack.has_v4() || ip.is_ipv6() || ip.is_loopback() || ip.is_unspecified()).collect();
    select(addresses)
}

fn credentials() -> impl Strategy<Value = Credentials> {
    let supplementary = prop::collection::vec(select(IDS), 0..=1);
    (select(IDS), select(IDS), supplementary).prop_map(|(uid, gid, groups)| Credentials { uid, gid, groups })
}
