// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods are told apart by their namespaces: two with the same addresses and ports, on one node, share nothing.

use aya::maps::{HashMap, Map, MapData};
use interceptor_policy::{ABI_VERSION, SlotEntry};
use testkit::{
    Node,
    records::{Connection, Listener},
    scene::{APP, Outcome, SERVER, Scene},
};

#[test]
fn pods_with_the_same_addresses_do_not_meet() {
    let node = Node::new();
    let [left, right] = ["left", "right"].map(|name| Scene::new(&node, name));
    let _servers = [left.serve(8081), right.serve(8081)];
    left.pod.enroll(&[]);
    assert_eq!(
        [right.outbound(), right.inbound()],
        [Outcome::Direct, Outcome::Direct],
        "the other pod is not enrolled"
    );
    right.pod.enroll(&["-o", "8081"]);
    let mut left_sidecar = left.sidecar(&[]);
    assert_eq!(
        [right.outbound(), right.inbound()],
        [Outcome::refused(), Outcome::refused()],
        "the other pod's sidecar does not run"
    );
    let right_sidecar = right.sidecar(&[]);

    // The same source port to the same destination, in both at once.
    let flags = ["--bind", "10.99.0.2:40000"];
    let mut held = [&left, &right].map(|scene| scene.pod.app().hold(SERVER, &flags));
    let mut held_inbound = [&left, &right].map(|scene| scene.outside.root().hold(APP, &["--bind", "10.99.0.1:40000"]));
    for connection in held.iter_mut().chain(&mut held_inbound) {
        connection.expect_echo("here");
    }
    let seen: [Connection; 2] = [left_sidecar.json(), left_sidecar.json()];
    assert_eq!(
        seen.map(|connection| connection.listener),
        [Listener::Outbound, Listener::Inbound]
    );

    right_sidecar.kill();
    assert_eq!(
        [left.outbound(), left.inbound()],
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar]
    );
    assert_eq!([right.outbound(), right.inbound()], [Outcome::refused(), Outcome::refused()]);

    right.pod.clean();
    assert_eq!(
        [left.outbound(), left.inbound()],
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar]
    );
    assert_eq!([right.outbound(), right.inbound()], [Outcome::Direct, Outcome::Direct]);
}

/// Both dial the same destination, and then each finds the slot that it would take first taken by the other.
#[test]
fn a_slot_of_another_pod_is_as_good_as_taken() {
    let node = Node::new();
    let [left, right] = ["left", "right"].map(|name| Scene::new(&node, name));
    let _servers = [left.serve(8081), right.serve(8081)];
    for scene in [&left, &right] {
        scene.pod.enroll(&[]);
    }
    let _sidecars = [left.sidecar(&[]), right.sidecar(&[])];
    assert_eq!(
        [left.outbound(), right.outbound()],
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar]
    );

    let mut slots = Slots::open(&node);
    let [(first, of_left), (second, of_right)] = slots.entries().try_into().expect("an entry for each pod");
    assert_eq!(of_left.destination, of_right.destination);
    assert_ne!(of_left.netns_cookie, of_right.netns_cookie);
    slots.set(first, of_right);
    slots.set(second, of_left);

    assert_eq!(
        [left.outbound(), right.outbound()],
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar]
    );
    assert_eq!(slots.entries().len(), 4, "each pod has taken another slot");
}

/// The pinned table of slots.
struct Slots(HashMap<MapData, u32, [u8; size_of::<SlotEntry>()]>);

impl Slots {
    fn open(node: &Node) -> Self {
        let path = node.bpffs().join(format!("interceptor/v{ABI_VERSION}/maps/SLOTS"));
        let data = MapData::from_pin(&path).unwrap_or_else(|error| panic!("open {}: {error}", path.display()));
        Self(
            Map::from_map_data(data)
                .and_then(HashMap::try_from)
                .expect("a hash map of slots"),
        )
    }

    fn entries(&self) -> Vec<(u32, SlotEntry)> {
        let entries = self.0.iter().map(|entry| entry.expect("an entry"));
        entries.map(|(slot, bytes)| (slot, zerocopy::transmute!(bytes))).collect()
    }

    fn set(&mut self, slot: u32, entry: SlotEntry) {
        let bytes: [u8; size_of::<SlotEntry>()] = zerocopy::transmute!(entry);
        self.0.insert(slot, bytes, 0).expect("write an entry");
    }
}
