// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which inbound connections are intercepted, and how.

use serde::Serialize;

use crate::{
    accounts::Accounts,
    error::ConfigError,
    parse,
    settings::Setting,
    sources::Reader,
    values::{NumberRange, Selection, serialize_joined},
};

/// Which inbound connections are intercepted, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InboundConfig {
    /// `-m`.
    #[serde(rename = "INBOUND_INTERCEPTION_MODE")]
    pub mode: InterceptionMode,
    /// `-b`: ports to intercept.
    #[serde(rename = "INBOUND_PORTS_INCLUDE")]
    pub ports: Selection<NumberRange>,
    /// `-d`: ports to leave alone. The list has no effect unless all ports are intercepted.
    #[serde(rename = "INBOUND_PORTS_EXCLUDE", serialize_with = "serialize_joined")]
    pub ports_excluded: Vec<NumberRange>,
    /// `--drop-invalid`.
    #[serde(rename = "DROP_INVALID")]
    pub drop_invalid: bool,
}

/// How inbound connections reach the sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum InterceptionMode {
    /// By a changed destination. Every text other than `TPROXY` means this.
    Redirect,
    /// With the client's address kept.
    Tproxy,
}

impl InboundConfig {
    pub(super) fn read(from: &mut Reader<'_>, accounts: &dyn Accounts) -> Result<Self, ConfigError> {
        Ok(Self {
            mode: InterceptionMode::from(from.text(Setting::InterceptionMode).as_str()),
            ports: parse::ports_or_all(Setting::InboundPorts, &from.text(Setting::InboundPorts), accounts)?,
            ports_excluded: parse::ports(Setting::LocalExcludePorts, &from.text(Setting::LocalExcludePorts), accounts)?,
            drop_invalid: from.switch(Setting::DropInvalid)?,
        })
    }
}

impl From<&str> for InterceptionMode {
    fn from(mode: &str) -> Self {
        if mode == "TPROXY" { Self::Tproxy } else { Self::Redirect }
    }
}
