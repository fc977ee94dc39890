// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The policy of a pod, from its configuration and its facts. What cannot be carried out in this pod is refused here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use interceptor_policy::{Address, Policy, PolicyFlags};

use super::{
    addresses::addresses,
    compiled::CompiledPolicy,
    interfaces::Excluded,
    numbers::{groups, interfaces, ports, users},
    primaries::primaries,
    routes,
};
use crate::{
    error::ConfigError,
    istio::{
        DNS_PORT, DnsCapture, Guard, InboundConfig, InterceptionMode, InterfacesConfig, IstioConfig, ProxyConfig,
        TproxyConfig, Wanted,
    },
    pod::PodFacts,
    values::Selection,
};

/// How many address prefixes, how many number prefixes and how many routes one pod may have. It is far more than
/// anybody writes by hand. Without a limit, one pod could fill the map that all pods of a node share.
pub const MAX_PREFIXES_PER_POD: usize = 65_536;

/// Writes the policy of a pod. This is a pure function, and it refuses what cannot be carried out before anything is
/// touched.
pub fn compile(wanted: &Wanted, facts: &PodFacts) -> Result<CompiledPolicy, ConfigError> {
    let config = wanted.config();
    let IstioConfig {
        proxy,
        inbound,
        outbound,
        owner_groups,
        dns,
        tproxy,
        interfaces: InterfacesConfig { excluded, of_virtual_machines: _, dual_stack },
        data_path: _,
        guard: _,
        acceleration,
        run: _,
    } = config;
    let ipv6 = facts.ipv6_enabled(*dual_stack)?;
    let excluded = Excluded::of(excluded, facts)?;
    let pod_v4 = Address::from(facts.source_v4.unwrap_or(Ipv4Addr::UNSPECIFIED));
    let pod_v6 = Address::from(IpAddr::V6(facts.source_v6.unwrap_or(Ipv6Addr::UNSPECIFIED)));

    let sources = routes::sources(facts, pod_v4, pod_v6);
    let addresses = addresses(facts, outbound, dns.capture(), ipv6, &excluded);
    let mut numbers = ports(outbound, inbound);
    numbers.extend(users(proxy, &facts.ids.users)?);
    numbers.extend(groups(proxy, owner_groups, &facts.ids.groups)?);
    numbers.extend(interfaces(&excluded));
    within_limit("addresses", addresses.len())?;
    within_limit("ports, users and groups", numbers.len())?;
    within_limit("routes", sources.len())?;

    let flags = flags(config)
        .with_if(ipv6, PolicyFlags::IPV6)
        .with_if(!excluded.is_empty(), PolicyFlags::INTERFACES)
        .with_if(!sources.is_empty(), PolicyFlags::SOURCE_ADDRS);
    let ProxyConfig { envoy_port, inbound_capture_port, inbound_tunnel_port, uids: _, gids: _ } = proxy;
    let TproxyConfig { mark, route_table } = tproxy;
    let tproxy = flags.has(PolicyFlags::TPROXY);
    Ok(CompiledPolicy {
        policy: Policy {
            generation: 0,
            flags,
            outbound_port: *envoy_port,
            inbound_port: *inbound_capture_port,
            tunnel_port: *inbound_tunnel_port,
            dns_port: DNS_PORT,
            tproxy_mark: if tproxy { *mark } else { 0 },
            tproxy_table: if tproxy { *route_table } else { 0 },
            pod_v4,
            pod_v6,
            accelerate_budget: acceleration.map_or(0, |acceleration| acceleration.budget),
            padding: 0,
        },
        addresses,
        numbers,
        sources,
        primaries: facts.interfaces.iter().flat_map(primaries).collect(),
    })
}

/// The flags that do not depend on the pod.
fn flags(config: &IstioConfig) -> PolicyFlags {
    let IstioConfig {
        proxy: _,
        inbound,
        outbound,
        owner_groups,
        dns,
        tproxy: _,
        interfaces: _,
        data_path: _,
        guard,
        acceleration,
        run: _,
    } = config;
    let InboundConfig { mode, ports: inbound_ports, ports_excluded: _, drop_invalid: _ } = inbound;
    let by_port = !(outbound.ports.is_empty() && outbound.ports_excluded.is_empty());
    PolicyFlags::default()
        .with_if(*mode == InterceptionMode::Tproxy, PolicyFlags::TPROXY)
        .with_if(dns.capture() != DnsCapture::Off, PolicyFlags::DNS)
        .with_if(dns.capture() == DnsCapture::All, PolicyFlags::DNS_ALL)
        .with_if(outbound.ranges == Selection::All, PolicyFlags::OUTBOUND_ALL)
        .with_if(by_port, PolicyFlags::OUTBOUND_PORTS)
        .with_if(outbound.includes_loopback(), PolicyFlags::LOOPBACK_INCLUDED)
        .with_if(*inbound_ports != Selection::Listed(Vec::new()), PolicyFlags::INBOUND)
        .with_if(*inbound_ports == Selection::All, PolicyFlags::INBOUND_ALL)
        .with_if(owner_groups.included != Selection::All, PolicyFlags::ONLY_LISTED_GROUPS)
        .with_if(*guard != Guard::Off, PolicyFlags::GUARD)
        .with_if(acceleration.is_some(), PolicyFlags::ACCELERATE)
}

fn within_limit(what: &'static str, count: usize) -> Result<(), ConfigError> {
    if count > MAX_PREFIXES_PER_POD {
        Err(ConfigError::TooManyPrefixes { what, count, max: MAX_PREFIXES_PER_POD })
    } else {
        Ok(())
    }
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
