// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The text that `interceptor check` prints: a table, the reasons for what is missing, and a conclusion. It is made
//! of the features alone and tests nothing.

use std::iter;

use comfy_table::{ContentArrangement, Table, presets};

use super::outcome::{Outcome, consequence};
use crate::features::{Answer, Feature, Kind, Needs};

/// What to do about missing privileges. Making network namespaces for the tests takes `CAP_SYS_ADMIN`.
const PRIVILEGES: &str = "Run this as root, or with CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and CAP_SYS_ADMIN";

/// The whole text, without a line break at its end. `verbose` shows each kernel program.
pub(super) fn of(features: &[Feature], verbose: bool) -> String {
    let unprivileged = features
        .iter()
        .any(|feature| !feature.kind.is_optional() && matches!(feature.answer, Answer::Forbidden(_)));
    let mut lines = table(features, verbose);
    lines.extend(end_to_end(features));
    let mut problems = problems(features, unprivileged);
    problems.extend(unprivileged.then(|| missing_privileges(features)));
    let conclusion = conclusion(features, problems.is_empty());
    lines.extend(problems);
    lines.push(conclusion);
    lines.join("\n")
}

fn table(features: &[Feature], verbose: bool) -> Vec<String> {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["feature", "needs", "this machine", "if missing"]);
    let programs: Vec<&Feature> = features.iter().filter(|feature| feature.kind.is_program()).collect();
    let mut summarized = verbose;
    for feature in features.iter().filter(|feature| feature.kind != Kind::EndToEnd) {
        if verbose || !feature.kind.is_program() {
            table.add_row(row(feature, ""));
        } else if !summarized {
            table.add_rows(summary(&programs));
            summarized = true;
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

fn row(feature: &Feature, indent: &str) -> [String; 4] {
    let Feature { name, kind, needs, answer } = feature;
    let needs = match needs {
        Needs::Linux(version) => format!("Linux {version}"),
        Needs::Release => "a fixed release".to_owned(),
        Needs::Test => "a passed test".to_owned(),
    };
    [format!("{indent}{name}"), needs, answer.word().to_owned(), consequence(*kind).to_owned()]
}

/// One row for all kernel programs, and one for each program that did not load.
fn summary(programs: &[&Feature]) -> Vec<[String; 4]> {
    const NAME: &str = "kernel programs";
    let all = programs.len();
    let loaded = programs.iter().filter(|program| program.answer == Answer::Yes).count();
    let needs = programs
        .iter()
        .filter_map(|program| match program.needs {
            Needs::Linux(version) => Some(version),
            Needs::Release | Needs::Test => None,
        })
        .max_by_key(|version| numbers(version))
        .map_or_else(String::new, |version| format!("Linux {version}"));
    let row = |answer: String, consequence: &str| [NAME.to_owned(), needs.clone(), answer, consequence.to_owned()];
    if loaded == all {
        vec![row(format!("all {all} load"), "pods cannot be enrolled or accelerated")]
    } else if programs.iter().all(|program| matches!(program.answer, Answer::Forbidden(_))) {
        vec![row("could not tell".to_owned(), "pods cannot be enrolled or accelerated")]
    } else {
        let failed = programs.iter().filter(|program| program.answer != Answer::Yes);
        iter::once(row(format!("{loaded} of {all} load"), ""))
            .chain(failed.map(|program| self::row(program, "  ")))
            .collect()
    }
}

/// `5.19` comes after `5.8`.
fn numbers(version: &str) -> Vec<u32> {
    version.split('.').filter_map(|number| number.parse().ok()).collect()
}

/// The reason for each feature that is missing. Missing privileges are one reason for many features, and have a line
/// of their own.
fn problems(features: &[Feature], unprivileged: bool) -> Vec<String> {
    features
        .iter()
        .filter(|feature| feature.kind != Kind::EndToEnd)
        .filter(|feature| !(unprivileged && matches!(feature.answer, Answer::Forbidden(_))))
        .filter_map(|feature| {
            let why = without_blank_lines(feature.answer.why()?);
            let remedy = remedy(feature).map_or_else(String::new, |remedy| format!("; {remedy}"));
            Some(format!("{}: {}: {why}{remedy}", feature.name, feature.answer.word()))
        })
        .collect()
}

/// What to do about a feature that is missing, where that is in the user's hands.
const fn remedy(feature: &Feature) -> Option<&'static str> {
    match (feature.kind, &feature.answer) {
        (Kind::Bpffs, Answer::No(_)) => {
            Some("mount one with `mount -t bpf -o mode=0700 bpf DIRECTORY`, or name another with --bpffs")
        }
        (Kind::Cgroup2, Answer::No(_)) => Some("mount one with `mount -t cgroup2 none DIRECTORY`"),
        _ => None,
    }
}

fn missing_privileges(features: &[Feature]) -> String {
    let all = features.len();
    let forbidden = features
        .iter()
        .filter(|feature| matches!(feature.answer, Answer::Forbidden(_)))
        .count();
    format!("Privileges are missing to test {forbidden} of {all} features. {PRIVILEGES}")
}

fn end_to_end(features: &[Feature]) -> Option<String> {
    let test = features.iter().find(|feature| feature.kind == Kind::EndToEnd)?;
    Some(match &test.answer {
        Answer::Yes => "End-to-end test: passed".to_owned(),
        Answer::No(why) => format!("End-to-end test: failed: {}", without_blank_lines(why)),
        Answer::Unknown(why) => format!("End-to-end test: could not be run: {}", without_blank_lines(why)),
        Answer::Forbidden(_) => "End-to-end test: not permitted".to_owned(),
    })
}

fn conclusion(features: &[Feature], complete: bool) -> String {
    match Outcome::of(features) {
        Outcome::Usable if complete => "Usable: nothing is missing".to_owned(),
        Outcome::Usable => "Usable, except for what is named above".to_owned(),
        Outcome::Unknown => "Could not tell whether this machine is usable".to_owned(),
        Outcome::Lacks => {
            let missing: Vec<&str> = features
                .iter()
                .filter(|feature| !feature.kind.is_optional() && matches!(feature.answer, Answer::No(_)))
                .filter(|feature| feature.kind != Kind::EndToEnd)
                .map(|feature| feature.name)
                .collect();
            if missing.is_empty() {
                "Not usable: the end-to-end test failed".to_owned()
            } else {
                format!("Not usable: this machine lacks {}", missing.join(", "))
            }
        }
    }
}

/// A verifier's log may be empty.
fn without_blank_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn feature(name: &'static str, kind: Kind, answer: Answer) -> Feature {
        Feature { name, kind, needs: Needs::Linux("5.8"), answer }
    }

    fn machine(answers: [Answer; 5]) -> Vec<Feature> {
        let [bpffs, first, second, end_to_end, urgent] = answers;
        vec![
            feature("bpffs", Kind::Bpffs, bpffs),
            feature("on_connect4", Kind::Program, first),
            Feature { needs: Needs::Linux("5.19"), ..feature("on_connect6", Kind::Program, second) },
            feature("redirection", Kind::EndToEnd, end_to_end),
            feature("on_urgent", Kind::UrgentProgram, urgent),
        ]
    }

    fn no() -> Answer {
        Answer::No("The kernel refused it\n\n: Invalid argument\n".to_owned())
    }

    fn forbidden() -> Answer {
        Answer::Forbidden("Operation not permitted".to_owned())
    }

    const YES: Answer = Answer::Yes;

    #[rstest]
    #[case::everything_is_there(
        [YES, YES, YES, YES, YES],
        " feature          needs       this machine  if missing
 bpffs            Linux 5.8   yes           pods cannot be enrolled
 kernel programs  Linux 5.19  all 3 load    pods cannot be enrolled or accelerated
End-to-end test: passed
Usable: nothing is missing"
    )]
    #[case::a_program_is_refused(
        [YES, YES, no(), no(), YES],
        " feature          needs       this machine  if missing
 bpffs            Linux 5.8   yes           pods cannot be enrolled
 kernel programs  Linux 5.19  2 of 3 load
   on_connect6    Linux 5.19  no            pods cannot be enrolled
