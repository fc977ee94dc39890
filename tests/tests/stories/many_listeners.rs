// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A sidecar with far more listening sockets than are recorded: it is served as if all were, and its pod takes no
//! place that belongs to another pod.

use aya::maps::{Map, MapData, SockHash};
use interceptor_policy::{ABI_VERSION, LISTENERS_PER_KIND, LISTENERS_PER_POD, ListenerKey, MAX_PODS};
use testkit::{
    Node,
    scene::{Outcome, Scene, Stack},
};

/// For each port and family.
const GROUP: &[&str] = &["--reuse-port", "200"];
const REDIRECTED: [Outcome; 2] = [Outcome::ThroughSidecar, Outcome::ThroughSidecar];

#[test]
fn a_new_group_takes_over_from_an_old_one() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    scene.pod.enroll(&[]);
    let old = scene.sidecar(GROUP);
    let new = scene.sidecar(GROUP);
    old.kill();
    assert_eq!([scene.outbound(), scene.inbound()], REDIRECTED);
    assert!(node.counters()["listener_replaced"] > 0, "{:?}", node.counters());
    new.kill();
    assert_eq!([scene.outbound(), scene.inbound()], [Outcome::refused(), Outcome::refused()]);
}

#[test]
fn one_that_listens_already_is_found() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let _sidecar = scene.sidecar(GROUP);
    scene.pod.enroll(&[]);
    assert_eq!([scene.outbound(), scene.inbound()], REDIRECTED);
}

#[test]
fn a_pod_keeps_to_its_share_of_the_table() {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", Stack::Dual);
    let _servers = scene.serve(8081);
    scene.pod.enroll(Stack::Dual.enroll_flags());
    let _sidecar = scene.sidecar(GROUP);
    assert_eq!([scene.outbound(), scene.inbound()], REDIRECTED);
    let table = Table::open(&node);
    let (ports, families) = (2, 2);
    assert_eq!(table.recorded(), ports * families * u32::from(LISTENERS_PER_KIND));
    assert_eq!(
        table.places,
        LISTENERS_PER_POD * u32::try_from(MAX_PODS).expect("a few thousand")
    );
}

/// The pinned table of listening sockets.
struct Table {
    sockets: SockHash<MapData, [u8; size_of::<ListenerKey>()]>,
    places: u32,
}

impl Table {
    fn open(node: &Node) -> Self {
        let path = node.bpffs().join(format!("interceptor/v{ABI_VERSION}/maps/LISTENERS"));
        let data = MapData::from_pin(&path).unwrap_or_else(|error| panic!("open {}: {error}", path.display()));
        let places = data.info().expect("what the kernel knows of the map").max_entries();
        let sockets = Map::from_map_data(data)
            .and_then(SockHash::try_from)
            .expect("a hash map of sockets");
        Self { sockets, places }
    }

    fn recorded(&self) -> u32 {
        u32::try_from(self.sockets.keys().count()).expect("a few")
    }
}
