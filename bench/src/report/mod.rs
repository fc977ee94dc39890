// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is told of a run: tables on the terminal, `results.json`, a plot for each experiment, and `summary.md` for a
//! README.

mod figures;
mod machine;
mod plot;
mod results;
mod show;
mod summary;
mod tables;
mod write;

pub use figures::{Figure, Ratio, figures};
pub use machine::Machine;
pub use results::Report;
pub use tables::{outcome_table, targets_table};
pub use write::write;
