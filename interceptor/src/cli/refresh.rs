// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor refresh`: lets the policies of pods follow their networks, as the node agent does where it runs. It
//! needs neither the agent nor an API server.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;

use super::{node_args::NodeArgs, output, pods::RunDirFlag};
use crate::{
    Change, Node,
    records::{PodName, Record},
};

/// Read the addresses, interfaces and routes of enrolled pods again, and let their policies follow
///
/// A pod keeps the settings that the node agent enrolled it with. If its network has changed, it is switched at one
/// instant, and open connections stay. Where the agent runs, it does the same by itself.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  interceptor refresh --pod default/web-0
  interceptor refresh --all

Exit status: 0 done, also if nothing had changed; 1 failed for a pod; 2 wrong usage; 75 another run holds the lock.")]
pub(super) struct RefreshArgs {
    #[command(flatten)]
    which: Which,

    #[command(flatten)]
    node: NodeArgs,

    #[command(flatten)]
    run_dir: RunDirFlag,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Which {
    /// Pod that the node agent enrolled, by its name in Kubernetes
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pod: Option<PodName>,

    /// Every pod that the node agent enrolled
    #[arg(long)]
    all: bool,
}

pub(super) fn run(args: &RefreshArgs) -> Result<ExitCode> {
    let RefreshArgs { which: Which { pod, all: _ }, node: node_args, run_dir } = args;
    let node = node_args.open()?;
    let records = match pod {
        Some(pod) => run_dir.of_enrolled(&node, pod)?.pop().into_iter().collect(),
        None => run_dir.all_enrolled(&node)?,
    };
    if records.is_empty() {
        output::text("The node agent has enrolled no pod")?;
    }
    let mut failed = Vec::new();
    for record in records {
        let pod = record.pod.clone();
        match refresh(args, &node, record).with_context(|| format!("Failed to refresh the pod {pod}")) {
            Ok(Change::Nothing) => output::text(format_args!("{pod}: nothing has changed"))?,
            Ok(Change::Mend) => output::text(format_args!("{pod}: what its network had lost is put back"))?,
            Ok(Change::Switch | Change::Enroll) => {
                output::text(format_args!("{pod}: its network has changed, and its policy with it"))?;
            }
            Err(error) => failed.push(error),
        }
    }
    // One pod's fault does not keep the others from being refreshed.
    let last = failed.pop();
    for error in &failed {
        output::error(error);
    }
    last.map_or(Ok(ExitCode::SUCCESS), Err)
}

fn refresh(RefreshArgs { node: node_args, run_dir, .. }: &RefreshArgs, node: &Node, record: Record) -> Result<Change> {
    let netns = RunDirFlag::open_netns(&record)?;
    let wanted = record.wanted()?;
    let in_force = || Ok::<_, anyhow::Error>(node.enrollment(record.netns_cookie)?.map(|pod| pod.fingerprint));
    let is_ours = record.fingerprint.is_none() || record.fingerprint == in_force()?;
    if !is_ours && node.plan_refresh(&netns, &wanted)?.plan.change == Change::Switch {
        bail!(
            "The pod has other settings than those that the node agent enrolled it with; run `interceptor enroll` with \
             the flags that it should have"
        );
    }
    let change = node.refresh(&netns, &wanted, node_args.wait())?.plan.change;
    let fingerprint = in_force()?;
    if record.fingerprint != fingerprint {
        run_dir.write(&Record { fingerprint, ..record })?;
    }
    Ok(change)
}
