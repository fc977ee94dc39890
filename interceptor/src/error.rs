// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why a pod was not enrolled, for callers that have to choose between failing, skipping and trying again. The texts
//! name no flag and no command: a front end adds its own advice.

use std::{fmt, net::IpAddr, path::PathBuf, time::Duration};

use interceptor_config::ConfigError;
use thiserror::Error;

/// Why an operation on a node or a pod failed. Nothing is half-applied: the pod is as it was before.
#[derive(Debug, Error)]
pub enum EnrollError {
    /// The configuration does not fit the pod.
    #[error(transparent)]
    Config(#[from] ConfigError),

    /// Intercepting the host's own network namespace would cut off the node.
    #[error("{name} is the host's own network namespace, which is never intercepted: that would cut off the node")]
    HostNamespace { name: String },

    /// The file is not a network namespace.
    #[error("{name} is not a network namespace")]
    NotANamespace { name: String },

    /// The directory is not in a cgroup2 file system.
    #[error("{} is not a directory of a cgroup2 file system", .path.display())]
    NotACgroup { path: PathBuf },

    /// Everything on the node is below the root of the hierarchy, and would pay.
    #[error("{} is the root of the cgroup2 hierarchy, not a pod's cgroup", .path.display())]
    RootCgroup { path: PathBuf },

    /// Only a process of the pod can find the pod's cgroup, and this process found none.
    #[error("Failed to find this pod's cgroup: {reason}")]
    UnknownCgroup { reason: String },

    /// No cgroup above this process's has the name of a pod.
    #[error(
        "Failed to find this pod's cgroup: no cgroup above {} has the name of a pod; it may be one of {}",
        .own.display(), paths(candidates)
    )]
    UnnamedCgroup { own: PathBuf, candidates: Vec<PathBuf> },

    /// Processes of the pod are outside of its cgroup, and that is not to be tolerated.
    #[error("These processes of the pod are not in its cgroup {}: {}", .cgroup.display(), processes(outsiders))]
    Outside { cgroup: PathBuf, outsiders: Vec<Process> },

    /// The pod is enrolled with another cgroup.
    #[error("The pod is enrolled with the cgroup {}, not {}", .enrolled.display(), .asked.display())]
    OtherCgroup { enrolled: PathBuf, asked: PathBuf },

    /// Each system call of the pod would run the programs twice.
    #[error("The cgroup {} lies above or below {}, which is enrolled already", .asked.display(), .enrolled.display())]
    NestedCgroup { enrolled: PathBuf, asked: PathBuf },

    /// Redirected connections go over the loopback interface.
    #[error("The pod's loopback interface `lo` is down")]
    LoopbackDown,

    /// The pod's own routes would take redirected connections elsewhere.
    #[error("The pod's routes do not send {network} over `lo`, where redirected connections go; {slot} is one of them")]
    NotOverLoopback { network: &'static str, slot: IpAddr },

    /// The pod's own routes would take the sidecar's packets elsewhere.
    #[error("The pod's routing table {table} has a default route already, which is not `local default dev lo`")]
    RoutingTableTaken { table: u32 },

    /// Istio's own rules redirect the pod's connections already, and both would redirect each connection.
    #[error("{name} has Istio's own rules already, in {filter}")]
    OtherRules { name: String, filter: &'static str },

    /// The pod's connections are redirected by other means already.
    #[error("{name} is intercepted by {data_path} already")]
    OtherDataPath { name: String, data_path: &'static str },

    /// Rules of iptables were to be written or removed, and no iptables of this machine can do that.
    #[error("No iptables of this machine can be used: {reason}")]
    NoIptables { reason: String },

    /// The pod is not enrolled.
    #[error("{name} is not enrolled")]
    NotEnrolled { name: String },

    /// The programs of this node were never replaced.
    #[error("The programs of this node were never replaced, so there are none to go back to")]
    NoEarlierBuild,

    /// The table of pods is full.
    #[error("{max} pods are enrolled on this node, and there is no room for another")]
    NodeFull { max: usize },

    /// A policy has a number that is never used twice, and all numbers have been used.
    #[error("This node has used all {max} policy generations")]
    GenerationsUsedUp { max: u32 },

    /// The directory does not exist.
    #[error("No such directory: {}", .path.display())]
    NoSuchDirectory { path: PathBuf },

    /// Pins need a BPF file system.
    #[error("{} is not a BPF file system, so nothing that is set up would outlive this process", .path.display())]
    NotBpffs { path: PathBuf },

    /// What is there was made by another user, or another user could exchange it. It is neither used nor removed.
    #[error("{} cannot be trusted: {reason}", .path.display())]
    Untrusted { path: PathBuf, reason: String },

    /// This kernel lacks something without which no pod can be enrolled. The cause is in `source`.
    #[error("This kernel lacks what is needed: {}", listed(missing))]
    KernelLacks { missing: Vec<Missing>, source: anyhow::Error },

    /// This process may not do what is needed.
    #[error("This process lacks a privilege: {0:#}")]
    NotPermitted(anyhow::Error),

    /// This process lacks one capability, and it is known which.
    #[error("This process lacks {capability}, {purpose}")]
    LacksCapability { capability: &'static str, purpose: &'static str, source: nix::Error },

    /// The guard was asked for, and this kernel cannot guard.
    #[error("Failed to guard the pod's interfaces, which needs Linux 6.6: {0:#}")]
    GuardUnfit(anyhow::Error),

    /// Acceleration was asked for, and this kernel did not pass the check of it.
    #[error("Refusing to accelerate: this kernel failed the check of acceleration: {0:#}")]
    AccelerationUnfit(anyhow::Error),

    /// Another process holds the lock. Try again.
    #[error(
        "Another process has held the lock of {} for {} s{}", .path.display(), .waited.as_secs(),
        .holder.as_ref().map(|holder| format!(": process {holder}")).unwrap_or_default()
    )]
    Busy { path: PathBuf, waited: Duration, holder: Option<Process> },

    /// The pod's network namespace or cgroup does not exist, or does not exist any more.
    #[error("No such {what}: {name}")]
    Gone { what: &'static str, name: String },

    /// Anything else, with its chain of causes.
    #[error(transparent)]
    Failed(anyhow::Error),
}

/// A feature that this kernel lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    pub feature: &'static str,
    /// The first Linux version that has it.
    pub since: &'static str,
}

