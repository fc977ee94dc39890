// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a connection costs when there is more of something.

use testkit::Node;

use super::{
    lab::{Lab, durations},
    outcome::{Better, Outcome, Unit},
    plan::{Contender, Plan},
};
use crate::{
    stage::{MeasuredPod, Unavailable, Variant},
    worker::{Destinations, Work},
};

const SIZES: (&[usize], &[usize]) = (&[0, 1_000], &[0, 10, 100, 1_000]);

/// The destination is in none of the ranges, so all rules stand before the one that redirects it.
pub(super) fn cidrs(lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
    let range = |index: usize| format!("172.{}.{}.0/24", 16 + index / 256, index % 256);
    listed(lab, "cidrs", "excluded ranges", "-x", range)
}

/// Ports that are not neighbors, and not the one that is dialed.
pub(super) fn ports(lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
    listed(lab, "ports", "excluded ports", "-o", |index| (20_000 + 2 * index).to_string())
}

fn listed(
    lab: &mut Lab<'_>,
    name: &str,
    what: &str,
    flag: &str,
    item: impl Fn(usize) -> String,
) -> anyhow::Result<Vec<Outcome>> {
    lab.begin(&format!("making pods with {what}"));
    let node = Node::new();
    let mut pods = Vec::new();
    for variant in Variant::INTERCEPTING {
        for size in lab.effort.pick(SIZES.0, SIZES.1) {
            lab.check()?;
            let list = (0..*size).map(&item).collect::<Vec<_>>().join(",");
            let pod = MeasuredPod::new(&node, &format!("{variant}-{size}"), variant, &[flag, &list], lab.cpus);
            pods.push((numbered(variant, *size, what), pod));
        }
    }
    let outcome = connects(lab, name, &format!("connect() against the number of {what}"), &mut pods)?;
    Ok(vec![outcome])
}

/// Each number of pods has a node of its own, with its own maps; all are there at the same time.
pub(super) fn pods(lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
    let sizes: &[usize] = lab.effort.pick(&[1, 100], &[1, 100, 500]);
    let nodes: Vec<(usize, Node)> = sizes.iter().map(|size| (*size, Node::new())).collect();
    let mut pods = Vec::new();
    for (size, node) in &nodes {
        lab.begin(&format!("enrolling {size} pods"));
        let pod = MeasuredPod::new(node, "measured", Variant::Ebpf, &[], lab.cpus);
        for index in 1..*size {
            lab.check()?;
            super::enroll::small_pod(node, &format!("other-{index}")).enroll(&[]);
        }
        pods.push((numbered(Variant::Ebpf, *size, "pods"), pod));
    }
    let outcome = connects(lab, "pods", "connect() against the number of enrolled pods", &mut pods)?;
    Ok(vec![outcome])
}

fn connects(
    lab: &mut Lab<'_>,
    name: &str,
    title: &str,
    pods: &mut [(String, Result<MeasuredPod<'_>, Unavailable>)],
) -> anyhow::Result<Outcome> {
    let count = lab.effort.pick(700, 2_000);
    let contenders = pods.iter_mut().map(|(label, pod)| match pod {
        Ok(pod) => Contender::new(label.clone(), move || {
            let to = Destinations::one(pod.server());
            Ok(durations(&pod.turn(Work::Connect { to, count })))
        }),
        Err(why) => Contender::unavailable(label.clone(), why.clone()),
    });
    let contenders = contenders.collect();
    lab.run(Plan {
        name: name.to_owned(),
        title: title.to_owned(),
        unit: Unit::Nanoseconds,
        better: Better::Less,
        contenders,
    })
}

/// The label of a contender that differs from others in a number.
fn numbered(variant: Variant, number: usize, what: &str) -> String {
    format!("{variant}, {number} {what}")
}
