// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The two ways to bring a pod's traffic to its sidecar.

use std::fmt;

use crate::{interceptor::Run, istio_rules::DEFAULT_RULES, pod::Pod};

/// Who intercepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The rules of `istio-iptables`: the expectation.
    Iptables,
    /// This project.
    Ebpf,
}

impl Backend {
    pub const ALL: [Self; 2] = [Self::Iptables, Self::Ebpf];

    /// Intercepts the pod's traffic as Istio does by default.
    pub fn enrol(self, pod: &Pod<'_>) {
        match self {
            Self::Iptables => {
                let mut command = pod.namespace().root().command("iptables-legacy-restore");
                command.args(["--noflush", "--wait=30"]);
                Run::with_input(command, DEFAULT_RULES).expect_success();
            }
            Self::Ebpf => pod.enrol(&[]),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Iptables => "iptables",
            Self::Ebpf => "ebpf",
        })
    }
}
