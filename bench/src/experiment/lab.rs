// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What all experiments share: the pods, the rounds and how much is done. Knows no experiment.

use std::path::PathBuf;

use rand::RngExt as _;
use testkit::{Interrupt, Node};

use super::{
    outcome::Outcome,
    plan::{Contender, Plan},
    rounds::Rounds,
};
use crate::{
    progress::Progress,
    stage::{Place, Unavailable, Variant},
    worker::{Cpus, Took},
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
    rounds: Rounds<'a>,
    node: &'a Node,
    /// Where another build enrolls its pods: two versions of the kernel programs never share a BPF file system.
    pub against: Option<&'a Node>,
    /// A pod for each way to intercept; made when the first experiment asks for them.
    places: Vec<(Variant, Result<Place<'a>, Unavailable>)>,
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
        Self { effort, cpus, envoy: None, rounds, node, against: None, places: Vec::new() }
    }

    /// Carries an experiment out that brings what it needs along.
    pub(super) fn run(&mut self, plan: Plan<'_>) -> anyhow::Result<Outcome> {
        plan.carry_out(&mut self.rounds)
    }

    /// Carries an experiment out in the pods that all experiments share, beside the plan's own contenders. `turn` is
    /// what each of them does.
    pub(super) fn run_in_places(
        &mut self,
        plan: Plan<'_>,
        turn: impl Fn(&mut Place<'a>) -> anyhow::Result<Vec<f64>> + Copy,
    ) -> anyhow::Result<Outcome> {
        self.make_places();
        let contenders = self.places.iter_mut().map(|(variant, place)| match place {
            Ok(place) => Contender::new(variant.name(), move || turn(place)),
            Err(why) => Contender::unavailable(variant.name(), why.clone()),
        });
        let contenders = contenders.chain(plan.contenders).collect();
        Plan { contenders, ..plan }.carry_out(&mut self.rounds)
    }

    /// One more pod in which nothing is intercepted.
    pub(super) fn another_place(&self, name: &str) -> anyhow::Result<Place<'a>> {
        Place::new(self.node, name, Variant::Direct, &[], self.cpus).map_err(|why| anyhow::anyhow!("{name}: {why}"))
    }

    /// The pods that all experiments share, but for those that cannot be had.
    pub(super) fn places(&mut self) -> impl Iterator<Item = &mut Place<'a>> {
        self.make_places();
        self.places.iter_mut().filter_map(|(_, place)| place.as_mut().ok())
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

    fn make_places(&mut self) {
        if self.places.is_empty() {
            self.rounds.begin("making the pods");
            let own = Variant::ALL.map(|variant| (variant, self.node));
            let other = self.against.map(|node| (Variant::OtherBuild, node));
            for (variant, node) in own.into_iter().chain(other) {
                let name = format!("pod-{}", variant.name().replace(['+', ' '], "-"));
                self.places.push((variant, Place::new(node, &name, variant, &[], self.cpus)));
            }
        }
    }
}

/// The durations, as values of an experiment.
#[expect(clippy::cast_precision_loss, reason = "durations have fewer than 53 bits")]
pub(super) fn durations(took: &Took) -> Vec<f64> {
    took.nanoseconds.iter().map(|nanoseconds| *nanoseconds as f64).collect()
}
