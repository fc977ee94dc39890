// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Many requests at once.

use std::thread;

use interceptor_wire::{Answer, Did};
use testkit::{scale, scene::Scene, wait_until};

use crate::{
    lab::{Lab, get},
    sandbox::Sandbox,
};

/// `INTERCEPTOR_TEST_PODS` says how many instead.
const PODS: u32 = 40;

#[test]
fn all_pods_that_start_at_once_are_enrolled() {
    let lab = Lab::new();
    let scenes: Vec<Scene<'_>> = (0..scale("INTERCEPTOR_TEST_PODS", PODS, 1))
        .map(|number| Scene::new(&lab.node, &format!("{number}")))
        .collect();
    let sandboxes: Vec<Sandbox> = scenes
        .iter()
        .enumerate()
        .map(|(number, scene)| Sandbox::of(&scene.pod, &format!("web-{number}")))
        .collect();
    for sandbox in &sandboxes {
        lab.api.put(sandbox.injected());
    }
    let agent = lab.start_synced();
    let socket = lab.socket();
    thread::scope(|scope| {
        for sandbox in &sandboxes {
            scope.spawn(|| {
                // On a busy machine some wait for too long, and are told to come again, as kubelet does.
                wait_until("a pod is enrolled", || match sandbox.add(&socket).expect("an answer") {
                    Answer::Done { did: Did::Enrolled, .. } => true,
                    Answer::Refused { code: 11, retry: true, .. } => false,
                    other => panic!("{other:?}"),
                });
            });
        }
    });
    assert_eq!(lab.enrollments().len(), sandboxes.len());
    assert_eq!(lab.records().len(), sandboxes.len());
    assert!(
        lab.library()
            .status()
            .expect("the status")
            .iter()
            .all(|pod| pod.missing.is_empty())
    );
    let (_, metrics) = get(agent.metrics, "/metrics");
    let seconds: Vec<&str> = metrics
        .lines()
        .filter(|line| line.starts_with("interceptor_add_seconds"))
        .collect();
    println!("{} pods\n{}", sandboxes.len(), seconds.join("\n"));
}