End-to-end test: failed: The kernel refused it
: Invalid argument
on_connect6: no: The kernel refused it
: Invalid argument
Not usable: this machine lacks on_connect6"
    )]
    #[case::nothing_is_mounted(
        [Answer::No("/tmp is not a BPF file system".to_owned()), YES, YES, YES, YES],
        " feature          needs       this machine  if missing
 bpffs            Linux 5.8   no            pods cannot be enrolled
 kernel programs  Linux 5.19  all 3 load    pods cannot be enrolled or accelerated
End-to-end test: passed
bpffs: no: /tmp is not a BPF file system; mount one with `mount -t bpf -o mode=0700 bpf DIRECTORY`, \
or name another with --bpffs
Not usable: this machine lacks bpffs"
    )]
    #[case::only_an_optional_program_is_forbidden(
        [YES, YES, YES, YES, forbidden()],
        " feature          needs       this machine    if missing
 bpffs            Linux 5.8   yes             pods cannot be enrolled
 kernel programs  Linux 5.19  2 of 3 load
   on_urgent      Linux 5.8   could not tell  MSG_OOB on accelerated connections is ordinary data
End-to-end test: passed
on_urgent: could not tell: Operation not permitted
Usable, except for what is named above"
    )]
    #[case::privileges_are_missing(
        [YES, forbidden(), forbidden(), forbidden(), forbidden()],
        " feature          needs       this machine    if missing
 bpffs            Linux 5.8   yes             pods cannot be enrolled
 kernel programs  Linux 5.19  could not tell  pods cannot be enrolled or accelerated
End-to-end test: not permitted
Privileges are missing to test 4 of 5 features. Run this as root, or with CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON \
and CAP_SYS_ADMIN
Could not tell whether this machine is usable"
    )]
    fn a_machine_is_reported(#[case] answers: [Answer; 5], #[case] expected: &str) {
        assert_eq!(of(&machine(answers), false), expected);
    }

    #[test]
    fn verbose_shows_each_program() {
        let text = of(&machine([YES, YES, YES, YES, YES]), true);
        for name in ["on_connect4", "on_connect6", "on_urgent"] {
            assert!(text.contains(name), "{text}");
        }
        assert!(!text.contains("kernel programs"), "{text}");
    }
}
