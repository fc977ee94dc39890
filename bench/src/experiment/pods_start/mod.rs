// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods of a Kubernetes node: how long it takes from the runtime's first step to the first connection that a sidecar
//! sees, and what the node needs for it.

mod machine;
mod moments;
mod pods;

use std::cell::RefCell;

use self::{
    machine::Machine,
    pods::{Way, pod},
};
use super::{
    lab::Lab,
    outcome::{Better, Outcome, Unit},
    plan::{Contender, Plan},
};
use crate::worker::{pin, spread_out};

pub(super) fn run(lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
    let shipped = lab.shipped()?;
    lab.begin("starting a Kubernetes node");
    // A node runs on all processors.
    spread_out()?;
    let machine = Machine::start(&shipped);
    pin(lab.cpus.other)?;
    let machine = machine?;
    let used = Way::ALL.map(|_| RefCell::new(Vec::new()));
    let contenders = Way::ALL.iter().zip(&used).map(|(way, used)| {
        let machine = &machine;
        let mut turns = 0..;
        Contender::new(way.label(), move || {
            let name = format!("{}-{}", way.name(), turns.next().unwrap_or(0_u32));
            let idle = machine.idle()?;
            let started = machine.start_pod(&name, &pod(*way, &name))?;
            used.borrow_mut().push(started.used_beyond(idle));
            machine.remove_pod(&name);
            Ok(vec![started.nanoseconds])
        })
    });
    let contenders = contenders.collect();
    let duration = lab.run(Plan {
        name: "pods-start".to_owned(),
        title: "from RunPodSandbox to the first connection that a sidecar sees".to_owned(),
        unit: Unit::Nanoseconds,
        better: Better::Less,
        contenders,
    })?;
    // The first turn of each does not count.
    let used = used.map(|used| used.into_inner().split_off(1));
    let title = "processor time that a node needs to start a pod, beyond what it needs anyway";
    let processor = duration.of_the_same_turns("pods-start-cpu", title, &used);
    Ok(vec![duration, processor])
}
