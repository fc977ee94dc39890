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
/// Pods of another version of the ABI are taken over as well, if this build knows that version, and no pod has this one
/// yet. Otherwise they keep their programs, and a warning tells how many there are.
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
    output::text(match &upgrade {
        None => "Nothing to do: no pod is enrolled".to_owned(),
        Some(upgrade) => told(upgrade, would),
    })?;
    warn_of_other_versions(&node, upgrade.as_ref())?;
    Ok(ExitCode::SUCCESS)
}

fn told(upgrade: &Upgrade, would: bool) -> String {
    let Upgrade { from, to, from_abi, to_abi, pods } = upgrade;
    let pods = if *pods == 1 { "1 pod".to_owned() } else { format!("{pods} pods") };
    if upgrade.is_done() {
        return format!("Nothing to do: the programs of {pods} are of build {to} already");
    }
    let from = from
        .as_ref()
        .map_or_else(|| "an unknown build".to_owned(), |from| format!("build {from}"));
    let verb = if would { "Would replace" } else { "Replaced" };
    let told = format!("{verb} the programs of {pods}: {from} by build {to}");
    if from_abi == to_abi {
        told
    } else {
        format!("{told}, ABI version {from_abi} by {to_abi}")
    }
}

/// Those that the upgrade concerns are told of already.
fn warn_of_other_versions(node: &Node, upgrade: Option<&Upgrade>) -> Result<()> {
    let told: Vec<String> = upgrade
        .iter()
        .flat_map(|upgrade| [upgrade.from_abi, upgrade.to_abi])
        .map(|version| format!("v{version}"))
        .collect();
    let others = node.pods_of_other_versions()?.into_iter();
    for (version, pods) in others.filter(|(version, _)| !told.contains(version)) {
        let keep = if pods == 1 { "1 pod keeps".to_owned() } else { format!("{pods} pods keep") };
        output::warning(format_args!(
            "{keep} the programs of ABI version {version}, which this build does not take over: `interceptor upgrade \
             --rollback` of the build that has them may give them back; otherwise enroll them again"
        ));
    }
    Ok(())
}
