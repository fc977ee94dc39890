// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How often there was each verdict, for `--count`.

use std::{cmp::Reverse, collections::BTreeMap};

use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::{
    super::output::{self, Format},
    shown::Shown,
};

/// Counts verdicts by pod and reason.
#[derive(Default)]
pub(super) struct Tally(BTreeMap<(String, &'static str), (&'static str, u64)>);

/// A row, as `--output json` prints it.
#[derive(Debug, Serialize)]
struct Row<'a> {
    count: u64,
    pod: &'a str,
    verdict: &'static str,
    reason: &'static str,
}

impl Tally {
    pub(super) fn add(&mut self, pod: &str, shown: &Shown<'_>) {
        self.0.entry((pod.to_owned(), shown.reason)).or_insert((shown.verdict, 0)).1 += 1;
    }

    /// Prints the most frequent first.
    pub(super) fn print(&self, format: Format) -> Result<()> {
        let mut rows: Vec<Row<'_>> = self
            .0
            .iter()
            .map(|((pod, reason), (verdict, count))| Row { count: *count, pod, verdict, reason })
            .collect();
        rows.sort_by_key(|row| Reverse(row.count));
        match format {
            Format::Json => output::json(&rows),
            Format::Text if rows.is_empty() => output::text("No verdict"),
            Format::Text => {
                let mut table = Table::new();
                table
                    .load_style(presets::NOTHING)
                    .set_content_arrangement(ContentArrangement::Disabled)
                    .add_rows(rows.iter().map(|row| {
                        [row.count.to_string(), row.pod.to_owned(), row.verdict.to_owned(), row.reason.to_owned()]
                    }));
                table.lines().try_for_each(|line| output::text(line.trim()))
            }
        }
    }
}
