// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The last plugin of the chain: writes down what it is asked, and passes the previous result on.
//!
//! The protocol is that of the [CNI specification 0.4.0](https://www.cni.dev/docs/spec-upgrades/).

use std::{
    env,
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use testkit::{
    cluster::{CALLS, CniCall, FAIL_NEXT_ADD},
    write_line,
};

/// Where pods of each quality of service are, below the hierarchy.
const CLASSES: [&str; 3] = ["kubepods", "kubepods/burstable", "kubepods/besteffort"];

#[derive(Args)]
pub(crate) struct Calls {
    /// The directory of the node
    #[arg(long, value_name = "DIRECTORY")]
    work: PathBuf,
    /// Where the node sees cgroup2
    #[arg(long, value_name = "DIRECTORY")]
    cgroup2: PathBuf,
}

impl Calls {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        let configuration: Value = serde_json::from_reader(io::stdin()).context("read the configuration")?;
        let command = variable("CNI_COMMAND");
        if command == "VERSION" {
            return write_line(&json!({ "cniVersion": "0.4.0", "supportedVersions": ["0.3.1", "0.4.0"] }));
        }
        let previous = configuration.get("prevResult");
        let failed = command == "ADD" && fs::remove_file(self.work.join(FAIL_NEXT_ADD)).is_ok();
        let uid = argument("K8S_POD_UID");
        self.note(&CniCall {
            sandbox: variable("CNI_CONTAINERID"),
            netns: variable("CNI_NETNS"),
            pod: argument("K8S_POD_NAME"),
            cgroup2: self.cgroup_of(&uid),
            uid,
            has_previous_result: previous.is_some(),
            failed,
            command: command.clone(),
        })?;
        match previous {
            _ if failed => {
                write_line(&json!({ "cniVersion": "0.4.0", "code": 100, "msg": "a test has asked for a failure" }))?;
                std::process::exit(1)
            }
            Some(previous) if command == "ADD" => write_line(previous),
            _ => Ok(()),
        }
    }

    /// In one write, because calls for several pods are made at once.
    fn note(&self, call: &CniCall) -> anyhow::Result<()> {
        let path = self.work.join("log").join(CALLS);
        let line = serde_json::to_string(call).context("a call as JSON")? + "\n";
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .with_context(|| format!("open {}", path.display()))?;
        file.write_all(line.as_bytes())
            .with_context(|| format!("write {}", path.display()))
    }

    fn cgroup_of(&self, uid: &str) -> Option<PathBuf> {
        let mut paths = CLASSES.iter().map(|class| self.cgroup2.join(class).join(format!("pod{uid}")));
        paths.find(|path: &PathBuf| Path::is_dir(path))
    }
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

/// Of `CNI_ARGS`: `IgnoreUnknown=1;K8S_POD_NAME=web;…`
fn argument(name: &str) -> String {
    let arguments = variable("CNI_ARGS");
    let mut pairs = arguments.split(';').filter_map(|pair| pair.split_once('='));
    pairs
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.to_owned())
        .unwrap_or_default()
}
