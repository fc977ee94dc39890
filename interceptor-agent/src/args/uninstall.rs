// SPDX-License-Identifier: Apache-2.0 OR MIT
//! When the plugin is taken off the node, and what goes with it.

use std::path::PathBuf;

use clap::{Args, Parser};

use super::{log::LogArgs, plugin::PlaceArgs, run_dir::RunDirArgs, switch::SWITCH};

/// How an agent with --install knows that it is being uninstalled, and what it does then.
#[derive(Args, Debug)]
pub(crate) struct DaemonSetArgs {
    /// Name of the `DaemonSet` that runs the agent, in --pod-namespace. An agent that ends takes the plugin off the
    /// node only if this `DaemonSet` is deleted, or is not for this node any more
    #[arg(long, value_name = "NAME", env = "DAEMONSET_NAME", default_value = "istio-cni-node")]
    pub(crate) daemonset_name: String,

    /// When the `DaemonSet` is deleted, end the interception of running pods too: their traffic then passes their
    /// sidecars by
    #[arg(long, value_name = SWITCH, env = "UNINSTALL_CLEAN", default_value = "false")]
    pub(crate) uninstall_clean: bool,
}

/// Take the CNI plugin off this node: first its entry, then its program
///
/// No agent may run, because it would put the plugin back. Running pods stay intercepted. The kernel programs go with
/// the last of them, or at once if there is none.
#[derive(Debug, Parser)]
#[command(name = "uninstall", max_term_width = 120)]
pub(crate) struct UninstallArgs {
    #[command(flatten)]
    pub(crate) run_dir: RunDirArgs,

    #[command(flatten)]
    pub(crate) place: PlaceArgs,

    /// Also end the interception of running pods, and remove everything that any version has left on the node. Traffic
    /// of these pods then passes their sidecars by
    #[arg(long)]
    pub(crate) purge: bool,

    /// Where the BPF file system is mounted
    #[arg(long, value_name = "DIR", env = "INTERCEPTOR_BPFFS", default_value = "/sys/fs/bpf")]
    pub(crate) bpffs: PathBuf,

    #[command(flatten)]
    pub(crate) log: LogArgs,
}
