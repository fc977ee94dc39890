// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How long it takes until a new pod is intercepted: the time of the programs that do it, both families, in a pod
//! that was not intercepted before.

use std::{cell::RefCell, process::Command, rc::Rc, time::Instant};

use testkit::{
    Node, Pod, Run,
    istio_rules::DEFAULT_FLAGS,
    scene::{POD, POD_V6, Stack},
};

use super::{
    lab::Lab,
    outcome::{Better, Outcome, Unit},
    plan::{Contender, Plan},
};
use crate::stage::{Variant, restore_command, rules};

const STACK: Stack = Stack::Dual;

pub(super) fn run(lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
    let (node, empty) = (Node::new(), Node::new());
    let other = lab.against.map(|node| Node::with_interceptor(node.interceptor()));
    // Programs and maps are loaded with the first pod.
    for node in [&node].into_iter().chain(&other) {
        small_pod(node, "first").enroll(STACK.enroll_flags());
    }
    // Pods live until the end: the kernel takes a namespace away in the background, with locks that others then wait
    // for, and the next enrollment clears up after a pod that is gone. Neither is what is timed.
    let made = RefCell::new(Vec::new());
    let fresh = |node| {
        let pod = Rc::new(small_pod(node, &format!("new-{}", made.borrow().len())));
        made.borrow_mut().push(Rc::clone(&pod));
        pod
    };
    let idle = small_pod(&node, "idle");
    // Starting a program takes now this long, now that: one start says little of a round.
    let times = lab.effort.pick(3, 5);
    let mut contenders: Vec<Contender<'_>> = Vec::new();
    for variant in [Variant::IptablesLegacy, Variant::IptablesNft] {
        let (node, fresh) = (&node, &fresh);
        contenders.push(Contender::new(variant.name(), move || {
            (0..times).map(|_| rules_time(variant, &fresh(node))).collect()
        }));
    }
    contenders.push(Contender::new(Variant::Ebpf.name(), || {
        Ok((0..times).map(|_| enroll_time(&fresh(&node))).collect())
    }));
    if let Some(other) = &other {
        contenders.push(Contender::new(Variant::OtherBuild.name(), || {
            Ok((0..times).map(|_| enroll_time(&fresh(other))).collect())
        }));
    }
    contenders.push(Contender::new("ebpf, first pod of the node", || {
        let time = |_| {
            let time = enroll_time(&fresh(&empty));
            empty.run(&["clean", "--all"]).expect_success();
            time
        };
        Ok((0..times).map(time).collect())
    }));
    contenders.push(Contender::new("a program that does nothing", || {
        Ok((0..times).map(|_| time(idle.namespace().root().command("true"), "")).collect())
    }));
    let title = "putting interception in force in a pod, both families".to_owned();
    Ok(vec![lab.run(Plan {
        name: "enroll".to_owned(),
        title,
        unit: Unit::Nanoseconds,
        better: Better::Less,
        contenders,
    })?])
}

/// A pod with addresses and without a cable: for when nobody connects.
pub(super) fn small_pod<'node>(node: &'node Node, name: &str) -> Pod<'node> {
    let pod = node.pod(name);
    pod.namespace()
        .ip(&format!("addr add {POD}/24 dev lo\naddr add {POD_V6}/64 dev lo nodad"));
    pod
}

fn enroll_time(pod: &Pod<'_>) -> f64 {
    let node = pod.node();
    // Started in the pod like the other programs, and as in an init container.
    let mut command = pod.namespace().root().command(&node.interceptor().display().to_string());
    command
        .arg("istio-iptables")
        .args(DEFAULT_FLAGS)
        .args(STACK.enroll_flags())
        .args(pod.place());
    command.arg("--bpffs").arg(node.bpffs());
    time(command, "")
}

fn rules_time(variant: Variant, pod: &Pod<'_>) -> anyhow::Result<f64> {
    let flags = [DEFAULT_FLAGS, STACK.enroll_flags()].concat();
    let mut total = 0.0;
    for (family, program) in variant.restore_programs().into_iter().flatten() {
        let rules = rules(pod, STACK, family, &flags).map_err(|failed| anyhow::anyhow!("{failed}"))?;
        total += time(restore_command(pod, program), &rules);
    }
    Ok(total)
}

/// In nanoseconds, from the start of the program to its end.
fn time(command: Command, input: &str) -> f64 {
    let start = Instant::now();
    let run = Run::with_input(command, input);
    let taken = start.elapsed().as_secs_f64() * 1e9;
    run.expect_success();
    taken
}
