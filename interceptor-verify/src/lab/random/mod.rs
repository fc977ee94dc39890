// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Configurations and flows by chance, chosen so that they meet: the ports, ranges and users of the flows are those
//! of the flags, and their neighbors.

mod addresses;
mod configs;
mod flows;

use std::{cell::RefCell, fmt};

use anyhow::bail;
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config as RunnerConfig, RngAlgorithm, TestError, TestRng, TestRunner},
};

use self::{
    configs::config,
    flows::{flow, marked},
};
use super::{lab::Lab, own::Own};
use crate::{Stack, flow::Flow, istio::Config};

/// Flows for each configuration.
const FLOWS: usize = 40;
/// Shrinking ends after so many milliseconds.
const SHRINK: u32 = 15_000;

/// A case that differs, as small as it could be made.
#[derive(Debug)]
pub struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Compares `count` configurations that follow from `seed`. `proceed` is asked before each; its error ends the
/// comparison.
pub fn random(
    lab: &mut Lab<'_>,
    stacks: &'static [Stack],
    count: u32,
    seed: u64,
    proceed: impl Fn() -> anyhow::Result<()>,
) -> Result<(), Failure> {
    let mut runner = runner(count, seed);
    let lab = RefCell::new(lab);
    let result = runner.run(&case(stacks), |(config, flows)| {
        proceed().map_err(|error| TestCaseError::fail(format!("{error:#}")))?;
        let differences = lab.borrow_mut().compare(&config, &flows);
        let differences = differences.map_err(|error| TestCaseError::fail(format!("{error:#}")))?;
        match differences.first() {
            None => Ok(()),
            Some(first) => Err(TestCaseError::fail(first.to_string())),
        }
    });
    result.map_err(|error| match error {
        TestError::Fail(reason, _) => Failure(format!("seed {seed}:\n{reason}")),
        TestError::Abort(reason) => Failure(format!("seed {seed}: gave up: {reason}")),
    })
}

fn runner(count: u32, seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let settings = RunnerConfig {
        cases: count,
        max_shrink_iters: 60,
        max_shrink_time: SHRINK,
        failure_persistence: None,
        ..RunnerConfig::default()
    };
    TestRunner::new_with_rng(settings, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// `count` flows for one configuration, which follow from `seed`. Its own ports, users and ranges are among those that
/// they are chosen from. `proceed` is asked before each; its error ends the drawing.
pub fn random_flows(
    config: &Config,
    own: &Own,
    (count, seed): (u32, u64),
    proceed: impl Fn() -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Flow>> {
    let mut runner = runner(count, seed);
    let strategy = flow_of(config, own);
    let draw = |_number| {
        proceed()?;
        match strategy.new_tree(&mut runner) {
            Ok(tree) => Ok(tree.current()),
            Err(reason) => bail!("draw a connection: {reason}"),
        }
    };
    (0..count).map(draw).collect()
}

fn case(stacks: &'static [Stack]) -> impl Strategy<Value = (Config, Vec<Flow>)> {
    config(stacks).prop_flat_map(|config| {
        let flows = prop::collection::vec(flow_of(&config, &Own::default()), 1..=FLOWS);
        (Just(config), flows)
    })
}

fn flow_of(config: &Config, own: &Own) -> BoxedStrategy<Flow> {
    // What TPROXY would deliver to the sidecar is refused with a device, and connects where it would meet itself: both
    // are listed.
    let anywhere = |flow: Flow| Flow { device: None, ..flow.at(8080) };
    let flow = flow(config.stack, own);
    if config.is_tproxy() {
        prop_oneof![flow.prop_map(anywhere), marked(config, own)].boxed()
    } else {
        flow.boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{
        addresses::{is_in_range, is_late, is_many, is_nowhere},
        *,
    };
    use crate::{flow::HOW, lab::stacks};

    #[test]
    fn every_dimension_of_flows_is_drawn() {
        let drawn: RefCell<BTreeMap<String, usize>> = RefCell::default();
        runner(200, 1)
            .run(&case(stacks()), |(config, flows)| {
                let mut drawn = drawn.borrow_mut();
                for name in flows.iter().flat_map(|flow| dimensions(&config, flow)) {
                    *drawn.entry(name).or_default() += 1;
                }
                Ok(())
            })
            .unwrap();
        let drawn = drawn.into_inner();
        let ways = HOW.iter().map(|(_, word)| *word);
        let devices = ["device eth0", "device eth1", "device lo"];
        let others = [
            "in",
            "out",
            "before",
            "first",
            "and",
            "maker",
            "group",
            "bind",
            "port",
            "late port",
            "own port",
            "mapped",
            "mark",
            "transparent",
            "nowhere",
            "many",
            "range",
            "late",
        ];
        for name in ways.chain(devices).chain(others) {
            assert!(
                drawn.get(name).is_some_and(|count| *count >= 5),
                "{name} is hardly ever drawn: {drawn:#?}"
            );
        }
    }

    fn dimensions(config: &Config, flow: &Flow) -> Vec<String> {
        let Flow {
            inbound,
            how,
            to,
            also,
            before,
            first,
            user,
            maker,
            bind,
            bind_port,
            late_port,
            device,
            mapped,
            mark,
            transparent,
        } = flow;
        let way = HOW.iter().find(|(known, _)| known == how).map_or("", |(_, word)| word);
        let has = [
            (true, way),
            (true, if *inbound { "in" } else { "out" }),
            (before.is_some(), "before"),
            (first.is_some(), "first"),
            (!also.is_empty(), "and"),
            (maker.is_some(), "maker"),
            (!user.groups.is_empty(), "group"),
            (bind.is_some(), "bind"),
            (*bind_port, "port"),
            (*late_port, "late port"),
            (to.port() == 0, "own port"),
            (*mapped, "mapped"),
            (mark.is_some(), "mark"),
            (*transparent, "transparent"),
            (is_nowhere(to.ip(), config.stack), "nowhere"),
            (is_many(to.ip()), "many"),
            (is_in_range(to.ip()), "range"),
            (bind.is_some_and(is_late), "late"),
        ];
        let device = device.as_ref().map(|device| format!("device {device}"));
        assert!(device.is_none() || !config.is_tproxy(), "{flow}");
        has.into_iter()
            .filter(|(is, _)| *is)
            .map(|(_, name)| name.to_owned())
            .chain(device)
            .collect()
    }
}
