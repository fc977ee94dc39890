// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a pod's network has to have for TPROXY: its sidecar connects to the application from the client's address,
//! which is not the pod's, and marks these packets. They, and the answers to them, are to stay in the pod.

use std::{
    fmt, fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use anyhow::{Context as _, Result};
use interceptor_config::TproxyConfig;
use interceptor_policy::{Policy, PolicyFlags};
use rtnetlink::{
    Handle, IpVersion, RouteMessageBuilder,
    packet_route::{
        route::{RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType},
        rule::{RuleAction, RuleAttribute, RuleMessage},
    },
};

use crate::{
    EnrollError,
    kernel::pod::{
        netlink::{all_routes, all_rules, existing_is_fine, loopback_index, table_of, talk},
        netns::Netns,
    },
};

/// Where marked packets go, and in which families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkedRouting {
    mark: u32,
    table: u32,
    ipv6: bool,
}

impl MarkedRouting {
    /// What `policy` needs, if it needs any.
    pub(crate) fn of(policy: &Policy) -> Option<Self> {
        let Policy { tproxy_mark: mark, tproxy_table: table, .. } = *policy;
        policy
            .has(PolicyFlags::TPROXY)
            .then(|| Self { mark, table, ipv6: policy.has(PolicyFlags::IPV6) })
    }

    /// What Istio's rules need under TPROXY.
    pub(crate) const fn of_rules(TproxyConfig { mark, route_table }: TproxyConfig, ipv6: bool) -> Self {
        Self { mark, table: route_table, ipv6 }
    }

    /// Routes marked packets to `lo`, gives the application's sockets the mark of the connections that they accept,
    /// and answers to marked packets that no socket takes theirs. Repeating it changes nothing. All of it stays when
    /// the pod is cleaned, for the connections that still use it.
    pub(crate) fn prepare(self, netns: &Netns) -> Result<()> {
        netns.run(|| self.settings().try_for_each(enable))??;
        self.route_marked(netns)
    }

    /// Routes marked packets to `lo`, and no more, as Istio does. Repeating it changes nothing.
    pub(crate) fn route_marked(self, netns: &Netns) -> Result<()> {
        talk(netns, async |handle| {
            self.add(&handle, IpVersion::V4).await?;
            if self.ipv6 { self.add(&handle, IpVersion::V6).await } else { Ok(()) }
        })
    }

