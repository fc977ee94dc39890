// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a pod's network has to have before DNS is captured: the DNS agent's address is found by every interface.
//!
//! A socket or a message can name the interface by which a question leaves (`IP_UNICAST_IF`, `IP_PKTINFO`). The kernel
//! goes on by that interface after the question was given the agent's address, and would send it to a gateway. With a
//! local route at the interface itself, as the kernel makes for the interface's own addresses, the question stays in
//! the pod.

use std::net::{Ipv4Addr, Ipv6Addr};

use anyhow::{Context as _, Result};
use futures_util::TryStreamExt as _;
use interceptor_policy::LOOPBACK_INTERFACE;
use rtnetlink::{
    Handle, RouteMessageBuilder,
    packet_route::{
        link::LinkFlags,
        route::{RouteMessage, RouteProtocol, RouteScope, RouteType},
    },
};

use crate::kernel::{
    pod::netlink::{existing_is_fine, talk},
    pod::netns::Netns,
};

/// `enum rt_class_t`: where the kernel keeps local addresses.
const RT_TABLE_LOCAL: u32 = 255;

/// The metric of the first interface. It is higher than that of the kernel's own route, by `lo`, which therefore serves
/// everybody who names no interface.
const METRIC: u32 = 1 << 20;

/// Makes `127.0.0.1` with `ipv4`, and `::1` with `ipv6`, local at every interface that is up. Repeating it changes
/// nothing. The routes stay when the pod is cleaned; the kernel removes them with their interface.
pub(crate) fn prepare(netns: &Netns, ipv4: bool, ipv6: bool) -> Result<()> {
    talk(netns, async |handle| {
        let links: Vec<_> = handle
            .link()
            .get()
            .execute()
            .try_collect()
            .await
            .context("Failed to list the interfaces")?;
        for link in links {
            let index = link.header.index;
            if index == LOOPBACK_INTERFACE || !link.header.flags.contains(LinkFlags::Up) {
                continue; // nothing leaves by it
            }
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
