// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Ports, users and addresses to choose from. They are those of the configurations in `configs.rs`, and of the network
//! in `network.rs`.

use std::net::IpAddr;

use crate::Stack;

pub(super) const PORTS: &[u16] =
    &[22, 53, 79, 80, 81, 443, 8080, 8081, 9000, 9999, 15001, 15002, 15006, 15008, 15020, 15021, 15090];

pub(super) const IDS: &[u32] = &[0, 1000, 1336, 1337, 1338, 2000, 2004, 2005, 2006];

pub(super) const HERE: &[&str] = &[
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

pub(super) const THERE: &[&str] = &[
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
pub(super) const RANGES: &[&str] =
    &["10.77.0.0", "10.77.0.5", "10.77.255.255", "10.201.0.1", "10.201.0.77", "fd77::", "fd77::5"];

/// No connection is made to these, in any pod that has the family.
pub(super) const NOWHERE: &[&str] = &[
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
pub(super) const NOWHERE_DUAL: &[&str] = &["fd51::1", "2001:db9::1"];

/// Without IPv4.
pub(super) const NOWHERE_V6: &[&str] = &["10.50.1.7", "203.0.113.128", "192.0.2.1"];

/// To many hosts, so not for TCP.
pub(super) const MANY: &[&str] = &[
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
pub(super) const LATE: &[&str] = &["10.99.0.77", "fd97::77"];

pub(super) const SOURCES: &[&str] = &[
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

pub(super) const DEVICES: &[&str] = &["eth0", "eth1", "lo"];

pub(super) const CLIENTS: &[&str] = &["10.99.0.1", "10.50.1.7", "203.0.113.9", "fd99::1", "fd50::7"];

/// Sources that the kernel chooses by itself.
pub(super) const CHOSEN: &[&str] = &["10.99.0.2", "fd99::2"];

/// Whether connections to the outside may come from it.
pub(super) fn is_usual(source: IpAddr) -> bool {
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

pub(super) fn is_one_of(list: &[&str], address: IpAddr) -> bool {
    list.contains(&address.to_string().as_str())
}

/// What only pods with these addresses have no route to.
pub(super) fn nowhere_in(stack: Stack) -> &'static [&'static str] {
    match stack {
        Stack::V4 => &[],
        Stack::V6 => NOWHERE_V6,
        Stack::Dual => NOWHERE_DUAL,
    }
}
