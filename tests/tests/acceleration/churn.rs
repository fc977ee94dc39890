// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Many short connections: nearly all are accelerated, and nothing of them stays.

use std::{collections::BTreeMap, fs, path::Path};

use aya::maps::{Map, MapData};
use interceptor_policy::acceleration::{FlowKey, Handshake};
use rstest::rstest;
use testkit::{Node, records::Transferred, wait_until};

use crate::lab::{Kind, Lab, directions, sized};

#[rstest]
fn short_connections_are_accelerated_and_leave_nothing(
    #[values(Kind::Outbound, Kind::Inbound, Kind::Pods)] kind: Kind,
    #[values(false, true)] accelerate: bool,
) {
    let node = Node::new();
    let lab = Lab::new(&node, kind);
    lab.enroll(if accelerate { &["--accelerate"] } else { &[] });
    for pod in lab.pods() {
        // Enough ports for connections that have ended a moment ago.
        pod.namespace().sysctl("net.ipv4.ip_local_port_range", "1024 65535");
        pod.namespace().sysctl("net.ipv4.tcp_tw_reuse", "1");
    }
    let count = sized(4_000, 100_000);
    let slabs = slab_objects();
    let Transferred { connections, .. } = lab.run(&["churn", "--count", &count.to_string()]);
    assert_eq!(connections, count);

    let counters = lab.counters();
    let expected = if accelerate { 2 * count } else { 0 };
    assert_eq!(directions(&counters), expected, "{counters}");
    assert!(counters.of("accelerated") * 100 >= expected * 99, "{counters}");

    if accelerate {
        let pins = node.pins();
        for name in ["ACCELERATED", "HANDSHAKES"] {
            let pin = pins
                .iter()
                .find(|pin| pin.ends_with(name))
                .unwrap_or_else(|| panic!("{name} is not pinned: {pins:?}"));
            wait_until(&format!("{name} is empty"), || entries(pin) == 0);
        }
    }
    // Others use the machine as well; what each connection left behind would be far more than they make.
    wait_until("no kind of kernel object has grown with the connections", || {
        slab_objects()
            .iter()
            .all(|(name, objects)| objects.saturating_sub(slabs.get(name).copied().unwrap_or_default()) < count)
    });
}

type Key = [u8; size_of::<FlowKey>()];

fn entries(pin: &Path) -> usize {
    let data = MapData::from_pin(pin).expect("open a pinned map");
    match Map::from_map_data(data).expect("a map of a known kind") {
        // The keys of both are of one type.
        Map::SockHash(map) => aya::maps::SockHash::<_, Key>::try_from(Map::SockHash(map))
            .expect("known keys")
            .keys()
            .count(),
        Map::HashMap(map) => aya::maps::HashMap::<_, Key, [u8; size_of::<Handshake>()]>::try_from(Map::HashMap(map))
            .expect("known sizes")
            .keys()
            .count(),
        _ => panic!("another kind of map: {}", pin.display()),
    }
}

/// Objects in use, for the kinds that a connection has or might have: sockets, except for those that only wait for late
/// packets, and what is allocated by size.
fn slab_objects() -> BTreeMap<String, u64> {
    let text = fs::read_to_string("/proc/slabinfo").expect("read /proc/slabinfo");
    let lines = text.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        let (name, active) = (fields.next()?, fields.next()?.parse().ok()?);
        let watched =
            name == "TCP" || name == "TCPv6" || name == "kmalloc-512" || name == "kmalloc-1k" || name == "kmalloc-2k";
        watched.then(|| (name.to_owned(), active))
    });
    lines.collect()
}
