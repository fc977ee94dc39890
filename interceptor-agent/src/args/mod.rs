// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command line. Every flag has a variable too, for the manifest of a `DaemonSet`. Flags and variables of Istio's
//! CNI agent keep their names
//! ([`root.go`](https://github.com/istio/istio/blob/1.27.0/cni/pkg/cmd/root.go)).

mod ignored;
mod log;
mod plugin;
mod repair;
mod run_dir;
mod switch;
mod uninstall;

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Result;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser};

use self::switch::{SWITCH, with_switches};
pub(crate) use self::{
    ignored::ignored_variables,
    log::{Level, LogArgs},
    plugin::{EntryArgs, PlaceArgs},
    repair::RepairArgs,
    run_dir::RunDirArgs,
    uninstall::{DaemonSetArgs, UninstallArgs},
};
use crate::{data_path::OnUnsupported, install::Installation};

/// What this process was started for.
#[derive(Debug)]
pub(crate) enum Command {
    Run(Box<Args>),
    Install(InstallArgs),
    Uninstall(UninstallArgs),
}

/// Enroll the pods of this Kubernetes node when the CNI plugin asks for it
///
/// Listens on a socket for the plugin, and watches the pods of the node. What is set up for a pod stays in force while
/// the agent is away.
#[derive(Debug, Parser)]
#[command(
    name = "interceptor-agent",
    bin_name = "interceptor agent",
    version,
    max_term_width = 120
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) run_dir: RunDirArgs,

    /// Where the BPF file system is mounted
    #[arg(long, value_name = "DIR", env = "INTERCEPTOR_BPFFS", default_value = "/sys/fs/bpf")]
    pub(crate) bpffs: PathBuf,

    /// Name of this node, as Kubernetes calls it
    #[arg(long, value_name = "NAME", env = "NODE_NAME", value_parser = node_name)]
    pub(crate) node_name: String,

    /// How to reach the API server [default: as the pod that this runs in]
    #[arg(long, value_name = "FILE", env = "KUBECONFIG")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Port for /healthz and /readyz; 0 takes a free one
    #[arg(long, value_name = "PORT", env = "HEALTH_PORT", default_value_t = 8000)]
    pub(crate) health_port: u16,

    /// Port for /metrics; 0 takes a free one
    #[arg(
        long,
        value_name = "PORT",
        env = "MONITORING_PORT",
        alias = "monitoring-port",
        default_value_t = 15014
    )]
    pub(crate) metrics_port: u16,

    /// Put the CNI plugin on the node, keep it there, and take it off when the `DaemonSet` is deleted
    #[arg(long, value_name = SWITCH, env = "INSTALL_CNI", default_value = "false")]
    pub(crate) install: bool,

    #[command(flatten)]
    pub(crate) place: PlaceArgs,

    #[command(flatten)]
    pub(crate) entry: EntryArgs,

    /// What a pod with a sidecar gets if the kernel of this node lacks what the kernel programs need
    #[arg(long, value_name = "WHAT", env = "ON_UNSUPPORTED", value_enum, default_value_t)]
    pub(crate) on_unsupported: OnUnsupported,

    #[command(flatten)]
    pub(crate) daemon_set: DaemonSetArgs,

    #[command(flatten)]
    pub(crate) repair: RepairArgs,

    #[command(flatten)]
    pub(crate) log: LogArgs,

    /// All of this, as it was written.
    #[arg(skip)]
    pub(crate) told: BTreeMap<String, String>,
}

/// Put the CNI plugin on this node once: its program, and its entry in the CNI configuration
///
/// An agent with --install does the same, and keeps it there.
#[derive(Debug, Parser)]
#[command(name = "install", max_term_width = 120)]
pub(crate) struct InstallArgs {
    #[command(flatten)]
    pub(crate) run_dir: RunDirArgs,

    #[command(flatten)]
    pub(crate) place: PlaceArgs,

    #[command(flatten)]
    pub(crate) entry: EntryArgs,

    #[command(flatten)]
    pub(crate) log: LogArgs,
}

impl Command {
    /// Reads the arguments of this process. Ends it if they are wrong, or ask for help.
    pub(crate) fn parse() -> Self {
        Self::of(&command().get_matches()).unwrap_or_else(|error| error.exit())
    }

    fn of(matches: &ArgMatches) -> Result<Self, clap::Error> {
        match matches.subcommand() {
            Some(("install", matches)) => InstallArgs::from_arg_matches(matches).map(Self::Install),
            Some((_uninstall, matches)) => UninstallArgs::from_arg_matches(matches).map(Self::Uninstall),
            None => {
                Args::from_arg_matches(matches).map(|args| Self::Run(Box::new(Args { told: told(matches), ..args })))
            }
        }
    }

    pub(crate) const fn log(&self) -> &LogArgs {
        match self {
            Self::Run(args) => &args.log,
            Self::Install(args) => &args.log,
            Self::Uninstall(args) => &args.log,
        }
    }
}

impl Args {
    /// What is to be kept on the node, if anything is.
    pub(crate) fn installation(&self) -> Result<Option<Installation>> {
        let Self { install, place, entry, run_dir, log, .. } = self;
        install
            .then(|| place.installation(entry.entry(run_dir.on_the_host(), log)?, entry))
            .transpose()
    }
}

impl InstallArgs {
    pub(crate) fn installation(&self) -> Result<Installation> {
        let Self { run_dir, place, entry, log } = self;
        place.installation(entry.entry(run_dir.on_the_host(), log)?, entry)
    }
}

fn command() -> clap::Command {
    with_switches(Args::command())
        .subcommand(with_switches(InstallArgs::command()))
        .subcommand(with_switches(UninstallArgs::command()))
        .subcommand_negates_reqs(true)
        .args_conflicts_with_subcommands(true)
}

/// The values of all flags, those by default too. Groups of flags have none of their own.
fn told(matches: &ArgMatches) -> BTreeMap<String, String> {
    let values = |id: &str| {
        let raw = matches.try_get_raw(id).ok().flatten()?;
        Some(raw.map(|value| value.to_string_lossy()).collect::<Vec<_>>().join(" "))
    };
    let command = command();
    let flags = command.get_arguments().map(|argument| argument.get_id().as_str());
    flags.filter_map(|id| Some((id.replace('_', "-"), values(id)?))).collect()
}

/// The name becomes a part of a field selector.
fn node_name(text: &str) -> Result<String, &'static str> {
    let is_good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    if !text.is_empty() && text.len() <= 253 && text.bytes().all(is_good) {
        Ok(text.to_owned())
    } else {
        Err("a node's name has lower-case letters, digits, `-` and `.`, at most 253")
    }
}

#[cfg(test)]
mod tests;
