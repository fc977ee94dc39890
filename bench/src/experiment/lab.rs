// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What all experiments share: the pods, the rounds and how much is done. Knows no experiment.

use std::path::PathBuf;

use anyhow::Context as _;
use rand::RngExt as _;
use testkit::{Interrupt, Node};

use super::{
    outcome::Outcome,
    plan::{Contender, Plan},
    rounds::Rounds,
};
use crate::{
    progress::Progress,
    stage::{MeasuredPod, Unavailable, Variant},
    worker::{Cpus, Sample},
};

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    pub rounds: usize,
    /// Of two numbers the smaller is taken.
    pub quick: bool,
}

impl Effort {
    pub const fn pick<T: Copy>(self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }
}

/// Everything that experiments share.
pub struct Lab<'a> {
    pub effort: Effort,
    pub cpus: Cpus,
    /// The program, for experiments with it.
    pub envoy: Option<PathBuf>,
    /// The folder of the programs as they are shipped, for experiments with the agent.
    pub shipped: Option<PathBuf>,
    rounds: Rounds<'a>,
    node: &'a Node,
    /// Where another build enrolls its pods: two versions of the kernel programs never share a BPF file system.
    pub against: Option<&'a Node>,
    /// A pod for each way to intercept; made when the first experiment asks for them.
    pods: Vec<(Variant, Result<MeasuredPod<'a>, Unavailable>)>,
}

impl<'a> Lab<'a> {
    pub fn new(
        node: &'a Node,
        effort: Effort,
        cpus: Cpus,
        seed: u64,
        progress: &'a Progress,
        interrupt: &'a Interrupt,
    ) -> Self {
        let rounds = Rounds::new(effort.rounds, seed, progress, interrupt);
        Self {
            effort,
            cpus,
            envoy: None,
            shipped: None,
            rounds,
            node,
            against: None,
            pods: Vec::new(),
        }
    }

    /// Carries an experiment out that brings what it needs along.
    pub(super) fn run(&mut self, plan: Plan<'_>) -> anyhow::Result<Outcome> {
        plan.carry_out(&mut self.rounds)
    }

    /// Carries an experiment out in the pods that all experiments share, beside the plan's own contenders. `turn` is
    /// what each of them does.
    pub(super) fn run_in_pods(
        &mut self,
        plan: Plan<'_>,
        turn: impl Fn(&mut MeasuredPod<'a>) -> anyhow::Result<Vec<f64>> + Copy,
    ) -> anyhow::Result<Outcome> {
        self.make_pods();
        let contenders = self.pods.iter_mut().map(|(variant, pod)| match pod {
            Ok(pod) => Contender::new(variant.name(), move || turn(pod)),
            Err(why) => Contender::unavailable(variant.name(), why.clone()),
        });
        let contenders = contenders.chain(plan.contenders).collect();
        Plan { contenders, ..plan }.carry_out(&mut self.rounds)
    }

    /// The folder of the programs as they are shipped.
    pub(super) fn shipped(&self) -> anyhow::Result<PathBuf> {
        let folder = self.shipped.clone();
        folder.context("--shipped DIR has to name the folder of the programs, which `cargo xtask bench` does")
    }

    /// One more pod in which nothing is intercepted.
    pub(super) fn another_pod(&self, name: &str) -> anyhow::Result<MeasuredPod<'a>> {
        MeasuredPod::new(self.node, name, Variant::Direct, &[], self.cpus)
            .map_err(|why| anyhow::anyhow!("{name}: {why}"))
    }

    /// The pods that all experiments share, except those that cannot be had.
    pub(super) fn pods(&mut self) -> impl Iterator<Item = &mut MeasuredPod<'a>> {
        self.make_pods();
        self.pods.iter_mut().filter_map(|(_, pod)| pod.as_mut().ok())
    }

    pub(super) fn begin(&self, what: &str) {
        self.rounds.begin(what);
    }

    pub(super) fn check(&self) -> anyhow::Result<()> {
        self.rounds.check()
    }

    pub(super) fn seed(&mut self) -> u64 {
        self.rounds.chance().random()
    }

    fn make_pods(&mut self) {
        if self.pods.is_empty() {
            self.rounds.begin("making the pods");
            let own = Variant::ALL.map(|variant| (variant, self.node));
            let other = self.against.map(|node| (Variant::OtherBuild, node));
            for (variant, node) in own.into_iter().chain(other) {
                let name = format!("pod-{}", variant.name().replace(['+', ' '], "-"));
                self.pods
                    .push((variant, MeasuredPod::new(node, &name, variant, &[], self.cpus)));
            }
        }
    }
}

/// The durations, as values of an experiment.
#[expect(clippy::cast_precision_loss, reason = "durations have fewer than 53 bits")]
pub(super) fn durations(took: &Sample) -> Vec<f64> {
    took.nanoseconds.iter().map(|nanoseconds| *nanoseconds as f64).collect()
}
