// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads `--data-path`.

use crate::{error::ConfigError, settings::Setting, sources::Reader, values::DataPath};

pub(super) fn read(from: &Reader<'_>) -> Result<DataPath, ConfigError> {
    let value = from.own_text(Setting::DataPath);
    let wanted = DataPath::VALUES;
    DataPath::parse(&value).ok_or(ConfigError::NotAValue { setting: Setting::DataPath, value, wanted })
}
