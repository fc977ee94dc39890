// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The sidecar: its ports, its users and its groups.

use serde::Serialize;

use crate::{
    accounts::Accounts,
    error::ConfigError,
    parse,
    settings::Setting,
    sources::Reader,
    values::{NumberRange, serialize_joined},
};

/// The user of a sidecar whose image has no user of its own.
pub(crate) const DEFAULT_UID: u32 = 1337;

/// The sidecar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProxyConfig {
    /// `-p`: where outbound connections go.
    #[serde(rename = "PROXY_PORT")]
    pub envoy_port: u16,
    /// `-z`: where inbound connections go.
    #[serde(rename = "PROXY_INBOUND_CAPTURE_PORT")]
    pub inbound_capture_port: u16,
    /// `-e`: the HBONE port, never redirected.
    #[serde(rename = "PROXY_TUNNEL_PORT")]
    pub inbound_tunnel_port: u16,
    /// `-u`: the users of the sidecar, at least one. The order matters.
    #[serde(rename = "PROXY_UID", serialize_with = "serialize_joined")]
    pub uids: Vec<NumberRange>,
    /// `-g`: the groups of the sidecar.
    #[serde(rename = "PROXY_GID", serialize_with = "serialize_joined")]
    pub gids: Vec<NumberRange>,
}

impl ProxyConfig {
    pub(super) fn read(from: &Reader<'_>, accounts: &dyn Accounts) -> Result<Self, ConfigError> {
        let port = |setting| parse::one_port(setting, &from.text(setting), accounts);
        let (uids, gids) = ids(from, accounts)?;
        Ok(Self {
            envoy_port: port(Setting::EnvoyPort)?,
            inbound_capture_port: port(Setting::InboundCapturePort)?,
            inbound_tunnel_port: port(Setting::InboundTunnelPort)?,
            uids,
            gids,
        })
    }
}

/// [`FillConfigFromEnvironment`](https://github.com/istio/istio/blob/master/tools/common/config/config.go): no `-u`
/// means the user of the sidecar's image, and no `-g` means the text of `-u` read as groups.
fn ids(from: &Reader<'_>, accounts: &dyn Accounts) -> Result<(Vec<NumberRange>, Vec<NumberRange>), ConfigError> {
    let (mut users, mut groups) = (from.text(Setting::ProxyUid), from.text(Setting::ProxyGid));
    if users.is_empty() {
        users = accounts.uid(&from.text(Setting::EnvoyUser)).unwrap_or(DEFAULT_UID).to_string();
    }
    let mut groups_from = Setting::ProxyGid;
    if groups.is_empty() {
        (groups_from, groups) = (Setting::ProxyUid, users.clone());
    }
    let uids = parse::users(Setting::ProxyUid, &users, accounts)?;
    if uids.is_empty() {
        return Err(ConfigError::NoProxyUser { setting: Setting::ProxyUid, value: users });
    }
    Ok((uids, parse::groups(groups_from, &groups, accounts)?))
}
