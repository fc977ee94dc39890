// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From a configuration and the facts of a pod to its policy.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use interceptor_policy::{Address, AddressClass, NumberClass, NumberSpace, Policy, PolicyFlags};

use super::{
    Cidr, CompiledPolicy, ConfigError, DnsCapture, IdMap, InterceptionMode, InterfaceFacts, IstioConfig, NumberPrefix,
    NumberRange, PodFacts, Selection, Setting,
    addresses::addresses,
    compiled::number_bits,
    interfaces::Excluded,
    prefixes::{Prefix, flatten},
    routes,
};

/// How many address prefixes, and how many number prefixes, one pod may have. Far more than any list by hand; less than
/// would let one pod fill the table that all pods of a node share.
pub const MAX_PREFIXES_PER_POD: usize = 65_536;

/// Where the agent answers DNS; Istio has no flag for it.
const DNS_PORT: u16 = 15_053;

/// Writes the policy of a pod. Pure: what cannot be carried out is refused here, before anything is touched.
pub fn compile(config: &IstioConfig, facts: &PodFacts) -> Result<CompiledPolicy, ConfigError> {
    let IstioConfig {
        envoy_port,
        inbound_capture_port,
        inbound_tunnel_port,
        proxy_uids,
        proxy_gids,
        inbound_ports,
        inbound_ports_excluded,
        owner_groups,
        owner_groups_excluded,
        outbound_ranges,
        outbound_ranges_excluded,
        outbound_ports,
        outbound_ports_excluded,
        loopback_range,
        dual_stack,
        redirect_dns,
        capture_all_dns,
        dns_servers,
        interception_mode,
        tproxy_mark,
        tproxy_route_table,
        excluded_interfaces,
        // Refused earlier, or without a part in any decision.
        virtual_interfaces: _,
        drop_invalid: _,
        network_namespace: _,
        cni_mode: _,
        reconcile: _,
        cleanup_only: _,
        force_apply: _,
        native_nftables: _,
        force_iptables_binary: _,
        dry_run: _,
        dry_run_file: _,
        skip_rule_apply: _,
        run_validation: _,
        probe_port: _,
        probe_timeout: _,
        acceleration,
    } = config;
    let PodFacts { interfaces, source_v4, source_v6, ids, routes: _, rules: _ } = facts;
    let ipv6 = facts.ipv6_enabled(*dual_stack)?;

    let dns = DnsCapture::of(*redirect_dns, *capture_all_dns, dns_servers);
    let servers = match dns {
        DnsCapture::Off | DnsCapture::All => Vec::new(),
        DnsCapture::Servers(servers) => servers.askable().collect(),
    };

    let tproxy = *interception_mode == InterceptionMode::Tproxy;
    let excluded = Excluded::of(excluded_interfaces, facts)?;
    let pod_v4 = Address::from(source_v4.unwrap_or(Ipv4Addr::UNSPECIFIED));
    let pod_v6 = Address::from(IpAddr::V6(source_v6.unwrap_or(Ipv6Addr::UNSPECIFIED)));
    let sources = routes::sources(facts, pod_v4, pod_v6);
    let flags = PolicyFlags::default()
        .with_if(!excluded.is_empty(), PolicyFlags::INTERFACES)
        .with_if(!sources.is_empty(), PolicyFlags::SOURCE_ADDRS)
        .with_if(tproxy, PolicyFlags::TPROXY)
        .with_if(dns != DnsCapture::Off, PolicyFlags::DNS)
        .with_if(dns == DnsCapture::All, PolicyFlags::DNS_ALL)
        .with_if(ipv6, PolicyFlags::IPV6)
        .with_if(*outbound_ranges == Selection::All, PolicyFlags::OUTBOUND_ALL)
        .with_if(
            !(outbound_ports.is_empty() && outbound_ports_excluded.is_empty()),
            PolicyFlags::OUTBOUND_PORTS,
        )
        // The address as written decides, and one of either family lifts the rules of both.
        .with_if(
            outbound_ranges.listed().iter().any(|cidr| cidr.address().is_loopback()),
            PolicyFlags::LOOPBACK_INCLUDED,
        )
        .with_if(*inbound_ports != Selection::Listed(Vec::new()), PolicyFlags::INBOUND)
        .with_if(*inbound_ports == Selection::All, PolicyFlags::INBOUND_ALL)
        .with_if(*owner_groups != Selection::All, PolicyFlags::ONLY_LISTED_GROUPS)
        .with_if(acceleration.is_some(), PolicyFlags::ACCELERATE);
    let ranges: [(&[Cidr], AddressClass); 3] = [
        (std::slice::from_ref(loopback_range), AddressClass::LOOPBACK_EXEMPT),
        (outbound_ranges_excluded, AddressClass::OUTBOUND_EXCLUDED),
        (outbound_ranges.listed(), AddressClass::OUTBOUND_INCLUDED),
    ];
    let mut numbers = ports([outbound_ports_excluded, outbound_ports, inbound_ports_excluded], inbound_ports);
    numbers.extend(users(proxy_uids, &ids.users)?);
    numbers.extend(groups(proxy_gids, owner_groups, owner_groups_excluded, &ids.groups)?);
    numbers.extend(interfaces_left_alone(&excluded));
    let addresses = addresses(facts, &ranges, &servers, ipv6, &excluded);
    within_limit("addresses", addresses.len())?;
    within_limit("ports, users and groups", numbers.len())?;
    within_limit("routes", sources.len())?;

    Ok(CompiledPolicy {
        policy: Policy {
            generation: 0,
            flags,
            outbound_port: *envoy_port,
            inbound_port: *inbound_capture_port,
            tunnel_port: *inbound_tunnel_port,
            dns_port: DNS_PORT,
            tproxy_mark: if tproxy { *tproxy_mark } else { 0 },
            tproxy_table: if tproxy { *tproxy_route_table } else { 0 },
            pod_v4,
            pod_v6,
            accelerate_budget: acceleration.map_or(0, |acceleration| acceleration.budget),
            padding: 0,
        },
        addresses,
        numbers,
        sources,
        primaries: interfaces.iter().flat_map(primaries).collect(),
    })
}

