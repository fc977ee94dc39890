// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Running again changes nothing, or what has been asked for, while the sidecar goes on.

use testkit::{
    Node, Run,
    istio_rules::DEFAULT_FLAGS,
    records::Tally,
    scene::{APP, Outcome, SERVER, Scene, outcome},
};

use crate::{meddle::refuse_membarrier, sidecar_restart::tally};

#[test]
fn with_the_same_flags_nothing_changes() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    scene.pod.enroll(&[]);
    let _sidecar = scene.sidecar(&[]);
    let pins = node.pins();
    for more in [&[][..], &["--reconcile"], &[]] {
        scene.pod.enroll(more);
        assert_eq!(node.pins(), pins);
        assert_eq!(
            [scene.outbound(), scene.inbound()],
            [Outcome::ThroughSidecar, Outcome::ThroughSidecar]
        );
    }
}

/// As when kubelet starts the init container once more.
#[test]
fn an_init_container_that_runs_again_disturbs_no_connection() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    scene.pod.enroll(&[]);
    let _sidecar = scene.sidecar(&[]);
    let load = [scene.pod.app().load(SERVER), scene.outside.root().load(APP)];
    let pins = node.pins();
    for _ in 0..10 {
        scene.pod.enroll(&[]);
        assert_eq!(node.pins(), pins);
    }
    for load in load {
        let Tally { succeeded, failed } = tally(load);
        assert!(succeeded > 0 && failed.is_empty(), "{succeeded} succeeded, {failed:?}");
    }
    assert_eq!(node.enrolled().len(), 1, "{:#?}", node.enrolled());
}

#[test]
fn other_flags_take_over() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(9443);
    let look = || [outcome(&scene.pod.app(), "10.99.0.1:9443"), outcome(&scene.outside.root(), "10.99.0.2:9443")];
    scene.pod.enroll(&[]);
    let _sidecar = scene.sidecar(&[]);
    assert_eq!(look(), [Outcome::ThroughSidecar, Outcome::ThroughSidecar]);

    let mut held = scene.pod.app().hold("10.99.0.1:9443", &[]);
    scene.pod.enroll(&["--reconcile", "-o", "9443", "-d", "15090,15021,15020,9443"]);
    assert_eq!(look(), [Outcome::Direct, Outcome::Direct], "excluded");
    assert_eq!(
        [scene.outbound(), scene.inbound()],
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar],
        "the others are not"
    );
    held.expect_echo("the connection that was redirected stays so");

    scene.pod.enroll(&["--reconcile"]);
    assert_eq!(look(), [Outcome::ThroughSidecar, Outcome::ThroughSidecar], "included again");
}

#[test]
fn an_address_that_is_added_later_counts_when_the_command_is_run_again() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    scene.pod.enroll(&[]);
    let _sidecar = scene.sidecar(&[]);
    let later = "10.99.0.77:8080";
    scene.pod.namespace().ip("addr add 10.99.0.77/24 dev eth0");
    let look = || outcome(&scene.pod.app(), later);
    assert_eq!(look(), Outcome::ThroughSidecar, "as if it were elsewhere");
    assert_eq!(
        outcome(&scene.outside.root(), later),
        Outcome::ThroughSidecar,
        "inbound it makes no difference"
    );
    scene.pod.enroll(&[]);
    assert_eq!(look(), Outcome::Direct, "the pod's own");
    assert_eq!(outcome(&scene.outside.root(), later), Outcome::ThroughSidecar);
}

#[test]
fn a_dry_run_changes_nothing() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    scene.pod.enroll(&["--dry-run"]);
    assert_eq!([scene.outbound(), scene.inbound()], [Outcome::Direct, Outcome::Direct]);
    assert!(node.enrolled().is_empty(), "{:#?}", node.enrolled());
}

#[test]
fn cleanup_only_ends_the_enrollment() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    scene.pod.enroll(&[]);
    assert_eq!([scene.outbound(), scene.inbound()], [Outcome::refused(), Outcome::refused()]);
    scene
        .pod
        .try_enroll(&[DEFAULT_FLAGS, &["--cleanup-only"]].concat())
        .expect_success();
    assert_eq!([scene.outbound(), scene.inbound()], [Outcome::Direct, Outcome::Direct]);
    assert!(node.enrolled().is_empty(), "{:#?}", node.enrolled());
}

/// The flags are those of
/// [Istio's command](https://github.com/istio/istio/blob/00cf1a7f9f70/tools/istio-clean-iptables/pkg/cmd/root.go).
#[test]
fn istios_command_for_cleaning_takes_its_flags_and_succeeds_twice() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    scene.pod.enroll(&[]);
    let clean = |flags: &[&str]| {
        let place = scene.pod.place();
        let place = place.each_ref().map(String::as_str);
        node.run(&[&["istio-clean-iptables"], flags, &place].concat())
    };
    let flags = ["-u", "1337", "-g", "1337", "--redirect-dns=false"];
    clean(&[&flags[..], &["--dry-run"]].concat()).expect_success();
    assert_eq!([scene.outbound(), scene.inbound()], [Outcome::refused(), Outcome::refused()]);
    for _ in 0..2 {
        clean(&flags).expect_success();
        assert_eq!([scene.outbound(), scene.inbound()], [Outcome::Direct, Outcome::Direct]);
        assert!(node.enrolled().is_empty(), "{:#?}", node.enrolled());
    }
    assert_eq!(clean(&["--no-such-flag"]).code, Some(255));
}

/// Where processors run without a tick (`nohz_full`), the kernel refuses `membarrier()`.
#[test]
fn switching_and_cleaning_need_no_membarrier() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let enroll = |more: &[&str]| {
        let command = scene.pod.enroll_command(&[DEFAULT_FLAGS, more].concat());
        Run::of(refuse_membarrier(command)).expect_success();
        [scene.outbound(), scene.inbound()]
    };
    assert_eq!(enroll(&[]), [Outcome::refused(), Outcome::refused()]);
    assert_eq!(enroll(&["-o", "80", "-d", "8080"]), [Outcome::Direct, Outcome::Direct]);
    assert_eq!(enroll(&[]), [Outcome::refused(), Outcome::refused()]);
    let netns = scene.pod.namespace().path().display().to_string();
    Run::of(refuse_membarrier(node.command(&["clean", "--netns", &netns]))).expect_success();
    assert_eq!([scene.outbound(), scene.inbound()], [Outcome::Direct, Outcome::Direct]);
    assert!(node.enrolled().is_empty(), "{:#?}", node.enrolled());
}
