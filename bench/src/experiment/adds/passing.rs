// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What our plugin takes for a pod that has no sidecar, about which it asks nobody.

use std::{fs, path::Path, process::Command, time::Instant};

use anyhow::Context as _;
use serde_json::json;
use testkit::Node;

use super::chain::{Sandbox, command, entry, run as run_to_its_end};
use crate::experiment::{
    lab::Lab,
    outcome::{Better, Outcome, Unit},
    plan::{Contender, Plan},
};

/// Starts of a program in one turn.
const TIMES: usize = 100;

pub(super) fn run(lab: &mut Lab<'_>, plugin: &Path) -> anyhow::Result<Outcome> {
    let size = fs::metadata(plugin)
        .with_context(|| format!("look at {}", plugin.display()))?
        .len();
    let node = Node::new();
    let pod = Sandbox::of(&node.pod("passes"));
    let mut entry = entry(&node.run_dir(), &pod, false);
    entry["prevResult"] = json!({ "cniVersion": entry["cniVersion"], "ips": [{ "address": "10.60.0.2/16" }] });
    let entry = entry.to_string();
    let turn = |command: &dyn Fn() -> Command| (0..TIMES).map(|_| time(&mut command(), &entry)).collect();
    let contenders = vec![
        Contender::new("interceptor-cni", || turn(&|| command(plugin, "ADD", &pod))),
        Contender::new("a program that does nothing", || turn(&|| Command::new("true"))),
    ];
    lab.run(Plan {
        name: "adds-passing".to_owned(),
        title: format!("the CNI plugin ({} KiB) for a pod that is not injected", size / 1024),
        unit: Unit::Nanoseconds,
        better: Better::Less,
        contenders,
    })
}

/// In nanoseconds, from the start of the program to its end.
fn time(command: &mut Command, input: &str) -> anyhow::Result<f64> {
    let start = Instant::now();
    run_to_its_end(command, input)?;
    Ok(start.elapsed().as_secs_f64() * 1e9)
}
