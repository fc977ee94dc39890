// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The budget of an accelerated direction, in bytes. It has no units: `1M` is refused.

use interceptor_policy::acceleration::{MAX_BUDGET, MIN_BUDGET};

use crate::{error::ConfigError, settings::Setting};

/// What a budget is.
pub(crate) const BUDGET: &str = "a number of bytes from 131072 (128 KiB) to 1073741824 (1 GiB)";

/// A budget that the kernel programs can keep.
pub(crate) fn budget(setting: Setting, value: String) -> Result<u32, ConfigError> {
    let bytes = value.parse().ok().filter(|bytes| (MIN_BUDGET..=MAX_BUDGET).contains(bytes));
    bytes.ok_or(ConfigError::NotAValue { setting, value, wanted: BUDGET })
}
