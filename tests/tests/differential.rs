// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The same flows under Istio's rules and under ours: what anyone can observe of them is the same. More of it: `cargo
//! xtask differential`.

use interceptor_verify::{
    istio::Iptables,
    lab::{LISTED, Lab, WRITTEN, cases, random, stacks},
};
use rstest::rstest;
use testkit::{scale, scratch};

/// How many random configurations; each with 20 flows on average.
const CASES: u32 = 120;
const SEED: u64 = 20_260_822;

#[rstest]
fn written_cases_do_not_differ(#[values(Iptables::Legacy, Iptables::Nft)] iptables: Iptables) {
    let scratch = scratch();
    let mut lab = Lab::new(&scratch, iptables).expect("the programs of iptables");
    let mut differences = Vec::new();
    for case in WRITTEN.iter().flat_map(|list| cases(list).expect("a readable list")) {
        differences.extend(
            lab.compare(&case.config, &case.flows)
                .unwrap_or_else(|error| panic!("{error:#}")),
        );
    }
    let texts: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert!(texts.is_empty(), "{}", texts.join("\n"));
}

#[test]
fn listed_differences_are_there() {
    let scratch = scratch();
    let mut lab = Lab::new(&scratch, Iptables::Legacy).expect("the programs of iptables");
    for case in cases(LISTED).expect("a readable list") {
        for flow in &case.flows {
            let differences = lab
                .compare(&case.config, std::slice::from_ref(flow))
                .unwrap_or_else(|error| panic!("{error:#}"));
            assert!(!differences.is_empty(), "no longer a difference: {}\n{flow}", case.config);
        }
    }
}

#[rstest]
fn random_cases_do_not_differ(#[values(Iptables::Legacy, Iptables::Nft)] iptables: Iptables) {
    let scratch = scratch();
    let mut lab = Lab::new(&scratch, iptables).expect("the programs of iptables");
    let count = scale("INTERCEPTOR_TEST_CASES", CASES, 1);
    random(&mut lab, stacks(), count, SEED, || Ok(())).unwrap_or_else(|failure| panic!("{failure}"));
}
