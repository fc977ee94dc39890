// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A reader that sleeps stops its writer.

use rstest::rstest;
use testkit::{Node, records::Stalled};

use crate::lab::{Kind, Lab};

/// In each direction.
const AT_MOST: u64 = 8 << 20;

#[rstest]
fn a_writer_whose_reader_sleeps_is_stopped(
    #[values(Kind::Outbound, Kind::OutboundV6, Kind::Inbound, Kind::Loopback, Kind::Pods)] kind: Kind,
    #[values(false, true)] accelerate: bool,
) {
    let node = Node::new();
    let lab = Lab::new(&node, kind);
    lab.enroll(if accelerate { &["--accelerate"] } else { &[] });
    let Stalled { queued } = lab.run(&["stall"]);
    assert!(queued.iter().all(|queued| (1..=AT_MOST).contains(queued)), "{queued:?}");
    let counters = lab.counters();
    let directions = if accelerate { 2 } else { 0 };
    assert_eq!(
        [counters.of("accelerated"), counters.of("acceleration_over_budget")],
        [directions; 2],
        "{counters}"
    );
}
