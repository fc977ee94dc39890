// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is wanted of acceleration. `istio-iptables` has no such settings.

use interceptor_policy::acceleration::{MAX_BUDGET, MIN_BUDGET};
use serde::Serialize;

use crate::{error::ConfigError, settings::Setting, sources::Reader};

/// How connections are accelerated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct AccelerationConfig {
    /// `--accelerate-budget`: bytes, for each direction.
    #[serde(rename = "ACCELERATE_BUDGET")]
    pub budget: u32,
    /// `--force-accelerate`: whatever the kernel.
    #[serde(rename = "FORCE_ACCELERATE")]
    pub force: bool,
}

impl AccelerationConfig {
    /// None if no acceleration is wanted. Every value is judged, even where it has no effect.
    pub(super) fn read(from: &Reader<'_>) -> Result<Option<Self>, ConfigError> {
        let accelerate = from.own_switch(Setting::Accelerate)?;
        let budget = budget(from.own_text(Setting::AccelerateBudget))?;
        let force = from.own_switch(Setting::ForceAccelerate)?;
        Ok((accelerate || force).then_some(Self { budget, force }))
    }
}

fn budget(value: String) -> Result<u32, ConfigError> {
    let bytes = value.parse().ok().filter(|bytes| (MIN_BUDGET..=MAX_BUDGET).contains(bytes));
    bytes.ok_or(ConfigError::NotAValue {
        setting: Setting::AccelerateBudget,
        value,
        wanted: "a number of bytes from 131072 (128 KiB) to 1073741824 (1 GiB)",
    })
}