/// A process of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    /// The name of its program, as in `/proc/PID/comm`.
    pub name: String,
}

fn paths(paths: &[PathBuf]) -> String {
    paths
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

fn processes(outsiders: &[Process]) -> String {
    outsiders.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn listed(missing: &[Missing]) -> String {
    missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { feature, since } = self;
        write!(f, "{feature} (Linux {since})")
    }
}

impl fmt::Display for Process {
    /// A process chooses its own name, so what a terminal or a log could take for more than text is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, name } = self;
        write!(f, "{pid} ({})", name.escape_debug())
    }
}

impl From<anyhow::Error> for EnrollError {
    /// The typed error in the chain, if there is one; else a lack of privilege, if the kernel answered `EPERM`.
    fn from(error: anyhow::Error) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(typed) => return typed,
            Err(error) => error,
        };
        let error = match error.downcast::<ConfigError>() {
            Ok(config) => return Self::Config(config),
            Err(error) => error,
        };
        if is_not_permitted(&error) {
            Self::NotPermitted(error)
        } else {
            Self::Failed(error)
        }
    }
}

/// Whether the kernel's gatekeepers refused (`EPERM`). The verifier refuses with `EACCES`.
pub(crate) fn is_not_permitted(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|cause| cause.raw_os_error() == Some(nix::libc::EPERM))
            || cause.downcast_ref() == Some(&nix::Error::EPERM)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_cannot_write_lines_or_control_codes_with_its_name() {
        let process = Process { pid: 7, name: "a\n\u{1b}[2J ok".to_owned() };
        assert_eq!(process.to_string(), r"7 (a\n\u{1b}[2J ok)");
    }
}
