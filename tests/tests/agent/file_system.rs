// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Somebody unmounts the BPF file system. What was pinned in it is gone, and no pod is intercepted any more.

use std::path::Path;

use nix::mount::{MsFlags, mount, umount};
use testkit::{
    scene::{Outcome, Scene},
    wait_until,
};

use crate::{
    lab::{Lab, get, refusal},
    sandbox::Sandbox,
};

fn mount_bpffs(at: &Path) {
    mount(Some("bpf"), at, Some("bpf"), MsFlags::empty(), Some("mode=0700")).expect("mount a bpffs");
}

/// The agent may be looking at it.
fn unmount(at: &Path) {
    wait_until("it is unmounted", || umount(at).is_ok());
}

fn generations(lab: &Lab) -> Vec<(u64, u32)> {
    lab.enrollments()
        .iter()
        .map(|(cookie, entry)| (*cookie, entry.policy.generation))
        .collect()
}

#[test]
fn pods_that_lost_their_enrollment_while_the_agent_was_away_are_enrolled_as_before_at_its_start() {
    let lab = Lab::new();
    let scenes = ["one", "two"].map(|name| Scene::new(&lab.node, name));
    let sandboxes = [0, 1].map(|number| Sandbox::of(&scenes[number].pod, &format!("web-{number}")));
    let agent = lab.start();
    for sandbox in &sandboxes {
        lab.api.put(sandbox.injected());
        lab.expect_enrolled(sandbox);
    }
    let _servers = scenes[0].serve(8081);
    let _sidecar = scenes[0].sidecar(&[]);
    assert_eq!(scenes[0].outbound(), Outcome::ThroughSidecar);
    let (enrolled, records) = (lab.enrollments(), lab.records());

    agent.kill();
    unmount(&lab.node.bpffs());
    // Another test's program may have got a copy of all mounts, and then holds this one until it ends.
    wait_until("the enrollment is gone", || scenes[0].outbound() == Outcome::Direct);
    mount_bpffs(&lab.node.bpffs());
    lab.api.set_down(true); // the records suffice
    let agent = lab.start();
    assert_eq!(scenes[0].outbound(), Outcome::ThroughSidecar);
    assert_eq!(scenes[0].inbound(), Outcome::ThroughSidecar);
    let fingerprints = |pods: &[(u64, interceptor_policy::Enrollment)]| -> Vec<(u64, u64)> {
        pods.iter().map(|(cookie, entry)| (*cookie, entry.fingerprint)).collect()
    };
    assert_eq!(fingerprints(&lab.enrollments()), fingerprints(&enrolled));
    let names = |records: &[interceptor::records::Record]| -> Vec<(String, u64)> {
        records.iter().map(|record| (record.pod.to_string(), record.since)).collect()
    };
    assert_eq!(names(&lab.records()), names(&records));
    let (_, text) = get(agent.metrics, "/metrics");
    assert!(text.lines().any(|line| line == "interceptor_pods_restored_total 2"), "{text}");

    let before = generations(&lab);
    agent.kill();
    let _agent = lab.start();
    assert_eq!(generations(&lab), before, "the next start changes nothing");
    for sandbox in &sandboxes {
        sandbox.del(&lab.socket()).expect("an answer");
    }
    assert!(lab.enrollments().is_empty() && lab.records().is_empty());
}

#[test]
fn a_running_agent_enrolls_pods_again_once_another_file_system_is_mounted_and_refuses_new_ones_until_then() {
    let lab = Lab::new();
    let [scene, later] = ["pod", "later"].map(|name| Scene::new(&lab.node, name));
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    let later = Sandbox::of(&later.pod, "web-1");
    for sandbox in [&sandbox, &later] {
        lab.api.put(sandbox.injected());
    }
    let agent = lab.start_synced();
    lab.expect_enrolled(&sandbox);
    let _servers = scene.serve(8081);
    let _sidecar = scene.sidecar(&[]);

    unmount(&lab.node.bpffs());
    let (status, text) = agent.readiness();
    assert_eq!(status, 503);
    assert!(text.contains(&lab.node.bpffs().display().to_string()), "{text}");
    let (code, message, _) = refusal(later.add(&lab.socket()).expect("an answer"));
    assert_eq!(code, 100, "{message}");
    assert!(message.contains("mount a BPF file system there"), "{message}");

    mount_bpffs(&lab.node.bpffs());
    wait_until("the pod is enrolled again", || lab.enrollments().len() == 1);
    wait_until("its record is of this file system", || {
        lab.records()
            .iter()
            .all(|record| record.home == lab.library().home().expect("the home"))
    });
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);
    wait_until("the programs are kept again", || agent.readiness().0 == 200);
    lab.expect_enrolled(&later);
    assert_eq!(lab.records().len(), 2);
}

#[test]
fn a_pod_whose_programs_something_still_holds_is_not_enrolled_twice() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    lab.api.put(sandbox.injected());
    let agent = lab.start();
    lab.expect_enrolled(&sandbox);
    let _servers = scene.serve(8081);
    let _sidecar = scene.sidecar(&[]);
    agent.kill();

    // As a container does that has mounted it.
    let elsewhere = lab.node.work().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("make a directory");
    mount(
        Some(&lab.node.bpffs()),
        &elsewhere,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )
    .expect("bind the bpffs");
    unmount(&lab.node.bpffs());
    mount_bpffs(&lab.node.bpffs());
    let mut agent = lab.start();
    assert!(lab.enrollments().is_empty());
    assert_eq!(lab.records().len(), 1, "it is not forgotten");
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);
    agent.wait_for("the pod stays enrolled by a BPF file system that is not visible here");

    unmount(&elsewhere);
    wait_until("the pod is enrolled", || !lab.enrollments().is_empty());
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);
}

#[test]
fn a_pod_that_was_unenrolled_by_hand_stays_so() {
    let lab = Lab::new();
    let scenes = ["one", "two", "three"].map(|name| Scene::new(&lab.node, name));
    let run_dir = lab.run_dir().display().to_string();
    let by_netns = scenes[1].pod.namespace().path().display().to_string();
    let ways: [&[&str]; 3] = [&["--pod", "shop/web-0"], &["--netns", &by_netns], &["--all"]];
    for (number, way) in ways.into_iter().enumerate() {
        let sandbox = Sandbox::of(&scenes[number].pod, &format!("web-{number}"));
        lab.api.put(sandbox.injected());
        let agent = lab.start();
        lab.expect_enrolled(&sandbox);
        agent.kill();
        let unenroll = [&["unenroll"], way, &["--run-dir", &run_dir]].concat();
        lab.node.run(&unenroll).expect_success();
        assert_eq!(lab.records(), [], "{way:?}");
        assert!(lab.node.enrolled().is_empty(), "{way:?}");
        let agent = lab.start();
        assert!(lab.enrollments().is_empty(), "{way:?}");
        agent.kill();
    }
}
