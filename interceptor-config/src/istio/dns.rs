// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which DNS queries are captured.

use serde::Serialize;

use super::resolv_conf::{DnsServers, ResolvConf};
use crate::{error::ConfigError, settings::Setting, sources::Reader};

/// Where the agent answers DNS. Istio has no flag for it.
pub(crate) const DNS_PORT: u16 = 15_053;

/// Which DNS queries are captured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DnsConfig {
    /// `--redirect-dns`.
    #[serde(rename = "DNS_CAPTURE")]
    pub redirect: bool,
    /// `--capture-all-dns`.
    #[serde(rename = "CAPTURE_ALL_DNS")]
    pub capture_all: bool,
    /// The servers whose queries are captured. They are looked for only with `--redirect-dns` and without
    /// `--capture-all-dns`.
    #[serde(rename = "DNS_SERVERS")]
    pub servers: DnsServers,
}

/// Which queries go to the sidecar's agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsCapture<'a> {
    /// None.
    Off,
    /// Those to any server.
    All,
    /// Those to these servers, of which one family may have none.
    Servers(&'a DnsServers),
}

impl DnsConfig {
    pub(super) fn read(from: &mut Reader<'_>, resolv_conf: ResolvConf<'_>) -> Result<Self, ConfigError> {
        let redirect = from.switch(Setting::RedirectDns)?;
        let capture_all = from.switch(Setting::CaptureAllDns)?;
        let servers = if redirect && !capture_all {
            let (servers, warnings) = DnsServers::read(resolv_conf)?;
            for warning in warnings {
                from.warn(warning);
            }
            servers
        } else {
            DnsServers::default()
        };
        Ok(Self { redirect, capture_all, servers })
    }

    /// Which queries go to the sidecar's agent. Without a server to capture, and without `--capture-all-dns`, Istio
    /// takes `--redirect-dns` back.
    pub fn capture(&self) -> DnsCapture<'_> {
        let Self { redirect, capture_all, servers } = self;
        match (redirect, capture_all) {
            (false, _) => DnsCapture::Off,
            (true, true) => DnsCapture::All,
            (true, false) if *servers == DnsServers::default() => DnsCapture::Off,
            (true, false) => DnsCapture::Servers(servers),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    #[test]
    fn capture_needs_a_server_or_all_of_them() {
        let (none, one) = (
            DnsServers::default(),
            DnsServers { v4: Vec::new(), v6: vec![Ipv6Addr::LOCALHOST] },
        );
        let config =
            |redirect, capture_all, servers: &DnsServers| DnsConfig { redirect, capture_all, servers: servers.clone() };
        assert_eq!(config(false, true, &one).capture(), DnsCapture::Off);
        assert_eq!(config(true, false, &none).capture(), DnsCapture::Off);
        assert_eq!(config(true, false, &one).capture(), DnsCapture::Servers(&one));
        assert_eq!(config(true, true, &none).capture(), DnsCapture::All);
    }
}
