// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How the agent finds the pod that is meant: by namespace, name and UID, in its cache, and else by one question to
//! the API server.

use interceptor_wire::{Answer, Did, Request};
use testkit::{scene::Scene, wait_until};

use crate::{
    lab::{Lab, refusal},
    sandbox::{Sandbox, ask},
};

#[test]
fn a_pod_that_is_known_is_enrolled_while_the_api_server_is_away() {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    lab.api.put(sandbox.injected());
    let agent = lab.start_synced();
    lab.api.set_down(true);
    lab.expect_enrolled(&sandbox);
    assert_eq!(lab.api.gets(), 0, "the cache knows it");
    assert_eq!(agent.readiness().0, 200, "pods that are known can start");

    let unknown = Sandbox { name: "web-1".to_owned(), ..sandbox.again(sandbox.netns.clone()) };
    let (code, msg, retry) = refusal(unknown.add(&lab.socket()).expect("an answer"));
    assert_eq!((code, retry), (11, true), "{msg}");
    assert!(msg.contains("shop/web-1"), "{msg}");
}

#[test]
fn a_pod_that_the_watch_has_not_told_yet_is_asked_for_once() {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    let _agent = lab.start_synced();
    lab.api.put_quietly(sandbox.injected());
    lab.expect_enrolled(&sandbox);
    assert_eq!(lab.api.gets(), 1);
}

#[test]
fn a_pod_of_the_same_name_with_another_uid_is_another_pod() {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    let old = Sandbox { uid: "00000000-0000-4000-8000-000000000000".to_owned(), ..sandbox.clone() };
    lab.api.put(old.injected());
    let _agent = lab.start_synced();
    let (code, msg, retry) = refusal(sandbox.add(&lab.socket()).expect("an answer"));
    assert_eq!((code, retry), (3, false));
    assert!(msg.contains(&old.uid) && msg.contains(&sandbox.uid), "{msg}");
    assert_eq!(lab.api.gets(), 1, "one question, and no more");
    assert!(lab.enrollments().is_empty());

    lab.api.put(sandbox.injected());
    lab.expect_enrolled(&sandbox);
}

#[test]
fn a_pod_that_was_deleted_is_refused_after_one_question() {
    let lab = Lab::new();
    let pod = lab.node.pod("pod");
    let sandbox = Sandbox::of(&pod, "gone");
    let _agent = lab.start_synced();
    let (code, msg, retry) = refusal(sandbox.add(&lab.socket()).expect("an answer"));
    assert_eq!((code, retry), (3, false));
    assert!(msg.contains("no pod shop/gone"), "{msg}");
    assert_eq!(lab.api.gets(), 1);
}

#[test]
fn a_static_pod_is_known_by_the_hash_of_its_configuration() {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "static-node-a");
    let mut mirror = sandbox.injected();
    mirror["metadata"]["uid"] = "99999999-0000-4000-8000-000000000000".into();
    mirror["metadata"]["annotations"]["kubernetes.io/config.mirror"] = sandbox.uid.as_str().into();
    lab.api.put(mirror);
    let _agent = lab.start_synced();
    lab.expect_enrolled(&sandbox);
    assert_eq!(lab.api.gets(), 0);
}

#[test]
fn a_watch_that_breaks_is_taken_up_again() {
    let lab = Lab::new();
    let pod = Scene::new(&lab.node, "pod").pod;
    let sandbox = Sandbox::of(&pod, "web-0");
    let _agent = lab.start_synced();
    lab.api.set_down(true);
    lab.api.set_down(false);
    lab.api.put(sandbox.injected());
    wait_until("the cache knows the pod", || {
        let before = lab.api.gets();
        lab.expect_enrolled(&sandbox);
        lab.api.gets() == before
    });
}

#[test]
fn without_a_bpffs_status_says_that_no_pod_can_be_enrolled() {
    let lab = Lab::new();
    let _agent = lab.start();
    let answer = ask(&lab.socket(), &Request::Status).expect("an answer");
    assert!(matches!(answer, Answer::Done { did: Did::Ready, .. }), "{answer:?}");
    nix::mount::umount(&lab.node.bpffs()).expect("unmount the bpffs");
    let (code, msg, _) = refusal(ask(&lab.socket(), &Request::Status).expect("an answer"));
    assert_eq!(code, 50);
    assert!(msg.contains(&lab.node.bpffs().display().to_string()), "{msg}");
    let remounted = nix::mount::mount(
        Some("bpf"),
        &lab.node.bpffs(),
        Some("bpf"),
        nix::mount::MsFlags::empty(),
        None::<&str>,
    );
    remounted.expect("mount the bpffs again");
}
