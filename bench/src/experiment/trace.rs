// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a connection costs while somebody follows verdicts (`interceptor trace`), and while nobody does.

use std::cell::RefCell;

use nix::sys::signal::Signal;
use testkit::{Node, trace};

use super::{
    lab::{Lab, durations},
    outcome::{Better, Outcome, Unit},
    plan::{Contender, Plan},
};
use crate::{
    stage::{MeasuredPod, Variant},
    worker::{Destinations, Work},
};

/// Who is followed, and what becomes of it.
#[derive(Clone, Copy)]
enum Followed {
    Nobody,
    AnotherPod,
    Read,
    /// The reader is stopped, so the ring buffer is full.
    NotRead,
}

pub(super) fn run(lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
    let node = Node::new();
    let pod = match MeasuredPod::new(&node, "followed", Variant::Ebpf, &[], lab.cpus) {
        Ok(pod) => RefCell::new(pod),
        Err(why) => anyhow::bail!("a pod cannot be enrolled: {why}"),
    };
    let other = super::enroll::small_pod(&node, "other");
    other.enroll(&[]);
    let [pod_path, other_path] =
        [pod.borrow().scene().pod.namespace().path(), other.namespace().path()].map(|path| path.display().to_string());
    let count = lab.effort.pick(1_000, 3_000);
    let contender = |label: &str, followed: Followed| {
        let (node, pod, pod_path, other_path) = (&node, &pod, pod_path.clone(), other_path.clone());
        let follow = move |netns: &str| trace::follow(node, &["--buffer", "64", "--netns", netns]);
        Contender::new(label, move || {
            let trace = match followed {
                Followed::Nobody => None,
                Followed::AnotherPod => Some(follow(&other_path)),
                Followed::Read | Followed::NotRead => Some(follow(&pod_path)),
            };
            if let (Followed::NotRead, Some(trace)) = (followed, &trace) {
                trace.signal(Signal::SIGSTOP);
            }
            let mut pod = pod.borrow_mut();
            let to = Destinations::one(pod.server());
            let measured = durations(&pod.turn(Work::Connect { to, count }));
            if let Some(trace) = trace {
                trace.signal(Signal::SIGCONT);
                let finished = trace.stop();
                anyhow::ensure!(finished.status.success(), "interceptor trace failed: {finished:?}");
            }
            Ok(measured)
        })
    };
    let contenders = vec![
        contender("nobody follows", Followed::Nobody),
        contender("another pod is followed", Followed::AnotherPod),
        contender("followed and read", Followed::Read),
        contender("followed and not read", Followed::NotRead),
    ];
    Ok(vec![lab.run(Plan {
        name: "trace".to_owned(),
        title: "connect() while verdicts are followed".to_owned(),
        unit: Unit::Nanoseconds,
        better: Better::Less,
        contenders,
    })?])
}
