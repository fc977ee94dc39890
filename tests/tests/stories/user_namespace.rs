// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A pod with a user namespace of its own (`hostUsers: false`): users and groups are those of the pod.

use std::{fs, process::Command};

use rstest::rstest;
use testkit::{Node, Pod, Process, Run, istio_rules::DEFAULT_FLAGS, records::Report};

/// What the pod's user 0 is outside.
const ROOT_OUTSIDE: u32 = 100_000;

/// Keeps a user namespace and a network namespace that it owns.
fn holder(pod: &Pod<'_>) -> Process {
    let mut command = Command::new("/usr/bin/unshare");
    // It says a line when it is there, and lives until its standard input ends.
    command.args(["--user", "--net", "/bin/sh", "-c", "echo '{}'; read line"]);
    let mut holder = Process::spawn("holder of the namespaces", &mut command);
    let _there: serde_json::Value = holder.json();
    for map in ["uid_map", "gid_map"] {
        fs::write(format!("/proc/{}/{map}", holder.pid()), format!("0 {ROOT_OUTSIDE} 65536")).expect("map the ids");
    }
    let netns = netns(&holder);
    let place = ["--netns", &netns, "--cgroup", &pod.namespace().cgroup().display().to_string()];
    for arguments in [
        "link set lo up",
        "link add eth0 type veth peer name peer0",
        "link set peer0 up",
        "link set eth0 up",
        "addr add 10.99.0.2/24 dev eth0",
        "route add default dev eth0",
    ] {
        let program: Vec<&str> = ["/usr/sbin/ip"].into_iter().chain(arguments.split(' ')).collect();
        run_in(&holder, "0", pod, &program).expect_success();
    }
    pod.node()
        .run(&[&["istio-iptables"], DEFAULT_FLAGS, &place].concat())
        .expect_success();
    holder
}

fn netns(holder: &Process) -> String {
    format!("/proc/{}/ns/net", holder.pid())
}

/// As a user of the pod, in both of its namespaces and its cgroup.
fn run_in(holder: &Process, user: &str, pod: &Pod<'_>, program: &[&str]) -> Run {
    let mut command = pod.app_as(0, 0).command("/usr/bin/nsenter");
    command
        .args(["--target", &holder.pid().to_string(), "--user", "--net", "--setuid", user, "--setgid", user])
        .args(program);
    Run::of(command)
}

#[rstest]
// The pod has no neighbor, and nobody listens on the sidecar's ports.
#[case::the_sidecar_passes("1337", "EHOSTUNREACH")]
#[case::the_application_is_intercepted("1000", "ECONNREFUSED")]
fn ids_are_those_of_the_pod(#[case] user: &str, #[case] errno: &str) {
    let node = Node::new();
    let pod = node.pod("pod");
    let holder = holder(&pod);
    let probe = node.work().join("interceptor-probe").display().to_string();
    let report: Report = run_in(&holder, user, &pod, &[&probe, "connect", "10.1.2.3:80"]).json();
    assert_eq!(report.error.map(|failure| failure.errno), Some(errno.to_owned()));
}

#[test]
fn explain_takes_the_ids_of_the_pod() {
    let node = Node::new();
    let pod = node.pod("pod");
    let holder = holder(&pod);
    let explain = |uid: &str| node.run(&["explain", "--netns", &netns(&holder), "--uid", uid, "10.1.2.3:80"]);
    assert!(explain("1337").output().contains("[proxy_owner]"), "{}", explain("1337"));
    assert!(
        explain("1000").output().contains("[outbound_cidr_included]"),
        "{}",
        explain("1000")
    );
    let stranger = explain("70000");
    assert_eq!(stranger.code, Some(1), "{stranger}");
    assert!(stranger.output().contains("70000"), "{stranger}");
}

#[test]
fn an_id_that_the_pod_does_not_have_is_refused() {
    let node = Node::new();
    let pod = node.pod("pod");
    let holder = holder(&pod);
    let place = ["--netns", &netns(&holder), "--cgroup", &pod.namespace().cgroup().display().to_string()];
    let run = node.run(&[&["istio-iptables"], DEFAULT_FLAGS, &place, &["-u", "70000"]].concat());
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.output().contains("70000"), "{run}");
}