fn ports(
    [outbound_excluded, outbound, inbound_excluded]: [&[NumberRange]; 3],
    inbound: &Selection<NumberRange>,
) -> Vec<NumberPrefix> {
    let lists: [(&[NumberRange], NumberClass); 4] = [
        (outbound_excluded, NumberClass::OUTBOUND_EXCLUDED),
        (outbound, NumberClass::OUTBOUND_INCLUDED),
        // `-d` lists exceptions from `-b '*'`; without it, Istio writes no rule for them.
        (
            if *inbound == Selection::All { inbound_excluded } else { &[] },
            NumberClass::INBOUND_EXCLUDED,
        ),
        (inbound.listed(), NumberClass::INBOUND_INCLUDED),
    ];
    in_space(NumberSpace::Port, &lists)
}

fn users(proxy_uids: &[NumberRange], ids: &IdMap) -> Result<Vec<NumberPrefix>, ConfigError> {
    let proxy = outside(ids, Setting::ProxyUid, proxy_uids)?;
    let first_proxy = outside(ids, Setting::ProxyUid, proxy_uids.get(..1).unwrap_or_default())?;
    let lists: [(&[NumberRange], NumberClass); 2] =
        [(&proxy, NumberClass::PROXY_ID), (&first_proxy, NumberClass::FIRST_PROXY_ID)];
    Ok(in_space(NumberSpace::Uid, &lists))
}

fn groups(
    proxy_gids: &[NumberRange],
    owner_groups: &Selection<NumberRange>,
    owner_groups_excluded: &[NumberRange],
    ids: &IdMap,
) -> Result<Vec<NumberPrefix>, ConfigError> {
    let proxy = outside(ids, Setting::ProxyGid, proxy_gids)?;
    // Only one of the two lists is in force, and `ONLY_LISTED_GROUPS` says which.
    let owners = match owner_groups {
        Selection::All => outside(ids, Setting::OwnerGroupsExclude, owner_groups_excluded)?,
        Selection::Listed(listed) => outside(ids, Setting::OwnerGroups, listed)?,
    };
    let lists: [(&[NumberRange], NumberClass); 2] =
        [(&proxy, NumberClass::PROXY_ID), (&owners, NumberClass::OWNER_GROUP)];
    Ok(in_space(NumberSpace::Gid, &lists))
}

fn interfaces_left_alone(excluded: &Excluded) -> Vec<NumberPrefix> {
    let indices: Vec<NumberRange> = excluded.indices().iter().copied().map(NumberRange::one).collect();
    in_space(NumberSpace::Interface, &[(&indices, NumberClass::INTERFACE_EXCLUDED)])
}

/// The ids as the kernel programs see them.
fn outside(map: &IdMap, setting: Setting, ids: &[NumberRange]) -> Result<Vec<NumberRange>, ConfigError> {
    let ranges: Result<Vec<_>, _> = ids
        .iter()
        .map(|ids| map.outside(*ids).ok_or(ConfigError::UnmappedId { setting, ids: *ids }))
        .collect();
    Ok(ranges?.concat())
}

fn in_space(space: NumberSpace, lists: &[(&[NumberRange], NumberClass)]) -> Vec<NumberPrefix> {
    let blocks = |range: &NumberRange, class| {
        range
            .prefixes()
            .map(move |(number, len)| Prefix::new(number_bits(number), len, class))
    };
    let prefixes = lists
        .iter()
        .flat_map(|(ranges, class)| ranges.iter().flat_map(|range| blocks(range, *class)))
        .collect();
    flatten(prefixes, NumberClass::with)
        .into_iter()
        .map(|prefix| NumberPrefix::new(space, prefix))
        .collect()
}

fn within_limit(what: &'static str, count: usize) -> Result<(), ConfigError> {
    if count > MAX_PREFIXES_PER_POD {
        Err(ConfigError::TooManyPrefixes { what, count })
    } else {
        Ok(())
    }
}

/// Loopback interfaces have none: no connection from the outside arrives on them.
fn primaries(interface: &InterfaceFacts) -> Vec<(Address, Address)> {
    let of_family = |is_v4| {
        interface
            .addresses
            .iter()
            .map(|address| Address::from(*address))
            .filter(move |address| address.is_v4() == is_v4)
    };
    let pairs = |is_v4| {
        let primary = of_family(is_v4).next().filter(|primary| !primary.is_loopback());
        primary
            .into_iter()
            .flat_map(move |primary| of_family(is_v4).skip(1).map(move |secondary| (secondary, primary)))
    };
    pairs(true).chain(pairs(false)).collect()
}

/// [`PolicyFlags::with`], under a condition.
trait WithIf {
    fn with_if(self, condition: bool, flag: Self) -> Self;
}

impl WithIf for PolicyFlags {
    fn with_if(self, condition: bool, flag: Self) -> Self {
        if condition { self.with(flag) } else { self }
    }
}
