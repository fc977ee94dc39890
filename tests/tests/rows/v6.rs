// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The same rows for IPv6: each address has a counterpart.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::row::{End, Hop, Row};

/// The row with IPv6 addresses; `None` where there is nothing of the kind: IPv4-mapped addresses, and more than one
/// loopback address.
pub(crate) fn counterpart(row: Row) -> Option<Row> {
    let Row { name, who, to, datagram, flags, sidecar_runs, local, peer, hops, end } = row;
    // A connection to an address of the pod comes from that very address, where IPv4 takes the first one of the
    // interface.
    let local_v6 = match name {
        "app_to_second_address" | "proxy_to_second_address" => Some("10.99.0.3".to_owned()),
        _ => local,
    };
    let hops = hops.into_iter().map(|Hop { listener, local, original }| {
        Some(Hop { listener, local: address(&local)?, original: optional(original)? })
    });
    let flags: Option<Vec<String>> = flags
        .into_iter()
        .map(|flag| if has_address(&flag) { address(&flag) } else { Some(flag) })
        .collect();
    let flags = flags.filter(|flags| !flags.iter().any(|flag| flag == "6-mapped"))?;
    Some(Row {
        name,
        who,
        to: address(&to)?,
        datagram,
        flags: ["--family".to_owned(), "6".to_owned()].into_iter().chain(flags).collect(),
        sidecar_runs,
        local: optional(local_v6)?,
        peer: optional(peer)?,
        hops: hops.collect::<Option<_>>()?,
        end: match end {
            End::Answered(server, local) => End::Answered(server, address(&local)?),
            end => end,
        },
    })
}

/// `None` for an address without a counterpart.
#[expect(clippy::option_option, reason = "no address is one thing, none of the kind another")]
fn optional(text: Option<String>) -> Option<Option<String>> {
    match text {
        None => Some(None),
        Some(text) => address(&text).map(Some),
    }
}

fn has_address(text: &str) -> bool {
    text.parse::<SocketAddr>().is_ok() || text.parse::<IpAddr>().is_ok()
}

/// `10.99.0.2:80` → `[fd99::2]:80`, `127.0.0.6` → `::6`
fn address(text: &str) -> Option<String> {
    if let Ok(SocketAddr::V4(v4)) = text.parse() {
        return Some(SocketAddr::new(ip(*v4.ip())?.into(), v4.port()).to_string());
    }
    ip(text.parse().ok()?).map(|ip| ip.to_string())
}

fn ip(v4: Ipv4Addr) -> Option<Ipv6Addr> {
    let [first, second, _, last] = v4.octets();
    match first {
        0 => Some(Ipv6Addr::UNSPECIFIED),
        127 if v4 == Ipv4Addr::LOCALHOST || last == 6 => Some(Ipv6Addr::from(u128::from(last))),
        10 => format!("fd{second}::{last}").parse().ok(),
        _ => None,
    }
}
