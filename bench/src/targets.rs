// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the project aims at, judged by the same run.

use serde::Serialize;

use crate::{
    experiment::{Outcome, Series},
    stage::Variant,
    stats::{Bootstrap, Interval},
};

/// One figure that was aimed at.
#[derive(Clone, Debug, Serialize)]
pub struct Target {
    pub what: String,
    pub must: String,
    pub aim: String,
    pub reached: Option<Interval>,
    pub mark: Mark,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    Aim,
    Must,
    Missed,
    /// With the reason.
    Unknown(String),
}

/// A figure computed of the medians of several series, and what it should be.
struct Goal {
    what: &'static str,
    /// Experiment and contender, in the order in which `of` takes their medians.
    series: &'static [(&'static str, &'static str)],
    of: fn(&[f64]) -> f64,
    bounds: Bounds,
}

#[derive(Clone, Copy)]
enum Bounds {
    AtMost { must: f64, aim: f64 },
    AtLeast { must: f64, aim: f64 },
}

use Bounds::{AtLeast, AtMost};

/// The contender that takes part only if `--against` names it.
const OTHER_BUILD: &str = Variant::OtherBuild.name();

/// What rounds to 1.00.
const SAME: f64 = 1.005;

#[rustfmt::skip]
const GOALS: &[Goal] = &[
    Goal { what: "connect(): tax over direct, as a share of that of iptables-legacy",
           of: tax, bounds: AtMost { must: 0.3, aim: 0.1 },
           series: &[("connect", "ebpf"), ("connect", "direct"), ("connect", "iptables-legacy")] },
    Goal { what: "connect(): tax over direct, as a share of that of iptables-nft",
           of: tax, bounds: AtMost { must: 0.3, aim: 0.1 },
           series: &[("connect", "ebpf"), ("connect", "direct"), ("connect", "iptables-nft")] },
    Goal { what: "connect(): tax as a share of that of iptables-legacy, less that of the other build",
           of: added_tax, bounds: AtMost { must: 0.02, aim: 0.0 },
           series: &[("connect", "ebpf"), ("connect", "direct"), ("connect", "iptables-legacy"),
                    ("connect", "other build")] },
    Goal { what: "round trip of 64 B: time of the other build",
           of: ratio, bounds: AtMost { must: 1.03, aim: 1.01 },
           series: &[("round-trip-64", "ebpf"), ("round-trip-64", "other build")] },
    Goal { what: "enrolling a pod: time of the other build",
           of: ratio, bounds: AtMost { must: 1.1, aim: 1.02 },
           series: &[("enroll", "ebpf"), ("enroll", "other build")] },
    Goal { what: "connect, request, response, close: rate of direct",
           of: ratio, bounds: AtLeast { must: 0.93, aim: 0.98 },
           series: &[("request", "direct"), ("request", "ebpf")] },
    Goal { what: "round trip of 64 B: time of direct",
           of: ratio, bounds: AtMost { must: 1.03, aim: 1.01 },
           series: &[("round-trip-64", "ebpf"), ("round-trip-64", "direct")] },
    Goal { what: "round trip of 16 KiB: time of direct",
           of: ratio, bounds: AtMost { must: 1.03, aim: 1.01 },
           series: &[("round-trip-16k", "ebpf"), ("round-trip-16k", "direct")] },
    Goal { what: "round trip of 64 B, accelerated: times as fast as the faster iptables",
           of: faster, bounds: AtLeast { must: 2.5, aim: 3.0 },
           series: &[("round-trip-64", "ebpf+accelerate"), ("round-trip-64", "iptables-legacy"),
                    ("round-trip-64", "iptables-nft")] },
    Goal { what: "round trip of 16 KiB, accelerated: times as fast as the faster iptables",
           of: faster, bounds: AtLeast { must: 2.5, aim: 3.0 },
           series: &[("round-trip-16k", "ebpf+accelerate"), ("round-trip-16k", "iptables-legacy"),
                    ("round-trip-16k", "iptables-nft")] },
    Goal { what: "bulk in writes of 16 KiB, accelerated: throughput of the faster iptables",
           of: more, bounds: AtLeast { must: 2.0, aim: 3.0 },
           series: &[("bulk-16k", "ebpf+accelerate"), ("bulk-16k", "iptables-legacy"), ("bulk-16k", "iptables-nft")] },
    Goal { what: "bulk in writes of 256 KiB, accelerated: throughput of the faster iptables",
           of: more, bounds: AtLeast { must: 2.0, aim: 3.0 },
           series: &[("bulk-256k", "ebpf+accelerate"), ("bulk-256k", "iptables-legacy"),
                    ("bulk-256k", "iptables-nft")] },
    Goal { what: "bulk in writes of 1 KiB, accelerated: throughput of the faster iptables",
           of: more, bounds: AtLeast { must: 0.9, aim: 1.2 },
           series: &[("bulk-1k", "ebpf+accelerate"), ("bulk-1k", "iptables-legacy"), ("bulk-1k", "iptables-nft")] },
    Goal { what: "connect() with 1,000 excluded ranges against none",
           of: ratio, bounds: AtMost { must: 1.1, aim: 1.02 },
           series: &[("cidrs", "ebpf, 1000 excluded ranges"), ("cidrs", "ebpf, 0 excluded ranges")] },
    Goal { what: "connect() with 500 pods enrolled against 1",
           of: ratio, bounds: AtMost { must: 1.05, aim: SAME },
           series: &[("pods", "ebpf, 500 pods"), ("pods", "ebpf, 1 pods")] },
    Goal { what: "enrolling a pod: time of the faster iptables, both families",
           of: slower, bounds: AtMost { must: 1.0 / 3.0, aim: 0.1 },
           series: &[("enroll", "ebpf"), ("enroll", "iptables-legacy"), ("enroll", "iptables-nft")] },
    Goal { what: "kernel memory for each enrolled pod, in bytes",
           of: first, bounds: AtMost { must: 131_072.0, aim: 32_768.0 },
           series: &[("memory-pod", "ebpf")] },
    Goal { what: "kernel memory for each redirected connection, in bytes more than direct from the pod's address",
           of: difference, bounds: AtMost { must: 64.0, aim: 0.5 },
           series: &[("memory-connection", "ebpf"), ("memory-connection", "direct, from the pod's address")] },
    Goal { what: "connect() of a process in no pod: with a pod enrolled against none",
           of: ratio, bounds: AtMost { must: SAME, aim: SAME },
           series: &[("unenrolled", "a pod enrolled"), ("unenrolled", "no pod enrolled")] },
];

