// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The two programs that put Istio's rules in force.

use std::fmt;

use super::{
    config::Config,
    rules::{Family, rules},
};
use crate::{interceptor::Run, istio::routing::route_marked, namespace::Namespace};

/// Which iptables writes the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Iptables {
    Legacy,
    Nft,
}

impl Iptables {
    /// Puts the rules for `config` in force in `namespace`, in place of those of another.
    pub fn load(self, namespace: &Namespace, config: &Config) -> Result<(), String> {
        let families: &[Family] = if config.stack.has_v6() { &[Family::V4, Family::V6] } else { &[Family::V4] };
        for family in families {
            let command = namespace.root().command(self.program(*family));
            Run::attempt(command, &rules(config, *family)).and_then(Run::successful)?;
        }
        if config.is_tproxy() {
            route_marked(namespace, config.flag('t'), config.flag('r'))
        } else {
            Ok(())
        }
    }

    fn program(self, family: Family) -> &'static str {
        match (self, family) {
            (Self::Legacy, Family::V4) => "iptables-legacy-restore",
            (Self::Legacy, Family::V6) => "ip6tables-legacy-restore",
            (Self::Nft, Family::V4) => "iptables-nft-restore",
            (Self::Nft, Family::V6) => "ip6tables-nft-restore",
        }
    }
}

impl fmt::Display for Iptables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Legacy => "legacy",
            Self::Nft => "nft",
        })
    }
}
