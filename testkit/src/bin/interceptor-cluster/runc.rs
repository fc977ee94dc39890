// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `runc` for a node whose cgroup2 hierarchy has no controllers: it would fail to write limits that nobody enforces.

use std::{
    ffi::OsString,
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::Value;

#[derive(Args)]
pub(crate) struct Runc {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Runc {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let words = || self.arguments.iter().map(|argument| argument.to_string_lossy());
        if words().any(|word| word == "update") {
            return Ok(()); // it changes limits, and nothing else
        }
        if let Some(at) = words().position(|word| word == "--bundle") {
            let bundle = self.arguments.get(at + 1).context("--bundle without a directory")?;
            without_limits(&Path::new(bundle).join("config.json"))?;
        }
        let error = Command::new("runc").args(&self.arguments).exec();
        bail!("start runc: {error}")
    }
}

/// Leaves the rules for devices, which are an eBPF program on cgroup2.
fn without_limits(config: &Path) -> anyhow::Result<()> {
    let text = fs::read(config).with_context(|| format!("read {}", config.display()))?;
    let mut value: Value = serde_json::from_slice(&text).with_context(|| format!("read {}", config.display()))?;
    if let Some(resources) = value.pointer_mut("/linux/resources").and_then(Value::as_object_mut) {
        resources.retain(|name, _| name == "devices");
    }
    let partial: PathBuf = config.with_extension("partial");
    fs::write(&partial, value.to_string()).with_context(|| format!("write {}", partial.display()))?;
    fs::rename(&partial, config).with_context(|| format!("rename {}", partial.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_dropped_and_rules_for_devices_stay() {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("config.json");
        fs::write(&config, r#"{"linux":{"resources":{"devices":[1],"memory":{"limit":1}},"x":2}}"#).unwrap();
        without_limits(&config).unwrap();
        assert_eq!(
            fs::read_to_string(&config).unwrap(),
            r#"{"linux":{"resources":{"devices":[1]},"x":2}}"#
        );
    }
}
