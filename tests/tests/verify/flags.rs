// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A configuration that flags give.

use std::fs;

use rstest::rstest;
use testkit::Run;

use crate::lab::{DEFAULT, command, misreading_loader, report};

#[rstest]
fn default_flags_do_not_differ(#[values("legacy", "nft")] iptables: &str) {
    let (run, report) = report(&[DEFAULT, &["--cases", "100", "--seed", "1", "--backend", iptables]].concat());
    assert_eq!((run.code, report.verdict.as_str()), (Some(0), "same"), "{run}");
    let [comparison] = report.comparisons.as_slice() else { panic!("{report:?}") };
    assert_eq!(comparison.iptables, iptables);
    assert_eq!(comparison.random, 100);
    assert!(comparison.written > 100, "{comparison:?}");
    assert!(
        comparison.pods.is_empty() && comparison.differences.is_empty(),
        "{comparison:?}"
    );
    assert!(run.stdout.contains("No difference"), "{run}");
}

#[rstest]
#[case::ranges(&["-i", "10.50.0.0/16,10.96.0.0/12", "-x", "10.50.1.0/24", "-q", "443", "-o", "9000:9010"])]
#[case::dns(&["-u", "1337", "-g", "1338", "-i", "*", "-b", "*", "--redirect-dns", "--capture-all-dns"])]
#[case::tproxy(&["-m", "TPROXY", "-u", "1337", "-i", "*", "-b", "*", "-d", "15090,15021,15020"])]
#[case::v6(&["--stack", "v6", "-u", "1337", "-i", "*", "-x", "2001:db8:7::/48", "-b", "*"])]
#[case::both_families(&["--dual-stack", "-u", "1337", "-i", "10.0.0.0/8,fd00:7::/64", "-b", "*"])]
fn other_flags_do_not_differ(#[case] flags: &[&str]) {
    let (run, report) = report(&[flags, &["--cases", "100", "--seed", "2", "--backend", "nft"]].concat());
    assert_eq!((run.code, report.verdict.as_str()), (Some(0), "same"), "{run}");
}

#[test]
fn a_loader_that_does_something_else_is_found_and_the_connection_is_named() {
    let folder = tempfile::tempdir().expect("a directory");
    let loader = misreading_loader(folder.path(), "-x 10.50.0.0/16").display().to_string();
    let (page, markdown) = (folder.path().join("report.html"), folder.path().join("report.md"));
    let files = [&page, &markdown].map(|file| file.display().to_string());
    let arguments = [
        "--cases",
        "0",
        "--backend",
        "nft",
        "--interceptor",
        &loader,
        "--report",
        &files[0],
        "--report",
        &files[1],
    ];
    let (run, report) = report(&[DEFAULT, &arguments].concat());
    assert_eq!((run.code, report.verdict.as_str()), (Some(3), "differs"), "{run}");
    let connection = "out tcp 10.50.1.7:80 user=1000:1000";
    let found = report.comparisons[0]
        .differences
        .iter()
        .find(|found| found.connection == connection);
    assert!(found.is_some_and(|found| found.seen.is_some()), "{run}");
    for text in [run.stdout, fs::read_to_string(page).expect("a page"), fs::read_to_string(markdown).expect("a page")] {
        for words in [connection, "the sidecar's outbound port", "the server outside"] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }
}

#[test]
fn the_same_seed_tries_the_same_connections() {
    let folder = tempfile::tempdir().expect("a directory");
    let loader = misreading_loader(folder.path(), "-x 10.0.0.0/8").display().to_string();
    let random = || {
        let arguments = ["--cases", "40", "--seed", "7", "--backend", "nft", "--interceptor", &loader];
        let (_run, report) = report(&[DEFAULT, &arguments].concat());
        let differences = &report.comparisons[0].differences;
        differences.iter().map(|found| found.connection.clone()).collect::<Vec<_>>()
    };
    let first = random();
    assert!(!first.is_empty());
    assert_eq!(first, random());
}

#[test]
fn nothing_is_drawn_where_nobody_looks() {
    let run = Run::of_output(
        &command(&[DEFAULT, &["--cases", "0", "--backend", "nft"]].concat())
            .output()
            .expect("run it"),
    );
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run}");
}
