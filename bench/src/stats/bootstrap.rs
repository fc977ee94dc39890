// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Confidence intervals by the bootstrap. It assumes no distribution.

use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use serde::Serialize;

use super::quantile::{median, quantile};

/// How sure an interval is.
const CONFIDENCE: f64 = 0.95;
const RESAMPLES: usize = 4_000;

/// A statistic, and where it would lie in 95 of 100 repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

/// Intervals by the percentile bootstrap (Efron 1979): the rounds that were measured are drawn again and again, with
/// replacement, and the statistic is taken of each draw.
///
/// Rounds are drawn whole: what disturbed a round disturbed all that was measured in it, so series are compared
/// within rounds.
pub struct Bootstrap(SmallRng);

impl Bootstrap {
    pub fn new(seed: u64) -> Self {
        Self(SmallRng::seed_from_u64(seed))
    }

    /// The interval of a statistic of the medians of `series`, which hold one value per round each. None when a
    /// series is shorter than the others, when there are no rounds, or when the statistic has no value.
    pub fn interval(&mut self, series: &[&[f64]], statistic: impl Fn(&[f64]) -> f64) -> Option<Interval> {
        let rounds = series.first()?.len();
        if rounds == 0 || series.iter().any(|values| values.len() != rounds) {
            return None;
        }
        let value = statistic(&series.iter().map(|values| median(values)).collect::<Vec<_>>());
        let mut drawn: Vec<f64> = (0..RESAMPLES).map(|_| statistic(&self.draw(series, rounds))).collect();
        drawn.retain(|value| value.is_finite());
        let tail = (1.0 - CONFIDENCE) / 2.0;
        let (low, high) = (quantile(&drawn, tail), quantile(&drawn, 1.0 - tail));
        [value, low, high]
            .iter()
            .all(|bound| bound.is_finite())
            .then_some(Interval { value, low, high })
    }

    fn draw(&mut self, series: &[&[f64]], rounds: usize) -> Vec<f64> {
        let chosen: Vec<usize> = (0..rounds).map(|_| self.0.random_range(0..rounds)).collect();
        let of_chosen = |values: &&[f64]| median(&chosen.iter().map(|round| values[*round]).collect::<Vec<_>>());
        series.iter().map(of_chosen).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ratio(medians: &[f64]) -> f64 {
        medians[0] / medians[1]
    }

    #[test]
    fn what_disturbs_whole_rounds_cancels() {
        // Every other round is three times slower, for both.
        let pace = |round: usize| if round.is_multiple_of(2) { 1.0 } else { 3.0 };
        let fast: Vec<f64> = (0..12).map(|round| 100.0 * pace(round)).collect();
        let slow: Vec<f64> = fast.iter().map(|value| value * 1.5).collect();
        let interval = Bootstrap::new(1).interval(&[&slow, &fast], ratio).unwrap();
        for bound in [interval.value, interval.low, interval.high] {
            assert!((bound - 1.5).abs() < 1e-9, "{interval:?}");
        }
    }

    #[test]
    fn rounds_that_differ_widen_the_interval() {
        let steady: Vec<f64> = vec![100.0; 15];
        let near: Vec<f64> = (0..15).map(|round| 99.0 + f64::from(round % 3)).collect();
        let far: Vec<f64> = (0..15).map(|round| 80.0 + 20.0 * f64::from(round % 3)).collect();
        let width = |series: &[f64]| {
            let Interval { low, high, .. } = Bootstrap::new(2).interval(&[series, &steady], ratio).unwrap();
            high - low
        };
        assert!(width(&near) < width(&far));
        assert!(width(&far) > 0.1);
    }

    /// Of intervals that are said to be right in 95 of 100 cases, about that many are.
    #[test]
    fn intervals_hold_the_truth_as_often_as_they_say() {
        let mut random = SmallRng::seed_from_u64(3);
        let mut round = || 100.0 + (0..12).map(|_| random.random_range(-1.0..1.0)).sum::<f64>();
        let cases = 200;
        let right = (0..cases).filter(|case| {
            let values: Vec<f64> = (0..15).map(|_| round()).collect();
            let Interval { low, high, .. } = Bootstrap::new(*case).interval(&[&values], |medians| medians[0]).unwrap();
            (low..=high).contains(&100.0)
        });
        let right = right.count();
        assert!((175..=200).contains(&right), "{right} of {cases}");
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let series = [1.0, 2.0, 4.0, 8.0];
        let once = |seed| Bootstrap::new(seed).interval(&[&series], |medians| medians[0]);
        assert_eq!(once(5), once(5));
    }

    #[test]
    fn nothing_and_the_incomparable_have_no_interval() {
        let mut bootstrap = Bootstrap::new(0);
        assert_eq!(bootstrap.interval(&[], |_| 1.0), None);
        assert_eq!(bootstrap.interval(&[&[]], |medians| medians[0]), None);
        assert_eq!(bootstrap.interval(&[&[1.0, 2.0], &[1.0]], ratio), None);
        assert_eq!(bootstrap.interval(&[&[1.0, 2.0], &[0.0, 0.0]], ratio), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn an_interval_lies_between_the_extremes(values in proptest::collection::vec(1.0..1e6_f64, 2..30), seed: u64) {
            let interval = Bootstrap::new(seed).interval(&[&values], |medians| medians[0]).unwrap();
            let least = values.iter().copied().fold(f64::MAX, f64::min);
            let most = values.iter().copied().fold(f64::MIN, f64::max);
            prop_assert!(least <= interval.low && interval.low <= interval.high && interval.high <= most);
        }
    }
}
