// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The same flows under Istio's rules and under ours: what anyone can observe of them is the same. More of it: `cargo xtask differential`.

use interceptor_tests::{
    Node,
    differential::{Iptables, Lab, REGRESSIONS, TPROXY, WRITTEN, cases, random, stacks},
};
use rstest::rstest;

const CASES: u32 = 40;
const SEED: u64 = 20_260_822;

/// What is told in `docs/differences.md`.
const INHERENT: &str = "\
stack=v4 -i '*' -b '*'
    out tcp 10.98.0.1:80
    out tcp 10.99.0.1:80 bind=127.0.0.1
    out tcp 10.99.0.1:80 bind=127.0.0.6
stack=v6 -i '*' -b '*'
    out tcp [fd98::1]:80
stack=v4 -m 'TPROXY' -i '*' -b '*'
    out tcp 127.0.0.1:8080 user=0:1337 bind=10.50.1.7 mark=1337 transparent
";

#[rstest]
#[case::regressions(REGRESSIONS, 0)]
#[case::written(WRITTEN, 0)]
#[case::inherent(INHERENT, 5)]
#[case::tproxy(TPROXY, 0)]
fn written_cases(#[case] list: &str, #[case] expected: usize) {
    let node = Node::new();
    let mut lab = Lab::new(&node, Iptables::Legacy);
    let mut differences = Vec::new();
    for case in cases(list).expect("a readable list") {
        differences.extend(lab.compare(&case.config, &case.flows).unwrap_or_else(|error| panic!("{error}")));
    }
    let texts: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), expected, "{}", texts.join("\n"));
}

#[test]
fn random_cases_do_not_differ() {
    let node = Node::new();
    let mut lab = Lab::new(&node, Iptables::Legacy);
    random(&mut lab, stacks(), CASES, SEED, || ()).unwrap_or_else(|failure| panic!("{failure}"));
}
