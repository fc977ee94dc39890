// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What applications see of their sockets is what they see of plain TCP, except for what the documentation lists.

use std::{collections::BTreeSet, sync::LazyLock};

use rstest::rstest;
use testkit::{Node, records::Behaviors};

use crate::lab::{Kind, Lab, absent};

/// `docs/acceleration.md`, "What applications can see".
const DOCUMENTED: &[&str] = &["MSG_WAITALL", "splice", "close with unread data"];
/// The same, on kernels that lack what it takes to notice urgent data.
const URGENT: &str = "MSG_OOB";

static DOCUMENTED_HERE: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    let without_notice = !absent(&Node::new(), "MSG_OOB on accelerated connections is ordinary data").is_empty();
    DOCUMENTED.iter().copied().chain(without_notice.then_some(URGENT)).collect()
});

fn seen(kind: Kind, flags: &[&str]) -> Behaviors {
    let node = Node::new();
    let lab = Lab::new(&node, kind);
    lab.enroll(flags);
    let seen: Behaviors = lab.run(&["behavior"]);
    let counters = lab.counters();
    let accelerated = !flags.is_empty();
    assert_eq!(counters.of("accelerated") > 40, accelerated, "{counters}");
    // Once from either side.
    let noticed = if accelerated && !DOCUMENTED_HERE.contains(URGENT) { 2 } else { 0 };
    assert_eq!(counters.of("acceleration_urgent_data"), noticed, "{counters}");
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
        let behavior = name.trim_end_matches(", from the server");
        if lines != &accelerated[name] {
            assert!(
                DOCUMENTED_HERE.contains(behavior),
                "{name}\nplain {lines:#?}\naccelerated {:#?}",
                accelerated[name]
            );
            different.insert(behavior);
        }
    }
    assert_eq!(different, *DOCUMENTED_HERE, "a documented difference is none");
}
