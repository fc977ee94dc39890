// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Nobody gets an address of the slots' networks as a source, so nobody is taken for a redirected connection, or for
//! the DNS agent.

use rstest::rstest;
use testkit::{
    APP_UID, Launcher, Node, PROXY_UID, Process, Run,
    scene::{POD, POD_V6, Scene, Stack},
};

const SOURCES: &str = include_str!("programs/slot_sources.py");
const BOUND_BEFORE: &str = include_str!("programs/bound_before.py");
const PYTHON: &str = "/usr/bin/python3";

fn enrolled(node: &Node) -> Scene<'_> {
    let scene = Scene::with_stack(node, "pod", Stack::Dual);
    scene
        .pod
        .enroll(&[&["--redirect-dns", "--capture-all-dns"], Stack::Dual.enroll_flags()].concat());
    scene
}

fn slot_as_source(node: &Node) -> u64 {
    node.counters().get("slot_as_source").copied().unwrap_or_default()
}

#[rstest]
#[case::the_application(APP_UID, "app")]
#[case::root(0, "app")]
#[case::the_sidecar(PROXY_UID, "sidecar")]
fn are_refused_in_every_way_there_is(#[case] uid: u32, #[case] container: &str) {
    let node = Node::new();
    let scene = enrolled(&node);
    let launcher = if container == "app" {
        scene.pod.app_as(uid, uid)
    } else {
        scene.pod.proxy_as(uid, uid)
    };
    let mut command = launcher.command(PYTHON);
    command.args(["-I", "-c", SOURCES]);
    let run = Run::of(command);
    run.expect_success();
    let mut refused = 0;
    for line in run.stdout.lines() {
        if line.ends_with(" EADDRNOTAVAIL") {
            refused += 1;
            continue;
        }
        let harmless = line == "other loopback bound"
            // The sidecar gets no MPTCP socket, and not every kernel has UDP-Lite.
            || (line.starts_with("mptcp ") && line.ends_with(" ENOPROTOOPT") && uid == PROXY_UID)
            || (line.starts_with("udplite ") && line.ends_with(" EPROTONOSUPPORT"));
        assert!(harmless, "{line}: {run}");
    }
    assert!(run.stdout.contains("other loopback bound"), "{run}");
    assert!(refused >= 16, "{run}");
    assert_eq!(slot_as_source(&node), refused, "{run}");
}

/// Starts the program that binds before it is told to connect.
fn bound_before(launcher: &Launcher) -> Process {
    let mut command = launcher.command(PYTHON);
    command.args(["-I", "-c", BOUND_BEFORE, POD, POD_V6]);
    let mut process = Process::spawn("sockets bound before", &mut command);
    assert_eq!(process.line(), "bound");
    process
}

fn let_it_try(mut process: Process) -> Vec<String> {
    process.say("now");
    process.finish().lines
}

#[test]
fn of_sockets_that_were_bound_before_their_pod_was_enrolled_lead_nowhere() {
    let node = Node::new();
    let scene = Scene::with_stack(&node, "pod", Stack::Dual);
    let bound = bound_before(&scene.pod.app());
    scene
        .pod
        .enroll(&[&["--redirect-dns", "--capture-all-dns"], Stack::Dual.enroll_flags()].concat());
    let _servers = scene.serve(8081);
    let _sidecar = scene.sidecar(&[]);
    let results = let_it_try(bound);
    assert_eq!(results.len(), 18, "{results:#?}");
    assert!(results.iter().all(|result| result.ends_with(" EADDRNOTAVAIL")), "{results:#?}");
    assert_eq!(slot_as_source(&node), 18);
}

/// The programs for `bind()` and `connect()` do not run there. What it sends is refused where it arrives.
#[test]
fn of_a_process_outside_the_pods_cgroup_reach_nobody() {
    let node = Node::new();
    let scene = enrolled(&node);
    let bound = bound_before(&scene.pod.app().cgroup(scene.outside.cgroup().to_owned()));
    let _servers = scene.serve(8081);
    let _sidecar = scene.sidecar(&[]);
    let results = let_it_try(bound);
    let tcp: Vec<&String> = results.iter().filter(|result| result.starts_with("tcp ")).collect();
    // A socket says ECONNABORTED when it is connected again after it was refused.
    let refused = |result: &&&String| result.ends_with(" ECONNREFUSED") || result.ends_with(" ECONNABORTED");
    assert_eq!((tcp.len(), tcp.iter().filter(refused).count()), (12, 12), "{results:#?}");
    assert!(slot_as_source(&node) >= 8);
}
