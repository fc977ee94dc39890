// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a policy says of addresses: the prefixes for the map `ADDRESSES`. Each prefix says all that is true of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use interceptor_policy::{Address, AddressClass, SlotAddress};

use super::{
    compiled::{AddressPrefix, address_bits, bits_before},
    interfaces::Excluded,
    prefixes::{Prefix, flatten},
};
use crate::{
    istio::{DnsCapture, OutboundConfig},
    pod::PodFacts,
    values::Cidr,
};

/// Everything that the policy says of addresses.
pub(super) fn addresses(
    facts: &PodFacts,
    outbound: &OutboundConfig,
    dns: DnsCapture<'_>,
    ipv6: bool,
    excluded: &Excluded,
) -> Vec<AddressPrefix> {
    let OutboundConfig { ranges, ranges_excluded, ports: _, ports_excluded: _, loopback_range } = outbound;
    let own = facts.addresses().map(|address| Entry::host(address, AddressClass::LOCAL));
    let loopback = [
        Entry::new(Ipv4Addr::LOCALHOST.into(), 8, AddressClass::LOCAL),
        Entry::host(
            Ipv6Addr::LOCALHOST.into(),
            AddressClass::LOCAL.with(AddressClass::LOOPBACK_EXEMPT),
        ),
    ];
    // The loader makes these addresses local in a pod whose IPv6 is intercepted.
    let made_local = [
        Entry::host(Address::PASSTHROUGH_V6.into(), AddressClass::LOCAL),
        Entry::new(SlotAddress::NETWORK_V6.into(), 64, AddressClass::LOCAL),
    ];
    let listed = |cidrs: &[Cidr], class| -> Vec<Entry> {
        cidrs
            .iter()
            .map(|cidr| Entry::new(cidr.address(), cidr.prefix_len(), class))
            .collect()
    };
    let servers: Vec<Entry> = match dns {
        DnsCapture::Off | DnsCapture::All => Vec::new(),
        DnsCapture::Servers(servers) => servers
            .askable()
            .map(|server| Entry::host(server, AddressClass::DNS_SERVER))
            .collect(),
    };
    // Only the longest matching route decides the interface. Traffic to the pod's own addresses always uses `lo`.
    let local = own
        .chain(loopback)
        .chain(made_local.into_iter().filter(|_| ipv6))
        .map(|entry| entry.leaving(excluded.has_loopback()));
    let routes = excluded.routes(facts).map(|(route, excluded)| {
        Entry::new(route.address, route.prefix_len, AddressClass::default()).leaving(excluded)
    });
    let entries = local
        .chain(routes.filter(|_| !excluded.is_empty()))
        .chain(servers)
        .chain(listed(&[*loopback_range], AddressClass::LOOPBACK_EXEMPT))
        .chain(listed(ranges_excluded, AddressClass::OUTBOUND_EXCLUDED))
        .chain(listed(ranges.listed(), AddressClass::OUTBOUND_INCLUDED));
    // Each family is a table of its own: `::/0` does not contain the mapped IPv4 addresses.
    let (v4, v6): (Vec<Entry>, Vec<Entry>) = entries.partition(|entry| entry.address.is_ipv4());
    let flat = |entries: Vec<Entry>| flatten(entries.into_iter().map(Prefix::from).collect(), RangeFacts::with);
    flat(v4)
        .into_iter()
        .chain(flat(v6))
        .map(|Prefix { bits, len, class }| AddressPrefix::from(Prefix { bits, len, class: class.into() }))
        .collect()
}

/// What the policy says of a range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct RangeFacts {
    class: AddressClass,
    /// Whether connections to it leave through an excluded interface; `None` if no route says so.
    leaves_by_excluded: Option<bool>,
}

impl RangeFacts {
    /// All classes are true. Of the routes only the inner one counts.
    fn with(self, around: Self) -> Self {
        Self {
            class: self.class.with(around.class),
            leaves_by_excluded: self.leaves_by_excluded.or(around.leaves_by_excluded),
        }
    }
}

impl From<RangeFacts> for AddressClass {
    fn from(RangeFacts { class, leaves_by_excluded }: RangeFacts) -> Self {
        if leaves_by_excluded == Some(true) {
            class.with(Self::INTERFACE_EXCLUDED)
        } else {
            class
        }
    }
}

/// A range of addresses, before it becomes a prefix.
struct Entry {
    address: IpAddr,
    len: u8,
    said: RangeFacts,
}

impl Entry {
    const fn new(address: IpAddr, len: u8, class: AddressClass) -> Self {
        Self { address, len, said: RangeFacts { class, leaves_by_excluded: None } }
    }

    const fn host(address: IpAddr, class: AddressClass) -> Self {
        Self::new(address, if address.is_ipv4() { 32 } else { 128 }, class)
    }

    fn leaving(self, by_excluded: bool) -> Self {
        Self { said: RangeFacts { leaves_by_excluded: Some(by_excluded), ..self.said }, ..self }
    }
}

impl From<Entry> for Prefix<RangeFacts> {
    fn from(Entry { address, len, said }: Entry) -> Self {
        Self::new(
            address_bits(Address::from(address)),
            bits_before(address) + u32::from(len),
            said,
        )
    }
}
