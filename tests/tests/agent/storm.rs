// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Many requests at once.

use std::{
    thread,
    time::{Duration, Instant},
};

use interceptor_wire::{Answer, AskError, Did};
use testkit::{scale, scene::Scene, wait_until};

use crate::{lab::Lab, sandbox::Sandbox};

/// `INTERCEPTOR_TEST_PODS` says how many instead.
const PODS: u32 = 40;
/// No plugin waits longer.
const LONGEST: Duration = Duration::from_mins(1);
/// So many of them start at once, when the others run.
const AT_ONCE: usize = 100;

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
    let _agent = lab.start_synced();
    let (before, at_once) = sandboxes.split_at(sandboxes.len().saturating_sub(AT_ONCE));
    for sandbox in before {
        lab.expect_enrolled(sandbox);
    }
    let mut took: Vec<Duration> = thread::scope(|scope| {
        let adding: Vec<_> = at_once.iter().map(|sandbox| scope.spawn(|| add(&lab, sandbox))).collect();
        adding
            .into_iter()
            .flat_map(|thread| thread.join().expect("it is enrolled"))
            .collect()
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
    took.sort();
    println!(
        "{} pods, {} at once: {} tries, the median after {:?}, 99 % within {:?}",
        sandboxes.len(),
        at_once.len(),
        took.len(),
        took[took.len() / 2],
        took[(took.len() * 99).div_ceil(100) - 1],
    );
}

/// Asks until the pod is enrolled. Returns how long each try took. Who waits is never refused.
fn add(lab: &Lab, sandbox: &Sandbox) -> Vec<Duration> {
    let mut took = Vec::new();
    wait_until("a pod is enrolled", || {
        let begun = Instant::now();
        let answer = sandbox.add(&lab.socket());
        took.push(begun.elapsed());
        match answer {
            Ok(Answer::Done { did: Did::Enrolled, .. }) => true,
            // On a busy machine, who has waited for long enough asks again, as kubelet does.
            Err(AskError::NoAnswer) => false,
            Ok(Answer::Refused { code: 11, retry: true, .. }) if begun.elapsed() >= LONGEST => false,
            other => panic!("{other:?}"),
        }
    });
    took
}
