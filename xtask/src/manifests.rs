// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask manifests`: what the chart installs, for `kubectl apply`. Helm renders it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use crate::run::{say, shown};
use crate::setup::Helm;
use crate::workspace::{Workspace, root};

/// Where helm.py is, which the tests use too.
const SCRIPT: &str = "testkit/helm.py";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The namespace, which has to be there
    #[arg(long, value_name = "NAME", default_value = "istio-system")]
    namespace: String,
    /// Values in JSON; all values are in deploy/chart/values.yaml
    #[arg(long, value_name = "FILE")]
    values: Option<PathBuf>,
    /// One value, such as hub=registry.example or repair.enabled=false; may be repeated
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let helm = Helm::find(&Workspace::load()?.target_dir);
    if helm.found().is_none() {
        bail!("{}. Run `cargo xtask setup --chart`, or use `helm template`", helm.lack());
    }
    let request = json!({
        "verb": "render",
        "chart": root().join("deploy/chart"),
        "name": "interceptor",
        "namespace": options.namespace,
        "values": [options.values()?],
    });
    let mut python = Command::new("python3");
    python.arg(root().join(SCRIPT)).env("PYTHONPATH", &helm.directory);
    let answer = asked(python, &request)?;
    let rendered = &answer["ok"][0];
    match (rendered["ok"]["text"].as_str(), rendered["error"].as_str()) {
        (Some(text), _) => say(text.trim_end()),
        (None, Some(error)) => bail!("the chart refuses these values: {}", error.trim()),
        (None, None) => bail!("Helm gave no manifests: {answer}"),
    }
    Ok(())
}

impl Options {
    fn values(&self) -> Result<Value> {
        let mut values = match &self.values {
            None => json!({}),
            Some(file) => {
                let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
                serde_json::from_slice(&text).with_context(|| format!("{} is no JSON", file.display()))?
            }
        };
        for setting in &self.set {
            let (path, value) = setting
                .split_once('=')
                .with_context(|| format!("{setting:?} is no NAME=VALUE"))?;
            // `true`, numbers and lists are JSON, and other words are texts.
            let value = serde_json::from_str(value).unwrap_or_else(|_not_json| json!(value));
            set(&mut values, path, value).with_context(|| format!("{setting:?} is in a value that has no parts"))?;
        }
        Ok(values)
    }
}

/// `None` if a part of the path is no object.
fn set(values: &mut Value, path: &str, value: Value) -> Option<()> {
    let (parents, name) = path
        .rsplit_once('.')
        .map_or((None, path), |(parents, name)| (Some(parents), name));
    let mut place = values;
    for parent in parents.into_iter().flat_map(|parents| parents.split('.')) {
        place = place
            .as_object_mut()?
            .entry(parent)
            .or_insert_with(|| Value::Object(Map::new()));
    }
    place.as_object_mut()?.insert(name.to_owned(), value);
    Some(())
}

/// What the script answers to one request.
fn asked(mut python: Command, request: &Value) -> Result<Value> {
    let line = shown(&python);
    let context = || format!("cannot run `{line}`");
    python.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = python.spawn().with_context(context)?;
    if let Some(input) = child.stdin.take() {
        serde_json::to_writer(input, request).with_context(context)?;
    }
    let output = child.wait_with_output().with_context(context)?;
    if !output.status.success() {
        bail!("`{line}` failed: {}", output.status);
    }
    let answer: Value = serde_json::from_slice(&output.stdout).with_context(context)?;
    match answer["error"].as_str() {
        Some(error) => bail!("Helm: {error}"),
        None => Ok(answer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(settings: &[&str]) -> Result<Value> {
        let set = settings.iter().map(|setting| (*setting).to_owned()).collect();
        Options { namespace: String::new(), values: None, set }.values()
    }

    #[test]
    fn settings_become_values() {
        let set = values(&["hub=registry.example", "repair.enabled=false", "repair.labelPods=true", "tag=\"1\""]);
        assert_eq!(
            set.unwrap(),
            json!({ "hub": "registry.example", "repair": { "enabled": false, "labelPods": true }, "tag": "1" })
        );
        assert_eq!(
            values(&["excludeNamespaces=[\"a\"]"]).unwrap(),
            json!({ "excludeNamespaces": ["a"] })
        );
    }

    #[test]
    fn a_setting_that_cannot_be_meant_is_named() {
        assert!(values(&["hub"]).unwrap_err().to_string().contains("\"hub\" is no NAME=VALUE"));
        assert!(values(&["hub=a", "hub.b=c"]).unwrap_err().to_string().contains("has no parts"));
    }
}
