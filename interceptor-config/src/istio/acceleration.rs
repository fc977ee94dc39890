// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is wanted of acceleration. `istio-iptables` has no such settings.

use serde::Serialize;

use crate::{error::ConfigError, parse, settings::Setting, sources::Reader};

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
    /// Acceleration with this budget, and nothing else that could be asked for.
    pub const fn with_budget(budget: u32) -> Self {
        Self { budget, force: false }
    }

    /// None if no acceleration is wanted. Every value is judged, even where it has no effect.
    pub(super) fn read(from: &Reader<'_>) -> Result<Option<Self>, ConfigError> {
        let accelerate = from.own_switch(Setting::Accelerate)?;
        let budget = parse::budget(Setting::AccelerateBudget, from.own_text(Setting::AccelerateBudget))?;
        let force = from.own_switch(Setting::ForceAccelerate)?;
        Ok((accelerate || force).then_some(Self { budget, force }))
    }
}
