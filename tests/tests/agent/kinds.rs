// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods that are not like most: with IPv6, under TPROXY, with a user namespace of their own. And connections that are
//! not redirected: those of the sidecar's user, and probes of the sidecar.

use std::{fs::File, os::fd::AsRawFd as _, path::PathBuf};

use rstest::rstest;
use serde_json::{Value, json};
use testkit::{
    Run, UserNamespace,
    records::{Connection, Listener},
    scene::{APP, Outcome, SERVER, Scene, Stack, outcome},
};

use crate::{
    lab::{Agent, Lab, refusal},
    sandbox::Sandbox,
};

/// The agent enrolls the pod as the API server shows it.
fn enroll(lab: &Lab, sandbox: &Sandbox, pod: Value) -> Agent {
    lab.api.put(pod);
    let agent = lab.start_synced();
    lab.expect_enrolled(sandbox);
    agent
}

#[rstest]
#[case::both(Stack::Dual)]
#[case::v6_alone(Stack::V6)]
fn the_families_that_a_pod_has_are_intercepted(#[case] stack: Stack) {
    let lab = Lab::new();
    let scene = Scene::with_stack(&lab.node, "pod", stack);
    let _servers = scene.serve(8081);
    let _sidecar = scene.sidecar(&[]);
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    let mut pod = sandbox.injected();
    pod["spec"]["containers"][1]["env"] =
        json!([{ "name": "ISTIO_DUAL_STACK", "value": (stack == Stack::Dual).to_string() }]);
    let _agent = enroll(&lab, &sandbox, pod);
    // By IPv6.
    assert_eq!(
        [scene.outbound(), scene.inbound()],
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar]
    );
    if stack.has_v4() {
        let by_v4 = [outcome(&scene.pod.app(), SERVER), outcome(&scene.outside.root(), APP)];
        assert_eq!(by_v4, [Outcome::ThroughSidecar, Outcome::ThroughSidecar]);
    }
}

#[test]
fn under_tproxy_the_application_sees_its_client() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let _servers = scene.serve(8081);
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    let mut pod = sandbox.injected();
    pod["metadata"]["annotations"]["sidecar.istio.io/interceptionMode"] = "TPROXY".into();
    let _agent = enroll(&lab, &sandbox, pod);
    let mut sidecar = scene.pod.proxy_as(0, 1337).sidecar(&["--keep-client", "1337"]);

    let report = scene.outside.root().connect(APP, &[]);
    let greeting = report.greeting();
    assert_eq!(greeting.name, "app");
    assert_eq!(Some(greeting.peer.ip()), report.local.map(|local| local.ip()));
    let Connection { listener, peer, .. } = sidecar.json();
    assert_eq!((listener, Some(peer)), (Listener::Inbound, report.local));
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);

    let say = |program: &str, arguments: &[&str]| {
        let mut command = scene.pod.namespace().root().command(program);
        command.args(arguments);
        let run = Run::of(command);
        run.expect_success();
        run.stdout
    };
    assert!(say("/usr/sbin/ip", &["rule"]).contains("fwmark 0x539 lookup 133"));
    assert!(say("/usr/sbin/ip", &["route", "show", "table", "133"]).starts_with("local default dev lo"));
    assert_eq!(say("/bin/cat", &["/proc/sys/net/ipv4/tcp_fwmark_accept"]), "1");
}

/// So may an init container that runs as this user
/// ([Istio's advice](https://istio.io/latest/docs/setup/additional-setup/cni/)).
#[test]
fn before_there_is_a_sidecar_only_its_user_gets_out() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let _servers = scene.serve(8081);
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    let _agent = enroll(&lab, &sandbox, sandbox.injected());
    assert_eq!(scene.outbound(), Outcome::refused());
    assert_eq!(outcome(&scene.pod.proxy(), SERVER), Outcome::Direct);
}

/// kubelet connects from the network of the node.
#[test]
fn probes_of_the_application_go_through_the_sidecar_and_probes_of_the_sidecar_do_not() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let _servers = scene.serve(8081);
    let _sidecar = scene.sidecar(&[]);
    let ports = ["15020", "15021", "15090"];
    let listen = ports.map(|port| format!("0.0.0.0:{port}"));
    let _probed = scene.pod.proxy().serve("sidecar", &listen.each_ref().map(String::as_str));
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    let _agent = enroll(&lab, &sandbox, sandbox.injected());
    let kubelet = scene.outside.root();
    assert_eq!(outcome(&kubelet, APP), Outcome::ThroughSidecar);
    for port in ports {
        assert_eq!(outcome(&kubelet, &format!("10.99.0.2:{port}")), Outcome::Direct, "{port}");
    }
}

#[test]
fn with_a_user_namespace_the_sidecars_user_is_the_one_that_the_pod_calls_so() {
    let lab = Lab::new();
    let pod = lab.node.pod("pod");
    let own = UserNamespace::of(&pod);
    let sandbox = Sandbox::of(&pod, "web-0").again(own.netns());
    let _agent = enroll(&lab, &sandbox, sandbox.injected());
    // The pod has no neighbor, and nobody listens on the sidecar's ports.
    assert_eq!(own.connect("1337", "10.1.2.3:80").as_deref(), Some("EHOSTUNREACH"));
    assert_eq!(own.connect("1000", "10.1.2.3:80").as_deref(), Some("ECONNREFUSED"));
}

#[test]
fn an_agent_in_a_container_asks_the_processes_of_the_host_for_a_user_namespace() {
    let lab = Lab::new();
    let pod = lab.node.pod("pod");
    let own = UserNamespace::of(&pod);
    let sandbox = Sandbox::of(&pod, "web-0").again(own.netns());
    lab.api.put(sandbox.injected());
    let _agent = lab.start_contained();
    lab.expect_enrolled(&sandbox);
    assert_eq!(own.connect("1337", "10.1.2.3:80").as_deref(), Some("EHOSTUNREACH"));
    assert_eq!(own.connect("1000", "10.1.2.3:80").as_deref(), Some("ECONNREFUSED"));
}

/// Only a process of the user namespace tells how it numbers users.
#[test]
fn without_a_process_of_its_user_namespace_a_pod_is_refused() {
    let lab = Lab::new();
    let pod = lab.node.pod("pod");
    let own = UserNamespace::of(&pod);
    let netns = File::open(own.netns()).expect("the network namespace");
    drop(own);
    let sandbox = Sandbox::of(&pod, "web-0").again(PathBuf::from(format!("/proc/self/fd/{}", netns.as_raw_fd())));
    lab.api.put(sandbox.injected());
    let _agent = lab.start_synced();
    let (_code, msg, _) = refusal(sandbox.add(&lab.socket()).expect("an answer"));
    assert!(msg.contains("No process of the pod's user namespace"), "{msg}");
    assert!(lab.enrollments().is_empty() && lab.records().is_empty());
}
