// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Carries an experiment out: all contenders have a turn in every round, in an order drawn anew. It knows nothing of
//! what they do.

use anyhow::Context as _;
use hdrhistogram::Histogram;
use rand::seq::SliceRandom as _;

use super::{
    outcome::{Better, Outcome, Percentiles, Round, Series, Unit},
    rounds::Rounds,
};
use crate::{stage::Unavailable, stats::quantile};

/// An experiment, ready to be carried out.
pub struct Plan<'a> {
    pub name: String,
    pub title: String,
    pub unit: Unit,
    pub better: Better,
    pub contenders: Vec<Contender<'a>>,
}

/// Who takes part, and what is done when it is their turn: the values measured.
pub struct Contender<'a> {
    pub label: String,
    pub turn: Result<Turn<'a>, Unavailable>,
}

type Turn<'a> = Box<dyn FnMut() -> anyhow::Result<Vec<f64>> + 'a>;

/// Three digits of each duration are kept.
const DIGITS: u8 = 3;

impl<'a> Contender<'a> {
    pub fn new(label: impl Into<String>, turn: impl FnMut() -> anyhow::Result<Vec<f64>> + 'a) -> Self {
        Self { label: label.into(), turn: Ok(Box::new(turn)) }
    }

    pub fn unavailable(label: impl Into<String>, why: Unavailable) -> Self {
        Self { label: label.into(), turn: Err(why) }
    }
}

impl Plan<'_> {
    /// One turn each that does not count, then the rounds.
    pub(super) fn carry_out(self, rounds: &mut Rounds<'_>) -> anyhow::Result<Outcome> {
        let Self { name, title, unit, better, contenders } = self;
        let mut series = Vec::new();
        let mut turns = Vec::new();
        for Contender { label, turn } in contenders {
            let (unavailable, turn) = turn.map_or_else(|why| (Some(why), None), |turn| (None, Some(turn)));
            if let Some(turn) = turn {
                turns.push((series.len(), turn, Histogram::<u64>::new(DIGITS).context("make a histogram")?));
            }
            series.push(Series { label, rounds: Vec::new(), percentiles: None, unavailable });
        }
        rounds.begin(&title);
        for (_, turn, _) in &mut turns {
            rounds.check()?;
            turn().with_context(|| format!("{name}, warming up"))?;
        }
        for _ in 0..rounds.count() {
            turns.shuffle(rounds.chance());
            for (index, turn, histogram) in &mut turns {
                rounds.check()?;
                let Series { label, rounds: taken, .. } = &mut series[*index];
                let values = turn().with_context(|| format!("{name}, {label}"))?;
                for value in &values {
                    histogram
                        .record(whole(*value))
                        .with_context(|| format!("{name}, {label}: {value} is out of range"))?;
                }
                taken.push(Round {
                    median: quantile(&values, 0.5),
                    p99: quantile(&values, 0.99),
                    values: values.len(),
                });
            }
            rounds.advance();
        }
        for (index, _, histogram) in &turns {
            let several = series[*index].rounds.iter().any(|round| round.values > 1);
            series[*index].percentiles = several.then(|| Percentiles::of(histogram));
        }
        Ok(Outcome { name, title, unit, better, series })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float becomes the nearest integer there is"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}
