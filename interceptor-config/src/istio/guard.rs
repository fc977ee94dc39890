// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether what leaves the pod past the redirection is dropped. `istio-iptables` has no such setting.

use serde::Serialize;

use crate::{error::ConfigError, settings::Setting, sources::Reader};

/// `--guard`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Guard {
    /// If this kernel can. Otherwise there is a warning.
    #[default]
    Auto,
    /// Otherwise the pod is not enrolled.
    On,
    Off,
}

impl Guard {
    pub(super) fn read(from: &Reader<'_>) -> Result<Self, ConfigError> {
        let value = from.own_text(Setting::Guard);
        match value.as_str() {
            "auto" => Ok(Self::Auto),
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err(ConfigError::NotAValue { setting: Setting::Guard, value, wanted: "auto, on or off" }),
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
    pub(super) const fn is_default(&self) -> bool {
        matches!(self, Self::Auto)
    }
}
