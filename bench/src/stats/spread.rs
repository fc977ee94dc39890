// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How far the rounds of a figure are apart, and whether the figure is a result.

use serde::Serialize;

use super::quantile::{median, quantile};

/// A figure whose rounds spread wider than this is not called a result.
pub const SPREAD_BOUND: f64 = 0.10;

/// How far the rounds are apart: the interquartile range as a share of the median. A few disturbed rounds do not
/// widen it; a machine that is busy or changes its speed does.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
pub struct Spread(pub f64);

impl Spread {
    /// Of one value per round. Infinite when they say nothing: fewer than two rounds, or a median of zero around
    /// which they move.
    pub fn of(rounds: &[f64]) -> Self {
        let range = quantile(rounds, 0.75) - quantile(rounds, 0.25);
        let middle = median(rounds).abs();
        Self(if rounds.len() < 2 || !range.is_finite() {
            f64::INFINITY
        } else if range == 0.0 {
            0.0
        } else {
            range / middle
        })
    }

    /// Whether the rounds agree too little for a result.
    pub fn is_noise(self) -> bool {
        self.0 > SPREAD_BOUND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_that_agree_are_a_result() {
        assert!(!Spread::of(&[100.0, 101.0, 99.0, 100.5, 100.2]).is_noise());
        assert!(!Spread::of(&[0.0, 0.0, 0.0]).is_noise());
    }

    #[test]
    fn one_disturbed_round_of_ten_does_not_spoil_the_others() {
        let mut rounds = vec![100.0; 9];
        rounds.push(5_000.0);
        assert!(!Spread::of(&rounds).is_noise());
    }

    #[test]
    fn two_speeds_are_not_a_result() {
        assert!(Spread::of(&[100.0, 150.0, 100.0, 150.0, 100.0, 150.0]).is_noise());
    }

    #[test]
    fn the_bound_is_a_share_of_the_median() {
        let around = |middle: f64| [middle - 6.0, middle - 6.0, middle, middle + 6.0, middle + 6.0];
        assert!(Spread::of(&around(100.0)).is_noise());
        assert!(!Spread::of(&around(1_000.0)).is_noise());
    }

    #[test]
    fn one_round_and_no_round_are_noise() {
        assert!(Spread::of(&[100.0]).is_noise());
        assert!(Spread::of(&[]).is_noise());
        assert!(Spread::of(&[f64::NAN, f64::NAN]).is_noise());
        assert!(Spread::of(&[-1.0, 0.0, 1.0]).is_noise());
    }
}
