// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which connections are left alone, and that the reason is counted.

use rstest::rstest;
use testkit::{Counters, Node, Process, records::Transferred};

use crate::lab::{Kind, Lab, finish, goes_on, pair};

const TO_SIDECAR: &[&str] =
    &["--client-uid", "1000", "--server-uid", "1337", "--listen", "0.0.0.0:15001", "--to", "10.99.0.1:80"];
const BETWEEN_APPLICATIONS: &[&str] = &[
    "--client-uid",
    "1000",
    "--server-uid",
    "1000",
    "--listen",
    "127.0.0.1:9000",
    "--to",
    "127.0.0.1:9000",
];

#[rstest]
#[case::fast_open(&[TO_SIDECAR, &["churn", "--count", "5", "--fast-open"]].concat(), "acceleration_early_data")]
#[case::multipath(&[&["--mptcp"], TO_SIDECAR, &["churn", "--count", "5"]].concat(), "acceleration_mptcp")]
#[case::between_applications(&[BETWEEN_APPLICATIONS, &["churn", "--count", "5"]].concat(), "acceleration_no_sidecar")]
fn is_not_accelerated(#[case] flags: &[&str], #[case] reason: &str) {
    let node = Node::new();
    let lab = Lab::new(&node, Kind::Outbound);
    lab.enroll(&["--accelerate"]);
    // Fast open without cookies, for every listening socket.
    lab.pod.namespace().sysctl("net.ipv4.tcp_fastopen", "1543");
    let Transferred { connections, .. } = finish(pair(lab.pod.namespace(), None, flags));
    assert_eq!(connections, 5);
    let counters = lab.counters();
    assert_eq!(counters.of("accelerated"), 0, "{counters}");
    assert!(counters.of(reason) >= 5, "{counters}");
}

#[test]
fn a_connection_to_another_machine_is_not_accelerated() {
    let node = Node::new();
    let lab = Lab::new(&node, Kind::Outbound);
    lab.enroll(&["--accelerate"]);
    let outside = lab.outside.as_ref().expect("a machine outside");
    let flags = [
        "--client-uid",
        "1337",
        "--server-uid",
        "0",
        "--listen",
        "0.0.0.0:80",
        "--to",
        "10.99.0.1:80",
        "churn",
        "--count",
        "5",
    ];
    let Transferred { connections, .. } = finish(pair(lab.pod.namespace(), Some(outside), &flags));
    assert_eq!(connections, 5);
    let counters = lab.counters();
    assert_eq!(
        [counters.of("accelerated"), counters.of("acceleration_peer_elsewhere")],
        [0, 5],
        "{counters}"
    );
}

/// An address that two pods of the node have leads to neither.
#[test]
fn an_address_of_two_pods_is_nobodys() {
    let node = Node::new();
    let lab = Lab::new(&node, Kind::Pods);
    let double = node.pod("double");
    double
        .namespace()
        .connect("eth0", &["10.99.0.9/24"], &node.outside("elsewhere"), &["10.99.0.7/24"]);
    lab.enroll(&["--accelerate"]);
    double.enroll(&["--accelerate"]);
    let run = || {
        let before = Counters::of_node(&node);
        let Transferred { .. } = lab.run(&["churn", "--count", "5"]);
        let after = Counters::of_node(&node);
        after.of("accelerated") - before.of("accelerated")
    };
    assert_eq!(run(), 0);
    double.clean();
    assert_eq!(run(), 10);
}

/// Two connections of the same addresses and ports, each with one end in an accelerated pod, are not the two ends of
/// one.
#[test]
fn the_ends_of_two_connections_are_not_taken_for_those_of_one() {
    let node = Node::new();
    let [pod, neighbor] = ["pod", "neighbor"].map(|name| node.pod(name));
    // Each has its own idea of who has the other's address.
    let [impostor, caller] = ["impostor", "caller"].map(|name| node.outside(name));
    pod.namespace().connect("eth0", &["10.99.0.2/24"], &impostor, &["10.99.0.9/24"]);
    neighbor
        .namespace()
        .connect("eth0", &["10.99.0.9/24"], &caller, &["10.99.0.2/24"]);
    for pod in [&pod, &neighbor] {
        pod.enroll(&["--accelerate"]);
    }
    let flags = [
        "--client-uid",
        "1337",
        "--server-uid",
        "1337",
        "--source",
        "10.99.0.2:40000",
        "--to",
        "10.99.0.9:8080",
    ];

    let to_impostor = [&flags, ["--listen", "0.0.0.0:8080", "stream"].as_slice()].concat();
    let mut stream = Process::spawn(
        "a stream to the impostor".to_owned(),
        &mut pair(pod.namespace(), Some(&impostor), &to_impostor),
    );
    goes_on(&mut stream);
    let from_caller = [&flags, ["--listen", "0.0.0.0:15006", "churn", "--count", "1"].as_slice()].concat();
    let Transferred { connections, .. } = finish(pair(&caller, Some(neighbor.namespace()), &from_caller));
    assert_eq!(connections, 1);
    goes_on(&mut stream);

    let counters = Counters::of_node(&node);
    assert_eq!(
        [counters.of("accelerated"), counters.of("acceleration_unproven")],
        [0, 1],
        "{counters}"
    );
}

/// Nothing of it is loaded or attached where nobody asked for it.
#[test]
fn without_the_flag_nothing_is_loaded() {
    let node = Node::new();
    let lab = Lab::new(&node, Kind::Outbound);
    let acceleration = || {
        node.pins()
            .iter()
            .filter(|pin| pin.to_string_lossy().contains("accelerat") || pin.ends_with("on_established"))
            .count()
    };
    lab.enroll(&[]);
    assert_eq!(acceleration(), 0);
    lab.enroll(&["--accelerate"]);
    assert!(acceleration() > 0);
    lab.enroll(&[]);
    assert_eq!(acceleration(), 0, "{:?}", node.pins());
}
