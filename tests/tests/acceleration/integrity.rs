// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every byte arrives once and in its place, whatever the sizes in which it is written.

use rstest::rstest;
use testkit::{Node, records::Transferred};

use crate::lab::{Kind, Lab, directions, sized};

/// Of what an accelerated direction may hold back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Budget {
    /// Not accelerated at all.
    None,
    /// Soon spent: the transfer begins directly and goes on by TCP.
    Small,
    /// Never spent: all of it goes directly, as long as TCP has memory.
    Large,
}

#[rstest]
#[case::one_connection(1, 16 << 20, 1 << 30)]
#[case::two_hundred_connections(200, 128 << 10, 1 << 30)]
fn random_writes_arrive_in_order(
    #[values(Kind::Outbound, Kind::Inbound, Kind::Pods)] kind: Kind,
    #[values(Budget::None, Budget::Small, Budget::Large)] budget: Budget,
    #[case] connections: u64,
    #[case] daily: u64,
    #[case] full: u64,
) {
    let node = Node::new();
    let lab = Lab::new(&node, kind);
    lab.enroll(match budget {
        Budget::None => &[],
        Budget::Small => &["--accelerate"],
        Budget::Large => &["--accelerate", "--accelerate-budget", "1073741824"],
    });
    let bytes = sized(daily, full / connections);
    let transferred: Transferred =
        lab.run(&["transfer", "--connections", &connections.to_string(), "--bytes", &bytes.to_string()]);
    assert_eq!(transferred, Transferred { connections, bytes: 2 * connections * bytes });

    let counters = lab.counters();
    let accelerated = if budget == Budget::None { 0 } else { 2 * connections };
    // In full size TCP's memory may come to its end, which is counted for directions that were accelerated until
    // then, and for others.
    let short_of_memory = sized(0, counters.of("acceleration_memory_pressure"));
    assert!(
        (counters.of("accelerated") + short_of_memory) * 100 >= accelerated * 99,
        "{accelerated} directions: {counters}"
    );
    let begun = directions(&counters);
    assert!((begun..=begun + short_of_memory).contains(&accelerated), "{counters}");
    if budget == Budget::Large {
        assert_eq!(counters.of("acceleration_over_budget"), 0, "{counters}");
    }
}
