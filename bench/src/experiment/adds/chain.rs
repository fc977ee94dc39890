// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A pod's chain of CNI plugins, run as a container runtime runs it. Nothing here measures.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};
use nix::sched::{CloneFlags, setns};
use serde_json::{Value, json};
use testkit::{Node, Pod, cgroup2_mount_point, cluster::cni_plugins};

/// Of the chain and of the result.
const VERSION: &str = "1.0.0";

/// A pod, as a runtime knows it.
pub(super) struct Sandbox {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) netns: PathBuf,
    pub(super) cgroup: PathBuf,
}

impl Sandbox {
    /// A first one of this pod.
    pub(super) fn of(pod: &Pod<'_>) -> Self {
        let namespace = pod.namespace();
        let cgroup = namespace.cgroup().to_owned();
        let directory = cgroup.file_name().unwrap_or_default().to_string_lossy();
        let uid = directory.strip_prefix("pod").unwrap_or(&directory).to_owned();
        Self {
            id: uid.replace('-', ""),
            name: namespace.name().to_owned(),
            netns: namespace.path(),
            uid,
            cgroup,
        }
    }
}

/// What intercepts a pod's connections, behind the plugins that give it addresses.
pub(super) enum Interception {
    None,
    /// Programs that run in the pod's network namespace, and what each reads.
    Rules(Vec<(&'static str, String)>),
    Plugin {
        program: PathBuf,
        run_dir: PathBuf,
    },
}

/// Where plugins run, and what they share.
pub(super) struct Network {
    plugins: &'static Path,
    /// The node's network namespace.
    pub(super) host: PathBuf,
    /// The entry of the bridge and of the addresses.
    bridge: Value,
}

impl Network {
    pub(super) fn new(node: &Node) -> anyhow::Result<Self> {
        let bridge = json!({
            "cniVersion": VERSION, "name": "bench", "type": "bridge", "bridge": "cni0", "isGateway": true,
            "ipam": {
                "type": "host-local", "dataDir": node.work().join("addresses"),
                "ranges": [[{ "subnet": "10.60.0.0/16" }], [{ "subnet": "fd60::/64" }]],
                "routes": [{ "dst": "0.0.0.0/0" }, { "dst": "::/0" }],
            },
        });
        Ok(Self { plugins: cni_plugins()?, host: node.outside("host").path(), bridge })
    }

    /// Connects the pod, and puts interception in force. The calling thread changes its network namespace.
    pub(super) fn add(&self, pod: &Sandbox, interception: &Interception) -> anyhow::Result<()> {
        enter(&self.host)?;
        let result = self.call(&self.plugins.join("bridge"), "ADD", pod, &self.bridge)?;
        match interception {
            Interception::None => Ok(()),
            Interception::Rules(programs) => {
                enter(&pod.netns)?;
                programs.iter().try_for_each(|(program, rules)| {
                    run(Command::new(program).args(["--noflush", "--wait=30"]), rules).map(drop)
                })
            }
            Interception::Plugin { program, run_dir } => {
                let mut entry = entry(run_dir, pod, true);
                entry["prevResult"] = serde_json::from_str(&result).context("make sense of the bridge's result")?;
                self.call(program, "ADD", pod, &entry).map(drop)
            }
        }
    }

    /// Ends both, in the other order. The calling thread changes its network namespace.
    pub(super) fn del(&self, pod: &Sandbox, interception: &Interception) -> anyhow::Result<()> {
        enter(&self.host)?;
        if let Interception::Plugin { program, run_dir } = interception {
            self.call(program, "DEL", pod, &entry(run_dir, pod, true))?;
        }
        self.call(&self.plugins.join("bridge"), "DEL", pod, &self.bridge).map(drop)
    }

    fn call(&self, program: &Path, verb: &str, pod: &Sandbox, entry: &Value) -> anyhow::Result<String> {
        let mut command = command(program, verb, pod);
        command.env("CNI_PATH", self.plugins);
        run(&mut command, &entry.to_string())
    }
}

/// A plugin, as a runtime starts it.
pub(super) fn command(program: &Path, verb: &str, pod: &Sandbox) -> Command {
    let mut command = Command::new(program);
    let arguments = format!(
        "IgnoreUnknown=1;K8S_POD_NAMESPACE=bench;K8S_POD_NAME={};K8S_POD_UID={}",
        pod.name, pod.uid
    );
    command
        .env_clear()
        .env("CNI_COMMAND", verb)
        .env("CNI_CONTAINERID", &pod.id)
        .env("CNI_NETNS", &pod.netns)
        .env("CNI_IFNAME", "eth0")
        .env("CNI_ARGS", arguments);
    command
}

/// The entry of our plugin, with what a runtime adds to it.
pub(super) fn entry(run_dir: &Path, pod: &Sandbox, is_injected: bool) -> Value {
    let annotations = if is_injected { json!({ "sidecar.istio.io/status": "{}" }) } else { json!({}) };
    let cgroup = pod.cgroup.strip_prefix(cgroup2_mount_point()).unwrap_or(&pod.cgroup);
    json!({
        "cniVersion": VERSION, "name": "bench", "type": "interceptor-cni", "cni_agent_run_dir": run_dir,
        // Nobody comes again here, as kubelet does.
        "request_timeout_ms": 60_000, "del_timeout_ms": 60_000,
        "runtimeConfig": {
            "cgroupPath": Path::new("/").join(cgroup),
            "io.kubernetes.cri.pod-annotations": annotations,
        },
    })
}

/// Runs a program to its end, and returns what it printed.
pub(super) fn run(command: &mut Command, input: &str) -> anyhow::Result<String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("start {command:?}"))?;
    // Who ends without reading it says why.
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).unwrap_or_default();
    }
    let output = child.wait_with_output().with_context(|| format!("wait for {command:?}"))?;
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if !output.status.success() {
        bail!("{command:?} failed, {}: {stdout}{stderr}", output.status);
    }
    Ok(stdout)
}

/// Moves the calling thread.
fn enter(netns: &Path) -> anyhow::Result<()> {
    let place = || format!("enter {}", netns.display());
    let file = File::open(netns).with_context(place)?;
    setns(file, CloneFlags::CLONE_NEWNET).with_context(place)
}
