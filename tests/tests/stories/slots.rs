// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Slots: each pod has its own, they last as long as is promised, and only redirection uses them.

use aya::maps::{HashOfMaps, LpmTrie, Map, MapData, lpm_trie::Key};
use interceptor_policy::{ABI_VERSION, Slot, SlotKey, SlotValue, Use};
use nix::sys::signal::Signal;
use rstest::rstest;
use testkit::{
    Counters, Node, Process,
    records::{Connection, Tally},
    scene::{Outcome, SERVER, Scene, outcome_of},
};

/// One destination for each slot that a pod has.
const ALL: usize = Slot::CELLS as usize;
/// The calls of `connect()` that get a slot, and then find no way to it from their source address.
const REDIRECTED: &str = "connect:ENETUNREACH";
const REFUSED: &str = "connect:ECONNREFUSED";

/// The keys of a trie, as aya reads them.
type TrieKey = [u8; size_of::<SlotKey>()];

/// The pods' tables of slots.
struct Tables(HashOfMaps<MapData, u64, LpmTrie<MapData, TrieKey, SlotValue>>);

impl Tables {
    fn open(node: &Node) -> Self {
        let path = node.bpffs().join(format!("interceptor/v{ABI_VERSION}/maps/SLOTS"));
        let data = MapData::from_pin(&path).unwrap_or_else(|error| panic!("open {}: {error}", path.display()));
        Self(
            Map::from_map_data(data)
                .and_then(HashOfMaps::try_from)
                .expect("a map of tables"),
        )
    }

    fn count(&self) -> usize {
        self.0.keys().count()
    }

    /// Makes the slots of all pods look as if nobody had connected to their destinations for a while.
    fn age(&self) {
        for cookie in self.0.keys() {
            let mut table = self.0.get(&cookie.expect("a cookie"), 0).expect("a table");
            let keys: Vec<Key<TrieKey>> = table.keys().collect::<Result<_, _>>().expect("keys");
            for key in keys {
                let slot_key: SlotKey = zerocopy::transmute!(key.data());
                if slot_key.is_of_destination() {
                    let mut used = Use::from(table.get(&key, 0).expect("an entry"));
                    used.last = used.last.wrapping_sub(Use::KEPT);
                    table.insert(&key, SlotValue::from(used), 0).expect("write an entry");
                }
            }
        }
    }
}

fn counted(tally: &Tally, outcome: &str) -> usize {
    tally.failed.get(outcome).copied().unwrap_or_default()
}

/// Connects while the sidecar is stopped, does `meanwhile`, and says what the sidecar finds out about the connection.
fn asked_late(scene: &Scene<'_>, sidecar: &mut Process, meanwhile: impl FnOnce()) -> Connection {
    sidecar.signal(Signal::SIGSTOP);
    let client = scene.pod.app().hold(SERVER, &["--no-receive"]);
    meanwhile();
    sidecar.signal(Signal::SIGCONT);
    let connection = sidecar.json();
    drop(client);
    connection
}

#[test]
fn each_pod_has_a_table_that_goes_with_it() {
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
    let tables = Tables::open(&node);
    assert_eq!(tables.count(), 2);
    right.pod.enroll(&["-o", "8081"]);
    assert_eq!(tables.count(), 2, "another configuration keeps the table");
    right.pod.clean();
    assert_eq!(tables.count(), 1);
    assert_eq!(left.outbound(), Outcome::ThroughSidecar);
}

/// The sidecar asks late, and all the time another pod connects to more destinations than there are slots.
#[test]
fn another_pod_cannot_make_a_destination_forgotten() {
    let node = Node::new();
    let [victim, attacker] = ["victim", "attacker"].map(|name| Scene::new(&node, name));
    let _servers = victim.serve(8081);
    for scene in [&victim, &attacker] {
        scene.pod.enroll(&[]);
    }
    let mut sidecar = victim.sidecar(&[]);
    let connection = asked_late(&victim, &mut sidecar, || {
        let tally = attacker.pod.app().flood(3 * ALL, "10.128.0.0:80");
        assert_eq!(counted(&tally, REDIRECTED) + counted(&tally, REFUSED), 3 * ALL, "{tally:?}");
        assert!(counted(&tally, REDIRECTED) >= ALL, "{tally:?}");
    });
    assert_eq!(connection.original_destination, Some(SERVER.parse().expect("an address")));
    assert_eq!(victim.outbound(), Outcome::ThroughSidecar);
}

/// A pod that connects to more destinations than there are slots is refused the new ones, and keeps the old ones.
#[test]
fn a_pod_that_has_used_all_slots_is_refused_new_destinations_only() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    scene.pod.enroll(&[]);
    let mut sidecar = scene.sidecar(&[]);
    let app = scene.pod.app();
    let connection = asked_late(&scene, &mut sidecar, || {
        let tally = app.flood(ALL + 1000, "10.128.0.0:80");
        let expected = [(REDIRECTED.to_owned(), ALL - 1), (REFUSED.to_owned(), 1001)];
        assert_eq!(tally.failed, expected.into(), "one slot is that of the connection");
    });
    assert_eq!(connection.original_destination, Some(SERVER.parse().expect("an address")));
    assert_eq!(Counters::of_node(&node).of("no_slot"), 1001);
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar, "a destination that has a slot");
    let refused = app.connect("10.99.0.1:8081", &[]);
    assert_eq!(outcome_of(&refused), Outcome::refused(), "a new destination");

    Tables::open(&node).age();
    assert_eq!(outcome_of(&app.connect("10.99.0.1:8081", &[])), Outcome::ThroughSidecar);
    let connection: Connection = sidecar.json();
    assert_eq!(connection.original_destination, Some(SERVER.parse().expect("an address")));
    let connection: Connection = sidecar.json();
    assert_eq!(
        connection.original_destination,
        Some("10.99.0.1:8081".parse().expect("an address"))
    );
}

/// Its slot may be given to another destination when it is old. Then it shows the address of the slot, never that of
/// the other destination.
#[test]
fn an_old_connection_never_shows_the_destination_of_another() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    scene.pod.enroll(&[]);
    let _sidecar = scene.sidecar(&[]);
    let app = scene.pod.app();
    let mut held = app.hold(SERVER, &[]);
    let tables = Tables::open(&node);
    let mut forgotten = false;
    for round in 0..3 {
        let tally = app.flood(ALL + 1000, &format!("10.{}.0.0:80", 128 + 2 * round));
        assert!(counted(&tally, REDIRECTED) > ALL / 2, "{tally:?}");
        let peer = held.look().peer.expect("a peer");
        forgotten |= peer.to_string() != SERVER;
        assert!(
            peer.to_string() == SERVER || peer.ip().to_string().starts_with("127."),
            "{peer}"
        );
        tables.age();
    }
    assert!(forgotten, "the test did not come to what it is about");
}

/// The application was given the first slot, and dials it itself.
#[rstest]
#[case::outbound("127.128.0.0:15001", "127.0.0.1:15001")]
#[case::inbound("127.128.0.0:15006", "127.0.0.1:15006")]
fn a_slot_that_is_dialed_by_hand_is_plain_loopback(#[case] slot: &str, #[case] original: &str) {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    scene.pod.enroll(&[]);
    let mut sidecar = scene.sidecar(&[]);
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar, "the first slot is in use");
    let first: Connection = sidecar.json();
    assert_eq!(first.original_destination, Some(SERVER.parse().expect("an address")));
    scene.pod.app().connect(slot, &[]);
    let second: Connection = sidecar.json();
    assert_eq!(second.original_destination, Some(original.parse().expect("an address")));
}
