// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tables of a run for the terminal. They show every figure, also one that is noise.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::{
    figures::{Figure, figures},
    show,
};
use crate::{
    experiment::Outcome,
    stats::SPREAD_BOUND,
    targets::{Mark, Target},
};

/// One experiment, for the terminal.
pub fn outcome_table(outcome: &Outcome, seed: u64) -> String {
    let figures = figures(outcome, seed);
    let mut baselines: Vec<String> = Vec::new();
    for name in outcome.series.iter().map(|series| baseline_name(&series.label)) {
        let compared_with = figures
            .iter()
            .flat_map(|figure| &figure.ratios)
            .any(|ratio| baseline_name(&ratio.to) == name);
        if compared_with && !baselines.contains(&name) {
            baselines.push(name);
        }
    }
    let mut table = table();
    let fixed = ["", "median", "p99", "spread"].map(str::to_owned);
    table.set_header(fixed.into_iter().chain(baselines.iter().map(|name| format!("÷ {name}"))));
    for figure in &figures {
        table.add_row(row(outcome, figure, &baselines));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let absent = outcome
        .series
        .iter()
        .filter_map(|series| Some((&series.label, series.unavailable.as_ref()?)));
    let absent: Vec<String> = absent.map(|(label, why)| format!("\n {label} is unavailable: {why}")).collect();
    format!("{}\n{table}{}", outcome.title, absent.concat())
}

fn row(outcome: &Outcome, figure: &Figure, baselines: &[String]) -> Vec<String> {
    let Figure { contender, median, p99, spread, is_result, ratios, .. } = figure;
    let spread = show::percent(spread.0);
    let mut cells = vec![
        contender.clone(),
        show::value(*median, outcome.unit),
        p99.map_or_else(String::new, |p99| show::value(p99, outcome.unit)),
        if *is_result { spread } else { format!("{spread}: NOISE") },
    ];
    cells.extend(baselines.iter().map(|baseline| {
        let ratio = ratios.iter().find(|ratio| baseline_name(&ratio.to) == *baseline);
        ratio.map_or_else(String::new, |ratio| {
            ratio.ratio.map_or_else(|| "no result".to_owned(), show::interval)
        })
    }));
    cells
}

/// `ebpf, 0 excluded ranges` and `iptables-nft, 0 excluded ranges` share a column.
fn baseline_name(label: &str) -> String {
    label.split_once(", ").map_or(label, |(_, number)| number).to_owned()
}

/// What was aimed at, and what was reached.
pub fn targets_table(targets: &[Target]) -> String {
    let mut table = table();
    table.set_header(["figure", "must", "aim", "reached", ""]);
    for Target { what, must, aim, reached, mark } in targets {
        let reached = reached.map_or_else(String::new, show::interval);
        let mark = match mark {
            Mark::Aim => "aim reached".to_owned(),
            Mark::Must => "must reached".to_owned(),
            Mark::Missed => "MISSED".to_owned(),
            Mark::Unknown(why) => why.clone(),
        };
        table.add_row([what.clone(), must.clone(), aim.clone(), reached, mark]);
    }
    format!(
        "{table}\nReached means that the whole confidence interval lies within; noise is a spread of more than {:.0} \
         %.",
        SPREAD_BOUND * 100.0
    )
}

fn table() -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table
}
