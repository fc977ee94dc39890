// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What an upgrade of a node takes (`interceptor upgrade`), and how long requests wait meanwhile that are made all the
//! time. One that fails ends the benchmark.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};

use anyhow::ensure;
use testkit::{Node, OtherBuild, Run};

use super::{
    enroll::small_pod,
    lab::{Lab, durations},
    outcome::{Better, Outcome, Unit},
    plan::{Contender, Plan},
};
use crate::{
    stage::{MeasuredPod, Variant},
    worker::{Destinations, Work},
};

/// Requests for each second, each with a connection of its own.
const PER_SECOND: f64 = 2_000.0;
const REQUEST: usize = 64;

/// How many times as long as an upgrade without requests they last.
const LASTS: f64 = 4.0;

/// The pods of a node, one of which makes connections, and two builds that take turns.
struct Upgraded<'node> {
    node: &'node Node,
    pods: usize,
    pod: MeasuredPod<'node>,
    /// The next is the first.
    builds: [PathBuf; 2],
    /// In a turn.
    requests: usize,
}

/// What is made of a turn.
#[derive(Clone, Copy)]
enum Figure {
    /// The time from the start of the program to its end.
    Program,
    /// The request that waited longest.
    LongestWait,
}

pub(super) fn run(lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
    let sizes: &[usize] = lab.effort.pick(&[1, 100], &[1, 100, 500]);
    let nodes: Vec<(usize, Node)> = sizes.iter().map(|size| (*size, Node::new())).collect();
    let mut all = Vec::new();
    for (pods, node) in &nodes {
        lab.begin(&format!("enrolling {pods} pods"));
        all.push(Upgraded::new(lab, node, *pods)?);
    }
    let mut outcomes = Vec::new();
    for (figure, name, title) in [
        (Figure::Program, "upgrade", "replacing the programs of all pods of a node"),
        (
            Figure::LongestWait,
            "upgrade-wait",
            "the longest of 2,000 requests a second meanwhile",
        ),
    ] {
        let seed = lab.seed();
        let contenders = all.iter_mut().map(|upgraded| {
            let label = format!("{} {}", upgraded.pods, if upgraded.pods == 1 { "pod" } else { "pods" });
            Contender::new(label, move || upgraded.turn(figure, seed))
        });
        let contenders = contenders.collect();
        let (name, title) = (name.to_owned(), title.to_owned());
        outcomes.push(lab.run(Plan { name, title, unit: Unit::Nanoseconds, better: Better::Less, contenders })?);
    }
    Ok(outcomes)
}

impl<'node> Upgraded<'node> {
    fn new(lab: &Lab<'_>, node: &'node Node, pods: usize) -> anyhow::Result<Self> {
        let pod = MeasuredPod::new(node, "measured", Variant::Ebpf, &[], lab.cpus);
        let pod = pod.map_err(|why| anyhow::anyhow!("a pod cannot be enrolled: {why}"))?;
        for index in 1..pods {
            lab.check()?;
            small_pod(node, &format!("other-{index}")).enroll(&[]);
        }
        let builds = [OtherBuild::on(node).program, node.interceptor().to_owned()];
        let undisturbed = builds.iter().map(|program| upgrade(node, program)).fold(0.0, f64::max);
        Ok(Self { node, pods, pod, builds, requests: requests_in(LASTS * undisturbed) })
    }

    fn turn(&mut self, figure: Figure, seed: u64) -> anyhow::Result<Vec<f64>> {
        let to = Destinations::one(self.pod.server());
        let load = Work::Load { to, count: self.requests, size: REQUEST, per_second: PER_SECOND, seed };
        let [next, _] = &self.builds;
        let (sample, taken) = self.pod.turn_beside(load, || upgrade(self.node, next));
        self.builds.reverse();
        ensure!(
            requests_in(taken) < self.requests,
            "the requests ended before the upgrade, which took {taken:.3} s"
        );
        Ok(vec![match figure {
            Figure::Program => taken * 1e9,
            Figure::LongestWait => durations(&sample).into_iter().fold(0.0, f64::max),
        }])
    }
}

/// In seconds, from the start of the program to its end.
fn upgrade(node: &Node, program: &Path) -> f64 {
    let mut command = Command::new(program);
    command.args(["upgrade", "--bpffs"]).arg(node.bpffs());
    let start = Instant::now();
    let run = Run::of(command);
    let taken = start.elapsed().as_secs_f64();
    run.expect_success();
    taken
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some thousands")]
fn requests_in(seconds: f64) -> usize {
    (seconds * PER_SECOND).ceil() as usize
}
