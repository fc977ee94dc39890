// SPDX-License-Identifier: Apache-2.0 OR MIT
//! HTTP from one pod to another through the Envoys of both, by several clients at once: how many requests, how long
//! each takes, and what all processes of both pods need for it.

use testkit::Node;

use super::{
    envoy::{Chain, chains, service},
    lab::{Lab, durations},
    outcome::{Better, Outcome, Unit},
    plan::{Contender, Plan},
};
use crate::worker::{Sample, Work};

/// Clients at once: more than there are processors, so that no Envoy waits for work.
const CLIENTS: usize = 8;

/// What is made of a turn.
#[derive(Clone, Copy)]
enum Figure {
    Throughput,
    Latency,
    ProcessorTime,
}

pub(super) fn run(lab: &mut Lab<'_>) -> anyhow::Result<Vec<Outcome>> {
    lab.begin("starting Envoys");
    let node = Node::new();
    let mut chains = chains(lab, &node);
    let to = service()?;
    let mut outcomes = Vec::new();
    for (keep_alive, what) in [(true, "kept alive"), (false, "a connection each")] {
        let count = if keep_alive { lab.effort.pick(150, 500) } else { lab.effort.pick(75, 250) };
        for figure in [Figure::Throughput, Figure::Latency, Figure::ProcessorTime] {
            let contenders = chains.iter_mut().map(|(variant, chain)| match chain {
                Ok(chain) => Contender::new(variant.name(), move || {
                    turn(chain, Work::Crowd { to, clients: CLIENTS, count, keep_alive }, figure)
                }),
                Err(why) => Contender::unavailable(variant.name(), why.clone()),
            });
            let contenders = contenders.collect();
            let (name, title, unit, better) = figure.described();
            let name = format!("mesh-{name}-{}", if keep_alive { "keep-alive" } else { "close" });
            let title = format!("{title}, {what}");
            outcomes.push(lab.run(Plan { name, title, unit, better, contenders })?);
        }
    }
    Ok(outcomes)
}

impl Figure {
    /// The name, the title, and of what the values are numbers.
    const fn described(self) -> (&'static str, &'static str, Unit, Better) {
        match self {
            Self::Throughput => ("throughput", "requests through two Envoys", Unit::PerSecond, Better::More),
            Self::Latency => ("latency", "a request through two Envoys", Unit::Nanoseconds, Better::Less),
            Self::ProcessorTime => (
                "cpu",
                "processor time of both pods for a request through two Envoys",
                Unit::Nanoseconds,
                Better::Less,
            ),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "durations have fewer than 53 bits")]
fn turn(chain: &mut Chain<'_>, work: Work, figure: Figure) -> anyhow::Result<Vec<f64>> {
    let before = chain.processor_time()?;
    let sample: Sample = chain.caller.turn(work);
    let used = chain.processor_time()?.saturating_sub(before);
    let requests = sample.nanoseconds.len() as f64;
    Ok(match figure {
        Figure::Throughput => vec![requests * 1e9 / sample.whole_ns as f64],
        Figure::Latency => durations(&sample),
        Figure::ProcessorTime => vec![used.as_secs_f64() * 1e9 / requests],
    })
}
