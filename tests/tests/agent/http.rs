// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What kubelet and Prometheus see.

use std::{io::Read as _, net::TcpStream};

use testkit::{
    scene::{Outcome, Scene},
    timeout, wait_until,
};

use crate::{
    lab::{Lab, get},
    sandbox::Sandbox,
};

#[test]
fn the_agent_is_ready_once_it_knows_the_pods_and_says_what_is_in_the_way() {
    let lab = Lab::new();
    lab.api.set_down(true);
    let agent = lab.start();
    assert_eq!(get(agent.health, "/healthz"), (200, "ok\n".to_owned()));
    wait_until("only the pods are in the way", || {
        let (status, text) = agent.readiness();
        status == 503 && text == "the API server has not listed the pods of this node yet\n"
    });
    lab.api.set_down(false);
    wait_until("it is ready", || agent.readiness() == (200, "ok\n".to_owned()));
    lab.api.set_down(true);
    assert_eq!(agent.readiness().0, 200, "pods that are known can start");

    nix::mount::umount(&lab.node.bpffs()).expect("unmount the bpffs");
    let (status, text) = agent.readiness();
    assert_eq!(status, 503);
    assert!(text.contains(&lab.node.bpffs().display().to_string()), "{text}");
    let (_, text) = get(agent.metrics, "/metrics");
    let obstacles = ["kernel", "programs", "pods", "socket", "plugin"].map(|obstacle| (obstacle, 0));
    for (obstacle, expected) in obstacles.into_iter().chain([("bpffs", 1)]) {
        let line = format!("interceptor_obstacles{{obstacle=\"{obstacle}\"}} {expected}");
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let flags = nix::mount::MsFlags::empty();
    nix::mount::mount(Some("bpf"), &lab.node.bpffs(), Some("bpf"), flags, None::<&str>).expect("mount it again");
    wait_until("the programs are loaded again", || agent.readiness().0 == 200);
}

#[test]
fn a_crowd_of_silent_peers_does_not_keep_kubelet_out() {
    let lab = Lab::new();
    let agent = lab.start();
    let mut silent: Vec<TcpStream> = (0..300)
        .map(|_| TcpStream::connect_timeout(&agent.health, timeout()).expect("connect"))
        .collect();
    assert_eq!(get(agent.health, "/healthz"), (200, "ok\n".to_owned()));
    let descriptors = || std::fs::read_dir(format!("/proc/{}/fd", agent.pid())).expect("list").count();
    wait_until("the crowd has no descriptors of the agent", || descriptors() < 150);
    let first = &mut silent[0];
    first.set_read_timeout(Some(timeout())).expect("set a time limit");
    // The end, or a reset.
    assert_eq!(first.read(&mut [0; 16]).unwrap_or_default(), 0);
}

#[test]
fn metrics_tell_of_requests_pods_and_connections() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let _servers = scene.serve(8081);
    let _sidecar = scene.sidecar(&[]);
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    lab.api.put(sandbox.injected());
    let agent = lab.start_synced();
    lab.expect_enrolled(&sandbox);
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);

    let (status, text) = get(agent.metrics, "/metrics");
    assert_eq!(status, 200);
    for line in [
        "interceptor_adds_total{outcome=\"enrolled\"} 1",
        "interceptor_adds_total{outcome=\"refused\"} 0",
        "interceptor_add_seconds_count 1",
        "interceptor_enrolled_pods 1",
        "interceptor_connections_total{reason=\"outbound_cidr_included\"} 1",
        "interceptor_gc_total 0",
        concat!("interceptor_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }

    // A pod that goes leaves what was counted.
    sandbox.del(&lab.socket()).expect("an answer");
    let (_, text) = get(agent.metrics, "/metrics");
    assert!(text.contains("interceptor_enrolled_pods 0"), "{text}");
    assert!(
        text.contains("interceptor_connections_total{reason=\"outbound_cidr_included\"} 1"),
        "{text}"
    );
}
