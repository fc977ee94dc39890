// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A process on the node that is in no pod: what it pays for the pods that are.

use std::cell::RefCell;

use testkit::{Node, Pod};

use super::{
    lab::{Lab, durations},
    outcome::{Better, Outcome, Unit},
    plan::{Contender, Plan},
};
use crate::{
    stage::{MeasuredPod, Variant},
    worker::{Destinations, Work},
};

/// The other pod of the node, and whether it is enrolled at the moment.
struct Neighbor<'node> {
    pod: Pod<'node>,
    enrolled: bool,
}

pub(super) fn run(lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
    let node = Node::new();
    let bystander = match MeasuredPod::new(&node, "bystander", Variant::Direct, &[], lab.cpus) {
        Ok(pod) => RefCell::new(pod),
        Err(why) => anyhow::bail!("a pod that nothing intercepts cannot be had: {why}"),
    };
    let neighbor = RefCell::new(Neighbor { pod: super::enroll::small_pod(&node, "neighbor"), enrolled: false });
    let count = lab.effort.pick(1_000, 3_000);
    let contender = |label: &str, enrolled: bool| {
        let (bystander, neighbor) = (&bystander, &neighbor);
        Contender::new(label, move || {
            neighbor.borrow_mut().become_enrolled(enrolled);
            let mut pod = bystander.borrow_mut();
            let to = Destinations::one(pod.server());
            Ok(durations(&pod.turn(Work::Connect { to, count })))
        })
    };
    let contenders = vec![contender("no pod enrolled", false), contender("a pod enrolled", true)];
    let title = "connect() of a process that is in no pod".to_owned();
    Ok(vec![lab.run(Plan {
        name: "unenrolled".to_owned(),
        title,
        unit: Unit::Nanoseconds,
        better: Better::Less,
        contenders,
    })?])
}

impl Neighbor<'_> {
    fn become_enrolled(&mut self, enrolled: bool) {
        match (self.enrolled, enrolled) {
            (false, true) => self.pod.enroll(&[]),
            (true, false) => self.pod.clean(),
            (true, true) | (false, false) => {}
        }
        self.enrolled = enrolled;
    }
}
