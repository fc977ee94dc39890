// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which outbound connections are intercepted.

use serde::Serialize;

use crate::{
    accounts::Accounts,
    error::ConfigError,
    parse,
    settings::Setting,
    sources::Reader,
    values::{Cidr, NumberRange, Selection, serialize_joined},
};

/// Which outbound connections are intercepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutboundConfig {
    /// `-i`: destinations to intercept.
    #[serde(rename = "OUTBOUND_IP_RANGES_INCLUDE")]
    pub ranges: Selection<Cidr>,
    /// `-x`: destinations to leave alone.
    #[serde(rename = "OUTBOUND_IP_RANGES_EXCLUDE", serialize_with = "serialize_joined")]
    pub ranges_excluded: Vec<Cidr>,
    /// `-q`: ports to intercept, whatever `-i` says of the destination.
    #[serde(rename = "OUTBOUND_PORTS_INCLUDE", serialize_with = "serialize_joined")]
    pub ports: Vec<NumberRange>,
    /// `-o`: ports to leave alone, before every other rule.
    #[serde(rename = "OUTBOUND_PORTS_EXCLUDE", serialize_with = "serialize_joined")]
    pub ports_excluded: Vec<NumberRange>,
    /// `ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR`: the part of 127.0.0.0/8 that is never intercepted.
    #[serde(rename = "HOST_IPV4_LOOPBACK_CIDR")]
    pub loopback_range: Cidr,
}

impl OutboundConfig {
    pub(super) fn read(from: &Reader<'_>, accounts: &dyn Accounts) -> Result<Self, ConfigError> {
        let ports = |setting| parse::ports(setting, &from.text(setting), accounts);
        Ok(Self {
            ranges: parse::cidrs_or_all(Setting::ServiceCidr, &from.text(Setting::ServiceCidr))?,
            ranges_excluded: parse::cidrs(Setting::ServiceExcludeCidr, &from.text(Setting::ServiceExcludeCidr))?,
            ports: ports(Setting::OutboundPorts)?,
            ports_excluded: ports(Setting::LocalOutboundPortsExclude)?,
            loopback_range: loopback_range(&from.text(Setting::Ipv4LoopbackCidr))?,
        })
    }

    /// Whether an included range, of either family, is written with a loopback address. Then Istio leaves the rule
    /// out that lets local destinations of both families pass.
    pub(crate) fn includes_loopback(&self) -> bool {
        self.ranges.listed().iter().any(|range| range.address().is_loopback())
    }
}

/// The three checks of
/// [`ValidateIPv4LoopbackCidr`](https://github.com/istio/istio/blob/master/tools/common/config/validation.go), in its
/// words.
fn loopback_range(value: &str) -> Result<Cidr, ConfigError> {
    let setting = Setting::Ipv4LoopbackCidr;
    let cidr = parse::cidr(setting, value)
        .map_err(|_any_reason| ConfigError::LoopbackCidr { setting, value: value.to_owned() })?;
    if !(cidr.address().is_ipv4() && cidr.address().is_loopback()) {
        return Err(ConfigError::NotLoopback { setting, cidr });
    }
    if cidr.prefix_len() < 8 {
        return Err(ConfigError::LoopbackMask { setting, cidr });
    }
    Ok(cidr)
}
