// SPDX-License-Identifier: Apache-2.0 OR MIT
//! When TCP's memory comes to its end, a writer waits as over TCP, and its `send()` does not fail.
//!
//! That memory is the whole machine's, and so is `net.ipv4.tcp_mem`: everything else that uses TCP there would see
//! it. So these tests are for a machine of their own, and only run when they are asked for: `cargo xtask vm --kernel
//! 6.12 -- acceleration memory:: --ignored --test-threads 1`. `cargo xtask test` does that.

use std::fs;

use rstest::rstest;
use testkit::{
    Node,
    records::{Stalled, Transferred},
};

use crate::lab::{Kind, Lab};

/// No hindrance: more than TCP may have here.
const BUDGET: &[&str] = &["--accelerate", "--accelerate-budget", "1073741824"];

const PAGE: u64 = 4096;
/// In pages: where the kernel begins to look, where it becomes sparing, and what TCP never gets more than. The first
/// is more than what the kernel counts per processor before it adds it up (a MiB), the last less than the probe
/// writes at most.
const TCP_MEM: [u64; 3] = [4096, 8192, 12288];

#[rstest]
#[ignore = "changes net.ipv4.tcp_mem of the machine; `cargo xtask vm` boots one for it"]
fn a_writer_is_stopped_before_tcp_has_no_memory_left(#[values(Kind::Outbound, Kind::OutboundV6)] kind: Kind) {
    let node = Node::new();
    let lab = Lab::new(&node, kind);
    lab.enroll(BUDGET);
    let _restored = TcpMem::set(TCP_MEM);
    // Fails if a write does, or a byte is lost.
    let Stalled { queued } = lab.run(&["stall"]);
    let [_, _, most] = TCP_MEM.map(|pages| pages * PAGE);
    assert!(queued.iter().all(|queued| *queued < most), "{queued:?}");
    let counters = lab.counters();
    let counted =
        ["accelerated", "acceleration_memory_pressure", "acceleration_over_budget"].map(|label| counters.of(label));
    assert_eq!(counted, [2, 2, 0], "{counters}");
}

#[rstest]
#[ignore = "changes net.ipv4.tcp_mem of the machine; `cargo xtask vm` boots one for it"]
fn what_begins_while_memory_is_short_goes_by_tcp(#[values(Kind::Outbound, Kind::OutboundV6)] kind: Kind) {
    let node = Node::new();
    let lab = Lab::new(&node, kind);
    lab.enroll(BUDGET);
    let [_, pressure, most] = TCP_MEM;
    let restored = TcpMem::set([0, pressure, most]);
    let transfer = ["transfer", "--bytes", "100000"];
    let transferred = Transferred { connections: 1, bytes: 200_000 };
    assert_eq!(lab.run::<Transferred>(&transfer), transferred);
    let counted = || {
        let counters = lab.counters();
        ["accelerated", "acceleration_memory_pressure"].map(|label| counters.of(label))
    };
    assert_eq!(counted(), [0, 2]);
    drop(restored);
    assert_eq!(lab.run::<Transferred>(&transfer), transferred);
    assert_eq!(counted(), [2, 2], "there is memory again");
}

/// `net.ipv4.tcp_mem` as it is to be while this value lives.
struct TcpMem {
    before: String,
}

impl TcpMem {
    const PATH: &str = "/proc/sys/net/ipv4/tcp_mem";

    fn set(pages: [u64; 3]) -> Self {
        let set = Self { before: fs::read_to_string(Self::PATH).expect("read tcp_mem") };
        Self::write(&pages.map(|pages| pages.to_string()).join(" "));
        set
    }

    fn write(value: &str) {
        fs::write(Self::PATH, value).unwrap_or_else(|error| panic!("write {value} to {}: {error}", Self::PATH));
    }
}

impl Drop for TcpMem {
    fn drop(&mut self) {
        Self::write(&self.before);
    }
}
