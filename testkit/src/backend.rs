// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The ways to bring a pod's traffic to its sidecar.

use std::fmt;

use crate::{
    interceptor::Run,
    istio::{Config, Family, route_marked, rules},
    istio_rules::{DEFAULT_RULES, default_rules_v6},
    pod::Pod,
    scene::Stack,
};

/// The default flags, as the differential test writes them, except for the mode.
const TPROXY: &str = "stack=v4 -m 'TPROXY' -u '1337' -i '*' -b '*' -d '15090,15021,15020'";

/// Who intercepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The rules of `istio-iptables`: the expectation.
    Iptables,
    /// This project.
    Ebpf,
    /// This project, by rules of iptables.
    Rules,
}

impl Backend {
    /// Istio, and what takes its place by default.
    pub const ALL: [Self; 2] = [Self::Iptables, Self::Ebpf];

    /// Intercepts the pod's traffic as Istio does by default.
    pub fn enroll(self, pod: &Pod<'_>) {
        self.enroll_stack(pod, Stack::V4);
    }

    /// The same in a pod with these families.
    pub fn enroll_stack(self, pod: &Pod<'_>, stack: Stack) {
        self.enroll_with(pod, stack, &[]);
    }

    /// The same, with more flags for this project; iptables knows nothing of them.
    pub(crate) fn enroll_with(self, pod: &Pod<'_>, stack: Stack, flags: &[&str]) {
        match self {
            Self::Iptables => {
                // Istio writes the rules of IPv4 also where there is none.
                restore(pod, "iptables-legacy-restore", DEFAULT_RULES);
                if stack.has_v6() {
                    restore(pod, "ip6tables-legacy-restore", &default_rules_v6());
                    pod.namespace().ip("addr add ::6/128 dev lo");
                }
            }
            Self::Ebpf => pod.enroll(&[stack.enroll_flags(), flags].concat()),
            Self::Rules => pod.write_rules(&[stack.enroll_flags(), flags].concat()),
        }
    }
}

impl Backend {
    /// Intercepts the pod's traffic as Istio does with `-m TPROXY`, and otherwise by default.
    pub fn enroll_tproxy(self, pod: &Pod<'_>, stack: Stack) {
        self.enroll_tproxy_with(pod, stack, &[]);
    }

    /// The same, with more flags for this project; iptables knows nothing of them.
    pub(crate) fn enroll_tproxy_with(self, pod: &Pod<'_>, stack: Stack, flags: &[&str]) {
        match self {
            Self::Iptables => {
                let config: Config = TPROXY.parse().expect("a configuration");
                restore(pod, "iptables-legacy-restore", &rules(&config, Family::V4));
                if stack.has_v6() {
                    restore(pod, "ip6tables-legacy-restore", &rules(&config, Family::V6));
                    pod.namespace().ip("addr add ::6/128 dev lo");
                }
                route_marked(pod.namespace(), "1337", "133");
            }
            Self::Ebpf => pod.enroll(&[&["-m", "TPROXY"], stack.enroll_flags(), flags].concat()),
            Self::Rules => pod.write_rules(&[&["-m", "TPROXY"], stack.enroll_flags(), flags].concat()),
        }
    }
}

fn restore(pod: &Pod<'_>, program: &str, rules: &str) {
    let mut command = pod.namespace().root().command(program);
    command.args(["--noflush", "--wait=30"]);
    Run::with_input(command, rules).expect_success();
}

impl fmt::Display for Backend {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Iptables => "iptables",
            Self::Ebpf => "ebpf",
            Self::Rules => "rules",
        })
    }
}
