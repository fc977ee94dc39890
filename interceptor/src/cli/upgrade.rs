// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor upgrade`: gives enrolled pods the kernel programs of this build, or those that they had before.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::{node_args::NodeArgs, output};
use crate::{Node, Upgrade};

/// Give enrolled pods the kernel programs of this build
///
/// Open connections go on, and no connection passes by the sidecar meanwhile: each program is exchanged in one step.
/// Nothing else of a pod changes. If a run is killed, pods are intercepted by programs of both builds; run it again.
///
/// Pods that another version of the ABI enrolled keep their programs. A warning tells how many there are.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  interceptor upgrade --dry-run
  interceptor upgrade
  interceptor upgrade --rollback

Exit status: 0 done, also if there was nothing to do; 1 failed; 2 wrong usage; 75 another run holds the lock.")]
pub(super) struct UpgradeArgs {
    /// Give the pods the programs back that the last upgrade replaced. The same again goes forward
    #[arg(long)]
    rollback: bool,

    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    node: NodeArgs,
}

pub(super) fn run(args: &UpgradeArgs) -> Result<ExitCode> {
    let UpgradeArgs { rollback, dry_run, node: flags } = args;
    let node = flags.open()?;
    let (upgrade, would) = match (dry_run, rollback) {
        (true, back) => (node.plan_upgrade(*back)?, true),
        (false, true) => (node.roll_back(flags.wait())?, false),
        (false, false) => (node.upgrade(flags.wait())?, false),
    };
    output::text(match upgrade {
        None => "Nothing to do: no pod is enrolled".to_owned(),
        Some(upgrade) => told(&upgrade, would),
    })?;
    warn_of_other_versions(&node)?;
    Ok(ExitCode::SUCCESS)
}

fn told(upgrade: &Upgrade, would: bool) -> String {
    let Upgrade { from, to, pods } = upgrade;
    let pods = if *pods == 1 { "1 pod".to_owned() } else { format!("{pods} pods") };
    if upgrade.is_done() {
        return format!("Nothing to do: the programs of {pods} are of build {to} already");
    }
    let from = from
        .as_ref()
        .map_or_else(|| "an unknown build".to_owned(), |from| format!("build {from}"));
    let verb = if would { "Would replace" } else { "Replaced" };
    format!("{verb} the programs of {pods}: {from} by build {to}")
}

fn warn_of_other_versions(node: &Node) -> Result<()> {
    for (version, pods) in node.pods_of_other_versions()? {
        output::warning(format_args!(
            "{pods} more enrolled by ABI version {version} keep their programs until they end or are enrolled again"
        ));
    }
    Ok(())
}
