// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The mark and the routing table that TPROXY uses. REDIRECT uses neither.

use serde::Serialize;

use crate::{error::ConfigError, settings::Setting, sources::Reader, values::go};

/// The mark of the sidecar's packets to its own pod, under TPROXY. Istio has no flag for it.
pub(crate) const OUTBOUND_MARK: u32 = 1338;

/// What only TPROXY uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TproxyConfig {
    /// `-t`.
    #[serde(rename = "INBOUND_TPROXY_MARK")]
    pub mark: u32,
    /// `-r`.
    #[serde(rename = "INBOUND_TPROXY_ROUTE_TABLE")]
    pub route_table: u32,
}

impl TproxyConfig {
    pub(super) fn read(from: &Reader<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            mark: integer(Setting::TproxyMark, from.text(Setting::TproxyMark))?,
            route_table: integer(Setting::TproxyRouteTable, from.text(Setting::TproxyRouteTable))?,
        })
    }

    /// Refuses marks and tables with which packets that have nothing to do with the sidecar could no longer leave the
    /// pod.
    pub(super) fn check(self) -> Result<(), ConfigError> {
        let Self { mark, route_table } = self;
        let unworkable =
            |setting, value, reason, advice| Err(ConfigError::Unworkable { setting, value, reason, advice });
        match mark {
            0 => {
                let reason = "every packet without a mark would count as marked";
                return unworkable(Setting::TproxyMark, mark, reason, "write 1337");
            }
            OUTBOUND_MARK => {
                let reason = "Istio's rules know the sidecar's connections to its own pod by it";
                return unworkable(Setting::TproxyMark, mark, reason, "write another one, such as 1337");
            }
            _ => {}
        }
        match route_table {
            0 | 253..=255 => {
                let reason = "it is one of the tables that all packets are routed by";
                unworkable(Setting::TproxyRouteTable, route_table, reason, "write another one, such as 133")
            }
            _ => Ok(()),
        }
    }
}

fn integer(setting: Setting, value: String) -> Result<u32, ConfigError> {
    let hexadecimal = value.strip_prefix("0x").and_then(|digits| u32::from_str_radix(digits, 16).ok());
    hexadecimal
        .or_else(|| go::parse_decimal(&value))
        .ok_or(ConfigError::NotAnInteger { setting, value })
}
