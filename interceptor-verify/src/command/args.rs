// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The arguments of `interceptor verify`.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use interceptor::records::{PodName, RUN_DIRECTORY};
use interceptor_config::{
    BPFFS_VARIABLE,
    settings::arguments::{FlagArgs, RuleFlags},
};

use super::report::ReportFile;
use crate::Stack;

/// Compare Interceptor with Istio's iptables rules on this machine, for your configuration
///
/// Makes two pods in network namespaces of their own, writes Istio's rules with the real iptables in one, and enrolls
/// the other. Then makes the same connections in both, and compares what clients and servers see of them. Pods and
/// connections of this machine are not touched.
#[derive(Debug, Parser)]
#[command(
    name = "interceptor-verify",
    bin_name = "interceptor verify",
    version,
    max_term_width = 120,
    args_override_self = true,
    after_help = "\
Examples:
  interceptor verify -u 1337 -b '*' -d 15090,15021,15020 -i '*' -x 10.96.0.0/12
  interceptor verify --pod shop/web-0 --cases 2000
  interceptor verify --all --report verify.json --report verify.html

Needs root and the programs iptables and ip; in a pod, `privileged: true`.

Exit status:
  0    nothing differs but what docs/differences.md lists
  1    failed: it is not known whether anything differs
  2    wrong usage
  3    something differs
  64   the configuration is refused
  69   this machine lacks iptables or another program"
)]
pub(super) struct VerifyArgs {
    /// Compare the configuration of this pod, which the node agent enrolled
    #[arg(long, value_name = "NAMESPACE/NAME", conflicts_with_all = ["netns", "all"])]
    pub(super) pod: Option<PodName>,

    /// The same, of the pod that has this network namespace
    #[arg(long, value_name = "PATH", conflicts_with = "all")]
    pub(super) netns: Option<PathBuf>,

    /// Compare the configurations of all pods of this node, each configuration once
    #[arg(long)]
    pub(super) all: bool,

    /// How many random connections to compare, after the written ones
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(super) cases: u32,

    /// Seed of the random connections; the same seed gives the same ones [default: another one each time]
    #[arg(long, value_name = "S")]
    pub(super) seed: Option<u64>,

    /// Which iptables to compare with; with auto, those that work on this machine
    #[arg(long, value_name = "NAME", value_enum, default_value = "auto")]
    pub(super) backend: Backend,

    /// Also write a report: JSON for programs (.json), a page for people (.html, .md); may be repeated
    #[arg(long = "report", value_name = "FILE", action = clap::ArgAction::Append)]
    pub(super) reports: Vec<ReportFile>,

    /// Which addresses the pods have that the flags are for: IPv4, or IPv6; both with --dual-stack
    #[arg(
        long,
        value_name = "v4|v6",
        default_value = "v4",
        value_parser = stack,
        conflicts_with_all = ["pod", "netns", "all"]
    )]
    pub(super) stack: Stack,

    /// File that lists the pod's DNS servers
    #[arg(long, value_name = "FILE", default_value = "/etc/resolv.conf")]
    pub(super) resolv_conf: PathBuf,

    /// Where the BPF file system is mounted, for --pod, --netns and --all
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf", env = BPFFS_VARIABLE, hide_env_values = true)]
    pub(super) bpffs: PathBuf,

    /// Where the node agent keeps what pods are enrolled with
    #[arg(long, value_name = "DIR", default_value = RUN_DIRECTORY)]
    pub(super) run_dir: PathBuf,

    /// The loader to compare [default: interceptor, beside this program]
    #[arg(long, value_name = "FILE", hide = true)]
    pub(super) interceptor: Option<PathBuf>,

    #[command(flatten)]
    pub(super) settings: FlagArgs<RuleFlags>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Backend {
    Auto,
    Legacy,
    Nft,
    Both,
}

fn stack(text: &str) -> Result<Stack, &'static str> {
    match text {
        "v4" => Ok(Stack::V4),
        "v6" => Ok(Stack::V6),
        _ => Err("write v4 or v6; for both, use --dual-stack"),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        VerifyArgs::command().debug_assert();
    }

    #[test]
    fn the_version_is_that_of_a_program_beside_interceptor() {
        let version = VerifyArgs::command().render_version();
        assert_eq!(version, concat!("interceptor-verify ", env!("CARGO_PKG_VERSION"), "\n"));
    }
}
