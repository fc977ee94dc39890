// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The summary of a run in Markdown, for documents. It leaves out what is noise.

use std::fmt::Write as _;

use super::{results::Report, show};
use crate::{
    experiment::{Outcome, Series},
    stage::Variant,
    stats::SPREAD_BOUND,
    targets::{Mark, Target},
};

/// What a README says of the run, in Markdown.
pub(super) fn summary(report: &Report) -> String {
    let mut text = format!(
        "`{}`: {} rounds on {}. Medians; in brackets the ratio to no interception (`direct`). A figure whose rounds \
         spread by more than \
         {:.0} % of the median is called noise and compared with nothing.\n",
        report.command,
        report.rounds,
        report.machine,
        SPREAD_BOUND * 100.0
    );
    let by_variant = |outcome: &&Outcome| outcome.of(Variant::Ebpf.name()).is_some();
    let (compared, others): (Vec<&Outcome>, Vec<&Outcome>) = report.outcomes.iter().partition(by_variant);
    if !compared.is_empty() {
        row(&mut text, "\n| |", Variant::ALL.iter().map(|variant| format!(" {variant} |")));
        row(&mut text, "|---|", Variant::ALL.iter().map(|_| "---|".to_owned()));
        for outcome in compared {
            let cells = Variant::ALL
                .iter()
                .map(|variant| format!(" {} |", cell(report, outcome, variant.name())));
            row(&mut text, &format!("| {} |", outcome.title), cells);
        }
        for outcome in report.outcomes.iter().filter(by_variant) {
            let other = |series: &&Series| Variant::ALL.iter().all(|variant| variant.name() != series.label);
            for Series { label, .. } in outcome.series.iter().filter(other) {
                row(
                    &mut text,
                    &format!("\n{}, {label}:", outcome.title),
                    [format!(" {}", cell(report, outcome, label))].into_iter(),
                );
            }
        }
    }
    for outcome in others {
        let cells = outcome
            .series
            .iter()
            .map(|series| format!(" {}: {};", series.label, cell(report, outcome, &series.label)));
        row(&mut text, &format!("\n{}:", outcome.title), cells);
    }
    if !report.targets.is_empty() {
        text.push_str("\n| figure | must | aim | reached | |\n|---|---|---|---|---|\n");
        for target in &report.targets {
            text.push_str(&target_row(target));
        }
    }
    text
}

fn row(text: &mut String, first: &str, cells: impl Iterator<Item = String>) {
    writeln!(text, "{first}{}", cells.collect::<String>()).expect("write to a string");
}

fn cell(report: &Report, outcome: &Outcome, label: &str) -> String {
    let is_unavailable = |series: &&Series| series.label == label && series.unavailable.is_some();
    if outcome.series.iter().any(|series| is_unavailable(&series)) {
        return "unavailable".to_owned();
    }
    let figure = report
        .figures
        .iter()
        .find(|figure| figure.experiment == outcome.name && figure.contender == label);
    let Some(figure) = figure else { return String::new() };
    let median = show::value(figure.median, outcome.unit);
    if !figure.is_result {
        return format!("noise ({median})");
    }
    let first = figure
        .ratios
        .first()
        .filter(|ratio| ratio.to == Variant::Direct.name() || ratio.to.contains(", "));
    first
        .and_then(|ratio| ratio.ratio)
        .map_or_else(|| median.clone(), |ratio| format!("{median} ({:.2})", ratio.value))
}

fn target_row(Target { what, must, aim, reached, mark }: &Target) -> String {
    let reached = reached.map_or_else(String::new, show::interval);
    let mark = match mark {
        Mark::Aim => "aim",
        Mark::Must => "must",
        Mark::Missed => "**missed**",
        Mark::Unknown(why) => why,
    };
    format!("| {what} | {must} | {aim} | {reached} | {mark} |\n")
}
