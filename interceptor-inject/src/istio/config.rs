// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads the texts of Istio's configuration, as they stand in a file or in a manifest of their `ConfigMap`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fault::ConfigError;
use crate::yaml;

/// The template of a sidecar. It is applied to pods that ask for no other.
pub(super) const SIDECAR: &str = "sidecar";
const INJECT: &str = "the injection template";

/// The templates by their names. A text that is no configuration with templates is the template of a sidecar itself, as
/// for istioctl.
pub(super) fn templates(text: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let refused = |reason: &str| ConfigError { part: INJECT, reason: reason.to_owned() };
    let config = of_config_map(INJECT, "config", text)?;
    let text = config.as_deref().unwrap_or(text);
    if text.trim().is_empty() {
        return Err(refused("it is empty"));
    }
    let parsed = yaml::read_one(text).ok();
    let templates = parsed.as_ref().and_then(|config| config.get("templates")?.as_object());
    let Some(templates) = templates.filter(|templates| !templates.is_empty()) else {
        return Ok([(SIDECAR.to_owned(), text.to_owned())].into());
    };
    let template = |(name, template): (&String, &Value)| match template {
        Value::String(template) => Ok((name.clone(), template.clone())),
        _ => Err(refused(&format!("templates: {name} is no text"))),
    };
    templates.iter().map(template).collect()
}

pub(super) fn mesh(text: &str) -> Result<Value, ConfigError> {
    parsed("the mesh configuration", "mesh", text)
}

pub(super) fn values(text: &str) -> Result<Value, ConfigError> {
    parsed("Istio's values", "values", text)
}

fn parsed(part: &'static str, key: &str, text: &str) -> Result<Value, ConfigError> {
    let inner = of_config_map(part, key, text)?;
    let refused = |error: yaml::Fault| ConfigError { part, reason: error.to_string() };
    yaml::read_one(inner.as_deref().unwrap_or(text)).map_err(refused)
}

/// What a `ConfigMap` has at a key; `None` if the text is none.
fn of_config_map(part: &'static str, key: &str, text: &str) -> Result<Option<String>, ConfigError> {
    let Some(map) = yaml::read_one(text)
        .ok()
        .filter(|map| map.get("kind").is_some_and(|kind| kind == "ConfigMap"))
    else {
        return Ok(None);
    };
    match map.get("data").and_then(|data| data.get(key)) {
        Some(Value::String(text)) => Ok(Some(text.clone())),
        _ => Err(ConfigError { part, reason: format!("the ConfigMap has no text at data.{key}") }),
    }
}
