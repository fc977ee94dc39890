// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Helm, by its library: renders a chart, and installs it on a node's API server. A Python package carries the library,
//! because no registry has Helm's own program.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{cluster::Cluster, interceptor::Run, node::profile_directory};

/// In cargo's target directory: one directory per version. `cargo xtask setup --chart` puts the package there.
const DIRECTORY: &str = "helm";

/// How many values one process renders: so that a busy machine does it in time.
const AT_ONCE: usize = 25;

/// What a chart makes of values.
#[derive(Debug, Deserialize)]
pub struct Rendered {
    /// In the order of the files of their templates.
    pub objects: Vec<Value>,
    /// What Helm tells whoever installs it.
    pub notes: String,
    /// The objects as `cargo xtask manifests` prints them.
    pub text: String,
}

/// A chart, as a release of this name in this namespace.
pub struct Helm {
    chart: PathBuf,
    name: &'static str,
    namespace: &'static str,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer<T> {
    Ok(T),
    Error(String),
}

impl<T> Answer<T> {
    fn result(self) -> Result<T, String> {
        match self {
            Self::Ok(answer) => Ok(answer),
            Self::Error(error) => Err(error),
        }
    }
}

impl Helm {
    /// The release `name` in `namespace` of the chart in this directory.
    pub fn new(chart: &Path, name: &'static str, namespace: &'static str) -> Self {
        Self { chart: chart.to_owned(), name, namespace }
    }

    /// # Errors
    /// What Helm says of values that the schema or a template refuses.
    pub fn render(&self, values: &Value) -> Result<Rendered, String> {
        self.render_each(std::slice::from_ref(values)).swap_remove(0)
    }

    /// The same for many values, which takes less time than one by one.
    pub fn render_each(&self, values: &[Value]) -> Vec<Result<Rendered, String>> {
        values.chunks(AT_ONCE).flat_map(|chunk| self.render_chunk(chunk)).collect()
    }

    fn render_chunk(&self, values: &[Value]) -> Vec<Result<Rendered, String>> {
        let answer = self.ask(Command::new("python3"), "render", &json!(values));
        let answers: Vec<Answer<Rendered>> =
            serde_json::from_value(answer.unwrap_or_else(|error| panic!("{error}"))).expect("what `helm.py` renders");
        assert_eq!(answers.len(), values.len());
        answers.into_iter().map(Answer::result).collect()
    }

    /// What `helm lint --strict` finds, with its severity: 1 is a hint, 2 a warning, 3 an error.
    pub fn lint(&self, values: &Value) -> Vec<(u64, String)> {
        let answer = self
            .ask(Command::new("python3"), "lint", values)
            .unwrap_or_else(|error| panic!("{error}"));
        let messages = answer["messages"].as_array().unwrap_or_else(|| panic!("no messages: {answer}"));
        messages
            .iter()
            .map(|message| (message["severity"].as_u64().expect("a severity"), message["error"].to_string()))
            .collect()
    }

    /// An object in YAML, as Helm reads it.
    pub fn read(&self, yaml: &str) -> Value {
        let answer = self.ask(Command::new("python3"), "read", &json!(yaml));
        answer.unwrap_or_else(|error| panic!("{error}: {yaml}"))
    }

    /// Installs, upgrades, rolls back or uninstalls it, as administrator of the cluster.
    #[track_caller]
    pub fn change(&self, cluster: &Cluster, verb: &str, values: &Value) {
        self.ask(cluster.beside_the_api("python3"), verb, values)
            .unwrap_or_else(|error| panic!("{verb} {}: {error}", self.name));
    }

    fn ask(&self, mut python: Command, verb: &str, values: &Value) -> Result<Value, String> {
        python.args(["-c", include_str!("../helm.py")]).env("PYTHONPATH", package());
        let request = json!({
            "verb": verb,
            "chart": self.chart,
            "name": self.name,
            "namespace": self.namespace,
            "values": values,
        });
        let run = Run::with_input(python, &request.to_string());
        run.json::<Answer<Value>>().result()
    }
}

/// Panics, saying how to get it, when it is not there: a test without Helm is not a pass.
fn package() -> PathBuf {
    let profile = profile_directory();
    let mut lines = include_str!("../helm-version.txt").lines();
    let version = lines.find(|line| !line.starts_with('#')).expect("a version");
    let target = profile.parent().expect("cargo's target directory");
    let package = target.join(DIRECTORY).join(version);
    assert!(
        package.join("helm_python").is_dir(),
        "no helm_python in {}: run `cargo xtask setup --chart`, or leave out the suites chart and cluster",
        package.display()
    );
    package
}
