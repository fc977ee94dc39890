// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A pod whose sandbox dies gets another one: with another network namespace, and with the same cgroup. And the end of
//! a sandbox that nobody tells of.

use std::path::Path;

use interceptor_wire::{Answer, Did, Request};
use testkit::{
    Run,
    scene::{Outcome, SERVER, Scene, outcome},
    wait_until,
};

use crate::{
    lab::{Lab, refusal},
    sandbox::{Sandbox, ask},
};

#[test]
fn a_new_sandbox_ends_the_enrollment_of_the_old_one_whose_late_end_changes_nothing() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let (old_namespace, new_namespace) = (scene.pod.namespace(), lab.node.outside("new"));
    let old = Sandbox::of(&scene.pod, "web-0");
    lab.api.put(old.injected());
    let _agent = lab.start();
    lab.expect_enrolled(&old);

    new_namespace.connect("eth0", &["10.98.0.2/24", "10.98.0.3/24"], &scene.outside, &["10.98.0.1/24"]);
    new_namespace.ip("route add default via 10.98.0.1");
    let new = old.again(new_namespace.path());
    lab.expect_enrolled(&new);
    let only_the_new_one = || {
        let cookies: Vec<u64> = lab.enrollments().into_iter().map(|(cookie, _)| cookie).collect();
        assert_eq!(cookies, [Lab::cookie(&new)]);
        let sandboxes: Vec<String> = lab.records().into_iter().map(|record| record.sandbox).collect();
        assert_eq!(sandboxes, [new.id.as_str()]);
    };
    only_the_new_one();

    // In the new namespace, every hook runs once for each call.
    let server = scene.outside.root().serve("outside", &["0.0.0.0:80"]);
    let [app, proxy] = [(1000, "app"), (1337, "sidecar")]
        .map(|(id, name)| new_namespace.launcher(id, id).cgroup(old_namespace.cgroup().join(name)));
    let _sidecar = proxy.sidecar(&["--source", "10.98.0.3"]);
    assert_eq!(outcome(&app, SERVER), Outcome::ThroughSidecar);
    let counters = lab.node.counters();
    assert_eq!(counters.get("outbound_cidr_included"), Some(&1), "{counters:?}");
    assert_eq!(counters.get("proxy_owner"), Some(&1), "{counters:?}");
    drop(server);

    // The runtime tells of the end of the old one, several times.
    old.del(&lab.socket()).expect("an answer");
    only_the_new_one();
    old.del_without_namespace(&lab.socket()).expect("an answer");
    only_the_new_one();
    new.del(&lab.socket()).expect("an answer");
    assert!(lab.enrollments().is_empty() && lab.records().is_empty());
}

#[test]
fn a_pod_does_not_end_the_enrollment_of_another_one_by_its_cgroup() {
    let lab = Lab::new();
    let [first, second] = ["first", "second"].map(|name| Scene::new(&lab.node, name).pod);
    let [first, second] = [(first, "web-0"), (second, "web-1")].map(|(pod, name)| Sandbox::of(&pod, name));
    for sandbox in [&first, &second] {
        lab.api.put(sandbox.injected());
    }
    let _agent = lab.start();
    lab.expect_enrolled(&first);
    let misled = Sandbox { cgroup: first.cgroup.clone(), ..second };
    let (_, msg, _) = refusal(misled.add(&lab.socket()).expect("an answer"));
    assert!(
        msg.contains("The pod shop/web-1 is not enrolled, because the pod shop/web-0 is enrolled with "),
        "{msg}"
    );
    let cookies: Vec<u64> = lab.enrollments().into_iter().map(|(cookie, _)| cookie).collect();
    assert_eq!(cookies, [Lab::cookie(&first)]);
}

/// As when the runtime was killed before it noted that there is something to end.
#[test]
fn a_pod_whose_end_nobody_tells_is_collected_when_its_network_namespace_is_gone() {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "dies").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    lab.api.put(sandbox.injected());
    let _agent = lab.start();
    lab.expect_enrolled(&sandbox);
    let name = pod.namespace().name();
    Run::of_line(&["ip", "netns", "del", name]).expect_success();
    wait_until("the pod is collected", || {
        lab.enrollments().is_empty() && lab.records().is_empty()
    });
    Run::of_line(&["ip", "netns", "add", name]).expect_success(); // the node removes it at the end
}

#[test]
fn a_network_namespace_that_is_gone_is_not_kept_alive_and_is_collected() {
    let lab = Lab::new();
    let scenes = ["lives", "dies"].map(|name| Scene::new(&lab.node, name));
    let [lives, dies] = [0, 1].map(|number| Sandbox::of(&scenes[number].pod, &format!("web-{number}")));
    for sandbox in [&lives, &dies] {
        lab.api.put(sandbox.injected());
    }
    let agent = lab.start();
    for sandbox in [&lives, &dies] {
        lab.expect_enrolled(sandbox);
    }
    assert_eq!(namespaces_that_are_open(agent.pid()), 0, "the agent holds no namespace");
    let kept = Lab::cookie(&lives);
    let name = dies.netns.file_name().and_then(|name| name.to_str()).expect("a name");
    Run::of_line(&["ip", "netns", "del", name]).expect_success();
    // Nothing else has to happen for that: the kernel frees it.
    wait_until("the namespace is gone", || {
        lab.library().status().expect("the status").iter().any(|pod| !pod.alive)
    });
    Run::of_line(&["ip", "netns", "add", name]).expect_success(); // the node removes it at the end
    let answer = ask(&lab.socket(), &Request::Gc { valid: Vec::new() }).expect("an answer");
    assert!(matches!(answer, Answer::Done { did: Did::Collected, .. }), "{answer:?}");
    let cookies: Vec<u64> = lab.enrollments().into_iter().map(|(cookie, _)| cookie).collect();
    assert_eq!(cookies, [kept], "what lives is kept, although the runtime did not list it");
    let sandboxes: Vec<String> = lab.records().into_iter().map(|record| record.sandbox).collect();
    assert_eq!(sandboxes, [lives.id]);
}

/// Descriptors of network namespaces that a process has.
pub(crate) fn namespaces_that_are_open(pid: u32) -> usize {
    let directory = format!("/proc/{pid}/fd");
    let entries = std::fs::read_dir(Path::new(&directory)).expect("the descriptors").flatten();
    let targets = entries.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("net:[")).count()
}
