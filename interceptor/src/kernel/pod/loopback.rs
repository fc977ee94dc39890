// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether a pod's loopback interface carries the addresses that redirection uses. Nothing here changes it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context as _, Result};
use nix::{ifaddrs::getifaddrs, net::if_::InterfaceFlags};

use crate::{
    EnrollError,
    kernel::pod::{
        netlink::talk,
        netns::Netns,
        routes::{ask, is_local},
    },
};

/// The addresses of two slots.
const SLOT_V4: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 128, 0, 1));
const SLOT_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd69, 0x6e74, 0x6572, 0x6365, 0, 0, 0x8000, 1));

/// Fails if the kernel does not send IPv4 connections to slots over `lo`. They would leave the pod, or fail.
pub(crate) fn carries_ipv4(netns: &Netns) -> Result<()> {
    carries(netns, SLOT_V4, "127.0.0.0/8")
}

/// The same for IPv6, once the network of the slots was made local.
pub(crate) fn carries_ipv6(netns: &Netns) -> Result<()> {
    carries(netns, SLOT_V6, "fd69:6e74:6572:6365::/64")
}

fn carries(netns: &Netns, slot: IpAddr, network: &'static str) -> Result<()> {
    // What is local may stay so while the interface is down.
    if !netns.run(is_up)?? {
        return Err(EnrollError::LoopbackDown.into());
    }
    let answer = talk(netns, async |handle| Ok(ask(&handle, slot).await))?;
    if answer.as_ref().is_ok_and(is_local) {
        Ok(())
    } else {
        Err(EnrollError::NotOverLoopback { network, slot }.into())
    }
}

/// Whether the loopback interface of this thread's namespace is up.
fn is_up() -> Result<bool> {
    let mut interfaces = getifaddrs().context("Failed to list the interfaces")?;
    Ok(interfaces.any(|entry| {
        entry.flags.contains(InterfaceFlags::IFF_LOOPBACK) && entry.flags.contains(InterfaceFlags::IFF_UP)
    }))
}

#[cfg(test)]
mod tests {
    use interceptor_policy::SlotAddress;

    use super::*;

    #[test]
    fn the_addresses_that_are_asked_about_are_those_of_slots() {
        for slot in [SLOT_V4, SLOT_V6] {
            assert!(SlotAddress::decode(slot.into()).is_some(), "{slot}");
        }
    }
}
