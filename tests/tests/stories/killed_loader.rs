// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `kill -9` at any moment leaves the old state or the new one, in both directions alike.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use testkit::{
    Node, Process,
    istio_rules::DEFAULT_FLAGS,
    scale,
    scene::{Outcome, Scene, outcome},
};

/// With every attempt the loader gets this part more of the time that it takes undisturbed, until it ends by itself.
const MOMENTS: u32 = 50;
/// So often in a row it must have ended by itself before we believe that all its moments have been tried.
const ENOUGH: u32 = 3;

/// Port 9443 is exempt, in both directions.
const EXEMPT: &[&str] = &["-o", "9443", "-d", "15090,15021,15020,9443"];
const NOT_EXEMPT: &[&str] = &["-o", "", "-d", "15090,15021,15020"];

#[test]
fn while_switching_flags() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(9443);
    scene.pod.enroll(EXEMPT);
    let undisturbed = duration_of(|| scene.pod.enroll(NOT_EXEMPT));
    let _sidecar = scene.sidecar(&[]);
    let look = || [outcome(&scene.pod.app(), "10.99.0.1:9443"), outcome(&scene.outside.root(), "10.99.0.2:9443")];
    let (old, new) = (
        [Outcome::ThroughSidecar, Outcome::ThroughSidecar],
        [Outcome::Direct, Outcome::Direct],
    );
    assert_eq!(look(), old);

    let mut exempt = false;
    at_growing_moments(undisturbed, |grace| {
        let flags = [DEFAULT_FLAGS, &["--reconcile"], if exempt { NOT_EXEMPT } else { EXEMPT }].concat();
        let killed = kill_after(scene.pod.enroll_command(&flags), grace);
        let seen = look();
        assert!(
            seen == old || seen == new,
            "killed after {grace:?} while switching from exempt={exempt}: {seen:?}"
        );
        assert!(killed || (seen == new) != exempt, "not switched from exempt={exempt}: {seen:?}");
        exempt = seen == new;
        killed
    });
}

#[test]
fn while_enrolling_and_cleaning() {
    let node = Node::new();
    let scene = Scene::new(&node, "pod");
    let _servers = scene.serve(8081);
    let netns = scene.pod.namespace().path().display().to_string();
    // No sidecar: whatever is intercepted is refused.
    let (out, in_) = ([Outcome::Direct, Outcome::Direct], [Outcome::refused(), Outcome::refused()]);
    let look = || [scene.outbound(), scene.inbound()];
    assert_eq!(look(), out);
    let undisturbed = duration_of(|| scene.pod.enroll(&[]));
    scene.pod.clean();

    at_growing_moments(undisturbed, |grace| {
        let killed = kill_after(scene.pod.enroll_command(DEFAULT_FLAGS), grace);
        let seen = look();
        assert!(seen == out || seen == in_, "killed after {grace:?} while enrolling: {seen:?}");
        assert!(killed || seen == in_, "not enrolled: {seen:?}");

        scene.pod.enroll(&[]);
        assert_eq!(look(), in_, "enrolled again after a kill");
        let clean_killed = kill_after(node.command(&["clean", "--netns", &netns]), grace);
        let seen = look();
        assert!(seen == out || seen == in_, "killed after {grace:?} while cleaning: {seen:?}");
        assert!(clean_killed || seen == out, "not cleaned: {seen:?}");

        scene.pod.clean();
        assert_eq!(look(), out, "cleaned after a kill");
        assert!(node.enrolled().is_empty(), "{:#?}", node.enrolled());
        killed || clean_killed
    });
}

/// Calls `attempt` with more and more time, until it says several times that nothing was killed.
pub(crate) fn at_growing_moments(undisturbed: Duration, mut attempt: impl FnMut(Duration) -> bool) {
    let moments = scale("INTERCEPTOR_TEST_MOMENTS", MOMENTS, 5);
    let (mut grace, mut by_itself) = (Duration::ZERO, 0);
    while by_itself < ENOUGH {
        by_itself = if attempt(grace) { 0 } else { by_itself + 1 };
        grace += undisturbed / moments;
    }
}

pub(crate) fn duration_of(action: impl FnOnce()) -> Duration {
    let start = Instant::now();
    action();
    start.elapsed()
}

pub(crate) fn kill_after(mut command: Command, grace: Duration) -> bool {
    Process::spawn("interceptor", command.stderr(Stdio::null())).kill_after(grace)
}
