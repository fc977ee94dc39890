// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the host of a node has for CNI plugins: a directory of configurations and one of programs, with a network of
//! pods or not yet.

use std::{fs, path::PathBuf, process::Command};

use serde_json::{Value, json};
use testkit::Run;

use crate::{api::DAEMON_SET, lab::Lab};

/// A program that is no plugin; nobody calls it.
const PROGRAM: &str = "#!/bin/true\n";
const LIST: &str = "10-pods.conflist";

/// The directories.
pub(crate) struct Host<'a> {
    lab: &'a Lab,
    root: PathBuf,
}

impl<'a> Host<'a> {
    /// Without a network of pods.
    pub(crate) fn new(lab: &'a Lab) -> Self {
        let root = lab.node.work().join("host");
        for directory in ["net.d", "bin"] {
            fs::create_dir_all(root.join(directory)).expect("make a directory");
        }
        let host = Self { lab, root };
        host.put_source();
        host
    }

    /// With a network of pods.
    pub(crate) fn with_network(lab: &'a Lab) -> Self {
        let host = Self::new(lab);
        host.write_network(&[]);
        host
    }

    /// The program of the plugin, to be copied.
    pub(crate) fn source(&self) -> PathBuf {
        self.root.join("source")
    }

    pub(crate) fn put_source(&self) {
        fs::write(self.source(), PROGRAM).expect("write the program");
    }

    pub(crate) fn net_dir(&self) -> PathBuf {
        self.root.join("net.d")
    }

    pub(crate) fn bin_dir(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// Writes the list of the network as its own program does, perhaps with more plugins.
    pub(crate) fn write_network(&self, more: &[&str]) {
        let types = [&["bridge", "portmap"], more].concat();
        let plugins: Vec<Value> = types.iter().map(|name| json!({"type": name})).collect();
        let list = json!({"cniVersion": "1.0.0", "name": "pods", "plugins": plugins});
        fs::write(self.net_dir().join(LIST), list.to_string()).expect("write the list");
    }

    /// The plugins of the network.
    pub(crate) fn plugins(&self) -> Vec<Value> {
        self.plugins_of(LIST)
    }

    pub(crate) fn plugins_of(&self, list: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.net_dir().join(list)).expect("the list");
        let list: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        list["plugins"].as_array().expect("plugins").clone()
    }

    pub(crate) fn has_entry(&self) -> bool {
        self.plugins().iter().any(|plugin| plugin["type"] == "interceptor-cni")
    }

    /// Whether the program is there, and is the one that was to be copied.
    pub(crate) fn has_program(&self) -> bool {
        match fs::read_to_string(self.bin_dir().join("interceptor-cni")) {
            Ok(text) => text == PROGRAM,
            Err(_not_there) => false,
        }
    }

    /// The flags for these directories.
    pub(crate) fn place(&self) -> [String; 2] {
        [
            format!("--mounted-cni-net-dir={}", self.net_dir().display()),
            format!("--mounted-cni-bin-dir={}", self.bin_dir().display()),
        ]
    }

    /// The flags of an agent that installs.
    pub(crate) fn flags(&self) -> Vec<String> {
        let mut flags = self.place().to_vec();
        flags.extend([
            "--install".to_owned(),
            format!("--cni-plugin={}", self.source().display()),
            format!("--pod-namespace={}", DAEMON_SET[0]),
        ]);
        flags
    }

    /// Runs `interceptor agent COMMAND` with the run directory of the agent.
    pub(crate) fn run(&self, command: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        drop(self.lab.node.agent(&[])); // brings the program
        let mut run = Command::new(self.lab.node.interceptor());
        run.args(["agent", command, "--run-dir"]).arg(self.lab.run_dir());
        run.args(arguments).envs(variables.iter().copied());
        Run::of(run)
    }
}
