// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Configurations.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use proptest::{
    prelude::*,
    sample::{select, subsequence},
};

use crate::{
    Stack,
    istio::config::{
        CAPTURE_ALL_DNS, Config, DROP_INVALID, LOOPBACK_CIDR, META_DNS_CAPTURE, OWNER_GROUPS, OWNER_GROUPS_EXCLUDE,
        REDIRECT_DNS,
    },
};

const PORT_ITEMS: &[&str] =
    &["22", "53", "80", "443", "8080", "80:90", "8081:9000", "15008", "15020", "9999", "1:65535"];

const RANGES: &[&str] = &[
    "10.50.0.0/16",
    "10.50.1.0/24",
    "10.50.1.7/32",
    "10.99.0.0/24",
    "10.99.0.1/32",
    "10.98.0.0/15",
    "10.60.2.0/24",
    "10.77.0.0/24",
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

const ID_ITEMS: &[&str] = &["1337", "1000", "1338", "2000-2005", "0"];

const SERVERS: &[&str] = &[
    "10.50.1.7",
    "10.99.0.1",
    "203.0.113.128",
    "127.0.0.53",
    "127.0.0.1",
    "10.99.0.2",
    "10.60.1.1",
    "fd50::1",
    "fd60:2::1",
    "fd99::1",
    "::1",
    "fd99::2",
];

pub(super) fn config(stacks: &'static [Stack]) -> impl Strategy<Value = Config> {
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
    let tproxy = prop::option::weighted(
        0.3,
        (
            prop::option::of(select(&["1337", "77"][..])),
            prop::option::of(select(&["133", "88"][..])),
        ),
    );
    let interfaces = prop::option::weighted(0.25, list(&["eth0", "eth1", "eth+", "lo", "nosuch0"]));
    (select(stacks), (tproxy, interfaces), fixed, lists, dns(), environment()).prop_map(
        |(stack, (tproxy, c), (p, z, e), (u, g, b, d, i, x, q, o), (servers, switches), variables)| {
            let (m, (t, r)) = (tproxy.map(|_| "TPROXY"), tproxy.unwrap_or_default());
            let fixed = [('p', p), ('z', z), ('e', e), ('m', m), ('t', t), ('r', r)]
                .map(|(letter, value)| (letter, value.map(str::to_owned)));
            let lists = [('u', u), ('g', g), ('b', b), ('d', d), ('i', i), ('x', x), ('q', q), ('o', o), ('c', c)];
            let flags = fixed
                .into_iter()
                .chain(lists)
                .filter_map(|(letter, value)| Some((letter, value?)))
                .collect();
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
        let fixed = [(LOOPBACK_CIDR, loopback), (META_DNS_CAPTURE, capture)]
            .map(|(name, value)| (name, value.map(str::to_owned)));
        let lists = [(OWNER_GROUPS, groups), (OWNER_GROUPS_EXCLUDE, excluded)];
        fixed
            .into_iter()
            .chain(lists)
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
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
