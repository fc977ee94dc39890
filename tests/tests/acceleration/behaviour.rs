// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What applications see of their sockets is what they see of plain TCP, but for what the documentation lists.

use std::collections::BTreeSet;

use interceptor_tests::{Node, records::Behaviours};
use rstest::rstest;

use crate::lab::{Kind, Lab};

/// `docs/acceleration.md`, "What applications can see".
const DOCUMENTED: &[&str] = &["MSG_WAITALL", "splice", "close with unread data", "MSG_OOB"];

fn seen(kind: Kind, flags: &[&str]) -> Behaviours {
    let node = Node::new();
    let lab = Lab::new(&node, kind);
    lab.enrol(flags);
    let seen: Behaviours = lab.run(&["behaviour"]);
    let counters = lab.counters();
    let accelerated = !flags.is_empty();
    assert_eq!(counters.of("accelerated") > 40, accelerated, "{counters}");
    seen
}

#[rstest]
#[case::outbound(Kind::Outbound)]
#[case::outbound_v6(Kind::OutboundV6)]
#[case::inbound(Kind::Inbound)]
#[case::loopback(Kind::Loopback)]
#[case::pods(Kind::Pods)]
fn applications_see_plain_tcp_but_for_what_is_documented(#[case] kind: Kind) {
    let (plain, accelerated) = (seen(kind, &[]), seen(kind, &["--accelerate"]));
    assert_eq!(plain.keys().collect::<Vec<_>>(), accelerated.keys().collect::<Vec<_>>());
    let mut different = BTreeSet::new();
    for (name, lines) in &plain {
        let behaviour = name.trim_end_matches(", from the server");
        if lines != &accelerated[name] {
            assert!(DOCUMENTED.contains(&behaviour), "{name}\nplain {lines:#?}\naccelerated {:#?}", accelerated[name]);
            different.insert(behaviour);
        }
    }
    let documented: BTreeSet<&str> = DOCUMENTED.iter().copied().collect();
    assert_eq!(different, documented, "a documented difference is none");
}
