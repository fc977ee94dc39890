// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Figures and ratios with their spread and their confidence interval. A figure that is noise is never called a
//! result.

use serde::Serialize;

use crate::{
    experiment::{Outcome, Series},
    stage::Variant,
    stats::{Bootstrap, Interval, Spread},
};

/// One contender's figure in one experiment, and what may be said of it.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub experiment: String,
    pub contender: String,
    /// Of the rounds' medians, in the unit of the experiment.
    pub median: f64,
    pub p99: Option<f64>,
    pub spread: Spread,
    /// False when the rounds spread too far: then nothing is compared either.
    pub is_result: bool,
    pub ratios: Vec<Ratio>,
}

/// The contender's figure, divided by another's.
#[derive(Clone, Debug, Serialize)]
pub struct Ratio {
    pub to: String,
    /// With its 95 % confidence interval. None when either is not a result.
    pub ratio: Option<Interval>,
}

/// With what everybody is compared, where it took part.
const BASELINES: [Variant; 4] = [Variant::Direct, Variant::IptablesLegacy, Variant::IptablesNft, Variant::OtherBuild];

/// The figures of all contenders that were measured.
pub fn figures(outcome: &Outcome, seed: u64) -> Vec<Figure> {
    let mut bootstrap = Bootstrap::new(seed);
    let measured = outcome.series.iter().filter(|series| !series.rounds.is_empty());
    measured
        .map(|series| {
            let baselines = baselines(outcome, series)
                .into_iter()
                .filter(|baseline| baseline.label != series.label);
            let ratios = baselines.map(|baseline| {
                let comparable = series.is_result() && baseline.is_result();
                let rounds = [series.medians(), baseline.medians()];
                let ratio = || bootstrap.interval(&[&rounds[0], &rounds[1]], |medians| medians[0] / medians[1]);
                Ratio { to: baseline.label.clone(), ratio: comparable.then(ratio).flatten() }
            });
            Figure {
                experiment: outcome.name.clone(),
                contender: series.label.clone(),
                ratios: ratios.collect(),
                median: series.median(),
                p99: series.p99(),
                spread: series.spread(),
                is_result: series.is_result(),
            }
        })
        .collect()
}

/// The other ways to intercept; where contenders differ in a number instead, the smallest of the same kind.
fn baselines<'a>(outcome: &'a Outcome, series: &'a Series) -> Vec<&'a Series> {
    let of_all: Vec<&Series> = BASELINES.iter().filter_map(|variant| outcome.of(variant.name())).collect();
    if !of_all.is_empty() {
        return of_all;
    }
    let kind = |label: &'a str| label.split_once(',').map(|(kind, _)| kind);
    outcome
        .series
        .iter()
        .find(|first| kind(&first.label) == kind(&series.label) && !first.rounds.is_empty())
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Better, Round, Unit};

    fn series(label: &str, medians: &[f64]) -> Series {
        let rounds = medians
            .iter()
            .map(|median| Round { median: *median, p99: *median, values: 1 })
            .collect();
        Series { label: label.to_owned(), rounds, percentiles: None, unavailable: None }
    }

    fn outcome(series: Vec<Series>) -> Outcome {
        let (name, title) = ("x".to_owned(), "x".to_owned());
        Outcome { name, title, unit: Unit::Nanoseconds, better: Better::Less, series }
    }

    #[test]
    fn everybody_is_compared_with_no_interception_and_with_iptables() {
        let found = outcome(vec![
            series("direct", &[10.0; 5]),
            series("iptables-nft", &[20.0; 5]),
            series("ebpf", &[12.0; 5]),
        ]);
        let figures = figures(&found, 1);
        let ratios: Vec<(&str, f64)> = figures[2]
            .ratios
            .iter()
            .map(|ratio| (ratio.to.as_str(), ratio.ratio.unwrap().value))
            .collect();
        assert_eq!(ratios, [("direct", 1.2), ("iptables-nft", 0.6)]);
        assert_eq!(figures[0].ratios.len(), 1);
    }

    #[test]
    fn builds_are_compared_with_each_other() {
        let found = outcome(vec![series("ebpf", &[11.0; 5]), series("other build", &[10.0; 5])]);
        let figures = figures(&found, 1);
        assert_eq!(figures[0].ratios[0].to, "other build");
        assert!((figures[0].ratios[0].ratio.unwrap().value - 1.1).abs() < 1e-9, "{figures:?}");
        assert!(figures[1].ratios.is_empty());
    }

    #[test]
    fn noise_is_compared_with_nothing() {
        let wild = [10.0, 20.0, 10.0, 20.0];
        let figures = figures(&outcome(vec![series("direct", &[10.0; 4]), series("ebpf", &wild)]), 1);
        assert!(!figures[1].is_result);
        assert!(
            figures
                .iter()
                .all(|figure| figure.ratios.iter().all(|ratio| ratio.ratio.is_none())),
            "{figures:?}"
        );
    }

    #[test]
    fn numbers_are_compared_with_the_first_of_their_kind() {
        let names = ["iptables-nft, 0 ranges", "iptables-nft, 9 ranges", "ebpf, 0 ranges", "ebpf, 9 ranges"];
        let figures = figures(&outcome(names.iter().map(|name| series(name, &[1.0; 3])).collect()), 1);
        assert_eq!(figures[3].ratios.len(), 1);
        assert_eq!(figures[3].ratios[0].to, "ebpf, 0 ranges");
        assert!(figures[2].ratios.is_empty());
    }

    #[test]
    fn who_could_not_be_measured_has_no_figure() {
        assert!(figures(&outcome(vec![series("direct", &[])]), 1).is_empty());
    }
}
