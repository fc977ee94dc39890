// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a pod's network has to have before IPv6 is intercepted.

use std::net::{IpAddr, Ipv6Addr};

use anyhow::{Context as _, Result};
use interceptor_policy::{Address, SlotAddress};
use rtnetlink::{
    Handle, IpVersion, RouteMessageBuilder,
    packet_route::route::{RouteProtocol, RouteScope, RouteType},
};

use crate::kernel::{
    pod::netlink::{RT_TABLE_LOCAL, all_routes, existing_is_fine, is_local, loopback_index, talk},
    pod::netns::Netns,
};

/// Makes local in the pod what interception of IPv6 needs: the network of the slots, and `::6`, which the sidecar
/// binds to. Repeating it changes nothing. Both stay when the pod is cleaned, for the connections that still use
/// them.
pub(crate) fn prepare(netns: &Netns) -> Result<()> {
    talk(netns, async |handle| add(&handle).await)
}

/// Whether both are there. They go when the loopback interface goes down.
pub(crate) fn is_prepared(netns: &Netns) -> Result<bool> {
    talk(netns, async |handle| {
        let lo = loopback_index()?;
        let routes = all_routes(&handle, &IpVersion::V6).await?;
        let passthrough = ipv6(Address::PASSTHROUGH_V6);
        Ok(routes
            .iter()
            .any(|route| is_local(route, ipv6(SlotAddress::NETWORK_V6), 64, lo))
            && routes.iter().any(|route| is_local(route, passthrough, 128, lo)))
    })
}

/// Makes `::6` local in the pod, and no more, as Istio does.
pub(crate) fn add_passthrough(netns: &Netns) -> Result<()> {
    talk(netns, async |handle| add_address(&handle, loopback_index()?).await)
}

async fn add(handle: &Handle) -> Result<()> {
    let lo = loopback_index()?;
    let network = ipv6(SlotAddress::NETWORK_V6);
    let route = RouteMessageBuilder::<Ipv6Addr>::new()
        .destination_prefix(network, 64)
        .output_interface(lo)
        .table_id(RT_TABLE_LOCAL)
        .protocol(RouteProtocol::Static)
        .scope(RouteScope::Host)
        .kind(RouteType::Local)
        .build();
    existing_is_fine(handle.route().add(route).execute().await)
        .with_context(|| format!("Failed to make {network}/64 local in the pod"))?;
    add_address(handle, lo).await
}

async fn add_address(handle: &Handle, lo: u32) -> Result<()> {
    let passthrough = ipv6(Address::PASSTHROUGH_V6);
    existing_is_fine(handle.address().add(lo, IpAddr::V6(passthrough), 128).execute().await)
        .with_context(|| format!("Failed to add the address {passthrough} to the pod's loopback interface"))
}

fn ipv6(address: Address) -> Ipv6Addr {
    match IpAddr::from(address) {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    }
}
