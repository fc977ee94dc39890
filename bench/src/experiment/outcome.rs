// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What an experiment found: the values of every contender, round by round. It draws no conclusion.

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::{
    stage::Unavailable,
    stats::{Spread, median},
};

/// What an experiment found.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// A word, unique.
    pub name: String,
    /// For people.
    pub title: String,
    pub unit: Unit,
    pub better: Better,
    pub series: Vec<Series>,
}

/// Of what every value is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Nanoseconds,
    GigabitsPerSecond,
    PerSecond,
    Bytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    Less,
    More,
}

/// One contender.
#[derive(Debug, Serialize)]
pub struct Series {
    pub label: String,
    /// Empty when it could not be measured.
    pub rounds: Vec<Round>,
    /// Of all single values of all rounds, where a round has more than one.
    pub percentiles: Option<Percentiles>,
    pub unavailable: Option<Unavailable>,
}

/// One contender's turn in one round.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Round {
    pub median: f64,
    pub p99: f64,
    pub values: usize,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Percentiles {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p99_9: f64,
    pub max: f64,
}

impl Outcome {
    /// Another figure of the same turns. `values` has, for each contender, one for each round.
    pub(super) fn of_the_same_turns(&self, name: &str, title: &str, values: &[Vec<f64>]) -> Self {
        let series = self.series.iter().zip(values).map(|(series, values)| Series {
            label: series.label.clone(),
            rounds: values
                .iter()
                .map(|value| Round { median: *value, p99: *value, values: 1 })
                .collect(),
            percentiles: None,
            unavailable: series.unavailable.clone(),
        });
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            unit: self.unit,
            better: self.better,
            series: series.collect(),
        }
    }

    /// The series of a contender, if it was measured.
    pub fn of(&self, label: &str) -> Option<&Series> {
        self.series
            .iter()
            .find(|series| series.label == label && !series.rounds.is_empty())
    }
}

impl Series {
    pub fn medians(&self) -> Vec<f64> {
        self.rounds.iter().map(|round| round.median).collect()
    }

    /// The median of the rounds' medians.
    pub fn median(&self) -> f64 {
        median(&self.medians())
    }

    /// The median of the rounds' 99th percentiles, where a round has enough values to have one.
    pub fn p99(&self) -> Option<f64> {
        let tails: Vec<f64> = self
            .rounds
            .iter()
            .filter(|round| round.values >= 100)
            .map(|round| round.p99)
            .collect();
        (!tails.is_empty()).then(|| median(&tails))
    }

    pub fn spread(&self) -> Spread {
        Spread::of(&self.medians())
    }

    /// Whether there is a figure that may be called a result.
    pub fn is_result(&self) -> bool {
        !self.rounds.is_empty() && !self.spread().is_noise()
    }
}

impl Percentiles {
    #[expect(clippy::cast_precision_loss, reason = "durations and sizes have fewer than 53 bits")]
    pub(super) fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile) as f64;
        Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: histogram.max() as f64,
        }
    }
}
