// SPDX-License-Identifier: Apache-2.0 OR MIT
//! By what a pod's connections are redirected. Every connection has the same outcome either way. `istio-iptables` has
//! no such setting.

use serde::Serialize;

/// `--data-path`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DataPath {
    /// By kernel programs.
    #[default]
    Ebpf,
    /// By Istio's own rules of iptables, in the pod.
    Iptables,
    /// By kernel programs, or by rules if the kernel lacks what the programs need.
    Auto,
}

impl DataPath {
    /// What can be written.
    pub(crate) const VALUES: &'static str = "ebpf, iptables or auto";

    pub(crate) fn parse(value: &str) -> Option<Self> {
        match value {
            "ebpf" => Some(Self::Ebpf),
            "iptables" => Some(Self::Iptables),
            "auto" => Some(Self::Auto),
            _ => None,
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
    pub(crate) const fn is_default(&self) -> bool {
        matches!(self, Self::Ebpf)
    }
}
