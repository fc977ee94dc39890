// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A configuration that may be put in force. Only a configuration that was checked becomes one.

use super::{ConfigError, IstioConfig};

/// A configuration that this version can carry out in full.
#[derive(Clone, Debug)]
pub struct Wanted {
    config: IstioConfig,
}

impl IstioConfig {
    /// Refuses what this version cannot carry out. The strings name the settings that have no effect.
    pub fn supported(self) -> Result<(Wanted, Vec<String>), ConfigError> {
        let notes = self.check_supported()?;
        Ok((Wanted { config: self }, notes))
    }
}

impl Wanted {
    pub const fn config(&self) -> &IstioConfig {
        &self.config
    }
}
