// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Ranges of ports and IDs. How a bound is written, others know.

use crate::{error::ConfigError, settings::Setting, values::NumberRange};

/// A range that does not run backwards.
pub(super) fn range(setting: Setting, item: &str, first: u32, last: u32) -> Result<NumberRange, ConfigError> {
    if first > last {
        return Err(ConfigError::BackwardRange {
            setting,
            item: item.to_owned(),
            turned: NumberRange { first: last, last: first },
        });
    }
    Ok(NumberRange { first, last })
}