fn first(medians: &[f64]) -> f64 {
    medians[0]
}

fn ratio(medians: &[f64]) -> f64 {
    medians[0] / medians[1]
}

fn difference(medians: &[f64]) -> f64 {
    medians[0] - medians[1]
}

fn tax(medians: &[f64]) -> f64 {
    (medians[0] - medians[1]) / (medians[2] - medians[1])
}

/// The tax of the first, less that of the fourth.
fn added_tax(medians: &[f64]) -> f64 {
    (medians[0] - medians[3]) / (medians[2] - medians[1])
}

/// Times: how often the first goes into the lesser of the others.
fn faster(medians: &[f64]) -> f64 {
    medians[1].min(medians[2]) / medians[0]
}

/// Times: the first against the lesser of the others.
fn slower(medians: &[f64]) -> f64 {
    medians[0] / medians[1].min(medians[2])
}

/// Rates: the first against the greater of the others.
fn more(medians: &[f64]) -> f64 {
    medians[0] / medians[1].max(medians[2])
}

/// What was reached of all goals whose experiments took part.
pub fn reached(outcomes: &[Outcome], seed: u64) -> Vec<Target> {
    let mut bootstrap = Bootstrap::new(seed);
    let took_part = |goal: &&Goal| {
        goal.series.iter().all(|(experiment, contender)| {
            let outcome = find(outcomes, experiment);
            // Most runs have no other build.
            outcome.is_some_and(|outcome| *contender != OTHER_BUILD || outcome.of(contender).is_some())
        })
    };
    GOALS
        .iter()
        .filter(took_part)
        .map(|goal| judge(goal, outcomes, &mut bootstrap))
        .collect()
}

fn find<'a>(outcomes: &'a [Outcome], experiment: &str) -> Option<&'a Outcome> {
    outcomes.iter().find(|outcome| outcome.name == experiment)
}

fn judge(goal: &Goal, outcomes: &[Outcome], bootstrap: &mut Bootstrap) -> Target {
    let Goal { what, series, of, bounds } = goal;
    let reached = measured(series, outcomes).and_then(|rounds| {
        let rounds: Vec<&[f64]> = rounds.iter().map(Vec::as_slice).collect();
        bootstrap.interval(&rounds, of).ok_or_else(|| "cannot be computed".to_owned())
    });
    let (must, aim) = bounds.text();
    let mark = reached
        .as_ref()
        .map_or_else(|why| Mark::Unknown(why.clone()), |interval| bounds.mark(*interval));
    Target { what: (*what).to_owned(), must, aim, reached: reached.ok(), mark }
}

/// One value per round of all series, or why not.
fn measured(series: &[(&str, &str)], outcomes: &[Outcome]) -> Result<Vec<Vec<f64>>, String> {
    let rounds = series.iter().map(|(experiment, contender)| {
        let series = find(outcomes, experiment).and_then(|outcome| outcome.of(contender));
        let series: &Series = series.ok_or_else(|| format!("{contender} was not measured"))?;
        if series.is_result() {
            Ok(series.medians())
        } else {
            Err(format!("noise in {contender}"))
        }
    });
    rounds.collect()
}

