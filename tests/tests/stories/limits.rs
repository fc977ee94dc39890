// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How much there may be of everything; what is too much is refused before anything has changed.

use std::net::Ipv4Addr;

use aya::maps::{HashMap, Map, MapData};
use interceptor_policy::{ABI_VERSION, Enrollment, MAX_PODS};
use testkit::{
    Node,
    istio_rules::DEFAULT_FLAGS,
    scene::{Outcome, SERVER, Scene, outcome},
};

/// Of 16 addresses each; the first 8 are included, and of those the third and the fourth are excluded.
const BLOCKS: u32 = 5000;

#[test]
fn ten_thousand_ranges_hold_what_is_in_them_and_no_more() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    scene.outside.ip("route add local 10.64.0.0/14 dev lo");
    let _servers = scene.serve(8081);
    let address =
        |block: u32, offset: u32| Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 64, 0, 0)) + 16 * block + offset);
    let ranges = |offset: u32, length: u32| {
        let ranges: Vec<String> = (0..BLOCKS)
            .map(|block| format!("{}/{length}", address(block, offset)))
            .collect();
        ranges.join(",")
    };
    scene.pod.enroll(&["-i", &ranges(0, 29), "-x", &ranges(2, 31)]);
    let _sidecar = scene.sidecar(&[]);
    let app = scene.pod.app();
    let expected = [
        (0, Outcome::ThroughSidecar),
        (1, Outcome::ThroughSidecar),
        (2, Outcome::Direct),
        (3, Outcome::Direct),
        (4, Outcome::ThroughSidecar),
    ];
    for block in [0, BLOCKS / 2, BLOCKS - 1] {
        for (offset, expected) in
            expected
                .iter()
                .chain(&[(7, Outcome::ThroughSidecar), (8, Outcome::Direct), (15, Outcome::Direct)])
        {
            let to = address(block, *offset);
            assert_eq!(outcome(&app, &format!("{to}:80")), *expected, "{to}");
        }
    }
    assert_eq!(outcome(&app, SERVER), Outcome::Direct, "in no range");
}

#[test]
fn more_ranges_than_a_pod_may_have_are_refused() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    // A range that is cut into 22 prefixes, 3,000 times.
    let users: Vec<String> = (1..=3000_u32)
        .map(|block| format!("{}-{}", 4096 * block + 1, 4096 * block + 4094))
        .collect();
    let run = scene.pod.try_enroll(&[DEFAULT_FLAGS, &["-u", &users.join(",")]].concat());
    assert_eq!(run.code, Some(1), "{run}");
    assert!(
        run.stderr
            .contains("prefixes, more than the 65536 a pod may have; write fewer or wider ranges"),
        "{run}"
    );
    assert_eq!(node.enrolled(), [] as [std::path::PathBuf; 0]);
    assert_eq!([scene.outbound(), scene.inbound()], [Outcome::Direct, Outcome::Direct]);
}

/// A container with `CAP_NET_ADMIN` can make as many as it likes.
#[test]
fn a_pod_with_more_routes_than_are_looked_at_keeps_the_policy_that_it_has() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    scene.pod.enroll(&[]);
    let _sidecar = scene.sidecar(&[]);
    let routes: Vec<String> = (0..66_000_u32)
        .map(|number| format!("route add unreachable {}/32", Ipv4Addr::from(0x0b00_0000 + number)))
        .collect();
    scene.pod.namespace().ip(&routes.join("\n"));
    let run = scene.pod.try_enroll(DEFAULT_FLAGS);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.stderr.contains("more than 65536 routes of one family"), "{run}");
    assert_eq!(
        [scene.outbound(), scene.inbound()],
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar]
    );
}

#[test]
fn more_pods_than_a_node_may_have_are_refused() {
    let node = Node::new();
    let [first, late] = ["first", "late"].map(|name| Scene::new(&node, name));
    let _servers = [first.serve(8081), late.serve(8081)];
    first.pod.enroll(&[]);
    let _sidecar = first.sidecar(&[]);
    let mut pods = Pods::open(&node);
    pods.fill();
    let run = late.pod.try_enroll(DEFAULT_FLAGS);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(
        run.output()
            .contains("4096 pods are enrolled on this node, and there is no room for another"),
        "{run}"
    );
    assert_eq!([late.outbound(), late.inbound()], [Outcome::Direct, Outcome::Direct]);
    assert_eq!(node.enrolled().len(), 1, "{:#?}", node.enrolled());

    first.pod.enroll(&["-o", "8081"]);
    assert_eq!(
        [first.outbound(), first.inbound()],
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar],
        "one that is enrolled can be switched"
    );
    pods.remove_one();
    late.pod.enroll(&[]);
    assert_eq!([late.outbound(), late.inbound()], [Outcome::refused(), Outcome::refused()]);
}

/// The pinned table of pods.
struct Pods(HashMap<MapData, u64, [u8; size_of::<Enrollment>()]>);

impl Pods {
    fn open(node: &Node) -> Self {
        let path = node.bpffs().join(format!("interceptor/v{ABI_VERSION}/maps/PODS"));
        let data = MapData::from_pin(&path).unwrap_or_else(|error| panic!("open {}: {error}", path.display()));
        Self(
            Map::from_map_data(data)
                .and_then(HashMap::try_from)
                .expect("a hash map of pods"),
        )
    }

    /// Copies the entry that is there, under cookies that no namespace has.
    fn fill(&mut self) {
        let Self(map) = self;
        let (_cookie, entry) = map.iter().next().expect("an enrolled pod").expect("an entry");
        for number in 1..MAX_PODS as u64 {
            map.insert(Self::cookie(number), entry, 0)
                .expect("room for as many as the limit says");
        }
    }

    fn remove_one(&mut self) {
        self.0.remove(&Self::cookie(1)).expect("an entry");
    }

    fn cookie(number: u64) -> u64 {
        number << 40
    }
}
