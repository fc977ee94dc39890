// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The network of a twin: its interfaces, addresses and routes, and the machine outside. Nobody listens here yet.

use std::net::IpAddr;

use crate::{Stack, scratch::Place};

/// Ranges that lead to the server outside, besides the addresses of its interfaces.
const OUTSIDE_V4: &[&str] = &["10.50.0.0/16", "203.0.113.0/24"];
const OUTSIDE_V6: &[&str] = &["fd50::/32", "2001:db8::/64"];

/// Of the pod. The ranges `10.77.0.0/16`, `10.201.0.0/24`, `fd77::/64` and `fd78::/64` are local there. The kernel
/// chooses the source of connections to the last one.
const ROUTES_V4: &[&str] = &[
    "route add default via 10.99.0.1",
    "route add unreachable 10.60.1.0/24",
    "route add blackhole 10.60.2.0/24",
    "route add prohibit 10.60.3.0/24",
    "route add local 10.77.0.0/16 dev lo",
    "addr add 10.201.0.1/24 dev lo scope host",
];
const ROUTES_V6: &[&str] = &[
    "route add unreachable fd60:1::/64",
    "route add blackhole fd60:2::/64",
    "route add prohibit fd60:3::/64",
    "route add local fd77::/64 dev lo src fd99::2",
    "route add local fd78::/64 dev lo",
];

/// Addresses that the pod has only after it was enrolled. The kernel does not choose them as a source.
const LATE_V4: &str = "10.99.0.77/32 dev eth0";
const LATE_V6: &str = "fd97::77/128 dev lo";

/// Connects the pod to the machine outside by two cables. With both families, there is no default route of IPv6.
pub(super) fn lay(inside: &Place, outside: &Place, stack: Stack) -> anyhow::Result<()> {
    let v4 = stack.has_v4();
    // A pod whose IPv6 is not intercepted may have it all the same.
    let addresses = |v4_addresses: &[&'static str], v6: &[&'static str]| -> Vec<&'static str> {
        v4_addresses.iter().filter(|_| v4).chain(v6).copied().collect()
    };
    inside.connect(
        "eth0",
        &addresses(&["10.99.0.2/24", "10.99.0.3/24"], &["fd99::3/64", "fd99::2/64"]),
        outside,
        &addresses(&["10.99.0.1/24"], &["fd99::1/64"]),
    )?;
    inside.connect(
        "eth1",
        &addresses(&["10.98.0.2/24"], &["fd98::2/64"]),
        outside,
        &addresses(&["10.98.0.1/24"], &["fd98::1/64"]),
    )?;
    let ranges_v6 = if stack == Stack::Dual { OUTSIDE_V6 } else { &["default"] };
    let to_outside: Vec<String> = ranges_v6.iter().map(|range| format!("route add {range} via fd99::1")).collect();
    inside.ip(&lines(addresses(ROUTES_V4, ROUTES_V6)))?;
    inside.ip(&lines(to_outside))?;
    let ranges = addresses(OUTSIDE_V4, OUTSIDE_V6);
    outside.ip(&lines(ranges.iter().map(|range| format!("route add local {range} dev lo"))))?;
    outside.ip("route add fd97::/64 via fd99::2")?;
    Ok(())
}

/// Whether nothing of what is laid here has the address, nor leads to it: it can be given to the machine outside.
pub(super) fn is_elsewhere(address: IpAddr) -> bool {
    const TAKEN_V4: [[u8; 2]; 6] = [[10, 98], [10, 99], [10, 60], [10, 77], [10, 201], [10, 50]];
    match address {
        IpAddr::V4(v4) => {
            let octets = v4.octets();
            !(octets[0] == 0
                || v4.is_loopback()
                || v4.is_link_local()
                || octets[0] >= 224
                || octets[..3] == [203, 0, 113]
                || TAKEN_V4.iter().any(|taken| octets.starts_with(taken)))
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            !(v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unicast_link_local()
                || v6.to_ipv4().is_some()
                || v6.octets().starts_with(&[0x20, 0x01, 0x0d, 0xb8])
                || [0xfd50, 0xfd51, 0xfd60, 0xfd69, 0xfd77, 0xfd78, 0xfd97, 0xfd98, 0xfd99].contains(&first)
                || v6.segments()[..2] == [0x2001, 0xdb9])
        }
    }
}

/// Whether it is an address of the machine outside.
pub(super) fn is_outside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.octets().starts_with(&[10, 50]) || v4.octets().starts_with(&[203, 0, 113]),
        IpAddr::V6(v6) => v6.segments()[..2] == [0xfd50, 0] || v6.segments()[..4] == [0x2001, 0xdb8, 0, 0],
    }
}

/// Lets the machine outside have more addresses, to which the pod has a route.
pub(super) fn reach(inside: &Place, outside: &Place, addresses: &[IpAddr]) -> anyhow::Result<()> {
    if addresses.is_empty() {
        return Ok(());
    }
    outside.ip(&lines(
        addresses.iter().map(|address| format!("route replace local {address} dev lo")),
    ))?;
    let v6 = addresses.iter().filter(|address| address.is_ipv6());
    inside.ip(&lines(v6.map(|address| format!("route replace {address} via fd99::1"))))?;
    Ok(())
}

/// Gives the pod the addresses that come late.
pub(super) fn add_late(inside: &Place, stack: Stack) -> anyhow::Result<()> {
    let [v4, v6] = [format!("addr add {LATE_V4}"), format!("addr add {LATE_V6} preferred_lft 0 nodad")];
    inside
        .ip(&lines([v4].into_iter().filter(|_| stack.has_v4()).chain([v6])))
        .map(drop)
}

/// Takes them away again.
pub(super) fn remove_late(inside: &Place, stack: Stack) -> anyhow::Result<()> {
    let [v4, v6] = [LATE_V4, LATE_V6].map(|address| format!("addr del {address}"));
    inside
        .ip(&lines([v4].into_iter().filter(|_| stack.has_v4()).chain([v6])))
        .map(drop)
}

fn lines<T: AsRef<str>>(commands: impl IntoIterator<Item = T>) -> String {
    commands
        .into_iter()
        .flat_map(|command| [command.as_ref().to_owned(), "\n".to_owned()])
        .collect()
}
