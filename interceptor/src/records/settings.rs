// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a pod was enrolled with, as its record has it.

use std::collections::BTreeMap;

use anyhow::{Context as _, anyhow};
use interceptor_config::Wanted;

use super::Record;
use crate::EnrollError;

/// The settings of a configuration, as `interceptor enroll` prints them.
pub fn settings(wanted: &Wanted) -> Result<BTreeMap<String, String>, EnrollError> {
    let value = serde_json::to_value(wanted.config()).context("Failed to write the configuration of a pod")?;
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let settings = value.as_object().into_iter().flatten();
    Ok(settings.map(|(name, value)| (name.clone(), text(value))).collect())
}

impl Record {
    /// The configuration that the pod was enrolled with. An error if another version of this program wrote the record.
    pub fn wanted(&self) -> Result<Wanted, EnrollError> {
        let wanted = Wanted::from_printed(&self.settings)?;
        if settings(&wanted)? == self.settings {
            Ok(wanted)
        } else {
            Err(anyhow!(
                "The record of the pod has settings that are not of this version; delete the pod, and it starts anew"
            )
            .into())
        }
    }
}
