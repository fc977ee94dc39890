// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whose DNS questions a configuration captures.

use crate::istio::config::{CAPTURE_ALL_DNS, Config, META_DNS_CAPTURE, REDIRECT_DNS};

/// Whose questions go to the agent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dns {
    Off,
    All,
    /// Those to the servers in `resolv.conf`, of whichever family.
    Servers,
}

impl Dns {
    pub(super) fn of(config: &Config) -> Self {
        // The variable is another name of the flag, which wins.
        let redirect = config.has(REDIRECT_DNS) || config.variable(META_DNS_CAPTURE) == Some("true");
        match (redirect, config.has(CAPTURE_ALL_DNS)) {
            (false, _) => Self::Off,
            (true, true) => Self::All,
            (true, false) if config.servers.is_empty() => Self::Off,
            (true, false) => Self::Servers,
        }
    }
}
