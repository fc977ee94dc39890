// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is told of a run: tables on the terminal, `results.json`, a plot for each experiment, and `summary.md` for a
//! README.

mod figures;
mod machine;
mod plot;
mod show;
mod summary;
mod tables;

pub use figures::{Figure, Ratio, figures};
pub use machine::Machine;
pub use tables::{outcome_table, targets_table};

use std::{fs, path::Path};

use anyhow::Context as _;
use serde::Serialize;

use crate::{experiment::Outcome, stats::SPREAD_BOUND, targets::Target};

/// Everything that a run found out, as `results.json` has it.
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

    /// Writes all files to `directory`, which is made if it is not there.
    pub fn write(&self, directory: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(directory).with_context(|| format!("make {}", directory.display()))?;
        let write = |name: &str, text: String| {
            let path = directory.join(name);
            fs::write(&path, text).with_context(|| format!("write {}", path.display()))
        };
        write(
            "results.json",
            serde_json::to_string_pretty(self).context("turn the results into JSON")? + "\n",
        )?;
        write("summary.md", summary::summary(self))?;
        for outcome in &self.outcomes {
            write(
                &format!("{}.svg", outcome.name),
                plot::plot(outcome).with_context(|| format!("plot {}", outcome.name))?,
            )?;
        }
        Ok(())
    }
}
