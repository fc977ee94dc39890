// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `interceptor unenroll`, which is also `clean`: ends the enrollment of a pod, or of all.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;

use super::{data_path, node_args::NodeArgs, output, pods::RunDirFlag};
use crate::{EnrollError, Netns, records::PodName};

/// Unenroll a pod, or all pods
///
/// Existing connections are kept. New connections are no longer redirected. Rules of iptables are removed if this
/// program wrote them (--data-path).
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  interceptor unenroll --netns /run/netns/web
  interceptor unenroll --pod default/web-0
  interceptor unenroll --all

clean is another name of this command. istio-clean-iptables takes the flags of Istio's command of
that name, and unenrolls the pod in which it runs.

Exit status: 0 done, also if nothing was enrolled; 1 failed; 2 wrong usage; 75 another run holds the lock.")]
pub(super) struct UnenrollArgs {
    #[command(flatten)]
    which: Which,

    #[command(flatten)]
    node: NodeArgs,

    #[command(flatten)]
    run_dir: RunDirFlag,
}

#[derive(Args, Debug)]
#[group(multiple = false)]
struct Which {
    /// Network namespace of the pod
    #[arg(long, value_name = "PATH", default_value = "/proc/self/ns/net")]
    netns: PathBuf,

    /// Pod that the node agent enrolled, by its name in Kubernetes
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pod: Option<PodName>,

    /// Every pod of the node, and everything that any version has pinned. Pods with rules of iptables are those that
    /// are noted in --run-dir
    #[arg(long)]
    all: bool,
}

pub(super) fn run(args: &UnenrollArgs) -> Result<ExitCode> {
    let UnenrollArgs { which: Which { netns, pod, all }, node, run_dir } = args;
    let (existed, what) = if *all {
        (unenroll_all(node, run_dir)?, None)
    } else if let Some(pod) = pod {
        (unenroll_named(pod, node, run_dir)?, Some(format!("the pod {pod}")))
    } else {
        let netns = Netns::open(netns)?;
        (data_path::unenroll(&netns, node, run_dir)?, Some(netns.name().to_owned()))
    };
    output::text(match (existed, what) {
        (true, None) => "Unenrolled every pod".to_owned(),
        (true, Some(pod)) => format!("Unenrolled {pod}"),
        (false, None) => "Nothing to do: no pod was enrolled".to_owned(),
        (false, Some(pod)) => format!("Nothing to do: {pod} was not enrolled"),
    })?;
    Ok(ExitCode::SUCCESS)
}

fn unenroll_all(node: &NodeArgs, run_dir: &RunDirFlag) -> Result<bool> {
    let had_rules = data_path::remove_noted(node, run_dir, |_noted| true)?;
    match node.open() {
        Err(EnrollError::NotBpffs { .. } | EnrollError::NoSuchDirectory { .. }) if had_rules => Ok(true),
        opened => {
            let existed = opened?.unenroll_all(node.wait())?;
            run_dir.forget(|_record| true);
            Ok(existed | had_rules)
        }
    }
}

fn unenroll_named(pod: &PodName, node: &NodeArgs, run_dir: &RunDirFlag) -> Result<bool> {
    let mut records = run_dir.read()?;
    records.retain(|record| record.pod == *pod);
    if data_path::remove_noted(node, run_dir, |noted| data_path::is_of(noted, &records))? {
        return Ok(true);
    }
    let (node, wait) = (node.open()?, node.wait());
    let mut existed = false;
    for record in run_dir.of_enrolled(&node, pod)? {
        existed |= node.unenroll_cookie(record.netns_cookie, wait)?;
        run_dir.forget(|forgotten| *forgotten == record);
    }
    Ok(existed)
}
