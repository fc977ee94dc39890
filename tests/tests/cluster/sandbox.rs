// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What happens to sandboxes.

use nix::sys::signal::Signal;
use testkit::{
    Run,
    cluster::{Cluster, Sandbox},
};

use crate::pods::Running;

/// Kills the process that holds the pod's namespaces. kubelet makes another sandbox then.
pub(crate) fn kill_sandbox(cluster: &Cluster, pod: &Running) -> Sandbox {
    let sandbox = cluster.sandbox(&pod.uid).expect("a pod that runs has a sandbox");
    let mut kill = cluster.node("kill");
    kill.args(["-s", Signal::SIGKILL.as_str(), &sandbox.pid.to_string()]);
    Run::of(kill).expect_success();
    sandbox
}
