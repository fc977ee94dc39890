// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Starts the plugin, with environment and standard input.

use std::{
    collections::BTreeMap,
    env,
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::node::{Node, UID};

pub(crate) const SANDBOX: &str = "0a1b2c3d";

pub(crate) struct Plugin {
    environment: BTreeMap<String, String>,
    entry: Value,
    stdin: Option<String>,
}

pub(crate) struct Run {
    pub(crate) success: bool,
    code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Node {
    /// The plugin, for a pod of Kubernetes.
    pub(crate) fn plugin(&self, verb: &str) -> Plugin {
        Plugin::new(self, verb)
    }
}

impl Plugin {
    fn new(node: &Node, verb: &str) -> Self {
        let args = format!("IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_UID={UID}");
        let netns = node.netns();
        let variables = [
            ("CNI_COMMAND", verb),
            ("CNI_CONTAINERID", SANDBOX),
            ("CNI_IFNAME", "eth0"),
            ("CNI_NETNS", &netns),
            ("CNI_PATH", "/opt/cni/bin"),
            ("CNI_ARGS", &args),
        ];
        let entry = json!({
            "cniVersion": "1.1.0", "name": "k8s", "type": "interceptor-cni",
            "cni_agent_run_dir": node.run_dir(), "cgroup_root": node.root(),
            "connect_timeout_ms": 300, "request_timeout_ms": 60_000, "del_timeout_ms": 60_000,
            "prevResult": { "cniVersion": "1.1.0", "ips": [{ "address": "10.0.0.2/24" }] },
        });
        Self {
            environment: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            entry,
            stdin: None,
        }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets a key of the plugin's entry, or of what the runtime adds to it.
    pub(crate) fn key(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.entry[name] = value.into();
        self
    }

    /// The runtime hands these annotations over.
    pub(crate) fn annotations(mut self, annotations: Value) -> Self {
        self.entry["runtimeConfig"]["io.kubernetes.cri.pod-annotations"] = annotations;
        self
    }

    /// The runtime hands annotations over, and the pod is injected.
    pub(crate) fn injected(self) -> Self {
        self.annotations(json!({ "sidecar.istio.io/status": "{}", "kubernetes.io/config.source": "api" }))
    }

    pub(crate) fn cgroup_path(mut self, path: &str) -> Self {
        self.entry["runtimeConfig"]["cgroupPath"] = path.into();
        self
    }

    /// Instead of the entry.
    pub(crate) fn stdin(mut self, text: &str) -> Self {
        self.stdin = Some(text.to_owned());
        self
    }

    pub(crate) fn run(self) -> Run {
        let stdin = self.stdin.unwrap_or_else(|| self.entry.to_string());
        let path = program();
        let mut command = Command::new(&path);
        command.env_clear().envs(self.environment);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut plugin = command
            .spawn()
            .unwrap_or_else(|error| panic!("start {}: {error}; cargo build -p interceptor-cni", path.display()));
        let mut input = plugin.stdin.take().unwrap();
        // A plugin that does not read it says why in its output.
        input.write_all(stdin.as_bytes()).unwrap_or_default();
        drop(input);
        let Output { status, stdout, stderr } = plugin.wait_with_output().unwrap();
        let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        Run { success: status.success(), code: status.code(), stdout, stderr }
    }
}

/// Beside this test's own program.
pub(crate) fn program() -> PathBuf {
    let test = env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("interceptor-cni")
}

impl Run {
    /// The plugin succeeded, and its log says so with these words. Returns the result.
    #[track_caller]
    pub(crate) fn expect(self, did: &str, why: &str) -> Value {
        assert!(self.success, "{}\n{}", self.stdout, self.stderr);
        self.expect_line(did, why);
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// There is such a line on standard error.
    #[track_caller]
    pub(crate) fn expect_line(&self, did: &str, why: &str) {
        let lines = self.stderr.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let found = lines
            .into_iter()
            .any(|line| line["did"] == did && line["why"].as_str().unwrap().contains(why));
        assert!(found, "no line says {did}, {why}:\n{}", self.stderr);
    }

    /// The plugin succeeded and printed nothing.
    #[track_caller]
    pub(crate) fn expect_silence(&self) {
        assert!(self.success && self.stdout.is_empty(), "{}\n{}", self.stdout, self.stderr);
    }

    /// The plugin failed with this code. Returns the message.
    #[track_caller]
    pub(crate) fn expect_error(self, code: u32) -> String {
        assert_eq!(self.code, Some(1), "{}\n{}", self.stdout, self.stderr);
        let error: Value = serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("no error: {}", self.stdout));
        assert_eq!(error["code"], code, "{error}");
        assert!(error["cniVersion"].is_string(), "{error}");
        error["msg"].as_str().unwrap().to_owned()
    }
}
