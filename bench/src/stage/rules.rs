// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The iptables rules to measure against, as `interceptor render iptables` writes them.

use std::process::Command;

use testkit::{
    Pod, Run,
    scene::{POD, POD_V6, Stack},
};

/// Which family rules are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

impl Family {
    /// Whether Istio writes rules of this family for such a pod.
    pub fn is_in(self, stack: Stack) -> bool {
        match self {
            Self::V4 => stack.has_v4(),
            Self::V6 => stack.has_v6(),
        }
    }
}

/// The rules that `istio-iptables` writes for `flags`, rendered by `interceptor render iptables`. The error is the
/// run that failed.
pub fn rules(pod: &Pod<'_>, stack: Stack, family: Family, flags: &[&str]) -> Result<String, Box<Run>> {
    let mut command = Command::new(pod.node().interceptor());
    command
        .args(["render", "iptables", "--family", if family == Family::V4 { "4" } else { "6" }])
        .args(flags);
    let addresses = [(stack.has_v4(), POD), (stack.has_v6(), POD_V6)];
    for (_, address) in addresses.iter().filter(|(has, _)| *has) {
        command.args(["--pod-ip", address]);
    }
    let run = Run::of(command);
    if run.code == Some(0) {
        Ok(format!("{}\n", run.stdout))
    } else {
        Err(Box::new(run))
    }
}

/// Loads rules into the pod's namespace, as `istio-iptables` does.
pub(super) fn restore(pod: &Pod<'_>, program: &str, rules: &str) -> Run {
    let command = restore_command(pod, program);
    Run::with_input(command, rules)
}

/// The same, to be started by the caller.
pub fn restore_command(pod: &Pod<'_>, program: &str) -> Command {
    let mut command = pod.namespace().root().command(program);
    command.args(["--noflush", "--wait=30"]);
    command
}