impl Bounds {
    /// What the whole confidence interval reaches.
    fn mark(self, Interval { low, high, .. }: Interval) -> Mark {
        let (must, aim) = match self {
            AtMost { must, aim } => (high <= must, high <= aim),
            AtLeast { must, aim } => (low >= must, low >= aim),
        };
        match (aim, must) {
            (true, _) => Mark::Aim,
            (false, true) => Mark::Must,
            (false, false) => Mark::Missed,
        }
    }

    fn text(self) -> (String, String) {
        let number = |bound: f64| if bound >= 10.0 { format!("{bound:.0}") } else { format!("{bound:.2}") };
        match self {
            AtMost { must, aim } => (format!("≤ {}", number(must)), format!("≤ {}", number(aim))),
            AtLeast { must, aim } => (format!("≥ {}", number(must)), format!("≥ {}", number(aim))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Better, Round, Unit};

    fn outcome(name: &str, contenders: &[(&str, &[f64])]) -> Outcome {
        let series = contenders.iter().map(|(label, medians)| {
            let rounds = medians
                .iter()
                .map(|median| Round { median: *median, p99: *median, values: 1 })
                .collect();
            Series { label: (*label).to_owned(), rounds, percentiles: None, unavailable: None }
        });
        let (name, title) = (name.to_owned(), name.to_owned());
        Outcome {
            name,
            title,
            unit: Unit::Nanoseconds,
            better: Better::Less,
            series: series.collect(),
        }
    }

    #[test]
    fn the_tax_is_what_comes_on_top_of_direct() {
        let connect = [
            ("direct", [20.0; 4].as_slice()),
            ("iptables-legacy", &[30.0; 4]),
            ("iptables-nft", &[40.0; 4]),
            ("ebpf", &[22.0; 4]),
        ];
        let targets = reached(&[outcome("connect", &connect)], 1);
        let shares: Vec<f64> = targets.iter().map(|target| target.reached.unwrap().value).collect();
        assert_eq!(
            targets.iter().map(|target| &target.mark).collect::<Vec<_>>(),
            [&Mark::Must, &Mark::Aim]
        );
        assert!((shares[0] - 0.2).abs() < 1e-9 && (shares[1] - 0.1).abs() < 1e-9, "{shares:?}");
    }

    #[test]
    fn another_build_is_aimed_at_where_it_takes_part() {
        let series = [
            ("direct", [20.0; 4].as_slice()),
            ("iptables-legacy", &[30.0; 4]),
            ("iptables-nft", &[30.0; 4]),
            ("ebpf", &[22.5; 4]),
            ("other build", &[22.0; 4]),
        ];
        let targets = reached(&[outcome("connect", &series)], 1);
        let added = targets.iter().find(|target| target.what.contains("other build")).unwrap();
        assert_eq!(added.mark, Mark::Missed);
        assert!((added.reached.unwrap().value - 0.05).abs() < 1e-9, "{added:?}");
        let without = reached(&[outcome("connect", &series[..4])], 1);
        assert!(without.iter().all(|target| !target.what.contains("other build")), "{without:?}");
    }

    #[test]
    fn noise_reaches_nothing() {
        let request = [("direct", [10.0; 4].as_slice()), ("ebpf", &[10.0, 20.0, 10.0, 20.0])];
        let targets = reached(&[outcome("request", &request)], 1);
        assert_eq!(targets[0].mark, Mark::Unknown("noise in ebpf".to_owned()));
        assert_eq!(targets[0].reached, None);
    }

    #[test]
    fn who_did_not_take_part_is_named() {
        let targets = reached(&[outcome("request", &[("direct", &[10.0; 4])])], 1);
        assert_eq!(targets[0].mark, Mark::Unknown("ebpf was not measured".to_owned()));
    }

    #[test]
    fn a_bound_inside_the_interval_is_missed() {
        let interval = |low, high| Interval { value: f64::midpoint(low, high), low, high };
        let bounds = AtMost { must: 1.1, aim: 1.02 };
        assert_eq!(bounds.mark(interval(0.99, 1.02)), Mark::Aim);
        assert_eq!(bounds.mark(interval(1.0, 1.05)), Mark::Must);
        assert_eq!(bounds.mark(interval(1.05, 1.15)), Mark::Missed);
        assert_eq!(AtLeast { must: 2.0, aim: 3.0 }.mark(interval(1.9, 3.5)), Mark::Missed);
    }

    #[test]
    fn every_goal_names_as_many_series_as_it_computes_with() {
        for goal in GOALS {
            let medians = [1.0, 2.0, 4.0, 3.0];
            assert!((goal.of)(&medians[..goal.series.len()]).is_finite(), "{}", goal.what);
        }
    }
}
