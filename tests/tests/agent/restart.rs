// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The agent is stopped, killed and started again, at any moment.

use std::{
    collections::BTreeSet,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use interceptor_policy::Enrollment;
use interceptor_wire::{Answer, Did};
use testkit::{
    OtherBuild, Run, scale,
    scene::{Outcome, SERVER, Scene},
    wait_until,
};

use crate::{lab::Lab, sandbox::Sandbox};

#[test]
fn a_request_that_found_no_agent_succeeds_when_it_is_repeated_after_the_start() {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    lab.api.put(sandbox.injected());
    let pins = lab.node.pins();
    sandbox.add(&lab.socket()).expect_err("nobody listens");
    assert_eq!(lab.node.pins(), pins);
    let _agent = lab.start();
    lab.expect_enrolled(&sandbox);
}

#[test]
fn pods_stay_enrolled_and_connections_open_while_the_agent_is_restarted() {
    /// `INTERCEPTOR_TEST_PODS` says how many instead.
    const PODS: u32 = 20;
    let lab = Lab::new();
    let scenes: Vec<Scene<'_>> = (0..=scale("INTERCEPTOR_TEST_PODS", PODS, 2))
        .map(|number| Scene::new(&lab.node, &format!("pod{number}")))
        .collect();
    let sandboxes: Vec<Sandbox> = scenes
        .iter()
        .enumerate()
        .map(|(number, scene)| Sandbox::of(&scene.pod, &format!("web-{number}")))
        .collect();
    let (new, sandboxes) = sandboxes.split_last().expect("pods");
    let agent = lab.start();
    for sandbox in sandboxes {
        lab.api.put(sandbox.injected());
        lab.expect_enrolled(sandbox);
    }
    let first = &scenes[0];
    let _servers = first.serve(8081);
    let _sidecar = first.sidecar(&[]);
    let mut connection = first.pod.app().hold(SERVER, &[]);
    connection.expect_echo("before");
    let (enrolled, records) = (entries(&lab), lab.records());
    assert_eq!(enrolled.len(), sandboxes.len());

    agent.kill();
    connection.expect_echo("while it is away");
    lab.api.set_down(true); // names must not depend on it
    let agent = lab.start();
    connection.expect_echo("after the restart");
    assert_eq!(entries(&lab), enrolled, "nothing was applied again");
    assert_eq!(lab.records(), records);
    let (code, _) = agent.stop();
    assert_eq!(code, Some(0));
    assert_eq!(entries(&lab), enrolled);

    lab.api.set_down(false);
    lab.api.put(new.injected());
    let begun = Instant::now();
    let _agent = lab.start();
    lab.expect_enrolled(new);
    println!("the first new pod was enrolled {:?} after the start", begun.elapsed());
    lab.expect_enrolled(&sandboxes[0]);
    let mut now = entries(&lab);
    now.retain(|(cookie, ..)| *cookie != Lab::cookie(new));
    assert_eq!(now, enrolled, "the same pod again changes nothing");
    assert_eq!(first.outbound(), Outcome::ThroughSidecar);
}

#[test]
fn an_agent_of_another_build_gives_running_pods_its_programs() {
    let lab = Lab::new();
    let scene = Scene::new(&lab.node, "pod");
    let sandbox = Sandbox::of(&scene.pod, "web-0");
    lab.api.put(sandbox.injected());
    let agent = lab.start();
    lab.expect_enrolled(&sandbox);
    let _servers = scene.serve(8081);
    let _sidecar = scene.sidecar(&[]);
    let mut connection = scene.pod.app().hold(SERVER, &[]);
    let builds = || -> Vec<_> { lab.library().status().expect("the status").remove(0).builds };
    let (enrolled, this) = (entries(&lab), builds());
    agent.kill();
    let mut upgrade = Command::new(OtherBuild::on(&lab.node).program);
    upgrade.arg("upgrade").arg("--bpffs").arg(lab.node.bpffs());
    Run::of(upgrade).expect_success();
    assert_ne!(builds(), this);

    let _agent = lab.start();
    assert_eq!(builds(), this);
    assert_eq!(entries(&lab), enrolled, "the policy is the same");
    connection.expect_echo("after the change of programs");
    assert_eq!(scene.outbound(), Outcome::ThroughSidecar);
}

/// What must not change: above all the generation of the policy.
fn entries(lab: &Lab) -> Vec<(u64, u32, u64)> {
    let entry = |(cookie, Enrollment { policy, fingerprint, .. })| (cookie, policy.generation, fingerprint);
    lab.enrollments().into_iter().map(entry).collect()
}

/// A new build with another ABI has directories of its own, and old pods stay as they are.
#[test]
fn what_another_version_pinned_stays_with_its_names() {
    let lab = Lab::new();
    let [old, new] = ["old", "new"].map(|name| Scene::new(&lab.node, name).pod);
    let [old, new] = [Sandbox::of(&old, "old"), Sandbox::of(&new, "new")];
    let agent = lab.start();
    for sandbox in [&old, &new] {
        lab.api.put(sandbox.injected());
    }
    lab.expect_enrolled(&old);
    agent.kill();
    let home = lab.node.bpffs().join("interceptor");
    let version = std::fs::read_dir(&home)
        .expect("list")
        .flatten()
        .next()
        .expect("a version")
        .path();
    std::fs::rename(&version, home.join("v1")).expect("make it another version's");

    let _agent = lab.start();
    lab.expect_enrolled(&new);
    new.del(&lab.socket()).expect("an answer");
    assert!(
        home.join("v1/pods").join(Lab::cookie(&old).to_string()).exists(),
        "{:#?}",
        lab.node.pins()
    );
    let names: Vec<String> = lab.records().iter().map(|record| record.pod.to_string()).collect();
    assert_eq!(names, ["shop/old"]);
}

#[test]
fn what_somebody_else_enrolled_is_left_alone() {
    let lab = Lab::new();
    let [own, other] = ["own", "other"].map(|name| Scene::new(&lab.node, name).pod);
    let sandbox = Sandbox::of(&own, "web-0");
    other.enroll(&[]);
    let before = entries(&lab);
    let agent = lab.start();
    assert_eq!(entries(&lab), before);
    lab.api.put(sandbox.injected());
    lab.expect_enrolled(&sandbox);
    sandbox.del(&lab.socket()).expect("an answer");
    assert_eq!(entries(&lab), before);
    let (_, log) = agent.stop();
    let cookie = before[0].0.to_string();
    // The first line of the log was read at the start.
    assert!(
        log.iter().all(|line| !line.contains(&format!("removing a pod {cookie}"))),
        "{log:#?}"
    );
}

/// The client does not read, so the agent is killed after it enrolled the pod and before anybody knows.
#[test]
fn a_pod_that_was_enrolled_without_an_answer_gets_a_new_sandbox_and_one_enrollment() {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let other = lab.node.outside("second");
    let first = Sandbox::of(&pod, "web-0");
    lab.api.put(first.injected());
    let agent = lab.start_synced();
    let pending = thread::spawn({
        let (first, socket) = (first.clone(), lab.socket());
        move || first.add(&socket)
    });
    wait_until("the pod is enrolled", || !lab.enrollments().is_empty());
    agent.kill();
    // Whether the answer came before the end does not matter.
    drop(pending.join().expect("the client ended"));

    let _agent = lab.start();
    let [record] = <[_; 1]>::try_from(lab.records()).expect("the record was written before");
    assert_eq!(record.sandbox, first.id);
    other.ip("addr add 10.99.0.9/24 dev lo");
    let second = first.again(other.path());
    lab.expect_enrolled(&second);
    let cookies: Vec<u64> = lab.enrollments().into_iter().map(|(cookie, _)| cookie).collect();
    assert_eq!(cookies, [Lab::cookie(&second)]);
    let [record] = <[_; 1]>::try_from(lab.records()).expect("one record");
    assert_eq!(record.sandbox, second.id);
}

#[test]
fn whenever_the_agent_is_killed_a_pod_is_enrolled_completely_or_not_at_all() {
    const MOMENTS: u32 = 20;
    const PODS: usize = 4;
    let moments = scale("INTERCEPTOR_TEST_MOMENTS", MOMENTS, 4);
    let lab = Lab::new();
    let scenes: Vec<Scene<'_>> = (0..PODS).map(|number| Scene::new(&lab.node, &format!("pod{number}"))).collect();
    let sandboxes: Vec<Sandbox> = scenes
        .iter()
        .enumerate()
        .map(|(number, scene)| Sandbox::of(&scene.pod, &format!("web-{number}")))
        .collect();
    for sandbox in &sandboxes {
        lab.api.put(sandbox.injected());
    }
    for moment in 0..moments {
        let agent = lab.start_synced();
        let socket = lab.socket();
        thread::scope(|scope| {
            for sandbox in &sandboxes {
                scope.spawn(|| drop(sandbox.add(&socket)));
            }
            // From the first request to the last answer, it takes about half a second.
            wait_a_little(Duration::from_millis(u64::from(moment) * 500 / u64::from(moments)));
            agent.kill();
        });
        for pod in lab.library().status().expect("the status") {
            assert!(pod.missing.is_empty(), "moment {moment}: {pod:?}");
        }
        let _agent = lab.start();
        let enrolled: BTreeSet<u64> = lab.enrollments().into_iter().map(|(cookie, _)| cookie).collect();
        let recorded: BTreeSet<u64> = lab.records().iter().map(|record| record.netns_cookie).collect();
        assert_eq!(
            enrolled, recorded,
            "moment {moment}: every enrolled pod has its name, and no other"
        );
        for sandbox in &sandboxes {
            lab.expect_enrolled(sandbox);
        }
        assert_eq!(lab.enrollments().len(), PODS);
        for sandbox in &sandboxes {
            let answer = sandbox.del(&lab.socket()).expect("an answer");
            assert!(matches!(answer, Answer::Done { did: Did::Unenrolled, .. }), "{answer:?}");
        }
        assert!(lab.enrollments().is_empty() && lab.records().is_empty());
    }
}

/// Chooses a moment; nothing is decided by how long this takes.
fn wait_a_little(pause: Duration) {
    let end = Instant::now() + pause;
    wait_until("the moment has come", || Instant::now() >= end);
}

#[test]
fn a_second_agent_waits_for_the_first_one() {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    lab.api.put(sandbox.injected());
    let first = lab.start();
    thread::scope(|scope| {
        let second = scope.spawn(|| lab.start());
        lab.expect_enrolled(&sandbox);
        assert!(!second.is_finished(), "two agents at once");
        let (code, _) = first.stop();
        assert_eq!(code, Some(0));
        let _second = second.join().expect("the second agent listens");
        lab.expect_enrolled(&sandbox);
    });
}
