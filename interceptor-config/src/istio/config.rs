// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A complete configuration, as it is asked for. Not every one can be put in force.

use serde::Serialize;

use super::{
    acceleration::AccelerationConfig, data_path, dns::DnsConfig, guard::Guard, inbound::InboundConfig,
    interfaces::InterfacesConfig, outbound::OutboundConfig, owner_groups::OwnerGroupsConfig, proxy::ProxyConfig,
    resolv_conf::ResolvConf, run::RunConfig, tproxy::TproxyConfig,
};
use crate::{
    accounts::Accounts,
    error::ConfigError,
    sources::{Reader, Sources},
    values::DataPath,
};

/// A complete configuration. It serializes as one flat map, under the names that `istio-iptables` prints and with
/// lists as they are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IstioConfig {
    /// The sidecar: its ports, its users and its groups.
    #[serde(flatten)]
    pub proxy: ProxyConfig,
    /// Which inbound connections are intercepted, and how.
    #[serde(flatten)]
    pub inbound: InboundConfig,
    /// Which outbound connections are intercepted.
    #[serde(flatten)]
    pub outbound: OutboundConfig,
    /// Whose outbound connections are intercepted.
    #[serde(flatten)]
    pub owner_groups: OwnerGroupsConfig,
    /// Which DNS queries are captured.
    #[serde(flatten)]
    pub dns: DnsConfig,
    /// What only TPROXY uses.
    #[serde(flatten)]
    pub tproxy: TproxyConfig,
    /// What is special about interfaces and their addresses.
    #[serde(flatten)]
    pub interfaces: InterfacesConfig,
    /// By what connections are redirected. The default is not printed.
    #[serde(rename = "DATA_PATH", skip_serializing_if = "DataPath::is_default")]
    pub data_path: DataPath,
    /// Whether what leaves the pod past the redirection is dropped. The default is not printed.
    #[serde(rename = "GUARD", skip_serializing_if = "Guard::is_default")]
    pub guard: Guard,
    /// How connections are accelerated. Without acceleration, nothing is printed.
    #[serde(flatten)]
    pub acceleration: Option<AccelerationConfig>,
    /// What a run of the command does with all this. No verdict and no rule depends on it.
    #[serde(flatten)]
    pub run: RunConfig,
}

impl IstioConfig {
    /// Reads every setting, and judges whether its value is well-formed, even where the value has no effect. The
    /// strings are warnings: values in the environment that Istio takes for something else, and DNS servers that are
    /// no addresses.
    ///
    /// What is put in force must also pass [`supported`](Self::supported).
    pub fn resolve(
        sources: Sources<'_>,
        accounts: &dyn Accounts,
        resolv_conf: ResolvConf<'_>,
    ) -> Result<(Self, Vec<String>), ConfigError> {
        let mut from = Reader::new(sources)?;
        let config = Self {
            proxy: ProxyConfig::read(&from, accounts)?,
            inbound: InboundConfig::read(&mut from, accounts)?,
            outbound: OutboundConfig::read(&from, accounts)?,
            owner_groups: OwnerGroupsConfig::read(&from, accounts)?,
            dns: DnsConfig::read(&mut from, resolv_conf)?,
            tproxy: TproxyConfig::read(&from)?,
            interfaces: InterfacesConfig::read(&mut from)?,
            data_path: data_path::read(&from)?,
            guard: Guard::read(&from)?,
            acceleration: AccelerationConfig::read(&from)?,
            run: RunConfig::read(&mut from)?,
        };
        Ok((config, from.into_warnings()))
    }
}
