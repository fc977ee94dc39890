// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A pod's policy: everything about the pod that is not a list. The lists are in the tries, under the policy's
//! generation.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::bits::bits;
use crate::address::Address;

bits! {
    /// Switches of a [`Policy`].
    PolicyFlags {
        /// Istio would write rules for IPv6.
        IPV6 = 0,
        /// `-i '*'`.
        OUTBOUND_ALL = 1,
        /// Some outbound port is listed (`-o`, `-q`). Without this flag no outbound port is looked up.
        OUTBOUND_PORTS = 2,
        /// An included range (`-i`) is a loopback range. Then local destinations are decided like all others.
        LOOPBACK_INCLUDED = 3,
        /// `-b` is not empty.
        INBOUND = 4,
        /// `-b '*'`.
        INBOUND_ALL = 5,
        /// Only the listed owner groups are intercepted. Without this flag, all groups except those are.
        ONLY_LISTED_GROUPS = 6,
        /// `--redirect-dns`, with a server to capture.
        DNS = 7,
        /// `--capture-all-dns`.
        DNS_ALL = 8,
        /// `-m TPROXY`.
        TPROXY = 9,
        /// `--accelerate`.
        ACCELERATE = 10,
        /// Some interface of the pod is excluded (`-c`).
        INTERFACES = 11,
        /// Some routes have another source than the pod's usual one.
        SOURCE_ADDRS = 12,
        /// `--guard`: packets that leave the pod past the redirection are dropped.
        GUARD = 13,
    }
}

/// A pod's policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
pub struct Policy {
    /// In the version of the ABI for tests, every field has another place.
    #[cfg(feature = "other-abi")]
    pub accelerate_budget: u32,
    #[cfg(feature = "other-abi")]
    pub padding: u32,
    /// Names this pod's entries in the tries. A generation is never used twice, so a new policy is complete before the
    /// programs switch to it. Below [`Policy::MAX_GENERATION`].
    pub generation: u32,
    pub flags: PolicyFlags,
    /// 15001; host byte order, as all ports here.
    pub outbound_port: u16,
    /// 15006.
    pub inbound_port: u16,
    /// 15008.
    pub tunnel_port: u16,
    /// 15053.
    pub dns_port: u16,
    /// `-t`: the mark of the connections that the sidecar makes with the address of its client. Zero without TPROXY.
    pub tproxy_mark: u32,
    /// `-r`: the routing table of such packets. Zero without TPROXY.
    pub tproxy_table: u32,
    /// The source of IPv4 connections to the outside; unspecified when the pod has none.
    pub pod_v4: Address,
    /// The same for IPv6.
    pub pod_v6: Address,
    /// `--accelerate-budget`: how many bytes of one direction of an accelerated connection may wait for the reader.
    #[cfg(not(feature = "other-abi"))]
    pub accelerate_budget: u32,
    #[cfg(not(feature = "other-abi"))]
    pub padding: u32,
}

impl Policy {
    /// Generations are below this: [`AddressKey`](super::AddressKey) needs one bit of the number for the family.
    pub const MAX_GENERATION: u32 = u32::MAX >> 1;

    /// Whether a switch is on.
    #[inline(always)]
    pub const fn has(&self, flag: PolicyFlags) -> bool {
        self.flags.has(flag)
    }

    /// Whether a packet with this mark is one of TPROXY's. Such a packet comes from inside the pod, whatever its source
    /// address is.
    #[inline(always)]
    pub const fn is_marked(&self, mark: u32) -> bool {
        self.has(PolicyFlags::TPROXY) && mark == self.tproxy_mark
    }

    /// Whether Istio writes rules for the address's family: always for IPv4, for IPv6 if the pod's addresses call for
    /// it.
    #[inline(always)]
    pub const fn intercepts_family_of(&self, address: Address) -> bool {
        address.is_v4() || self.has(PolicyFlags::IPV6)
    }

    /// The pod's source address toward the outside, of the family of `like`.
    #[inline(always)]
    pub const fn pod_address(&self, like: Address) -> Address {
        if like.is_v4() { self.pod_v4 } else { self.pod_v6 }
    }

    /// Whether connections are redirected to `port`.
    #[inline(always)]
    pub const fn is_proxy_port(&self, port: u16) -> bool {
        port == self.outbound_port || port == self.inbound_port || (port == self.dns_port && self.has(PolicyFlags::DNS))
    }

    /// Whether the sockets that a listener on `port` accepts need a [`ProxyListener`](super::ProxyListener).
    ///
    /// A connection from inside comes to a slot, and the slot's address tells what it is. A connection from outside
    /// keeps its own addresses, so nothing else distinguishes it from a connection to the application. The mark costs
    /// an allocation for each connection.
    #[inline(always)]
    pub const fn marks_listener(&self, port: u16) -> bool {
        port == self.inbound_port
    }
}
