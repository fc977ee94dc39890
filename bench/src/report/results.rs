// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Everything that a run found out, as `results.json` has it. Writes nothing.

use serde::Serialize;

use super::{
    figures::{Figure, figures},
    machine::Machine,
};
use crate::{experiment::Outcome, stats::SPREAD_BOUND, targets::Target};

#[derive(Serialize)]
pub struct Report {
    pub machine: Machine,
    /// How the run was started.
    pub command: String,
    pub rounds: usize,
    /// Where chance began.
    pub seed: u64,
    /// A figure whose rounds spread wider is not called a result.
    pub spread_bound: f64,
    pub outcomes: Vec<Outcome>,
    pub figures: Vec<Figure>,
    pub targets: Vec<Target>,
}

impl Report {
    pub fn new(machine: Machine, command: String, rounds: usize, seed: u64, outcomes: Vec<Outcome>) -> Self {
        let figures = outcomes.iter().flat_map(|outcome| figures(outcome, seed)).collect();
        let targets = crate::targets::reached(&outcomes, seed);
        Self {
            machine,
            command,
            rounds,
            seed,
            spread_bound: SPREAD_BOUND,
            outcomes,
            figures,
            targets,
        }
    }
}
