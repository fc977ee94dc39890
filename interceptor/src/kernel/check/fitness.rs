// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether pods can be enrolled on this machine, as one answer with a short reason.

use std::path::Path;

use super::features::{Answer, Feature, needed};

/// Whether pods can be enrolled on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fitness {
    Fit,
    /// Something was tested, and does not work.
    Lacking(String),
    /// Nothing is known to be missing, and something could not be tested.
    Untold(String),
}

impl Fitness {
    /// Tests what every pod needs, which takes a second or more.
    pub fn of(bpffs: &Path) -> Self {
        Self::from(needed(bpffs).as_slice())
    }
}

impl From<&[Feature]> for Fitness {
    fn from(features: &[Feature]) -> Self {
        let lacking = reasons(features, |answer| matches!(answer, Answer::No(_)));
        let untold = reasons(features, |answer| matches!(answer, Answer::Unknown(_) | Answer::Forbidden(_)));
        match (lacking, untold) {
            (Some(why), _) => Self::Lacking(why),
            (None, Some(why)) => Self::Untold(why),
            (None, None) => Self::Fit,
        }
    }
}

/// The reasons of some features, each once and in one line: one cause often takes many features.
fn reasons(features: &[Feature], is_meant: impl Fn(&Answer) -> bool) -> Option<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for Feature { name, answer, .. } in features.iter().filter(|feature| is_meant(&feature.answer)) {
        let why = answer.why().and_then(|why| why.lines().next()).unwrap_or_default();
        match reasons.iter_mut().find(|(other, _)| *other == why) {
            Some((_, names)) => names.push(name),
            None => reasons.push((why, vec![name])),
        }
    }
    let lines = reasons.iter().map(|(why, names)| match names.as_slice() {
        [first, _, ..] => format!("{first} and {} more: {why}", names.len() - 1),
        names => format!("{}: {why}", names.concat()),
    });
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::check::features::{Kind, Needs};

    fn fitness(answers: &[(&'static str, Answer)]) -> Fitness {
        let feature = |(name, answer): &(&'static str, Answer)| Feature {
            name,
            kind: Kind::Program,
            needs: Needs::Test,
            answer: answer.clone(),
        };
        Fitness::from(answers.iter().map(feature).collect::<Vec<_>>().as_slice())
    }

    #[test]
    fn one_cause_is_told_once() {
        let no = |why: &str| Answer::No(why.to_owned());
        assert_eq!(fitness(&[("a", Answer::Yes)]), Fitness::Fit);
        assert_eq!(
            fitness(&[("a", no("old\nlog")), ("b", no("gone")), ("c", no("old"))]),
            Fitness::Lacking("a and 1 more: old; b: gone".to_owned())
        );
    }

    #[test]
    fn what_is_missing_counts_before_what_could_not_be_told() {
        let forbidden = || Answer::Forbidden("no".to_owned());
        assert_eq!(
            fitness(&[("a", Answer::Yes), ("b", forbidden())]),
            Fitness::Untold("b: no".to_owned())
        );
        let both = [("a", forbidden()), ("b", Answer::No("old".to_owned()))];
        assert_eq!(fitness(&both), Fitness::Lacking("b: old".to_owned()));
    }
}
