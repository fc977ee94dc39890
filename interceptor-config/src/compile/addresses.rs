// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a policy says of addresses, by lists and by routes: the prefixes for the map `ADDRESSES`. Each prefix says all
//! that is true of it.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use interceptor_policy::{Address, AddressClass, SlotAddress};

use super::{
    compiled::{AddressPrefix, address_bits, bits_before},
    interfaces::Excluded,
    prefixes::{Prefix, flatten},
};
use crate::{
    istio::{DnsCapture, OutboundConfig},
    pod::{NoRoute, PodFacts, UNNAMED_RANGES, Way, is_many},
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
    let ways = ways(facts, ipv6).into_iter().map(|((address, prefix_len), way)| {
        let class = class_of(&way, facts);
        let class = match excluded.takes(&way) {
            Some(true) => class.with(AddressClass::INTERFACE_EXCLUDED),
            Some(false) | None => class,
        };
        Entry::leading(address, prefix_len, class)
    });
    let entries = ways
        .chain(servers)
        .chain([Entry::host(Ipv6Addr::LOCALHOST.into(), AddressClass::LOOPBACK_EXEMPT)])
        .chain(listed(&[outbound.loopback_range], AddressClass::LOOPBACK_EXEMPT))
        .chain(listed(&outbound.ranges_excluded, AddressClass::OUTBOUND_EXCLUDED))
        .chain(listed(outbound.ranges.listed(), AddressClass::OUTBOUND_INCLUDED));
    // Each family is a table of its own: `::/0` does not contain the mapped IPv4 addresses.
    let (v4, v6): (Vec<Entry>, Vec<Entry>) = entries.partition(|entry| entry.address.is_ipv4());
    flat(v4).chain(flat(v6)).map(AddressPrefix::from).collect()
}

/// Which way each range leads. The pod's addresses and `127.0.0.0/8` are local, unless the kernel says otherwise.
fn ways(facts: &PodFacts, ipv6: bool) -> BTreeMap<(IpAddr, u8), Way> {
    let host = |address: IpAddr| (address, if address.is_ipv4() { 32 } else { 128 });
    let mut ways: BTreeMap<(IpAddr, u8), Way> = facts.addresses().map(|own| (host(own), Way::Local)).collect();
    ways.insert((Ipv4Addr::LOCALHOST.into(), 8), Way::Local);
    ways.insert(host(Ipv6Addr::LOCALHOST.into()), Way::Local);
    let many = UNNAMED_RANGES.into_iter().filter(|(address, _)| is_many(*address));
    ways.extend(many.map(|range| (range, Way::Many(Vec::new()))));
    ways.extend(
        facts
            .routes
            .iter()
            .map(|route| ((route.address, route.prefix_len), route.way.clone())),
    );
    if ipv6 {
        // The loader makes these addresses local in a pod whose IPv6 is intercepted.
        ways.insert(host(Address::PASSTHROUGH_V6.into()), Way::Local);
        ways.insert((SlotAddress::NETWORK_V6.into(), 64), Way::Local);
    }
    ways
}

/// What a way says of an address.
fn class_of(way: &Way, facts: &PodFacts) -> AddressClass {
    match way {
        Way::Out(_) => AddressClass::default(),
        Way::Local => AddressClass::LOCAL,
        Way::Many(_) => AddressClass::MANY,
        // Some sockets may have a route where others have none.
        Way::Nowhere(_) if !facts.rules.is_empty() => AddressClass::default(),
        Way::Nowhere(NoRoute::None) => AddressClass::NO_ROUTE,
        Way::Nowhere(NoRoute::Unreachable) => AddressClass::ROUTE_UNREACHABLE,
        Way::Nowhere(NoRoute::Blackhole) => AddressClass::ROUTE_BLACKHOLE,
        Way::Nowhere(NoRoute::Prohibit) => AddressClass::ROUTE_PROHIBIT,
    }
}

/// The longest match says all that is true, and no prefix repeats what is said around it.
fn flat(entries: Vec<Entry>) -> impl Iterator<Item = Prefix<AddressClass>> {
    let ranges = flatten(entries.into_iter().map(Prefix::from).collect(), RangeFacts::with);
    let classes = ranges
        .into_iter()
        .map(|Prefix { bits, len, class }| Prefix { bits, len, class: class.into() });
    flatten(classes.collect(), |inner: AddressClass, _around| inner).into_iter()
}

/// What the policy says of a range of addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct RangeFacts {
    /// What the lists say.
    listed: AddressClass,
    /// What the route says; `None` if there is no route for the range itself.
    route: Option<AddressClass>,
}

impl RangeFacts {
    /// All lists count. Of the routes only the inner one does.
    fn with(self, around: Self) -> Self {
        Self { listed: self.listed.with(around.listed), route: self.route.or(around.route) }
    }
}

impl From<RangeFacts> for AddressClass {
    fn from(RangeFacts { listed, route }: RangeFacts) -> Self {
        listed.with(route.unwrap_or_default())
    }
}

/// A range of addresses, before it becomes a prefix.
struct Entry {
    address: IpAddr,
    len: u8,
    said: RangeFacts,
}

impl Entry {
    /// What the lists say.
    const fn new(address: IpAddr, len: u8, listed: AddressClass) -> Self {
        Self { address, len, said: RangeFacts { listed, route: None } }
    }

    const fn host(address: IpAddr, class: AddressClass) -> Self {
        Self::new(address, if address.is_ipv4() { 32 } else { 128 }, class)
    }

    /// What the route says.
    fn leading(address: IpAddr, len: u8, route: AddressClass) -> Self {
        Self { address, len, said: RangeFacts { route: Some(route), ..RangeFacts::default() } }
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
