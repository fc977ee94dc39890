// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pods that start at once: what their chains of CNI plugins take, with no interception in them, with Istio's rules,
//! and with our plugin and its agent.

mod agent;
mod chain;
mod passing;
mod turn;

use std::{cell::RefCell, path::Path};

use testkit::{Node, istio_rules::DEFAULT_FLAGS, scene::Stack};

use self::{
    agent::Agent,
    chain::{Interception, Network},
    turn::Turn,
};
use super::{
    enroll::small_pod,
    lab::Lab,
    outcome::{Better, Outcome, Unit},
    plan::{Contender, Plan},
};
use crate::{
    stage::{Unavailable, Variant, rules},
    worker::{pin, spread_out},
};

/// As many as start at once; kubelet allows 110 on a node unless told otherwise.
const PODS: usize = 100;

/// Of all pods.
const STACK: Stack = Stack::Dual;

/// The chain of `direct` is that of all others, with nothing behind it.
const VARIANTS: [Variant; 4] = [Variant::Direct, Variant::IptablesLegacy, Variant::IptablesNft, Variant::Ebpf];

pub(super) fn run(lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
    let shipped = lab.shipped()?;
    // A node's plugins run on all processors.
    spread_out()?;
    let outcomes = measure(lab, &shipped);
    pin(lab.cpus.other)?;
    outcomes
}

fn measure(lab: &mut Lab<'_>, shipped: &Path) -> anyhow::Result<Vec<Outcome>> {
    let plugin = shipped.join("interceptor-cni");
    let [mut outcomes, passing] = [at_once(lab, shipped, &plugin)?, vec![passing::run(lab, &plugin)?]];
    outcomes.extend(passing);
    Ok(outcomes)
}

fn at_once(lab: &mut Lab<'_>, shipped: &Path, plugin: &Path) -> anyhow::Result<Vec<Outcome>> {
    lab.begin("starting the agent");
    let node = Node::with_interceptor(&shipped.join("interceptor"));
    // The first pod of a node loads the programs, and they go with the last one.
    small_pod(&node, "first").enroll(&[]);
    let network = Network::new(&node)?;
    let agent = Agent::start(&node, &shipped.join("interceptor-agent"))?;
    let taken = VARIANTS.map(|_| RefCell::new(Vec::new()));
    let contenders = VARIANTS.iter().zip(&taken).map(|(variant, taken)| {
        let interception = match interception(*variant, &node, &agent, plugin) {
            Ok(interception) => interception,
            Err(why) => return Contender::unavailable(variant.name(), why),
        };
        let (network, agent) = (&network, &agent);
        Contender::new(variant.name(), move || {
            let Turn { each, whole, processor } = turn::take(network, &interception, agent, PODS)?;
            taken.borrow_mut().push([whole, processor]);
            Ok(each)
        })
    });
    let contenders = contenders.collect();
    let each = lab.run(Plan {
        name: "adds".to_owned(),
        title: format!("CNI ADD of a pod, {PODS} at once"),
        unit: Unit::Nanoseconds,
        better: Better::Less,
        contenders,
    })?;
    // The first turn of each does not count.
    let of_rounds = |index: usize| {
        taken
            .each_ref()
            .map(|turns| turns.borrow().iter().skip(1).map(|turn| turn[index]).collect())
    };
    let whole = each.of_the_same_turns(
        "adds-whole",
        &format!("CNI ADD of {PODS} pods at once, until the last"),
        &of_rounds(0),
    );
    let title = "processor time of plugins, restorers and agent for each CNI ADD";
    let processor = each.of_the_same_turns("adds-cpu", title, &of_rounds(1));
    Ok(vec![each, whole, processor])
}

/// What comes behind the bridge.
fn interception(variant: Variant, node: &Node, agent: &Agent<'_>, plugin: &Path) -> Result<Interception, Unavailable> {
    let Some(programs) = variant.restore_programs() else {
        return Ok(match variant {
            Variant::Direct => Interception::None,
            _ => Interception::Plugin { program: plugin.to_owned(), run_dir: agent.run_dir() },
        });
    };
    let pod = small_pod(node, variant.name());
    variant.install(&pod, STACK, &[])?;
    let flags = [DEFAULT_FLAGS, STACK.enroll_flags()].concat();
    let rules = programs.into_iter().map(|(family, program)| {
        let rules = rules(&pod, STACK, family, &flags).map_err(|failed| Unavailable::because(&failed))?;
        Ok((program, rules))
    });
    rules.collect::<Result<_, _>>().map(Interception::Rules)
}
