// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What has to be known of a pod's network before its policy can be compiled, read from the kernel. Nothing here
//! judges it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use anyhow::{Context as _, Result};
use interceptor_config::{InterfaceFacts, PodFacts};
use interceptor_policy::{Address, LOOPBACK_INTERFACE, SlotAddress};
use nix::{errno::Errno, ifaddrs::getifaddrs, net::if_::if_nametoindex};

use crate::kernel::pod::{id_maps::id_maps, netns::Netns, routes};

/// The interfaces, addresses, routes and id maps of a pod.
pub(crate) fn read(netns: &Netns) -> Result<PodFacts> {
    let ids = id_maps(netns.file())?;
    // First, because there is a limit to them: each address has a route.
    let routes = routes::read(netns).with_context(|| format!("Failed to read the routes of {}", netns.name()));
    let (routes, rules) = routes?;
    let facts = netns.run(read_facts)?;
    let facts = facts.with_context(|| format!("Failed to read the addresses of {}", netns.name()))?;
    Ok(without_ours(PodFacts { routes, rules, ids, ..facts }))
}

/// Without what an enrollment adds ([`ipv6`](super::ipv6)). A policy says of these addresses itself what they are, so
/// that it is the same before and after it is put in force.
fn without_ours(mut facts: PodFacts) -> PodFacts {
    let passthrough = IpAddr::from(Address::PASSTHROUGH_V6);
    let slots = IpAddr::from(SlotAddress::NETWORK_V6);
    for interface in facts
        .interfaces
        .iter_mut()
        .filter(|interface| interface.index == LOOPBACK_INTERFACE)
    {
        interface.addresses.retain(|address| *address != passthrough);
    }
    facts
        .routes
        .retain(|route| ![(passthrough, 128), (slots, 64)].contains(&(route.address, route.prefix_len)));
    facts
}

fn read_facts() -> Result<PodFacts> {
    let mut interfaces: Vec<InterfaceFacts> = Vec::new();
    for entry in getifaddrs().context("Failed to list the interfaces")? {
        let known = interfaces.iter().position(|interface| interface.name == entry.interface_name);
        let known = if let Some(known) = known {
            known
        } else {
            let Some(index) = index_of(&entry.interface_name)? else {
                continue; // it was removed meanwhile, and its addresses with it
            };
            interfaces.push(InterfaceFacts { name: entry.interface_name, index, addresses: Vec::new() });
            interfaces.len() - 1
        };
        let Some(storage) = entry.address else { continue }; // an interface without an address of any kind
        let address = if let Some(v4) = storage.as_sockaddr_in() {
            IpAddr::V4(v4.ip())
        } else if let Some(v6) = storage.as_sockaddr_in6() {
            IpAddr::V6(v6.ip())
        } else {
            continue; // an address of the link layer
        };
        interfaces[known].addresses.push(address);
    }
    let source_v4 = source_toward(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into());
    let source_v6 = source_toward(
        Ipv6Addr::UNSPECIFIED.into(),
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    );
    // A pod without a default route reaches its neighbors from its first address.
    let outward = interfaces
        .iter()
        .filter(|interface| !interface.addresses.iter().any(IpAddr::is_loopback));
    let mut addresses = outward.flat_map(|interface| &interface.addresses).copied();
    let first_v4 = addresses.clone().find(IpAddr::is_ipv4);
    let first_v6 = addresses.find(|ip| matches!(ip, IpAddr::V6(v6) if !v6.is_unicast_link_local()));
    Ok(PodFacts {
        source_v4: source_v4.or(first_v4).and_then(as_v4),
        source_v6: source_v6.or(first_v6).and_then(as_v6),
        interfaces,
        ..PodFacts::default()
    })
}

/// The number of an interface, if there is one of this name.
fn index_of(name: &str) -> Result<Option<u32>> {
    match if_nametoindex(name) {
        Ok(index) => Ok(Some(index)),
        Err(Errno::ENODEV) => Ok(None),
        Err(error) => Err(error).with_context(|| format!("Failed to find the interface {name}")),
    }
}

const fn as_v4(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    }
}

const fn as_v6(ip: IpAddr) -> Option<Ipv6Addr> {
    match ip {
        IpAddr::V4(_) => None,
        IpAddr::V6(v6) => Some(v6),
    }
}

/// The source address that the kernel would give to a connection to the outside; connecting a UDP socket asks and
/// sends nothing. None without a route.
fn source_toward(any: IpAddr, documentation_address: IpAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((documentation_address, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_gone_has_no_number() {
        assert!(index_of("lo").unwrap().is_some());
        assert_eq!(index_of("none-such").unwrap(), None);
    }
}
