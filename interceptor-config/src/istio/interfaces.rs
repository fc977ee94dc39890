// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is special about some interfaces of the pod, and about its addresses.

use serde::Serialize;

use crate::{
    error::ConfigError,
    parse,
    settings::Setting,
    sources::Reader,
    values::{joined, serialize_joined},
};

/// What is special about some interfaces of the pod, and about its addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InterfacesConfig {
    /// `-c`: interfaces to leave alone.
    #[serde(rename = "EXCLUDE_INTERFACES", serialize_with = "serialize_joined")]
    pub excluded: Vec<String>,
    /// `-k`: interfaces of virtual machines.
    #[serde(rename = "KUBE_VIRT_INTERFACES", serialize_with = "serialize_joined")]
    pub of_virtual_machines: Vec<String>,
    /// `--dual-stack`: look for an IPv6 address behind an IPv4 one.
    #[serde(rename = "DUAL_STACK")]
    pub dual_stack: bool,
}

impl InterfacesConfig {
    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, ConfigError> {
        let names = |setting| parse::split(&from.text(setting)).map(str::to_owned).collect();
        Ok(Self {
            excluded: names(Setting::ExcludeInterfaces),
            of_virtual_machines: names(Setting::KubeVirtInterfaces),
            dual_stack: from.switch(Setting::DualStack)?,
        })
    }

    /// Refuses names that no interface can have, and virtual machines.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let too_long = |name: &&String| !parse::fits_an_interface(name);
        if let Some(name) = self.excluded.iter().find(too_long) {
            return Err(ConfigError::InterfaceName { setting: Setting::ExcludeInterfaces, name: name.clone() });
        }
        if self.of_virtual_machines.is_empty() {
            return Ok(());
        }
        Err(ConfigError::Unsupported {
            setting: Setting::KubeVirtInterfaces,
            value: joined(&self.of_virtual_machines),
            feature: "interception of virtual machines",
            advice: "their packets belong to no socket of the pod, so leave it empty, or use istio-iptables for this \
                     pod",
        })
    }
}
