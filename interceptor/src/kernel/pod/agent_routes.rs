// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a pod's network has to have before DNS is captured: the DNS agent's address is found by every interface.
//!
//! A socket or a message can name the interface by which a question leaves (`IP_UNICAST_IF`, `IP_PKTINFO`). The kernel
//! goes on by that interface after the question was given the agent's address, and would send it to a gateway. With a
//! local route at the interface itself, as the kernel makes for the interface's own addresses, the question stays in
//! the pod.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context as _, Result};
use futures_util::TryStreamExt as _;
use interceptor_policy::LOOPBACK_INTERFACE;
use rtnetlink::{
    Handle, IpVersion, RouteMessageBuilder,
    packet_route::{
        AddressFamily,
        link::LinkFlags,
        route::{RouteMessage, RouteProtocol, RouteScope, RouteType},
    },
};

use crate::kernel::{
    pod::netlink::{RT_TABLE_LOCAL, all_routes, existing_is_fine, is_local, talk},
    pod::netns::Netns,
};

/// The metric of the first interface. It is higher than that of the kernel's own route, by `lo`, which therefore serves
/// everybody who names no interface.
const METRIC: u32 = 1 << 20;

/// Makes `127.0.0.1` with `ipv4`, and `::1` with `ipv6`, local at every interface that is up. Repeating it changes
/// nothing. The routes stay when the pod is cleaned; the kernel removes them when their interface goes down.
pub(crate) fn prepare(netns: &Netns, ipv4: bool, ipv6: bool) -> Result<()> {
    talk(netns, async |handle| {
        for index in interfaces(&handle).await? {
            if ipv4 {
                add(&handle, index, route_v4(index), "127.0.0.1").await;
            }
            if ipv6 {
                add(&handle, index, route_v6(index), "::1").await;
            }
        }
        Ok(())
    })
}

/// Whether all of these routes are there. An interface without an address of a family needs none of that family.
pub(crate) fn is_prepared(netns: &Netns, ipv4: bool, ipv6: bool) -> Result<bool> {
    let v4 = ipv4.then_some((IpVersion::V4, AddressFamily::Inet, IpAddr::V4(Ipv4Addr::LOCALHOST), 32));
    let v6 = ipv6.then_some((IpVersion::V6, AddressFamily::Inet6, IpAddr::V6(Ipv6Addr::LOCALHOST), 128));
    talk(netns, async |handle| {
        let interfaces = interfaces(&handle).await?;
        let addresses: Vec<_> = handle
            .address()
            .get()
            .execute()
            .try_collect()
            .await
            .context("Failed to list the addresses")?;
        for (family, address_family, agent, prefix_len) in v4.into_iter().chain(v6) {
            let routes = all_routes(&handle, &family).await?;
            let needs_it = |index: u32| {
                let mut headers = addresses.iter().map(|address| &address.header);
                headers.any(|address| address.index == index && address.family == address_family)
            };
            let has_it = |index: u32| routes.iter().any(|route| is_local(route, agent, prefix_len, index));
            if interfaces.iter().any(|index| needs_it(*index) && !has_it(*index)) {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

/// The interfaces by which something can leave.
async fn interfaces(handle: &Handle) -> Result<Vec<u32>> {
    let links: Vec<_> = handle
        .link()
        .get()
        .execute()
        .try_collect()
        .await
        .context("Failed to list the interfaces")?;
    let leading_out = links
        .iter()
        .map(|link| &link.header)
        .filter(|link| link.index != LOOPBACK_INTERFACE && link.flags.contains(LinkFlags::Up));
    Ok(leading_out.map(|link| link.index).collect())
}

/// Adds a route. An interface may be without one of the families; then no question leaves by it in that family.
async fn add(handle: &Handle, interface: u32, route: RouteMessage, agent: &str) {
    if let Err(error) = existing_is_fine(handle.route().add(route).execute().await) {
        tracing::warn!(
            interface,
            %error,
            "{agent} could not be made local at an interface of the pod: DNS questions that name this interface are \
             not answered"
        );
    }
}

fn route_v4(interface: u32) -> RouteMessage {
    RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(Ipv4Addr::LOCALHOST, 32)
        .output_interface(interface)
        .table_id(RT_TABLE_LOCAL)
        .protocol(RouteProtocol::Static)
        .scope(RouteScope::Host)
        .kind(RouteType::Local)
        .priority(METRIC + interface)
        .build()
}

fn route_v6(interface: u32) -> RouteMessage {
    RouteMessageBuilder::<Ipv6Addr>::new()
        .destination_prefix(Ipv6Addr::LOCALHOST, 128)
        .output_interface(interface)
        .table_id(RT_TABLE_LOCAL)
        .protocol(RouteProtocol::Static)
        .scope(RouteScope::Host)
        .kind(RouteType::Local)
        .priority(METRIC + interface)
        .build()
}
