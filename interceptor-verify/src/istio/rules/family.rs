// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What differs between the rules for IPv4 and for IPv6.

use crate::istio::config::{Config, LOOPBACK_CIDR};

/// Which family the rules are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    /// What is exempt from the rules as a destination, and as a source.
    pub(super) fn own(self, config: &Config) -> (&str, &'static str) {
        match self {
            Self::V4 => (config.variable(LOOPBACK_CIDR).unwrap_or("127.0.0.1/32"), "127.0.0.6/32"),
            Self::V6 => ("::1/128", "::6/128"),
        }
    }

    pub(super) fn holds(self, cidr: &str) -> bool {
        cidr.contains(':') == (self == Self::V6)
    }

    /// The servers in `resolv.conf` of this family.
    pub(super) fn servers(self, config: &Config) -> Vec<String> {
        config
            .servers
            .iter()
            .map(ToString::to_string)
            .filter(|server| self.holds(server))
            .collect()
    }
}
