// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the kernel programs of this version can do. A setting that would change where a connection goes, and cannot
//! be carried out, is refused and never ignored.

use super::{config::IstioConfig, inbound::InterceptionMode, notes::notes};
use crate::error::ConfigError;
use crate::values::DataPath;

/// A configuration that this version can put in force. [`IstioConfig::supported`] alone makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    config: IstioConfig,
}

impl Wanted {
    /// What was checked.
    pub const fn config(&self) -> &IstioConfig {
        &self.config
    }

    /// The same, by rules of iptables. Every connection has the same outcome.
    #[must_use]
    pub fn by_iptables(self) -> Self {
        Self { config: IstioConfig { data_path: DataPath::Iptables, ..self.config } }
    }

    /// The settings that have nothing to act on, each with the reason.
    pub fn notes(&self) -> Vec<String> {
        notes(&self.config)
    }
}

impl IstioConfig {
    /// Refuses what this version cannot carry out.
    pub fn supported(self) -> Result<Wanted, ConfigError> {
        match self.inbound.mode {
            InterceptionMode::Redirect => {}
            InterceptionMode::Tproxy => self.tproxy.check()?,
        }
        self.interfaces.check()?;
        Ok(Wanted { config: self })
    }
}