    /// Whether all of it is there. The routes go when the loopback interface goes down.
    pub(crate) fn is_prepared(self, netns: &Netns) -> Result<bool> {
        if !netns.run(|| self.settings().all(is_enabled))? {
            return Ok(false);
        }
        talk(netns, async |handle| {
            let v6 = self.ipv6.then_some(IpVersion::V6);
            for family in [IpVersion::V4].into_iter().chain(v6) {
                let lo = loopback_index()?;
                let routes = all_routes(&handle, &family).await?;
                let rules = all_rules(&handle, &family).await?;
                let is_route = |route: &&RouteMessage| {
                    route.header.destination_prefix_length == 0 && table_of(route) == self.table && is_to(route, lo)
                };
                if !(routes.iter().any(|route| is_route(&route)) && rules.iter().any(|rule| self.is_ours(rule))) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    async fn add(self, handle: &Handle, family: IpVersion) -> Result<()> {
        let Self { mark, table, .. } = self;
        let lo = loopback_index()?;
        let route = self.route(&family, lo)?;
        let routes = all_routes(handle, &family).await?;
        let of_table = routes
            .iter()
            .filter(|route| route.header.destination_prefix_length == 0 && table_of(route) == table);
        let (ours, theirs): (Vec<&RouteMessage>, Vec<&RouteMessage>) = of_table.partition(|route| is_to(route, lo));
        if !theirs.is_empty() {
            return Err(EnrollError::RoutingTableTaken { table }.into());
        }
        if ours.is_empty() {
            let added = handle.route().add(route).execute().await;
            added.with_context(|| format!("Failed to add the route `local default dev lo table {table}`"))?;
        }
        // Not every kernel says that a rule exists already; some add it once more.
        let rules = all_rules(handle, &family).await?;
        if rules.iter().any(|rule| self.is_ours(rule)) {
            return Ok(());
        }
        let rule = handle.rule().add().fw_mark(mark).table_id(table).action(RuleAction::ToTable);
        let added = match family {
            IpVersion::V4 => rule.v4().execute().await,
            IpVersion::V6 => rule.v6().execute().await,
        };
        existing_is_fine(added).with_context(|| format!("Failed to add the rule `fwmark {mark} lookup {table}`"))
    }

    fn route(self, family: &IpVersion, lo: u32) -> Result<RouteMessage> {
        let any: IpAddr = match family {
            IpVersion::V4 => Ipv4Addr::UNSPECIFIED.into(),
            IpVersion::V6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        let route = RouteMessageBuilder::<IpAddr>::new()
            .destination_prefix(any, 0)
            .context("Failed to write the default route")?;
        let route = route.output_interface(lo).table_id(self.table).protocol(RouteProtocol::Static);
        Ok(route.scope(RouteScope::Host).kind(RouteType::Local).build())
    }

    /// Whether a rule does what this one would.
    fn is_ours(self, rule: &RuleMessage) -> bool {
        let mut table = u32::from(rule.header.table);
        let (mut mark, mut whole_mark, mut selects) = (None, true, rule.header.src_len > 0 || rule.header.dst_len > 0);
        for attribute in &rule.attributes {
            match attribute {
                RuleAttribute::Table(id) => table = *id,
                RuleAttribute::FwMark(value) => mark = Some(*value),
                RuleAttribute::FwMask(bits) => whole_mark = *bits == u32::MAX,
                RuleAttribute::Priority(_) | RuleAttribute::Protocol(_) | RuleAttribute::SuppressPrefixLen(_) => {}
                _ => selects = true,
            }
        }
        rule.header.action == RuleAction::ToTable
            && !selects
            && whole_mark
            && (mark, table) == (Some(self.mark), self.table)
    }

    /// The sysctls to switch on. Both of IPv4's are needed for IPv6 as well, or of no harm.
    fn settings(self) -> impl Iterator<Item = &'static str> {
        let v6 = self.ipv6.then_some("net/ipv6/fwmark_reflect");
        ["net/ipv4/tcp_fwmark_accept", "net/ipv4/fwmark_reflect"].into_iter().chain(v6)
    }
}

/// Whether the route makes everything local at interface `lo`.
fn is_to(route: &RouteMessage, lo: u32) -> bool {
    route.header.kind == RouteType::Local && route.attributes.contains(&RouteAttribute::Oif(lo))
}

/// Whether a sysctl of this thread's namespace is 1.
fn is_enabled(setting: &'static str) -> bool {
    fs::read_to_string(format!("/proc/sys/{setting}")).is_ok_and(|value| value.trim() == "1")
}

/// Sets a sysctl of this thread's namespace to 1.
fn enable(setting: &'static str) -> Result<()> {
    let path = format!("/proc/sys/{setting}");
    let value = fs::read_to_string(&path).with_context(|| format!("Failed to read {path}"))?;
    if value.trim() == "1" {
        return Ok(());
    }
    fs::write(&path, "1").with_context(|| {
        let name = setting.replace('/', ".");
        format!("Failed to set {name}=1 in the pod, which TPROXY needs; set it there (securityContext.sysctls)")
    })
}

impl fmt::Display for MarkedRouting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mark, table, ipv6 } = self;
        let families = if *ipv6 { "IPv4 and IPv6" } else { "IPv4" };
        write!(
            f,
            "route packets with mark {mark} to lo (`ip rule fwmark {mark} lookup {table}`, `local default dev lo table \
             {table}`; {families})"
        )?;
        self.settings()
            .try_for_each(|setting| write!(f, ", {}=1", setting.replace('/', ".")))
    }
}
