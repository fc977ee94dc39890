// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the rules of one family are made from. Nothing here writes a rule.

use std::{fmt, net::IpAddr};

use crate::{
    istio::{
        DnsCapture, DnsServers, InboundConfig, InterceptionMode, InterfacesConfig, IstioConfig, OutboundConfig,
        OwnerGroupsConfig, ProxyConfig, TproxyConfig,
    },
    values::{Cidr, NumberRange, Selection},
};

/// The family whose packets the rules are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

/// A configuration as one family sees it.
pub(super) struct Plan<'a> {
    pub(super) proxy: &'a ProxyConfig,
    /// The identities of the sidecar: users, then groups.
    pub(super) owners: Vec<Owner<'a>>,
    /// The mark of packets that TPROXY delivers; `None` under REDIRECT.
    pub(super) tproxy_mark: Option<u32>,
    pub(super) inbound: &'a InboundConfig,
    /// With the ranges of this family only.
    pub(super) outbound: OutboundConfig,
    pub(super) owner_groups: &'a OwnerGroupsConfig,
    pub(super) interfaces: &'a InterfacesConfig,
    pub(super) dns: Dns,
    /// Whether an included range of either family is written with a loopback address.
    pub(super) loopback_included: bool,
    /// The range that is never intercepted.
    pub(super) loopback: String,
    /// The source of the sidecar's connections to its application.
    pub(super) passthrough: &'static str,
}

/// One identity of the sidecar.
pub(super) struct Owner<'a> {
    kind: OwnerKind,
    ids: &'a NumberRange,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum OwnerKind {
    User,
    Group,
}

/// Which DNS queries of this family go to the agent.
pub(super) enum Dns {
    Off,
    All,
    /// As ranges of one address. The list is empty if all servers are of the other family.
    Servers(Vec<String>),
}

impl<'a> Plan<'a> {
    pub(super) fn of(config: &'a IstioConfig, family: Family) -> Self {
        let IstioConfig {
            proxy,
            inbound,
            outbound,
            owner_groups,
            dns,
            // The routing table is in no rule.
            tproxy: TproxyConfig { mark, route_table: _ },
            interfaces,
            // These rules are one of the data paths.
            data_path: _,
            guard: _,
            acceleration: _,
            run: _,
        } = config;
        let users = proxy.uids.iter().map(|ids| Owner { kind: OwnerKind::User, ids });
        let groups = proxy.gids.iter().map(|ids| Owner { kind: OwnerKind::Group, ids });
        Self {
            proxy,
            owners: users.chain(groups).collect(),
            tproxy_mark: match inbound.mode {
                InterceptionMode::Redirect => None,
                InterceptionMode::Tproxy => Some(*mark),
            },
            inbound,
            outbound: OutboundConfig {
                ranges: match &outbound.ranges {
                    Selection::All => Selection::All,
                    Selection::Listed(ranges) => Selection::Listed(family.of(ranges)),
                },
                ranges_excluded: family.of(&outbound.ranges_excluded),
                ..outbound.clone()
            },
            owner_groups,
            interfaces,
            dns: match dns.capture() {
                DnsCapture::Off => Dns::Off,
                DnsCapture::All => Dns::All,
                DnsCapture::Servers(servers) => Dns::Servers(family.servers(servers)),
            },
            loopback_included: outbound.includes_loopback(),
            loopback: match family {
                Family::V4 => outbound.loopback_range.to_string(),
                Family::V6 => "::1/128".to_owned(),
            },
            passthrough: match family {
                Family::V4 => "127.0.0.6/32",
                Family::V6 => "::6/128",
            },
        }
    }
}

impl Family {
    fn of(self, ranges: &[Cidr]) -> Vec<Cidr> {
        let mine = |address| match address {
            IpAddr::V4(_) => self == Self::V4,
            IpAddr::V6(_) => self == Self::V6,
        };
        ranges.iter().copied().filter(|range| mine(range.address())).collect()
    }

    fn servers(self, servers: &DnsServers) -> Vec<String> {
        let DnsServers { v4, v6 } = servers;
        match self {
            Self::V4 => v4.iter().map(|server| format!("{server}/32")).collect(),
            Self::V6 => v6.iter().map(|server| format!("{server}/128")).collect(),
        }
    }
}

impl Owner<'_> {
    pub(super) fn is_user(&self) -> bool {
        self.kind == OwnerKind::User
    }
}

impl fmt::Display for Owner<'_> {
    /// As an argument of `-m owner`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, ids } = self;
        match kind {
            OwnerKind::User => write!(f, "--uid-owner {ids}"),
            OwnerKind::Group => write!(f, "--gid-owner {ids}"),
        }
    }
}

impl Dns {
    /// Whether DNS is captured. The rules for it may all be of the other family.
    pub(super) fn is_on(&self) -> bool {
        match self {
            Self::Off => false,
            Self::All | Self::Servers(_) => true,
        }
    }
}
