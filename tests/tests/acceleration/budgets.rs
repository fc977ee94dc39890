// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Two pods with different budgets: nobody can make another pod's reader hold more than that pod allows.

use testkit::{Node, records::Stalled};

use crate::lab::{Kind, Lab};

const BUDGET: u64 = 1 << 20;
/// More than the probe ever writes.
const NO_BUDGET: &str = "1073741824";

/// What TCP keeps besides, at both ends, with the limits that this test sets. The kernel doubles what it is given.
const BY_TCP: u64 = 512 << 10;

#[test]
fn the_smaller_budget_of_both_pods_counts() {
    let node = Node::new();
    let lab = Lab::new(&node, Kind::Pods);
    let neighbor = lab.neighbor.as_ref().expect("a neighbor");
    for pod in lab.pods() {
        for queue in ["net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"] {
            pod.namespace().sysctl(queue, "4096 65536 65536");
        }
    }
    lab.pod.enroll(&["--accelerate", "--accelerate-budget", NO_BUDGET]);
    neighbor.enroll(&["--accelerate", "--accelerate-budget", &BUDGET.to_string()]);
    let Stalled { queued } = lab.run(&["stall"]);
    let allowed = BUDGET / 2..=BUDGET + BY_TCP;
    assert!(queued.iter().all(|queued| allowed.contains(queued)), "{queued:?}");
    let counters = lab.counters();
    assert_eq!(
        [counters.of("accelerated"), counters.of("acceleration_over_budget")],
        [2, 2],
        "{counters}"
    );
}
